//! Builds a snapshot from a configuration: everything that can be refused is tried here, off the way of events.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Refusal;
use crate::active::{Active, App};
use crate::config::{self, Config};
use crate::engine::Sandbox;
use crate::ids::PluginDigest;
use crate::plugin::{Component, LoadError, Plugin};
use crate::versions::Versions;

/// A snapshot, and what of its configuration is not in it.
pub(super) struct Built {
    pub(super) active: Active,
    pub(super) refused: Vec<Refusal>,
}

/// Builds a snapshot. Where something is refused, `present` fills in; without it, it is missing from the result.
/// `versions` keeps the components of what is loaded.
pub(super) async fn build(
    config: Config,
    sandbox: &Sandbox,
    versions: Option<&Versions>,
    present: Option<&Active>,
) -> Built {
    let mut refused = Vec::new();
    let apps = apps(&config, present, &mut refused);
    let mut files = Files::default();
    let mut plugins = Vec::new();
    for settings in config.plugins.iter().filter(|plugin| plugin.enabled) {
        let current = present.and_then(|present| present.plugins.get(&settings.name));
        let read = files
            .read(&settings.component, settings.limits.component)
            .await;
        let digest = read.as_ref().ok().map(Component::digest);
        let loaded = match read {
            Ok(component) => load(settings, sandbox, versions, component, current).await,
            Err(reason) => Err(reason),
        };
        match loaded {
            Ok(plugin) => plugins.push(plugin),
            Err(reason) => {
                refused.push(Refusal {
                    digest: digest.as_ref().map(PluginDigest::to_string),
                    ..Refusal::new(settings.name.as_str(), reason)
                });
                plugins.extend(current.cloned());
            }
        }
    }
    Built {
        active: Active::new(present, config, apps, plugins),
        refused,
    }
}

fn apps(config: &Config, present: Option<&Active>, refused: &mut Vec<Refusal>) -> Vec<Arc<App>> {
    let mut apps = Vec::new();
    for settings in &config.apps {
        let current = present.and_then(|present| present.apps.get(&settings.name));
        // An unchanged app keeps its client and with it its token.
        if let Some(same) = current.filter(|app| app.settings == *settings) {
            apps.push(Arc::clone(same));
            continue;
        }
        match App::new(settings.clone()) {
            Ok(app) => apps.push(Arc::new(app)),
            Err(error) => {
                refused.push(Refusal::new(settings.name.as_str(), error.to_string()));
                apps.extend(current.cloned());
            }
        }
    }
    apps
}

async fn load(
    settings: &config::Plugin,
    sandbox: &Sandbox,
    versions: Option<&Versions>,
    component: Component,
    current: Option<&Arc<Plugin>>,
) -> Result<Arc<Plugin>, String> {
    if let Some(current) = current
        && current.digest() == component.digest()
        && current.settings() == settings
    {
        return Ok(Arc::clone(current));
    }
    let plugin = Plugin::load(sandbox, settings.clone(), component.clone())
        .await
        .map_err(|error| error.to_string())?;
    if let Some(versions) = versions {
        versions.keep(&component).await;
    }
    for unused in plugin.unused_grants() {
        tracing::warn!(plugin = %settings.name, grant = unused, "a grant is not asked for by the plugin");
    }
    tracing::info!(
        plugin = %settings.name, version = plugin.version(), digest = %plugin.digest(), "plugin loaded"
    );
    Ok(Arc::new(plugin))
}

/// The component files of one build; plugins that share a file read it once.
#[derive(Default)]
struct Files(HashMap<(PathBuf, u64), Result<Component, String>>);

impl Files {
    async fn read(&mut self, path: &Path, most: u64) -> Result<Component, String> {
        let key = (path.to_owned(), most);
        if let Some(known) = self.0.get(&key) {
            return known.clone();
        }
        let file = path.to_owned();
        let read = tokio::task::spawn_blocking(move || Component::read(&file, most)).await;
        let read = match read {
            Ok(read) => read.map_err(|error: LoadError| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.0.insert(key, read.clone());
        read
    }
}

/// Whether two snapshots differ in anything but their number.
pub(super) fn differs(a: &Active, b: &Active) -> bool {
    let same_apps = a.apps.len() == b.apps.len()
        && a.apps.iter().all(|(name, app)| {
            b.apps
                .get(name)
                .is_some_and(|other| Arc::ptr_eq(app, other))
        });
    let same_plugins = a.plugins.len() == b.plugins.len()
        && a.plugins.iter().all(|(name, plugin)| {
            b.plugins
                .get(name)
                .is_some_and(|other| Arc::ptr_eq(plugin, other))
        });
    !same_apps || !same_plugins || a.rules != b.rules || a.config.hooks != b.config.hooks
}
