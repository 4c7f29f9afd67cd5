//! The immutable snapshot of apps, hooks, plugins and rules, and its swap.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use dingtalk::{Callback, Client, Credentials, Endpoints};

use crate::config::{self, Config};
use crate::ids::{AppName, Generation, PluginDigest, PluginName};
use crate::plugin::{Plugin, Summary};
use crate::rules::{Rule, Rules, Standing};

/// One app as the rest of belfry uses it.
pub struct App {
    /// What `bot.toml` says of it.
    pub settings: config::App,
    /// Its DingTalk, with its token.
    pub client: Client,
    /// Reads its callbacks.
    pub callback: Option<Callback>,
}

/// Why an app cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("app {app}: {reason}")]
pub struct AppError {
    app: AppName,
    reason: String,
}

impl App {
    /// Builds the client and the callback keys.
    pub fn new(settings: config::App) -> Result<Self, AppError> {
        let error = |reason: String| AppError {
            app: settings.name.clone(),
            reason,
        };
        let real = Endpoints::default();
        let endpoints = Endpoints {
            oapi: settings.oapi_base.clone().unwrap_or(real.oapi),
            api: settings.api_base.clone().unwrap_or(real.api),
        };
        let credentials = Credentials {
            app_key: settings.app_key.clone(),
            app_secret: settings.app_secret.clone(),
            agent_id: settings.agent_id,
            robot_code: settings.robot_code.clone(),
        };
        let client =
            Client::new(credentials, endpoints).map_err(|reason| error(reason.to_string()))?;
        let callback = settings
            .callback
            .as_ref()
            .map(|keys| {
                Callback::new(
                    keys.token.expose(),
                    keys.aes_key.expose(),
                    keys.receive_ids.iter().cloned(),
                )
            })
            .transpose()
            .map_err(|reason| error(reason.to_string()))?;
        Ok(Self {
            client,
            callback,
            settings,
        })
    }
}

/// Versions of a plugin that stay loaded beside the present one.
const VERSIONS_KEPT: usize = 2;

/// Everything that can change while belfry runs. An event is received, routed and run by what one snapshot says.
pub struct Active {
    /// Counts the swaps.
    pub generation: Generation,
    /// The configuration it was made from.
    pub config: Config,
    /// The apps.
    pub apps: HashMap<AppName, Arc<App>>,
    /// The plugins.
    pub plugins: HashMap<PluginName, Arc<Plugin>>,
    /// The versions before those, newest first: a delivery that wrote something goes on with the version that did.
    pub older: HashMap<PluginName, Vec<Arc<Plugin>>>,
    /// Who gets what. **Invariant:** every plugin that a choice names is loaded.
    pub rules: Rules,
}

impl Active {
    /// A snapshot of apps and plugins that are ready.
    pub fn new(
        generation: Generation,
        config: Config,
        apps: Vec<Arc<App>>,
        plugins: Vec<Arc<Plugin>>,
    ) -> Self {
        let plugins: HashMap<PluginName, Arc<Plugin>> = plugins
            .into_iter()
            .map(|plugin| (plugin.settings().name.clone(), plugin))
            .collect();
        let apps: HashMap<AppName, Arc<App>> = apps
            .into_iter()
            .map(|app| (app.settings.name.clone(), app))
            .collect();
        let rules = config.plugins.iter().map(|wanted| {
            match plugins.get(&wanted.name) {
                // What is loaded may have older settings than the file, when the newer ones were refused.
                Some(loaded) if apps.contains_key(&loaded.settings().app) => {
                    rule(loaded.settings(), Standing::Active)
                }
                _ if wanted.enabled => rule(wanted, Standing::NotLoaded),
                _ => rule(wanted, Standing::Disabled),
            }
        });
        Self {
            generation,
            rules: Rules::new(rules.collect()),
            config,
            apps,
            plugins,
            older: HashMap::new(),
        }
    }

    /// The same snapshot, which keeps the last versions of what `present` has and this one has in another version.
    #[must_use]
    pub fn keeping(mut self, present: &Self) -> Self {
        for (name, plugin) in &self.plugins {
            let current = present.plugins.get(name).into_iter();
            let mut kept: Vec<Arc<Plugin>> = Vec::new();
            for older in current.chain(present.older.get(name).into_iter().flatten()) {
                let is_new = older.digest() != plugin.digest()
                    && kept.iter().all(|kept| kept.digest() != older.digest());
                if is_new && kept.len() < VERSIONS_KEPT {
                    kept.push(Arc::clone(older));
                }
            }
            if !kept.is_empty() {
                self.older.insert(name.clone(), kept);
            }
        }
        self
    }

    /// A plugin in a version that is still loaded.
    pub fn version(&self, name: &PluginName, digest: PluginDigest) -> Option<&Arc<Plugin>> {
        let current = self.plugins.get(name).into_iter();
        current
            .chain(self.older.get(name).into_iter().flatten())
            .find(|plugin| plugin.digest() == digest)
    }

    /// The app of that name.
    pub fn app(&self, name: &str) -> Option<&Arc<App>> {
        self.apps.get(&AppName::from(name))
    }

    /// The plugins as operators see them, by name.
    pub fn summaries(&self) -> Vec<Summary> {
        let mut summaries: Vec<_> = self
            .plugins
            .values()
            .map(|plugin| plugin.summary())
            .collect();
        summaries.sort_by(|a, b| a.name.cmp(&b.name));
        summaries
    }

    /// The hook of that name.
    pub fn hook(&self, name: &str) -> Option<&config::Hook> {
        self.config.hooks.iter().find(|hook| hook.name == name)
    }
}

fn rule(settings: &config::Plugin, standing: Standing) -> Rule {
    Rule {
        plugin: settings.name.clone(),
        app: settings.app.clone(),
        events: settings.events.clone(),
        when: settings.when.clone(),
        hours: settings.hours.clone(),
        order: settings.order,
        standing,
    }
}

/// The present snapshot. Clones share it.
#[derive(Clone)]
pub struct Snapshot(Arc<ArcSwap<Active>>);

impl Snapshot {
    /// Starts with a first snapshot.
    pub fn new(active: Active) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(active)))
    }

    /// The present snapshot; take it once per event and keep it.
    pub fn load(&self) -> Arc<Active> {
        self.0.load_full()
    }

    /// Replaces it. What works with the old one goes on with the old one.
    pub fn publish(&self, active: Active) {
        self.0.store(Arc::new(active));
    }
}
