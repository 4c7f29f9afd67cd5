//! How does a crate become a component? With cargo alone: its target `wasm32-wasip2` makes components.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::tool::{Missing, Remedy, ask, run_telling};
use super::{Error, Job};

const TARGET: &str = "wasm32-wasip2";

/// A folder with this file is a crate.
pub(super) const MARK: &str = "Cargo.toml";

/// The compiler, or the target alone.
pub(super) async fn missing(folder: &Path) -> Option<Missing> {
    let rustc = ask(
        "rustc",
        &["--print", "target-libdir", "--target", TARGET],
        folder,
    );
    match rustc.await {
        Some(libraries) if Path::new(&libraries).is_dir() => None,
        Some(_) => Some(Missing {
            what: format!("the Rust target {TARGET}"),
            remedy: Remedy::Commands(vec![
                ["rustup", "target", "add", TARGET]
                    .map(str::to_owned)
                    .to_vec(),
            ]),
        }),
        None => Some(Missing {
            what: "Rust".to_owned(),
            remedy: Remedy::ByHand("rustup, see https://rustup.rs"),
        }),
    }
}

/// Builds the crate with its release profile.
pub(super) async fn compile(job: &Job<'_>) -> Result<Vec<u8>, Error> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .args(without_home())
        .current_dir(job.folder)
        .stdout(Stdio::piped());
    let messages = run_telling(&mut cargo, job).await?;
    let manifest = job.folder.join(MARK);
    let built = component_of(&String::from_utf8_lossy(&messages), &manifest).ok_or_else(|| {
        Error::NoComponent {
            folder: job.folder.to_owned(),
            hint: "has Cargo.toml crate-type = [\"cdylib\"] under [lib]?",
        }
    })?;
    std::fs::read(&built).map_err(|source| Error::File {
        file: built,
        source,
    })
}

/// Panics name the source file of a crate. Where cargo keeps those is nobody's business, and the same sources make the
/// same component everywhere. Flags in the author's own configuration stay as they are.
fn without_home() -> impl Iterator<Item = String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let flags = home.map(|home| {
        let flag = format!("--remap-path-prefix={}=cargo", home.display());
        [
            "--config".to_owned(),
            format!("target.{TARGET}.rustflags=[{flag:?}]"),
        ]
    });
    flags.into_iter().flatten()
}

/// The `.wasm` file that cargo reports for the crate of a manifest.
fn component_of(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact"
                && message["manifest_path"]
                    .as_str()
                    .is_some_and(|path| Path::new(path) == manifest)
        });
    let mut files = artifacts
        .filter_map(|message| Some(message["filenames"].as_array()?.clone()))
        .flatten()
        .filter_map(|file| Some(PathBuf::from(file.as_str()?)));
    files.find(|file| {
        file.extension()
            .is_some_and(|extension| extension == "wasm")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/p/sdk/Cargo.toml","filenames":["/t/sdk.rlib"]}
not json
{"reason":"compiler-artifact","manifest_path":"/p/echo/Cargo.toml","filenames":["/t/echo.wasm"]}"#;
        assert_eq!(
            component_of(messages, Path::new("/p/echo/Cargo.toml")),
            Some("/t/echo.wasm".into())
        );
        assert_eq!(component_of(messages, Path::new("/p/sdk/Cargo.toml")), None);
    }
}
