//! Rebuilds plugins when their sources change, for `belfry dev`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use belfry::config::Config;
use notify_debouncer_full::notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, new_debouncer};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::toolchain::{self, Language, Tools};

/// How often it is asked which plugins there are.
const LOOK: Duration = Duration::from_secs(2);
/// Changes within this time cause one build.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// The sources of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sources {
    /// The plugin's folder, such as `plugins/echo`.
    folder: PathBuf,
    /// The folders in which an author's files are, that of the plugin first.
    inner: Vec<PathBuf>,
    /// Where its component belongs, such as `plugins/echo.wasm`.
    component: PathBuf,
    /// Whether belfry loads it.
    is_enabled: bool,
}

impl Sources {
    /// Whether belfry would refuse the plugin for want of a build.
    fn is_missed(&self) -> bool {
        self.is_enabled && !self.component.exists()
    }
}

/// The plugins whose sources lie beside their components.
pub(super) fn sources(config: &Config) -> Vec<Sources> {
    let folders = config.plugins.iter().map(|plugin| {
        // Changes are told with absolute paths.
        let component = std::path::absolute(&plugin.component);
        let component = component.unwrap_or_else(|_| plugin.component.clone());
        (component.with_extension(""), component, plugin.enabled)
    });
    folders
        .filter(|(folder, ..)| folder.is_dir() && Language::of(folder).is_ok())
        .map(|(folder, component, is_enabled)| Sources {
            inner: toolchain::source_folders(&folder),
            folder,
            component,
            is_enabled,
        })
        .collect()
}

/// Builds the plugins that were never built, so that a start does not fail for want of them.
pub(super) async fn build_missed(config: &Config, tools: &Tools) -> anyhow::Result<()> {
    let report = |text: &str| tracing::info!("{text}");
    let options = toolchain::Options {
        tools,
        install: false,
        report: &report,
    };
    let missed = sources(config).into_iter().filter(Sources::is_missed);
    for Sources {
        folder, component, ..
    } in missed
    {
        tracing::info!(?folder, "building a plugin that was never built");
        toolchain::build(&folder, &component, &options)
            .await
            .with_context(|| format!("cannot build {}", folder.display()))?;
    }
    Ok(())
}

/// Watches and rebuilds until `stop`. `sources` is asked again now and then, because plugins come and go.
pub(super) async fn watch(
    sources: impl Fn() -> Vec<Sources>,
    tools: Tools,
    stop: CancellationToken,
) {
    let report = |text: &str| tracing::info!("{text}");
    let options = toolchain::Options {
        tools: &tools,
        install: false,
        report: &report,
    };
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
            tracing::info!(folder = ?sources.folder, "building a plugin");
            let build = toolchain::build(&sources.folder, &sources.component, &options);
            let built = tokio::select! {
                () = stop.cancelled() => return,
                built = build => built,
            };
            match built {
                // The watcher of component files takes it from here.
                Ok(built) => {
                    let language = built.language.name();
                    tracing::info!(component = ?sources.component, language, "plugin built");
                }
                Err(error) => {
                    tracing::error!(
                        error = format!("{:#}", anyhow::Error::new(error)),
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
        let changed = Arc::clone(changed);
        let is_dirty = Arc::new(AtomicBool::new(sources.is_missed()));
        if sources.is_missed() {
            changed.notify_one();
        }
        let dirty = Arc::clone(&is_dirty);
        let folder = sources.folder.clone();
        let is_source = move |path: &PathBuf| {
            // The folder itself changes when a build makes one inside it.
            path.strip_prefix(&folder)
                .is_ok_and(|inner| !inner.as_os_str().is_empty() && toolchain::is_source(inner))
        };
        let debouncer = new_debouncer(DEBOUNCE, None, move |events: DebounceEventResult| {
            // Reading a file is an event too, and building reads them all.
            let mut changes = events
                .iter()
                .flatten()
                .filter(|event| !event.kind.is_access());
            if changes.any(|event| event.paths.iter().any(&is_source)) {
                dirty.store(true, Ordering::Relaxed);
                changed.notify_one();
            }
        });
        let watcher = debouncer.and_then(|mut debouncer| {
            for (index, folder) in sources.inner.iter().enumerate() {
                let mode = if index == 0 {
                    RecursiveMode::NonRecursive
                } else {
                    RecursiveMode::Recursive
                };
                debouncer.watch(folder, mode)?;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_known_by_absolute_paths_wherever_the_configuration_lies() {
        let text = r#"
            [[app]]
            name = "acme"
            corp-id = "dingcorp"
            app-key = "dingkey"
            app-secret = "secret"
            [[plugin]]
            name = "echo"
            app = "acme"
            component = "../plugins/echo.wasm"
            events = ["chat-message"]
        "#;
        let config = Config::parse(text, std::path::Path::new(""), []).unwrap();
        let found = sources(&config);
        assert_eq!(found.len(), 1);
        assert!(found[0].folder.is_absolute() && found[0].component.is_absolute());
        assert!(found[0].inner.iter().all(|folder| folder.is_absolute()));
    }
}
