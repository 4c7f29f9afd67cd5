//! Who may import whom: checks that the source keeps to the table in `layering/table.rs`.

#![allow(clippy::unwrap_used, reason = "a test reports by failing")]

use std::fs;
use std::path::{Path, PathBuf};

use table::{CRATE_RULES, CrateRule, MODULES, OUR_PACKAGES, PACKAGE_RULES};

#[path = "layering/scan.rs"]
mod scan;
#[path = "layering/table.rs"]
mod table;

/// The modules of a file below `host/src`: `["journal", "sqlite"]` for `journal/sqlite.rs`.
fn module_path(file: &Path) -> Vec<String> {
    file.with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect()
}

/// Whether the file holds tests, which a parent brings in under `#[cfg(test)]`.
fn is_test_file(module: &[&str]) -> bool {
    module.iter().skip(1).any(|part| *part == "tests")
}

/// Says what is wrong with the arrow, if anything.
fn judge(from: &str, to: &str) -> Option<String> {
    let find = |name: &str| MODULES.iter().find(|module| module.name == name);
    let unknown = |name: &str| {
        format!(
            "module `{name}` is not in the table of tests/layering/table.rs; add it there, with its layer"
        )
    };
    let Some(source) = find(from) else {
        return Some(unknown(from));
    };
    if from == to {
        return None;
    }
    let Some(target) = find(to) else {
        return Some(unknown(to));
    };
    if target.layer < source.layer || source.beside.contains(&to) {
        return None;
    }
    Some(format!(
        "`{from}` (layer {}) may not use `{to}` (layer {})",
        source.layer, target.layer
    ))
}

/// Every arrow of a file in `host/src` that the table does not have.
fn wrong_arrows(file: &Path, source: &str) -> Vec<String> {
    let module = module_path(file);
    let module: Vec<&str> = module.iter().map(String::as_str).collect();
    // The library's root lists modules and belongs to no layer.
    if module == ["lib"] || is_test_file(&module) {
        return Vec::new();
    }
    // The program is a crate of its own, so there `super` and `crate` end at `main`.
    let program = ["main", "commands"].contains(&module[0]);
    let roots: &[&str] = if program {
        &["crate", "belfry"]
    } else {
        &["crate"]
    };
    let place = if module == ["main"] {
        &[]
    } else {
        module.as_slice()
    };
    let mut mentions = scan::modules(source, place, roots);
    if module == ["main"] {
        // What `crate::` leads to from the root of a crate are its own items, unless they are modules of the table.
        mentions.retain(|mention| MODULES.iter().any(|module| module.name == mention.name));
    }
    let mut wrong: Vec<String> = mentions
        .into_iter()
        .filter_map(|mention| {
            Some(format!(
                "{}:{}: {}",
                file.display(),
                mention.line,
                judge(module[0], &mention.name)?
            ))
        })
        .collect();
    if wrong.is_empty() {
        // A module that uses nothing must be in the table all the same.
        wrong.extend(
            judge(module[0], module[0]).map(|problem| format!("{}: {problem}", file.display())),
        );
    }
    wrong
}

/// Every use of a crate in a place that the rule does not name.
fn wrong_crates(rule: &CrateRule, file: &Path, source: &str) -> Vec<String> {
    let module = module_path(file);
    let path = module.join("/");
    let parts: Vec<&str> = module.iter().map(String::as_str).collect();
    if is_test_file(&parts) || rule.places.iter().any(|place| is_at(&path, place)) {
        return Vec::new();
    }
    scan::crates(source, rule.crates)
        .into_iter()
        .map(|mention| {
            format!(
                "{}/{}:{}: `{}`: {}",
                rule.source,
                file.display(),
                mention.line,
                mention.name,
                rule.reason
            )
        })
        .collect()
}

/// Whether a module's path is the place, or in the folder that the place names.
fn is_at(path: &str, place: &str) -> bool {
    let (place, is_folder) = place
        .strip_suffix('/')
        .map_or((place, false), |folder| (folder, true));
    let place: Vec<&str> = place.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    let length_fits = if is_folder {
        path.len() > place.len()
    } else {
        path.len() == place.len()
    };
    length_fits
        && place
            .iter()
            .zip(&path)
            .all(|(place, part)| *place == "*" || place == part)
}

/// Our own packages that a manifest depends on and may not.
fn wrong_dependencies(package: &str, manifest: &str, allowed: &[&str]) -> Vec<String> {
    let mut in_dependencies = false;
    let mut wrong = Vec::new();
    for (number, line) in manifest.lines().enumerate() {
        let line = line.trim();
        let mut name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            in_dependencies = section.ends_with("dependencies");
            // `[dependencies.name]` is a dependency by itself.
            let Some((_, single)) = section.rsplit_once("dependencies.") else {
                continue;
            };
            name = single;
        } else if !in_dependencies {
            continue;
        }
        if OUR_PACKAGES.contains(&name.trim_matches('"'))
            && !allowed.contains(&name.trim_matches('"'))
        {
            wrong.push(format!(
                "{package}/Cargo.toml:{}: `{package}` may not depend on `{name}`",
                number + 1
            ));
        }
    }
    wrong
}

/// The root of the checkout.
fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// The Rust files below a folder of the checkout, by their path inside it, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = root().join(folder);
    let mut pending = vec![folder.clone()];
    let mut files = Vec::new();
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", directory.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(&folder).unwrap().to_owned(), text));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "{} has no Rust files", folder.display());
    files
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "arrows that point the wrong way:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn modules_of_the_host_use_what_the_table_allows() {
    let wrong: Vec<String> = sources("host/src")
        .iter()
        .flat_map(|(file, source)| wrong_arrows(file, source))
        .collect();
    assert_none(&wrong);
}

#[test]
fn crates_stay_where_they_belong() {
    let wrong: Vec<String> = CRATE_RULES
        .iter()
        .flat_map(|rule| {
            sources(rule.source)
                .into_iter()
                .map(move |(file, source)| (rule, file, source))
        })
        .flat_map(|(rule, file, source)| wrong_crates(rule, &file, &source))
        .collect();
    assert_none(&wrong);
}

#[test]
fn packages_depend_on_what_they_may() {
    let mut wrong = Vec::new();
    for (package, allowed) in PACKAGE_RULES {
        let manifest = root().join(package).join("Cargo.toml");
        // The benchmarks may be left out of a checkout.
        if *package == "bench" && !manifest.exists() {
            continue;
        }
        wrong.extend(wrong_dependencies(
            package,
            &fs::read_to_string(&manifest).unwrap(),
            allowed,
        ));
    }
    for entry in fs::read_dir(root().join("plugins")).unwrap() {
        let folder = entry.unwrap().path();
        if let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) {
            let package = format!("plugins/{}", folder.file_name().unwrap().to_string_lossy());
            wrong.extend(wrong_dependencies(&package, &manifest, &["belfry-plugin"]));
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_table_has_no_circle() {
    // On one layer, each module may use later rows only; across layers arrows go down anyway.
    for (row, module) in MODULES.iter().enumerate() {
        for beside in module.beside {
            let target = MODULES.iter().position(|other| other.name == *beside);
            let target = target.unwrap_or_else(|| panic!("{beside} is not in the table"));
            assert!(
                target > row && MODULES[target].layer == module.layer,
                "{} -> {beside}",
                module.name
            );
        }
    }
}

#[test]
fn a_forbidden_arrow_is_found() {
    let check = |file: &str, source: &str, expected: &str| {
        assert_eq!(
            wrong_arrows(Path::new(file), source),
            [expected],
            "{source}"
        );
    };
    check(
        "journal.rs",
        "//! Records.\nuse crate::kv::Kv;",
        "journal.rs:2: `journal` (layer 1) may not use `kv` (layer 1)",
    );
    check(
        "engine/pool.rs",
        "fn f() { crate::imports::chat::send() }",
        "engine/pool.rs:1: `engine` (layer 2) may not use `imports` (layer 2)",
    );
    check(
        "rules.rs",
        "use super::app::App;",
        "rules.rs:1: `rules` (layer 0) may not use `app` (layer 6)",
    );
    check(
        "app.rs",
        "use crate::{clock, main};",
        "app.rs:1: `app` (layer 6) may not use `main` (layer 6)",
    );
    check(
        "kv.rs",
        "use crate::tricks;",
        "kv.rs:1: module `tricks` is not in the table of tests/layering/table.rs; add it there, with its layer",
    );
    check(
        "tricks.rs",
        "",
        "tricks.rs: module `tricks` is not in the table of tests/layering/table.rs; add it there, with its layer",
    );
}

#[test]
fn an_allowed_arrow_is_not() {
    let check = |file: &str, source: &str| {
        assert_eq!(
            wrong_arrows(Path::new(file), source),
            [] as [&str; 0],
            "{source}"
        );
    };
    check(
        "dispatch.rs",
        "use crate::journal::Journal; use crate::{active, plugin, retry};",
    );
    check(
        "imports/chat.rs",
        "use crate::engine::State; use crate::imports::error; use super::error;",
    );
    check("effect.rs", "use crate::journal::Record;");
    check(
        "journal/sqlite.rs",
        "use super::Journal; use crate::ids::EventId;",
    );
    check(
        "main.rs",
        "use belfry::app; mod commands; use commands::serve; fn f() { crate::g() }",
    );
    check(
        "commands/serve.rs",
        "use belfry::config::Config; use crate::app; use super::print;",
    );
    check("lib.rs", "pub mod anything; use crate::anything::Thing;");
    check("journal/tests.rs", "use crate::app::App;");
    check(
        "kv.rs",
        "// use crate::journal;\nconst A: &str = \"crate::journal\";\n#[cfg(test)] mod tests { use crate::app; }",
    );
}

#[test]
fn a_crate_in_the_wrong_place_is_found() {
    let rule = |name: &str| {
        CRATE_RULES
            .iter()
            .find(|rule| rule.crates[0] == name)
            .unwrap()
    };
    let check = |name: &str, file: &str, source: &str, found: bool| {
        assert_eq!(
            !wrong_crates(rule(name), Path::new(file), source).is_empty(),
            found,
            "{file}: {source}"
        );
    };
    check(
        "wasmtime*",
        "dispatch.rs",
        "use wasmtime_wasi::WasiCtx;",
        true,
    );
    check(
        "wasmtime*",
        "engine/pool.rs",
        "use wasmtime_wasi::WasiCtx;",
        false,
    );
    check("rusqlite", "journal.rs", "use rusqlite::Connection;", true);
    check("rusqlite", "sqlite.rs", "use rusqlite::Connection;", true);
    check(
        "rusqlite",
        "journal/sqlite.rs",
        "use rusqlite::Connection;",
        false,
    );
    check(
        "rusqlite",
        "kv/sqlite/migrations.rs",
        "use rusqlite::Connection;",
        false,
    );
    check("hyper", "imports/http.rs", "use hyper::Request;", false);
    check("hyper", "imports/chat.rs", "use hyper::Request;", true);
    check("simulator", "commands/dev.rs", "simulator::start()", false);
    check("simulator", "app.rs", "simulator::start()", true);
}

#[test]
fn a_forbidden_dependency_is_found() {
    let check = |manifest: &str, expected: usize| {
        assert_eq!(
            wrong_dependencies("simulator", manifest, &["xtask"]).len(),
            expected,
            "{manifest}"
        );
    };
    check(
        "[package]\nname = \"simulator\"\n[dependencies]\naxum = \"1\"\nxtask.workspace = true",
        0,
    );
    check("[dependencies]\ndingtalk.workspace = true", 1);
    check(
        "[dev-dependencies]\nbelfry = { path = \"../host\" }\ndingtalk-like = \"1\"",
        1,
    );
    check(
        "[target.'cfg(unix)'.dependencies.dingtalk]\nworkspace = true",
        1,
    );
    check("[features]\ndingtalk = []", 0);
}
