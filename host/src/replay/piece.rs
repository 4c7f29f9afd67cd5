//! Dry runs of very many deliveries: a piece at a time, so that neither memory nor a request grows with their number.

use std::fmt::Display;
use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::report::{Report, Verdict};
use crate::clock;
use crate::ids::{DeliveryId, NotAnEventId};

/// Deliveries of a piece.
pub const PIECE: usize = 64;
/// Bytes of calls after which a piece ends; the last delivery may go beyond.
const MAX_BYTES: usize = 4 << 20;
/// For how long runs of a piece are begun.
const MAX_TIME: Duration = Duration::from_secs(5);

/// What dry runs came to.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replays {
    /// One for each delivery, in the order of events.
    pub replays: Vec<Report>,
    /// How many of these compare how.
    pub summary: Summary,
    /// Where to go on, if there may be more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Position>,
}

/// How many deliveries compare how with what is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// They succeed, with equal calls.
    pub same: u64,
    /// They succeed, with other calls.
    pub changed: u64,
    /// They do not succeed, or could not begin.
    pub failed: u64,
}

/// A delivery as a place to go on after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The id of its event.
    pub event: String,
    /// Its plugin.
    pub plugin: String,
}

impl Position {
    /// The delivery.
    pub fn delivery(&self) -> Result<DeliveryId, NotAnEventId> {
        Ok(DeliveryId {
            event: self.event.parse()?,
            plugin: self.plugin.as_str().into(),
        })
    }
}

impl Replays {
    /// Adds what one came to.
    pub fn add(&mut self, report: Report) {
        match report.verdict {
            Verdict::Same => self.summary.same += 1,
            Verdict::Changed => self.summary.changed += 1,
            Verdict::Failed => self.summary.failed += 1,
        }
        self.replays.push(report);
    }
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.same += other.same;
        self.changed += other.changed;
        self.failed += other.failed;
    }
}

/// Runs what was selected, at most [`PIECE`] deliveries, as far as a piece goes. One that cannot be run fails alone.
pub async fn piece<F, E>(selected: Vec<DeliveryId>, run: impl Fn(DeliveryId) -> F) -> Replays
where
    F: Future<Output = Result<Report, E>>,
    E: Display,
{
    let started = clock::instant();
    let (mut replays, mut bytes) = (Replays::default(), 0);
    let count = selected.len();
    let mut goes_on = count >= PIECE;
    for (index, id) in selected.into_iter().enumerate() {
        let report = run(id.clone()).await;
        let report = report.unwrap_or_else(|error| Report::not_run(&id, format!("{error:#}")));
        bytes += report.bytes();
        replays.add(report);
        replays.next = Some(Position {
            event: id.event.to_string(),
            plugin: id.plugin.to_string(),
        });
        if bytes >= MAX_BYTES || started.elapsed() >= MAX_TIME {
            goes_on |= index + 1 < count;
            break;
        }
    }
    replays.next = replays.next.filter(|_| goes_on);
    replays
}
