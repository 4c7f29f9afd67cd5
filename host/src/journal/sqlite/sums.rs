//! Check sums by which a row that decayed on disk is told from one that was written.
//!
//! SQLite checks its log but not the pages of its file: without a sum, a flipped bit in a text would be handed to a plugin.

use sha2::{Digest, Sha256};

use crate::event::Envelope;
use crate::ids::{DeliveryId, EventId, PluginName};
use crate::journal::NewEvent;

/// The sums of an event and its deliveries.
pub(super) struct Sums {
    pub(super) event: i64,
    /// In the order of the event's plugins.
    pub(super) deliveries: Vec<i64>,
}

impl Sums {
    /// Worked out before the writer gets the event, because it does one job at a time.
    pub(super) fn of(event: &NewEvent) -> Self {
        let id = event.envelope.id;
        let own_key = id.to_string();
        let key = event.key.as_deref().unwrap_or(&own_key);
        Self {
            event: of_event(&event.envelope),
            deliveries: event
                .plugins
                .iter()
                .map(|plugin| of_parts(id, plugin, key))
                .collect(),
        }
    }
}

/// Of everything that a plugin is given.
pub(super) fn of_event(envelope: &Envelope) -> i64 {
    let Envelope {
        id,
        app,
        origin,
        received_at,
        raw,
    } = envelope;
    let origin = origin.to_text();
    let mut sum = Sha256::new();
    sum.update(id.as_bytes());
    sum.update(received_at.0.to_be_bytes());
    for part in [app.as_str(), &origin, raw] {
        sum.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        sum.update(part);
    }
    first_bytes(sum)
}

/// Of what never changes in a delivery.
pub(super) fn of_delivery(id: &DeliveryId, key: &str) -> i64 {
    of_parts(id.event, &id.plugin, key)
}

fn of_parts(event: EventId, plugin: &PluginName, key: &str) -> i64 {
    let mut sum = Sha256::new();
    sum.update(event.as_bytes());
    sum.update(plugin.as_str());
    sum.update([0]);
    sum.update(key);
    // Half is enough for a short row.
    first_bytes(sum) >> 32
}

fn first_bytes(sum: Sha256) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(sum.finalize());
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}
