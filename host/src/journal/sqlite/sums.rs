//! Check sums by which a row that decayed on disk is told from one that was written.
//!
//! SQLite checks its log but not the pages of its file: without a sum, a flipped bit in a text would be handed to a plugin.

use rusqlite::Row;
use sha2::{Digest, Sha256};

use super::{damaged, event_id, text};
use crate::clock::UnixMs;
use crate::event::{Envelope, Origin};
use crate::ids::{DeliveryId, PluginName};
use crate::journal::known::Secret;

/// The row of an event.
pub(super) struct Stored {
    pub(super) envelope: Envelope,
    pub(super) kind: String,
    pub(super) dedupe: Option<String>,
    pub(super) key: Option<String>,
    pub(super) plugins: String,
}

impl Stored {
    /// What [`Stored::read`] reads.
    pub(super) const COLUMNS: &str =
        "id, app, kind, origin, received_at, dedupe, key, plugins, sum, raw";

    /// Reads a row and compares its sum.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let stored = Self {
            envelope: Envelope {
                id: event_id(row, 0)?,
                app: text(row, 1)?.as_str().into(),
                origin: Origin::from_text(&text(row, 3)?)
                    .ok_or_else(|| damaged(3, "unknown origin"))?,
                received_at: UnixMs(row.get(4)?),
                raw: text(row, 9)?.into(),
            },
            kind: text(row, 2)?,
            dedupe: row.get(5)?,
            key: row.get(6)?,
            plugins: text(row, 7)?,
        };
        if row.get::<_, i64>(8)? != stored.sum(&stored.envelope.origin.to_text()) {
            return Err(damaged(8, "its check sum is wrong"));
        }
        Ok(stored)
    }

    /// Of all columns; `origin` is the text of the envelope's.
    pub(super) fn sum(&self, origin: &str) -> i64 {
        let Self {
            envelope,
            kind,
            dedupe,
            key,
            plugins,
        } = self;
        let mut sum = Sha256::new();
        sum.update(envelope.id.as_bytes());
        sum.update(envelope.received_at.0.to_be_bytes());
        // A text that is missing is told from an empty one.
        for part in [
            Some(envelope.app.as_str()),
            Some(kind),
            Some(origin),
            dedupe.as_deref(),
            key.as_deref(),
            Some(plugins),
            Some(&envelope.raw),
        ] {
            let length = part.map_or(u64::MAX, |part| u64::try_from(part.len()).unwrap_or(0));
            sum.update(length.to_be_bytes());
            sum.update(part.unwrap_or_default());
        }
        first_bytes(sum)
    }
}

/// Of what never changes in a delivery; `key` is its own, if it has one.
pub(super) fn of_delivery(id: &DeliveryId, key: Option<&str>) -> i64 {
    let mut sum = Sha256::new();
    sum.update(id.event.as_bytes());
    sum.update(id.plugin.as_str());
    if let Some(key) = key {
        sum.update([0]);
        sum.update(key);
    }
    // Half is enough for a short row.
    first_bytes(sum) >> 32
}

/// Whether a row of a delivery is as it was written. Only one that a person gave, which has a key of its own, may be for a
/// plugin that its event does not name.
pub(super) fn is_sound(
    id: &DeliveryId,
    plugins: &[PluginName],
    key: Option<&str>,
    sum: i64,
) -> bool {
    (key.is_some() || plugins.contains(&id.plugin)) && sum == of_delivery(id, key)
}

/// Of the mark.
pub(super) fn of_mark(upto: i64, unborn: &[u8]) -> i64 {
    let mut sum = Sha256::new();
    sum.update(upto.to_be_bytes());
    sum.update(unborn);
    first_bytes(sum)
}

/// Of a piece of the known dedupe keys. The secret is in it, because fingerprints mean nothing with another one.
pub(super) fn of_known(secret: &Secret, first: i64, last: i64, pairs: &[u8]) -> i64 {
    let mut sum = Sha256::new();
    sum.update(secret);
    sum.update(first.to_be_bytes());
    sum.update(last.to_be_bytes());
    sum.update(pairs);
    first_bytes(sum)
}

fn first_bytes(sum: Sha256) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(sum.finalize());
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}
