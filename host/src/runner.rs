//! Runs the plugin of a delivery out of the present snapshot.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use crate::active::Snapshot;
use crate::attempt::{LastTrouble, Outcome};
use crate::clock::{self, UnixMs};
use crate::dispatch::Run;
use crate::effect::{self, Begin, Recorder, Retried, Source};
use crate::engine::{Carrier, Halted, Task};
use crate::event::Content;
use crate::ids::{PluginDigest, PluginName};
use crate::ingress::wants_results;
use crate::journal::{Claimed, Effects, Journal, JournalError, Schedule};
use crate::kv::Kv;
use crate::plugin::Plugin;
use crate::versions::{Gone, Versions};

/// How long a delivery stays with the version of the plugin that first wrote something for it.
const PINNED: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs plugins.
pub struct Runner {
    /// Where plugins and apps come from.
    pub snapshot: Snapshot,
    /// Where older versions of plugins come from.
    pub versions: Arc<Versions>,
    /// Where host calls are recorded.
    pub journal: Arc<dyn Journal>,
    /// The store of plugins' values.
    pub kv: Arc<dyn Kv>,
    /// The plugins' timers.
    pub schedule: Schedule,
    /// Sent notices whose end is to be asked for.
    pub notices: Schedule,
    /// Runs requests that must not be cut in half.
    pub outbound: TaskTracker,
    /// Not after the next time at which a parked plugin may try again.
    pub next_probe: Mutex<Option<UnixMs>>,
}

#[async_trait]
impl Run for Runner {
    async fn run(&self, claimed: &Claimed) -> Outcome {
        let active = self.snapshot.load();
        let envelope = claimed.envelope.clone();
        let name = &claimed.id.plugin;
        let Some(current) = active.plugins.get(name) else {
            return Outcome::NotLoaded;
        };
        let Some(app) = active.apps.get(&envelope.app) else {
            return Outcome::NotLoaded;
        };
        let effects = match self.effects(claimed).await {
            Ok(effects) => effects,
            Err(error) => {
                return Outcome::HostFault {
                    reason: format!("cannot read the recorded host calls: {error}"),
                };
            }
        };
        let not_before = clock::earlier(clock::now(), PINNED);
        let plugin = match effect::pinned_to(&effects, not_before) {
            None => Arc::clone(current),
            Some(digest) => match active.version(name, digest) {
                Some(plugin) => Arc::clone(plugin),
                // Seldom done, so it need not make every attempt larger.
                None => match Box::pin(self.versions.load(current, digest)).await {
                    Ok(plugin) => plugin,
                    Err(gone) => {
                        return Outcome::VersionGone {
                            reason: version_gone(digest, &gone),
                        };
                    }
                },
            },
        };
        // Last, so that nothing that is awaited before keeps room for it.
        let content = match Content::parse(&envelope.origin, &envelope.raw) {
            Ok(content) => content,
            Err(error) => {
                return Outcome::HostFault {
                    reason: format!("cannot read the event again: {error}"),
                };
            }
        };
        let recorder = Arc::new(self.recorder(claimed, &plugin, effects));
        let client = app.client_for(&content);
        let task = Task {
            plugin: name.clone(),
            envelope,
            subject: content.subject(),
            client,
            kv: Arc::clone(&self.kv),
            schedule: self.schedule.clone(),
            notices: wants_results(&current.settings().events).then(|| self.notices.clone()),
            // What was taken away is taken away from older versions too.
            grant: current.grant(),
            egress: plugin.egress(),
            trouble: LastTrouble::default(),
            settings: plugin.config(),
            source: Source::Recorded(Arc::clone(&recorder)),
            outbound: Carrier::new(self.outbound.clone()),
            halted: Halted::default(),
            awaits_dingtalk: AtomicBool::new(false),
        };
        let started = clock::now();
        let outcome = plugin.handle(task, content).await;
        let left_out = recorder.close(returned(&outcome), retried(&outcome)).await;
        let outcome = match left_out {
            Some(divergence) => Outcome::Diverged {
                reason: divergence.to_string(),
            },
            None => outcome,
        };
        if let Some(until) = plugin.ended(&outcome, started, clock::now()) {
            let mut next = self.next_probe();
            *next = Some(next.map_or(until, |next| next.min(until)));
        }
        outcome
    }

    /// A plugin that is not loaded gets places, so that its deliveries are parked.
    fn places(&self, plugin: &PluginName, now: UnixMs) -> usize {
        let active = self.snapshot.load();
        let plugin = active.plugins.get(plugin);
        plugin.map_or(usize::MAX, |plugin| plugin.places(now))
    }

    fn next_probe(&self, now: UnixMs) -> Option<UnixMs> {
        let mut next = self.next_probe();
        if next.is_some_and(|next| next <= now) {
            // Only now, because there may be a thousand plugins and a claim for each event.
            let active = self.snapshot.load();
            let probes = active.plugins.values();
            *next = probes.filter_map(|plugin| plugin.next_probe(now)).min();
        }
        *next
    }
}

impl Runner {
    async fn effects(&self, claimed: &Claimed) -> Result<Effects, JournalError> {
        if claimed.has_effects {
            self.journal.effects(&claimed.id).await
        } else {
            Ok(Effects::default())
        }
    }

    fn recorder(&self, claimed: &Claimed, plugin: &Plugin, effects: Effects) -> Recorder {
        let (journal, id) = (Arc::clone(&self.journal), claimed.id.clone());
        let digest = plugin.digest();
        // What another version did says nothing of the order in which this one does it.
        let begin = match effects.calls.last() {
            Some(last) if last.digest != digest => Begin::Anew,
            _ => Begin::Again,
        };
        Recorder::new(journal, id, digest, effects, begin)
    }

    fn next_probe(&self) -> MutexGuard<'_, Option<UnixMs>> {
        self.next_probe
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn version_gone(digest: PluginDigest, gone: &Gone) -> String {
    let digest = digest.to_string();
    format!(
        "the version {} of the plugin began it and is not there any more: {gone}; that version could go on, another one \
         might do things twice",
        &digest[..12]
    )
}

/// Whether the plugin itself ended the attempt.
fn returned(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Done | Outcome::Retry { .. } | Outcome::Rejected { .. }
    )
}

/// How the delivery will run again, if it does.
fn retried(outcome: &Outcome) -> Retried {
    match outcome {
        Outcome::Retry { .. } => Retried::Asked,
        Outcome::Trap { .. } | Outcome::Exhausted { .. } => Retried::Ended,
        _ => Retried::No,
    }
}
