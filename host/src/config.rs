//! Reads `bot.toml` into checked domain values; nothing below [`crate::app`] sees TOML or the environment.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::retry::Policy;

pub use self::app::{App, AppKind, Callback, Receive};
pub use self::document::Problem;
pub use self::grant::{Grant, Recipients, Scope};
pub use self::hook::Hook;
pub use self::limits::{Limits, show_bytes};
pub use self::plugin::Plugin;
pub use self::process::{Engine, Keep, Server, Store};

use self::document::Document;
use self::section::Section;

mod app;
mod document;
mod grant;
mod hook;
mod hours;
mod limits;
mod plugin;
mod process;
mod restart;
mod section;

#[cfg(test)]
mod tests;

/// Everything `bot.toml` says.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listeners.
    pub server: Server,
    /// Where events and values are kept.
    pub store: Store,
    /// The sandbox.
    pub engine: Engine,
    /// When failed deliveries run again.
    pub retry: Policy,
    /// The DingTalk applications.
    pub apps: Vec<App>,
    /// The plugins, in the order of the file.
    pub plugins: Vec<Plugin>,
    /// The doors for alert webhooks.
    pub hooks: Vec<Hook>,
    /// What is right but will surprise.
    pub warnings: Vec<Problem>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path:?}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// The file is wrong; all that is wrong with it.
    #[error("{path:?} has {} problem(s):\n{}", problems.len(), problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n"))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Its problems in the order of lines.
        problems: Vec<Problem>,
    },
}

impl Config {
    /// Reads a file, applies `BELFRY_SECTION__KEY` from the environment and checks everything at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            error,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        // A variable that is not Unicode is none of ours.
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::parse(&text, folder, variables).map_err(|problems| ConfigError::Wrong {
            path: path.to_owned(),
            problems,
        })
    }

    /// Checks a text; relative paths in it start at `folder`.
    pub fn parse(
        text: &str,
        folder: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        let mut document = Document::parse(text, folder);
        document.override_from(variables);
        let mut root = document.section();

        let server = process::server(&mut root);
        let store = process::store(&mut root);
        let engine = process::engine(&mut root, &store);
        let (retry, park) = process::retry(&mut root);
        let apps: Vec<App> = root.sections("app").into_iter().map(app::app).collect();
        let names: HashSet<&str> = apps.iter().map(|app| app.name.as_str()).collect();
        let plugins = root.sections("plugin");
        let plugins = plugins
            .into_iter()
            .map(|section| plugin::plugin(section, &names, park))
            .collect();
        let hooks = root.sections("hook");
        let hooks = hooks
            .into_iter()
            .map(|section| hook::hook(section, &names, &server))
            .collect();
        if root.has("gateway") {
            root.warn(
                "gateway",
                root.line_of("gateway"),
                "the gateway is not in this version; the section has no effect",
            );
            root.skip("gateway");
        }
        let config = Self {
            server,
            store,
            engine,
            retry,
            apps,
            plugins,
            hooks,
            warnings: Vec::new(),
        };
        config.check_names(&root);
        root.finish();

        let (problems, warnings) = document.into_findings();
        if problems.is_empty() {
            Ok(Self { warnings, ..config })
        } else {
            Err(problems)
        }
    }

    /// The settings that differ and need a restart: each key with what it was and what it would be.
    pub fn restart_needed(&self, newer: &Self) -> Vec<String> {
        restart::needed(self, newer)
    }

    /// This configuration with the settings of another one that cannot change while belfry runs.
    #[must_use]
    pub fn with_process_of(self, running: &Self) -> Self {
        Self {
            server: running.server.clone(),
            store: running.store.clone(),
            engine: running.engine.clone(),
            retry: running.retry,
            ..self
        }
    }

    fn check_names(&self, root: &Section<'_>) {
        fn twice<'a>(root: &Section<'_>, list: &str, names: impl Iterator<Item = &'a str>) {
            let mut seen = HashSet::new();
            for name in names.filter(|name| !name.is_empty()) {
                if !seen.insert(name) {
                    root.report(&format!("{list}.{name}"), None, "the name is used twice");
                }
            }
        }
        twice(root, "app", self.apps.iter().map(|app| app.name.as_str()));
        twice(
            root,
            "plugin",
            self.plugins.iter().map(|plugin| plugin.name.as_str()),
        );
        twice(
            root,
            "hook",
            self.hooks.iter().map(|hook| hook.name.as_str()),
        );
    }
}
