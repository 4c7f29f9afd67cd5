//! What a person changes: deliveries that run again, and deliveries that never will.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::State;
use crate::clock::UnixMs;
use crate::ids::{EventId, PluginName};

/// Deliveries that one change works on in a transaction, so that a change of very many does not hold up the others.
pub(super) const BATCH: usize = 256;

/// Which deliveries a person means: those to which everything given applies.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Of this event.
    pub event: Option<EventId>,
    /// Of this plugin.
    pub plugin: Option<PluginName>,
    /// In one of these states; if empty, parked and dead, and of a single event pending too. Done ones whose event has
    /// lost its text are never meant.
    pub states: BTreeSet<State>,
    /// With this text in their reason, whatever the case of ASCII letters.
    pub reason: Option<String>,
    /// Whose event came then or later.
    pub since: Option<UnixMs>,
    /// Whose event came before.
    pub until: Option<UnixMs>,
}

impl Selection {
    /// The states that are meant. What is done is meant only where that is said: it runs again as a repair.
    pub(super) fn states(&self) -> Vec<State> {
        let mut states: Vec<State> = self.states.iter().copied().collect();
        if states.is_empty() {
            states = vec![State::Parked, State::Dead];
            if self.event.is_some() {
                states.push(State::Pending);
            }
        }
        states
    }

    pub(super) fn covers_reason(&self, reason: Option<&str>) -> bool {
        let Some(wanted) = &self.reason else {
            return true;
        };
        let lower = |text: &str| text.to_ascii_lowercase();
        reason.is_some_and(|reason| lower(reason).contains(&lower(wanted)))
    }

    pub(super) fn covers_time(&self, at: UnixMs) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// What becomes of the selected deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// They run again from their first attempt, in the order of their events.
    Retry,
    /// They are done, because a person says so.
    Skip,
}

/// The reason that a skipped delivery keeps.
pub(super) const SKIPPED: &str = "skipped by a person";

/// What a change came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amended {
    /// Deliveries that were changed, or would be.
    pub deliveries: u64,
    /// Deliveries that were left alone because an attempt on them runs now.
    pub running: u64,
}

impl std::ops::AddAssign for Amended {
    fn add_assign(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.running += other.running;
    }
}
