//! What files does the program carry? The package `belfry:bot` and the templates of new plugins.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

/// The folder of the package `belfry:bot` below a plugin's `wit/deps`.
const PACKAGE: &str = "belfry-bot";

/// Brings `wit/deps` of a plugin to the contract of this belfry. Files that are as they should be are not touched, so that
/// nobody who watches them is woken.
pub(super) fn write_contract(wit: &Path) -> io::Result<()> {
    let deps = wit.join("deps");
    let wanted: Vec<(PathBuf, &str)> = WIT
        .iter()
        .map(|(name, text)| (deps.join(place(name)), *text))
        .collect();
    for (file, text) in &wanted {
        if fs::read(file).is_ok_and(|old| old == text.as_bytes()) {
            continue;
        }
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, text)?;
    }
    // A file that an earlier version had would declare things twice.
    let wanted: BTreeSet<&Path> = wanted.iter().map(|(file, _)| file.as_path()).collect();
    for entry in fs::read_dir(deps.join(PACKAGE))? {
        let file = entry?.path();
        if !wanted.contains(file.as_path()) && file.extension().is_some_and(|it| it == "wit") {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

/// Where a file of `wit/` belongs below a plugin's `wit/deps`: other packages lie beside `belfry:bot`, not in it.
fn place(name: &str) -> PathBuf {
    match name.strip_prefix("deps/") {
        Some(other) => other.into(),
        None => Path::new(PACKAGE).join(name),
    }
}

/// The files of a template, with their paths inside the new folder.
pub(super) fn template(language: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let prefix = format!("{language}/");
    TEMPLATES
        .iter()
        .filter_map(move |(name, text)| Some((name.strip_prefix(&prefix)?, *text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_gets_the_whole_contract_and_loses_what_is_no_longer_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("deps").join(PACKAGE);
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("api.wit"), "old").unwrap();
        fs::write(package.join("gone.wit"), "package belfry:bot@0.1.0;").unwrap();
        write_contract(folder.path()).unwrap();
        assert!(!package.join("gone.wit").exists());
        for (name, text) in WIT {
            let file = folder.path().join("deps").join(place(name));
            assert_eq!(fs::read_to_string(file).unwrap(), *text, "{name}");
        }
    }

    #[test]
    fn what_is_in_order_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        write_contract(folder.path()).unwrap();
        let file = folder.path().join("deps").join(PACKAGE).join("api.wit");
        let written = fs::metadata(&file).unwrap().modified().unwrap();
        write_contract(folder.path()).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
    }
}
