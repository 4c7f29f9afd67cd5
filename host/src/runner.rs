//! Runs the plugin of a delivery out of the present snapshot.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use crate::active::Snapshot;
use crate::attempt::{LastTrouble, Outcome};
use crate::clock::{self, UnixMs};
use crate::dispatch::Run;
use crate::engine::Task;
use crate::event::Content;
use crate::ids::PluginName;
use crate::journal::{Claimed, Schedule};
use crate::kv::Kv;

/// Runs plugins.
pub struct Runner {
    /// Where plugins and apps come from.
    pub snapshot: Snapshot,
    /// The store of plugins' values.
    pub kv: Arc<dyn Kv>,
    /// The plugins' timers.
    pub schedule: Schedule,
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
        let Some(plugin) = active.plugins.get(&claimed.id.plugin) else {
            return Outcome::NotLoaded;
        };
        let Some(app) = active.apps.get(&envelope.app) else {
            return Outcome::NotLoaded;
        };
        let content = match Content::parse(&envelope.origin, &envelope.raw) {
            Ok(content) => content,
            Err(error) => {
                return Outcome::HostFault {
                    reason: format!("cannot read the event again: {error}"),
                };
            }
        };
        let task = Task {
            plugin: claimed.id.plugin.clone(),
            envelope,
            content,
            client: app.client.clone(),
            kv: Arc::clone(&self.kv),
            schedule: self.schedule.clone(),
            grant: plugin.grant(),
            settings: plugin.config(),
            trouble: LastTrouble::default(),
            outbound: self.outbound.clone(),
            awaits_dingtalk: AtomicBool::new(false),
        };
        let started = clock::now();
        let outcome = plugin.handle(task).await;
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
    fn next_probe(&self) -> MutexGuard<'_, Option<UnixMs>> {
        self.next_probe
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
