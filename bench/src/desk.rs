//! What host functions work with, where a benchmark makes attempts by itself: values and timers in memory.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use belfry::attempt::LastTrouble;
use belfry::config::Grant;
use belfry::effect::{Begin, Recorder, Source};
use belfry::engine::{Carrier, Halted, Task};
use belfry::event::{Envelope, Subject};
use belfry::ids::{DeliveryId, PluginDigest};
use belfry::journal::{Effects, Journal, MemoryJournal, Schedule};
use belfry::kv::{Kv, MemoryKv};
use belfry::wake::Waker;
use dingtalk::Client;
use tokio_util::task::TaskTracker;

/// Everything of an attempt that outlives it.
pub(crate) struct Desk {
    client: Client,
    journal: Arc<dyn Journal>,
    digest: PluginDigest,
    kv: Arc<dyn Kv>,
    schedule: Schedule,
    grant: Arc<Grant>,
    settings: Arc<serde_json::Map<String, serde_json::Value>>,
    outbound: TaskTracker,
}

impl Desk {
    /// For attempts whose calls are recorded in the journal, of a plugin that may keep values.
    pub(crate) fn new(client: Client, journal: Arc<dyn Journal>) -> Self {
        Self {
            client,
            journal,
            digest: PluginDigest::of(b"sample"),
            kv: Arc::new(MemoryKv::default()),
            schedule: Schedule::new(Arc::new(MemoryJournal::default()), Waker::default()),
            grant: Arc::new(Grant {
                kv: Some(Grant::KV_BYTES),
                ..Grant::default()
            }),
            settings: Arc::default(),
            outbound: TaskTracker::new(),
        }
    }

    /// The recorder of an attempt, and its task.
    pub(crate) fn attempt(
        &self,
        id: DeliveryId,
        effects: Effects,
        envelope: Envelope,
        subject: Subject,
    ) -> (Arc<Recorder>, Task) {
        let (journal, plugin) = (Arc::clone(&self.journal), id.plugin.clone());
        let recorder = Recorder::new(journal, id, self.digest, effects, Begin::Again);
        let recorder = Arc::new(recorder);
        let task = Task {
            plugin,
            envelope,
            subject,
            client: self.client.clone(),
            kv: Arc::clone(&self.kv),
            schedule: self.schedule.clone(),
            notices: None,
            grant: Arc::clone(&self.grant),
            egress: None,
            trouble: LastTrouble::default(),
            settings: Arc::clone(&self.settings),
            source: Source::Recorded(Arc::clone(&recorder)),
            outbound: Carrier::new(self.outbound.clone()),
            halted: Halted::default(),
            awaits_dingtalk: AtomicBool::new(false),
        };
        (recorder, task)
    }
}
