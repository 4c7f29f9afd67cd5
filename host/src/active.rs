//! The immutable snapshot of apps, hooks, plugins and rules, and its swap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use dingtalk::{Callback, Client, Credentials, Endpoints, Options, Suite};

use crate::clock::{self, UnixMs};
use crate::config::{self, AppKind, Config};
use crate::event::Content;
use crate::failpoint::{self, Point};
use crate::ids::{AppName, Generation, PluginDigest, PluginName};
use crate::meter::{self, Metric};
use crate::plugin::{Plugin, Summary};
use crate::rules::{Rule, Rules, Standing};
use crate::wake::Waker;

/// Requests to DingTalk.
pub const DINGTALK_REQUESTS: Metric = Metric::counter(
    dingtalk::metric::REQUESTS,
    &["path", "status"],
    "Requests to DingTalk by path and HTTP status; lost when no answer came.",
);
/// How long DingTalk takes.
pub const DINGTALK_SECONDS: Metric = Metric::histogram(
    dingtalk::metric::SECONDS,
    &["path"],
    meter::SECONDS,
    "Time until DingTalk began to answer.",
);
/// Calls held up by DingTalk's rate limits.
pub const DINGTALK_PACED: Metric = Metric::counter(
    dingtalk::metric::PACED,
    &["path", "end"],
    "Calls that did not leave at once because of the rate limits: waited, or refused when the wait was too long.",
);
/// How long they are held up.
pub const DINGTALK_PACED_SECONDS: Metric = Metric::histogram(
    dingtalk::metric::PACED_SECONDS,
    &["path"],
    meter::SECONDS,
    "Time that calls waited for their turn under the rate limits, or would have waited.",
);

/// One app as the rest of belfry uses it.
pub struct App {
    /// What `bot.toml` says of it.
    pub settings: config::App,
    /// Its DingTalk, with its token. That of a third-party app calls for nobody: see [`App::client_for`].
    pub client: Client,
    /// The organisations of a third-party app.
    pub suite: Option<Suite>,
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
        let options = Options {
            pace: settings.pace,
            forms: settings.keep_forms,
            keys: settings.keys,
            ..Options::default()
        };
        let wrong = |reason: dingtalk::BuildError| error(reason.to_string());
        let suite = match settings.kind {
            AppKind::Internal => None,
            AppKind::Isv => {
                let (key, secret) = (&settings.app_key, &settings.app_secret);
                let suite = Suite::new(key.as_str(), secret.clone(), endpoints.clone(), options);
                Some(suite.map_err(wrong)?)
            }
        };
        let client = match &suite {
            Some(suite) => suite.client(""),
            None => Client::with_options(credentials, endpoints, options).map_err(wrong)?,
        };
        let client = client.styled(settings.api);
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
            suite,
            callback,
            settings,
        })
    }
}

impl App {
    /// The DingTalk of the organisation that an event came from.
    pub fn client_for(&self, content: &Content) -> Client {
        self.client_of(content.corp_id())
    }

    /// The DingTalk of an organisation; that of the app itself if it is no third-party app.
    pub fn client_of(&self, corp: Option<&str>) -> Client {
        match &self.suite {
            Some(suite) => suite
                .client(corp.unwrap_or_default())
                .styled(self.settings.api),
            None => self.client.clone(),
        }
    }
}

/// Versions of a plugin that stay loaded beside the present one.
pub const VERSIONS_KEPT: usize = 2;

/// Everything that can change while belfry runs. An event is received, routed and run by what one snapshot says.
pub struct Active {
    /// Counts the swaps.
    pub generation: Generation,
    /// When it was made.
    pub made_at: UnixMs,
    /// The first generation with the present version of each plugin.
    pub since: HashMap<PluginName, Generation>,
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
    /// A snapshot of apps and plugins that are ready, to follow another one.
    pub fn new(
        present: Option<&Self>,
        config: Config,
        apps: Vec<Arc<App>>,
        plugins: Vec<Arc<Plugin>>,
    ) -> Self {
        let generation = present.map_or(1, |present| present.generation + 1);
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
        let since = plugins.iter().map(|(name, plugin)| {
            let same = present.filter(|present| {
                let other = present.plugins.get(name);
                other.is_some_and(|other| Arc::ptr_eq(other, plugin))
            });
            let since = same.and_then(|present| present.since.get(name));
            (name.clone(), since.copied().unwrap_or(generation))
        });
        Self {
            generation,
            made_at: clock::now(),
            since: since.collect(),
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
            .iter()
            .map(|(name, plugin)| {
                let since = self.since.get(name).copied();
                plugin.summary(since.unwrap_or(self.generation))
            })
            .collect();
        summaries.sort_by(|a, b| a.name.cmp(&b.name));
        summaries
    }

    /// The hook of that name.
    pub fn hook(&self, name: &str) -> Option<&config::Hook> {
        self.config.hooks.iter().find(|hook| hook.name == name)
    }
}

/// The rules of a configuration whose plugins all load.
pub fn rules_of(config: &Config) -> Rules {
    let rules = config.plugins.iter().map(|plugin| {
        let standing = if plugin.enabled {
            Standing::Active
        } else {
            Standing::Disabled
        };
        rule(plugin, standing)
    });
    Rules::new(rules.collect())
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
pub struct Snapshot(Arc<Inner>);

struct Inner {
    present: ArcSwap<Active>,
    /// Those before it that may still be in use.
    older: Mutex<Vec<Weak<Active>>>,
    waker: Waker,
}

impl Snapshot {
    /// Starts with a first snapshot; `waker` rings at each swap, for the deliveries that waited for a better plugin.
    pub fn new(active: Active, waker: Waker) -> Self {
        Self(Arc::new(Inner {
            present: ArcSwap::from_pointee(active),
            older: Mutex::default(),
            waker,
        }))
    }

    /// The present snapshot; take it once per event and keep it.
    pub fn load(&self) -> Arc<Active> {
        self.0.present.load_full()
    }

    /// Replaces it. What works with the old one goes on with the old one.
    pub fn publish(&self, active: Active) -> Arc<Active> {
        let active = Arc::new(active);
        let old = self.0.present.swap(Arc::clone(&active));
        failpoint::pass(Point::InSwap);
        let mut older = self.0.older.lock().unwrap_or_else(PoisonError::into_inner);
        older.retain(|snapshot| snapshot.strong_count() > 0);
        older.push(Arc::downgrade(&old));
        self.0.waker.wake();
        active
    }

    /// Older snapshots that attempts or requests still work with, and how many do.
    pub fn draining(&self) -> Vec<(Generation, usize)> {
        let older = self.0.older.lock().unwrap_or_else(PoisonError::into_inner);
        older
            .iter()
            .filter_map(Weak::upgrade)
            .map(|active| (active.generation, Arc::strong_count(&active) - 1))
            .filter(|(_, users)| *users > 0)
            .collect()
    }
}
