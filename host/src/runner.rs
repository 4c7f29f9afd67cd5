//! Runs the plugin of a delivery out of the present snapshot.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use crate::active::Snapshot;
use crate::attempt::{LastTrouble, Outcome};
use crate::dispatch::Run;
use crate::engine::Task;
use crate::event::Content;
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
            egress: plugin.egress(),
            settings: plugin.config(),
            trouble: LastTrouble::default(),
            outbound: self.outbound.clone(),
        };
        plugin.handle(task).await
    }
}
