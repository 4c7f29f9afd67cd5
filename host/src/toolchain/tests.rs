use super::*;

/// All files below a folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_folder_without_any_mark_is_refused_with_the_marks() {
    let folder = tempfile::tempdir().unwrap();
    let error = Language::of(folder.path()).unwrap_err().to_string();
    for language in LANGUAGES {
        assert!(error.contains(language.mark()), "{error}");
    }
}

#[test]
fn what_builds_made_is_no_source() {
    for (path, expected) in [
        ("src/lib.rs", true),
        ("wit/world.wit", true),
        ("wit/deps/belfry-bot/kv.wit", false),
        ("gen/plugin.h", false),
        ("target/x", false),
        (".hello.c.swp", false),
        ("hello.c", true),
    ] {
        assert_eq!(is_source(Path::new(path)), expected, "{path}");
    }
}

#[test]
fn only_folders_with_sources_are_watched() {
    let folder = tempfile::tempdir().unwrap();
    for inner in ["src", "wit", "gen", "node_modules", ".git"] {
        fs::create_dir(folder.path().join(inner)).unwrap();
    }
    let root = folder.path().to_owned();
    assert_eq!(
        source_folders(&root),
        [root.clone(), root.join("src"), root.join("wit")]
    );
}

#[test]
fn a_component_is_replaced_only_if_it_differs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.wasm");
    assert!(replace(&file, b"one").unwrap());
    assert!(!replace(&file, b"one").unwrap());
    assert!(replace(&file, b"two").unwrap());
    assert_eq!(fs::read(&file).unwrap(), b"two");
    assert_eq!(files(folder.path()), [file]);
}
