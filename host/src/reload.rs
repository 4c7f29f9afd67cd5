//! Watches `bot.toml` and the component files, checks what changed and publishes it as one snapshot.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify_debouncer_full::new_debouncer;
use notify_debouncer_full::notify::RecursiveMode;
use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::active::{Active, App, Snapshot};
use crate::config::{self, Config, ConfigError};
use crate::engine::Sandbox;
use crate::ids::Generation;
use crate::plugin::{Component, Plugin};

/// Changes within this time count as one.
const DEBOUNCE: Duration = Duration::from_millis(300);
/// Watching is best effort, so everything is looked at again after this time at the latest.
const RESCAN: Duration = Duration::from_secs(30);

/// Something that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// `bot.toml` or the plugin's name.
    pub subject: String,
    /// Why.
    pub reason: String,
}

/// What a reload did.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The present snapshot.
    pub generation: Generation,
    /// Whether it is a new one.
    pub changed: bool,
    /// What goes on as it was, and why.
    pub refused: Vec<Refusal>,
}

/// Asks for reloads and knows what the last one refused. Clones share it.
#[derive(Clone)]
pub struct Reloads {
    requests: mpsc::Sender<oneshot::Sender<Report>>,
    refused: Arc<Mutex<Vec<Refusal>>>,
}

impl Reloads {
    /// Looks at everything now. `None` when belfry is stopping.
    pub async fn reload(&self) -> Option<Report> {
        let (reply, report) = oneshot::channel();
        self.requests.send(reply).await.ok()?;
        report.await.ok()
    }

    /// What the last reload refused.
    pub fn refused(&self) -> Vec<Refusal> {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Reads the configuration and loads everything it names, all or nothing: for the start and for `belfry check`.
pub async fn load(path: &Path, sandbox: &Sandbox) -> Result<Active, Vec<Refusal>> {
    let config = Config::load(path).map_err(|error| refusals(&error))?;
    load_config(config, sandbox).await
}

/// Loads everything a configuration names.
pub async fn load_config(config: Config, sandbox: &Sandbox) -> Result<Active, Vec<Refusal>> {
    let outcome = build(config, sandbox, None).await;
    if outcome.refused.is_empty() {
        Ok(outcome.active)
    } else {
        Err(outcome.refused)
    }
}

/// What is wrong with a configuration, problem by problem.
pub fn refusals(error: &ConfigError) -> Vec<Refusal> {
    let subject = |reason: String| Refusal {
        subject: "bot.toml".to_owned(),
        reason,
    };
    match error {
        ConfigError::Wrong { problems, .. } => problems
            .iter()
            .map(|problem| subject(problem.to_string()))
            .collect(),
        other => vec![subject(other.to_string())],
    }
}

struct Built {
    active: Active,
    refused: Vec<Refusal>,
}

/// Builds a snapshot. Where something is refused, `present` fills in; without it, it is missing from the result.
async fn build(config: Config, sandbox: &Sandbox, present: Option<&Active>) -> Built {
    let mut refused = Vec::new();
    let mut apps = Vec::new();
    for settings in &config.apps {
        // An unchanged app keeps its client and with it its token.
        let same = present
            .and_then(|present| present.apps.get(&settings.name))
            .filter(|app| app.settings == *settings);
        match same
            .cloned()
            .map_or_else(|| App::new(settings.clone()).map(Arc::new), Ok)
        {
            Ok(app) => apps.push(app),
            Err(error) => {
                refused.push(Refusal {
                    subject: settings.name.to_string(),
                    reason: error.to_string(),
                });
                apps.extend(
                    present
                        .and_then(|present| present.apps.get(&settings.name))
                        .cloned(),
                );
            }
        }
    }
    let mut plugins = Vec::new();
    for settings in config.plugins.iter().filter(|plugin| plugin.enabled) {
        let current = present.and_then(|present| present.plugins.get(&settings.name));
        match plugin(settings, sandbox, current).await {
            Ok(plugin) => plugins.push(plugin),
            Err(reason) => {
                refused.push(Refusal {
                    subject: settings.name.to_string(),
                    reason,
                });
                plugins.extend(current.cloned());
            }
        }
    }
    let generation = present.map_or(1, |present| present.generation + 1);
    Built {
        active: Active::new(generation, config, apps, plugins),
        refused,
    }
}

async fn plugin(
    settings: &config::Plugin,
    sandbox: &Sandbox,
    current: Option<&Arc<Plugin>>,
) -> Result<Arc<Plugin>, String> {
    let path = settings.component.clone();
    let read = tokio::task::spawn_blocking(move || Component::read(&path))
        .await
        .map_err(|error| error.to_string())?;
    let component = read.map_err(|error| error.to_string())?;
    if let Some(current) = current
        && current.digest() == component.digest()
        && is_same(current.settings(), settings)
    {
        return Ok(Arc::clone(current));
    }
    let plugin = Plugin::load(sandbox, settings.clone(), component)
        .await
        .map_err(|error| error.to_string())?;
    let summary = plugin.summary();
    tracing::info!(plugin = %summary.name, version = summary.version, digest = summary.digest, "plugin loaded");
    Ok(Arc::new(plugin))
}

fn is_same(a: &config::Plugin, b: &config::Plugin) -> bool {
    a.component == b.component
        && a.app == b.app
        && a.events == b.events
        && a.when == b.when
        && a.hours == b.hours
        && a.order == b.order
        && a.grant == b.grant
        && a.limits == b.limits
        && a.config == b.config
}

/// Watches and reloads.
pub struct Reloader {
    path: PathBuf,
    sandbox: Sandbox,
    snapshot: Snapshot,
    requests: mpsc::Receiver<oneshot::Sender<Report>>,
    refused: Arc<Mutex<Vec<Refusal>>>,
    /// The stamps of all files at the last look.
    seen: BTreeMap<PathBuf, Stamp>,
}

/// Size and time of a file; `None` when there is none.
type Stamp = Option<(u64, std::time::SystemTime)>;

impl Reloader {
    /// A reloader of the file a snapshot came from.
    pub fn new(path: PathBuf, sandbox: Sandbox, snapshot: Snapshot) -> (Self, Reloads) {
        let (sender, requests) = mpsc::channel(8);
        let refused = Arc::new(Mutex::default());
        let reloads = Reloads {
            requests: sender,
            refused: Arc::clone(&refused),
        };
        let seen = stamps(&path, &snapshot.load().config);
        (
            Self {
                path,
                sandbox,
                snapshot,
                requests,
                refused,
                seen,
            },
            reloads,
        )
    }

    /// Runs until `stop`.
    pub async fn serve(mut self, stop: CancellationToken) {
        let hint = Arc::new(Notify::new());
        let mut watched = HashSet::new();
        let mut _watcher = None;
        loop {
            let folders = folders(&self.path, &self.snapshot.load().config);
            if folders != watched {
                _watcher = watch(&folders, Arc::clone(&hint));
                watched = folders;
                // What changed before the watch began gave no hint.
                hint.notify_one();
            }
            let request = tokio::select! {
                () = stop.cancelled() => return,
                () = hint.notified() => None,
                () = tokio::time::sleep(RESCAN) => None,
                request = self.requests.recv() => match request {
                    Some(reply) => Some(reply),
                    None => return,
                },
            };
            if let Some(reply) = request {
                let report = self.reload().await;
                // Whoever asked may have gone away.
                let _ = reply.send(report);
            } else if self.settle().await {
                self.reload().await;
            }
        }
    }

    /// Whether a file differs from the last look. Waits until what differs stays the same, so that a half-written file
    /// is not read.
    async fn settle(&self) -> bool {
        let mut before = stamps(&self.path, &self.snapshot.load().config);
        if before == self.seen {
            return false;
        }
        loop {
            tokio::time::sleep(DEBOUNCE).await;
            let now = stamps(&self.path, &self.snapshot.load().config);
            if now == before {
                return true;
            }
            before = now;
        }
    }

    async fn reload(&mut self) -> Report {
        let present = self.snapshot.load();
        self.seen = stamps(&self.path, &present.config);
        let mut refused = Vec::new();
        let config = match Config::load(&self.path) {
            Ok(config) => {
                let restart = present.config.restart_needed(&config);
                if restart.is_empty() {
                    config
                } else {
                    for key in restart {
                        let reason =
                            format!("{key}, which needs a restart; the rest is taken over");
                        refused.push(Refusal {
                            subject: "bot.toml".to_owned(),
                            reason,
                        });
                    }
                    let old = present.config.clone();
                    Config {
                        server: old.server,
                        store: old.store,
                        engine: old.engine,
                        retry: old.retry,
                        ..config
                    }
                }
            }
            Err(error) => {
                refused = refusals(&error);
                present.config.clone()
            }
        };
        let built = build(config, &self.sandbox, Some(&present)).await;
        refused.extend(built.refused);
        let changed = differs(&present, &built.active);
        let generation = if changed {
            built.active.generation
        } else {
            present.generation
        };
        if changed {
            // The files of new plugins count as seen from now on.
            self.seen = stamps(&self.path, &built.active.config);
            self.snapshot.publish(built.active.keeping(&present));
            tracing::info!(generation, "new snapshot is active");
        }
        for refusal in &refused {
            tracing::error!(
                subject = refusal.subject,
                reason = refusal.reason,
                "change refused, the old version goes on"
            );
        }
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&refused);
        Report {
            generation,
            changed,
            refused,
        }
    }
}

fn differs(a: &Active, b: &Active) -> bool {
    let apps = |active: &Active| {
        active
            .apps
            .values()
            .map(|app| Arc::as_ptr(app) as usize)
            .collect::<HashSet<_>>()
    };
    let plugins = |active: &Active| {
        active
            .plugins
            .values()
            .map(|plugin| Arc::as_ptr(plugin) as usize)
            .collect::<HashSet<_>>()
    };
    apps(a) != apps(b)
        || plugins(a) != plugins(b)
        || a.rules != b.rules
        || a.config.hooks != b.config.hooks
}

fn files(path: &Path, config: &Config) -> HashSet<PathBuf> {
    let components = config.plugins.iter().map(|plugin| plugin.component.clone());
    components.chain([path.to_owned()]).collect()
}

fn stamps(path: &Path, config: &Config) -> BTreeMap<PathBuf, Stamp> {
    files(path, config)
        .into_iter()
        .map(|file| {
            let stamp = std::fs::metadata(&file)
                .ok()
                .and_then(|meta| Some((meta.len(), meta.modified().ok()?)));
            (file, stamp)
        })
        .collect()
}

fn folders(path: &Path, config: &Config) -> HashSet<PathBuf> {
    let here = || PathBuf::from(".");
    files(path, config)
        .iter()
        .map(|file| {
            file.parent()
                .filter(|folder| !folder.as_os_str().is_empty())
                .map_or_else(here, Path::to_owned)
        })
        .collect()
}

/// Watches folders, not files: editors save by renaming, after which a watched file is another one.
fn watch(folders: &HashSet<PathBuf>, hint: Arc<Notify>) -> Option<impl Sized + use<>> {
    let notify = move |_| hint.notify_one();
    let mut debouncer = match new_debouncer(DEBOUNCE, None, notify) {
        Ok(debouncer) => debouncer,
        Err(error) => {
            tracing::warn!(%error, "cannot watch files, changes are found every {} s", RESCAN.as_secs());
            return None;
        }
    };
    for folder in folders {
        if let Err(error) = debouncer.watch(folder, RecursiveMode::NonRecursive) {
            tracing::warn!(?folder, %error, "cannot watch a folder");
        }
    }
    Some(debouncer)
}
