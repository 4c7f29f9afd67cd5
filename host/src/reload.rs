//! Watches `bot.toml` and the component files, checks what changed and publishes it as one snapshot.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::active::{Active, Snapshot};
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::engine::Sandbox;
use crate::ids::Generation;
use crate::meter::{self, Metric};
use crate::versions::Versions;

use self::build::{build, differs};
use self::watch::{Folders, Stamps, files, folders, look, stamps, watch};

mod build;
mod watch;

/// Changes within this time count as one.
const DEBOUNCE: Duration = Duration::from_millis(300);
/// Watching is best effort, so everything is looked at again after this time at the latest.
const RESCAN: Duration = Duration::from_secs(30);
/// The same where a folder is not watched because the store writes into it.
const RESCAN_BUSY: Duration = Duration::from_secs(1);

/// Reloads by what came of them.
pub const RELOADS: Metric = Metric::counter(
    "belfry_reloads_total",
    &["result"],
    "Reloads: changed, unchanged, refused (nothing changed) or partly (something changed, something was refused).",
);
/// How long reloads take.
pub const RELOAD_SECONDS: Metric = Metric::histogram(
    "belfry_reload_duration_seconds",
    &[],
    meter::SECONDS,
    "Time a reload took, compilation included.",
);
/// The present snapshot.
pub const GENERATION: Metric = Metric::gauge(
    "belfry_snapshot_generation",
    &[],
    "The number of the active snapshot.",
);
/// What goes on as it was because its change was refused.
pub const REFUSED: Metric = Metric::gauge(
    "belfry_refused_changes",
    &[],
    "Changes that the last reload refused; the old version goes on.",
);
/// What is loaded.
pub const PLUGINS: Metric = Metric::gauge("belfry_plugins", &[], "Plugins that are loaded.");

/// Something that was not taken over.
#[derive(Debug, Clone, Serialize)]
pub struct Refusal {
    /// `bot.toml`, or the name of the plugin or app.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// The SHA-256 of the component that was refused, where it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// When it was refused for the first time, RFC 3339.
    pub since: jiff::Timestamp,
}

impl Refusal {
    /// A refusal of this moment.
    fn new(subject: &str, reason: String) -> Self {
        Self {
            subject: subject.to_owned(),
            reason,
            digest: None,
            since: jiff::Timestamp::from_millisecond(clock::now().0).unwrap_or_default(),
        }
    }

    /// Whether it is the same refusal, at another time.
    fn repeats(&self, other: &Self) -> bool {
        self.subject == other.subject && self.reason == other.reason && self.digest == other.digest
    }
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

/// The files of a configuration, and what was last seen of them.
pub struct Files {
    path: PathBuf,
    seen: Stamps,
}

impl Files {
    /// Reads a configuration, and looks at each file before anybody reads it: what changes while it is loaded, which may
    /// take a minute of compiling, is a change.
    pub fn read(path: &Path) -> Result<(Config, Self), ConfigError> {
        let mut seen = stamps([path.to_owned()]);
        let config = Config::load(path)?;
        for (file, stamp) in stamps(files(path, &config)) {
            seen.entry(file).or_insert(stamp);
        }
        let path = path.to_owned();
        Ok((config, Self { path, seen }))
    }
}

/// Loads everything a configuration names, all or nothing: for the start and for `belfry check`. `versions` keeps the
/// components.
pub async fn load(
    config: Config,
    sandbox: &Sandbox,
    versions: Option<&Versions>,
) -> Result<Active, Vec<Refusal>> {
    let outcome = build(config, sandbox, versions, None).await;
    if outcome.refused.is_empty() {
        if let Some(versions) = versions {
            versions.note(&outcome.active).await;
        }
        Ok(outcome.active)
    } else {
        Err(outcome.refused)
    }
}

/// What is wrong with a configuration, problem by problem.
pub fn refusals(error: &ConfigError) -> Vec<Refusal> {
    let subject = |reason: String| Refusal::new("bot.toml", reason);
    match error {
        ConfigError::Wrong { problems, .. } => problems
            .iter()
            .map(|problem| subject(problem.to_string()))
            .collect(),
        other => vec![subject(other.to_string())],
    }
}

/// Watches and reloads.
pub struct Reloader {
    files: Files,
    sandbox: Sandbox,
    snapshot: Snapshot,
    versions: Arc<Versions>,
    requests: mpsc::Receiver<oneshot::Sender<Report>>,
    refused: Arc<Mutex<Vec<Refusal>>>,
}

impl Reloader {
    /// A reloader of the files that a snapshot came from.
    pub fn new(
        files: Files,
        sandbox: Sandbox,
        snapshot: Snapshot,
        versions: Arc<Versions>,
    ) -> (Self, Reloads) {
        let (sender, requests) = mpsc::channel(8);
        let refused = Arc::new(Mutex::default());
        let reloads = Reloads {
            requests: sender,
            refused: Arc::clone(&refused),
        };
        show(&snapshot.load(), 0);
        (
            Self {
                files,
                sandbox,
                snapshot,
                versions,
                requests,
                refused,
            },
            reloads,
        )
    }

    /// Runs until `stop`.
    pub async fn serve(mut self, stop: CancellationToken) {
        let hint = Arc::new(Notify::new());
        let mut watched = Folders::default();
        let mut _watcher = None;
        loop {
            let folders = folders(&self.files.path, &self.snapshot.load().config);
            if folders != watched {
                _watcher = watch(&folders, Arc::clone(&hint));
                watched = folders;
                // What changed before the watch began gave no hint.
                hint.notify_one();
            }
            let request = tokio::select! {
                () = stop.cancelled() => return,
                () = hint.notified() => None,
                () = tokio::time::sleep(watched.rescan) => None,
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
        let files = files(&self.files.path, &self.snapshot.load().config);
        let mut before = look(files.clone()).await;
        if before == self.files.seen {
            return false;
        }
        loop {
            tokio::time::sleep(DEBOUNCE).await;
            let now = look(files.clone()).await;
            if now == before {
                return true;
            }
            before = now;
        }
    }

    async fn reload(&mut self) -> Report {
        let started = clock::instant();
        let present = self.snapshot.load();
        self.files.seen = look(files(&self.files.path, &present.config)).await;
        let (config, mut refused) = self.configuration(&present).await;
        // Before they are read, so that what changes while they are loaded is a change.
        for (file, stamp) in look(files(&self.files.path, &config)).await {
            self.files.seen.entry(file).or_insert(stamp);
        }
        let versions = Some(&*self.versions);
        let built = build(config, &self.sandbox, versions, Some(&present)).await;
        refused.extend(built.refused);
        let changed = differs(&present, &built.active);
        let active = if changed {
            let active = self.snapshot.publish(built.active.keeping(&present));
            tracing::info!(generation = active.generation, "new snapshot is active");
            active
        } else {
            present
        };
        let named = files(&self.files.path, &active.config);
        self.files.seen.retain(|file, _| named.contains(file));
        self.remember(&mut refused);
        show(&active, refused.len());
        let result = match (changed, refused.is_empty()) {
            (true, true) => "changed",
            (true, false) => "partly",
            (false, true) => "unchanged",
            (false, false) => "refused",
        };
        RELOADS.count(&[result]);
        RELOAD_SECONDS.observe(&[], started.elapsed().as_secs_f64());
        if changed {
            self.versions.note(&active).await;
        }
        Report {
            generation: active.generation,
            changed,
            refused,
        }
    }

    /// The configuration as it is now on disk, with what cannot change live as it was.
    async fn configuration(&self, present: &Active) -> (Config, Vec<Refusal>) {
        let path = self.files.path.clone();
        let read = tokio::task::spawn_blocking(move || Config::load(&path)).await;
        let config = match read {
            Ok(Ok(config)) => config,
            Ok(Err(error)) => return (present.config.clone(), refusals(&error)),
            Err(error) => {
                let refused = Refusal::new("bot.toml", format!("reading it failed: {error}"));
                return (present.config.clone(), vec![refused]);
            }
        };
        let keys = present.config.restart_needed(&config);
        let refused = keys.into_iter().map(|key| {
            let reason = format!("{key}, which needs a restart; the rest is taken over");
            Refusal::new("bot.toml", reason)
        });
        let refused = refused.collect();
        (config.with_process_of(&present.config), refused)
    }

    /// Logs what is newly refused, and keeps all of it for operators, each since when it was first.
    fn remember(&self, refused: &mut Vec<Refusal>) {
        let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for refusal in refused.iter_mut() {
            if let Some(earlier) = known.iter().find(|earlier| earlier.repeats(refusal)) {
                refusal.since = earlier.since;
                continue;
            }
            tracing::error!(
                subject = refusal.subject,
                reason = refusal.reason,
                "change refused, the old version goes on"
            );
        }
        known.clone_from(refused);
    }
}

/// Brings the gauges up to date.
fn show(active: &Active, refused: usize) {
    GENERATION.set(&[], meter::number(active.generation));
    PLUGINS.set(&[], meter::number(active.plugins.len()));
    REFUSED.set(&[], meter::number(refused));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Engine;
    use crate::wake::Waker;

    const APP: &str =
        "[[app]]\nname = \"acme\"\ncorp-id = \"c\"\napp-key = \"k\"\napp-secret = \"s\"\n";

    /// What a start does with a configuration once it is read.
    async fn start(config: Config, files: Files) -> (Reloader, Reloads) {
        let sandbox = Sandbox::new(&Engine {
            max_concurrent: 1,
            cache: None,
        });
        let sandbox = sandbox.unwrap();
        let store = files.path.with_file_name("belfry.db");
        let active = load(config, &sandbox, None).await.unwrap();
        let snapshot = Snapshot::new(active, Waker::default());
        let versions = Arc::new(Versions::beside(&store, sandbox.clone()));
        Reloader::new(files, sandbox, snapshot, versions)
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_while_it_is_loaded_for_the_first_time_is_a_change() {
        for changed in [None, Some("bot.toml"), Some("p.wasm")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("bot.toml");
            let plugin = "[[plugin]]\nname = \"p\"\napp = \"acme\"\ncomponent = \"p.wasm\"\nevents = [\"other\"]\nenabled = false\n";
            std::fs::write(&path, format!("{APP}{plugin}")).unwrap();
            std::fs::write(folder.path().join("p.wasm"), "old").unwrap();

            let (config, files) = Files::read(&path).unwrap();
            if let Some(file) = changed {
                std::fs::write(folder.path().join(file), "newer").unwrap();
            }
            let (reloader, _reloads) = start(config, files).await;
            assert_eq!(reloader.settle().await, changed.is_some(), "{changed:?}");
        }
    }

    /// Time is not that of a clock: it goes on whenever nobody has anything to do.
    #[tokio::test(start_paused = true)]
    async fn what_no_hint_tells_of_is_found_all_the_same() {
        for (store, rescan) in [("data/belfry.db", RESCAN), ("belfry.db", RESCAN_BUSY)] {
            found_within(rescan, store).await;
        }
    }

    async fn found_within(rescan: Duration, store: &str) {
        let app = format!("[store]\nurl = \"sqlite:{store}\"\n{APP}");
        let folder = tempfile::tempdir().unwrap();
        // A link, as some deployments make them: what changes lies where nobody watches.
        let (link, elsewhere) = (folder.path().join("bot"), folder.path().join("elsewhere"));
        for new in [&link, &elsewhere] {
            std::fs::create_dir(new).unwrap();
        }
        let (path, target) = (link.join("bot.toml"), elsewhere.join("bot.toml"));
        std::fs::write(&target, &app).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();

        let (config, files) = Files::read(&path).unwrap();
        let (reloader, reloads) = start(config, files).await;
        let snapshot = reloader.snapshot.clone();
        let stop = CancellationToken::new();
        let story = async {
            // After the second the watch is there, and what it began with was looked at.
            for _ in 0..2 {
                assert!(!reloads.reload().await.unwrap().changed);
            }

            let hook = "[[hook]]\nname = \"any\"\nkind = \"generic\"\napp = \"acme\"\n";
            std::fs::write(&target, format!("{app}{hook}")).unwrap();
            let changed = tokio::time::Instant::now();
            while snapshot.load().generation == 1 {
                assert!(changed.elapsed() < rescan * 3, "it was never found");
                tokio::time::sleep(rescan / 30).await;
            }
            assert!(changed.elapsed() >= rescan / 2, "somebody told");
            stop.cancel();
        };
        tokio::join!(reloader.serve(stop.clone()), story);
    }
}
