//! Builds the guests: the sample plugins, and the badly behaved ones that tests run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{shell, target};

/// Builds every sample in every language.
pub(crate) fn build_all() -> Result<()> {
    build_samples()?;
    build_languages(&build_belfry()?, true)
}

/// Builds every sample plugin in Rust and puts its component at plugins/NAME.wasm, NAME being its folder.
pub(crate) fn build_samples() -> Result<()> {
    target::ensure()?;
    let folder = shell::root().join("plugins");
    shell::say("building the sample plugins");
    let components = build(&folder)?;
    if components.is_empty() {
        bail!(
            "{} has no plugin: none of its packages is a cdylib",
            folder.display()
        );
    }
    for component in components {
        let destination = folder.join(format!("{}.wasm", component.name));
        let bytes = fs::read(&component.file)
            .with_context(|| format!("cannot read {}", component.file.display()))?;
        let replaced = replace(&destination, &bytes)
            .with_context(|| format!("cannot write {}", destination.display()))?;
        shell::say(&format!(
            "plugins/{}.wasm, {} KiB{}",
            component.name,
            bytes.len().div_ceil(1024),
            if replaced { "" } else { ", unchanged" }
        ));
    }
    Ok(())
}

/// Those that take long to build, or that the host takes long to compile.
const SLOW: &[&str] = &["hello-py", "crash-py"];

/// Builds the samples and the guests of tests in other languages than Rust with belfry itself, which installs the compilers
/// it needs.
pub(crate) fn build_languages(belfry: &Path, with_slow: bool) -> Result<()> {
    let mut folders = languages(&shell::root().join("plugins"), "hello-", with_slow)?;
    let guests = shell::root().join("tests").join("guests");
    if guests.is_dir() {
        folders.extend(languages(&guests, "crash-", with_slow)?);
    }
    shell::say(
        "building samples and guests in other languages, installing their compilers if need be",
    );
    let mut build = shell::command(belfry.as_os_str(), ["plugin", "build", "--install"]);
    shell::run(build.args(folders))
}

/// The folders of one plugin in several languages, which begin alike.
fn languages(plugins: &Path, begin: &str, with_slow: bool) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(plugins).with_context(|| format!("cannot read {}", plugins.display()))?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.is_dir()
                && name.starts_with(begin)
                && (with_slow || !SLOW.contains(&name.as_ref()))
        })
        .collect();
    folders.sort();
    Ok(folders)
}

/// Builds belfry together with what tests need of it, and says where the program is.
///
/// Built alone, it would be built with other features of the same crates, a second time.
pub(crate) fn build_belfry() -> Result<PathBuf> {
    shell::say("building belfry (several minutes the first time, seconds later)");
    let output = shell::cargo(["build", "--workspace", "--bins", "--tests"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cannot build belfry ({})", output.status);
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(program)
        .context("cargo built no program belfry")
}

/// The program belfry, if one of cargo's messages speaks of it.
fn program(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_program = message["target"]["name"] == "belfry"
        && message["target"]["kind"][0] == "bin"
        && message["profile"]["test"] == false;
    if !is_program {
        return None;
    }
    message["executable"].as_str().map(PathBuf::from)
}

/// Builds the badly behaved guests to tests/guests/target/wasm32-wasip2/release/, if the checkout has them.
pub(crate) fn build_guests() -> Result<()> {
    let folder = shell::root().join("tests").join("guests");
    if !folder.join("Cargo.toml").is_file() {
        return Ok(());
    }
    target::ensure()?;
    shell::say("building the badly behaved guests of the tests");
    build(&folder)?;
    Ok(())
}

/// A component that cargo has built.
#[derive(Debug, PartialEq)]
struct Component {
    /// The package's folder name.
    name: String,
    file: PathBuf,
}

/// Builds the workspace in `folder` and returns the components of its own packages.
fn build(folder: &Path) -> Result<Vec<Component>> {
    if !folder.join("Cargo.toml").is_file() {
        bail!("{} is missing", folder.join("Cargo.toml").display());
    }
    // Cargo names the files it made in messages on standard output; people read standard error.
    let output = shell::cargo([
        "build",
        "--release",
        "--workspace",
        "--target",
        target::TARGET,
    ])
    .args(target::without_home())
    .args([
        "--message-format",
        "json-render-diagnostics",
        "--target-dir",
    ])
    .arg(folder.join("target"))
    .current_dir(folder)
    .stderr(Stdio::inherit())
    .output()
    .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cannot build {} ({})", folder.display(), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| component(line, folder))
        .collect())
}

/// The component one of cargo's messages speaks of, if it comes from a package inside `folder`.
fn component(message: &str, folder: &Path) -> Option<Component> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let kinds = message["target"]["crate_types"].as_array()?;
    let package = Path::new(message["manifest_path"].as_str()?).parent()?;
    if !kinds.iter().any(|kind| kind == "cdylib") || !package.starts_with(folder) {
        return None;
    }
    let files = message["filenames"].as_array()?;
    let file = files
        .iter()
        .filter_map(Value::as_str)
        .find(|file| file.ends_with(".wasm"))?;
    Some(Component {
        name: package.file_name()?.to_string_lossy().into_owned(),
        file: PathBuf::from(file),
    })
}

/// Gives `destination` these bytes in one step; says whether it had others before.
///
/// A bot that watches the folder never sees half a file, and an unchanged one keeps its time of change.
fn replace(destination: &Path, bytes: &[u8]) -> io::Result<bool> {
    if fs::read(destination).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let name = destination
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let fresh = destination.with_file_name(format!(".{name}.new"));
    fs::write(&fresh, bytes)?;
    fs::rename(&fresh, destination)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(manifest: &str, kind: &str, file: &str) -> String {
        serde_json::json!({
            "reason": "compiler-artifact",
            "manifest_path": manifest,
            "target": {"crate_types": [kind]},
            "filenames": [file],
        })
        .to_string()
    }

    #[test]
    fn only_components_of_the_folders_own_packages_are_taken() {
        let folder = Path::new("/checkout/plugins");
        let check = |manifest: &str, kind: &str, file: &str, expected: Option<&str>| {
            let found =
                component(&message(manifest, kind, file), folder).map(|component| component.name);
            assert_eq!(found.as_deref(), expected, "{manifest} {kind} {file}");
        };
        check(
            "/checkout/plugins/echo/Cargo.toml",
            "cdylib",
            "/t/echo.wasm",
            Some("echo"),
        );
        check(
            "/checkout/plugins/two-words/Cargo.toml",
            "cdylib",
            "/t/two_words.wasm",
            Some("two-words"),
        );
        check(
            "/checkout/plugins/sdk/Cargo.toml",
            "lib",
            "/t/libsdk.rlib",
            None,
        );
        check(
            "/registry/other/Cargo.toml",
            "cdylib",
            "/t/other.wasm",
            None,
        );
        assert_eq!(component("not json", folder), None);
        assert_eq!(component(r#"{"reason":"build-finished"}"#, folder), None);
    }

    #[test]
    fn the_program_is_told_from_its_own_tests() {
        let message = |kind: &str, test: bool| {
            serde_json::json!({
                "target": {"name": "belfry", "kind": [kind]},
                "profile": {"test": test},
                "executable": "/t/belfry",
            })
            .to_string()
        };
        assert_eq!(program(&message("bin", false)), Some("/t/belfry".into()));
        assert_eq!(program(&message("bin", true)), None);
        assert_eq!(program(&message("lib", false)), None);
        assert_eq!(program("not json"), None);
    }

    #[test]
    fn every_language_has_its_folder_and_slow_ones_can_be_left_out() {
        for (folder, begin) in [("plugins", "hello-"), ("tests/guests", "crash-")] {
            let folder = shell::root().join(folder);
            let all = languages(&folder, begin, true).unwrap();
            for language in ["c", "go", "js", "py", "ts"] {
                assert!(
                    all.contains(&folder.join(format!("{begin}{language}"))),
                    "{language}"
                );
            }
            let quick = languages(&folder, begin, false).unwrap();
            for name in SLOW {
                assert!(!quick.contains(&folder.join(name)), "{name}");
            }
            assert_eq!(quick.len(), all.len() - 1);
        }
    }

    #[test]
    fn a_file_is_replaced_only_if_it_differs() {
        let file = std::env::temp_dir().join(format!("xtask-replace-{}.wasm", std::process::id()));
        assert!(replace(&file, b"one").unwrap());
        assert!(!replace(&file, b"one").unwrap());
        assert!(replace(&file, b"two").unwrap());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        fs::remove_file(&file).unwrap();
    }
}
