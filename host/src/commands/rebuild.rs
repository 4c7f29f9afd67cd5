//! Rebuilds Rust plugins when their sources change, for `belfry dev`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use belfry::config::Config;
use notify_debouncer_full::notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, new_debouncer};
use tokio::process::Command;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often it is asked which plugins there are.
const LOOK: Duration = Duration::from_secs(2);
/// Changes within this time cause one build.
const DEBOUNCE: Duration = Duration::from_millis(300);
const TARGET: &str = "wasm32-wasip2";

/// The sources of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sources {
    /// The crate, such as `plugins/echo`.
    folder: PathBuf,
    /// Where its component belongs, such as `plugins/echo.wasm`.
    component: PathBuf,
}

/// The plugins whose sources lie beside their components.
pub(super) fn sources(config: &Config) -> Vec<Sources> {
    let sources = config.plugins.iter().map(|plugin| Sources {
        folder: plugin.component.with_extension(""),
        component: plugin.component.clone(),
    });
    sources
        .filter(|sources| sources.folder.join("Cargo.toml").is_file())
        .collect()
}

/// Watches and rebuilds until `stop`. `sources` is asked again now and then, because plugins come and go.
pub(super) async fn watch(sources: impl Fn() -> Vec<Sources>, stop: CancellationToken) {
    let changed = Arc::new(Notify::new());
    let mut watched: Vec<Watched> = Vec::new();
    loop {
        let present = sources();
        if !watched.iter().map(|watched| &watched.sources).eq(&present) {
            watched = present
                .into_iter()
                .map(|sources| Watched::new(sources, &changed))
                .collect();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = changed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        for Watched {
            sources, is_dirty, ..
        } in &watched
        {
            if !is_dirty.swap(false, Ordering::Relaxed) {
                continue;
            }
            tracing::info!(folder = ?sources.folder, "sources changed, building");
            match build(sources).await {
                // The watcher of component files takes it from here.
                Ok(()) => tracing::info!(component = ?sources.component, "plugin built"),
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "the plugin was not built, the old one goes on"
                    );
                }
            }
        }
    }
}

/// Sources under watch.
struct Watched {
    sources: Sources,
    is_dirty: Arc<AtomicBool>,
    /// Watches as long as it lives.
    _watcher: Option<Box<dyn Send + Sync>>,
}

impl Watched {
    fn new(sources: Sources, changed: &Arc<Notify>) -> Self {
        let (is_dirty, changed) = (Arc::new(AtomicBool::new(false)), Arc::clone(changed));
        let dirty = Arc::clone(&is_dirty);
        let debouncer = new_debouncer(DEBOUNCE, None, move |events: DebounceEventResult| {
            // Reading a file is an event too, and building reads them all.
            if events.is_ok_and(|events| events.iter().any(|event| !event.kind.is_access())) {
                dirty.store(true, Ordering::Relaxed);
                changed.notify_one();
            }
        });
        let watcher = debouncer.and_then(|mut debouncer| {
            debouncer.watch(sources.folder.join("src"), RecursiveMode::Recursive)?;
            debouncer.watch(
                sources.folder.join("Cargo.toml"),
                RecursiveMode::NonRecursive,
            )?;
            Ok(Box::new(debouncer) as Box<dyn Send + Sync>)
        });
        if let Err(error) = &watcher {
            tracing::warn!(folder = ?sources.folder, %error, "cannot watch the sources of a plugin");
        }
        Self {
            sources,
            is_dirty,
            _watcher: watcher.ok(),
        }
    }
}

async fn build(plugin: &Sources) -> anyhow::Result<()> {
    let output = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--target",
            TARGET,
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(&plugin.folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo build failed in {:?}, see above", plugin.folder);
    }
    let manifest = std::path::absolute(plugin.folder.join("Cargo.toml"))?;
    let built =
        component_of(&String::from_utf8_lossy(&output.stdout), &manifest).with_context(|| {
            format!(
                "cargo built no component in {:?}; has Cargo.toml crate-type = [\"cdylib\"]?",
                plugin.folder
            )
        })?;
    replace(&built, &plugin.component)
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
    let files: BTreeSet<PathBuf> = artifacts
        .filter_map(|message| Some(message["filenames"].as_array()?.clone()))
        .flatten()
        .filter_map(|file| Some(file.as_str()?.into()))
        .collect();
    files.into_iter().find(|file| {
        file.extension()
            .is_some_and(|extension| extension == "wasm")
    })
}

/// In one step, so that nobody reads half a file.
fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    let temporary = to.with_extension("wasm.new");
    std::fs::copy(from, &temporary).with_context(|| format!("cannot write {temporary:?}"))?;
    std::fs::rename(&temporary, to).with_context(|| format!("cannot replace {to:?}"))
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
