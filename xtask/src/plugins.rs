//! Builds the guests: the sample plugins, and the badly behaved ones that tests run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{shell, target};

/// Builds every sample plugin and puts its component at plugins/NAME.wasm, NAME being its folder.
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
    fn a_file_is_replaced_only_if_it_differs() {
        let file = std::env::temp_dir().join(format!("xtask-replace-{}.wasm", std::process::id()));
        assert!(replace(&file, b"one").unwrap());
        assert!(!replace(&file, b"one").unwrap());
        assert!(replace(&file, b"two").unwrap());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        fs::remove_file(&file).unwrap();
    }
}
