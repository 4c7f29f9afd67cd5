//! Decides when the failed list of an app is read.

use std::time::Duration;

use dingtalk::ApiError;

use super::Stopped;
use crate::clock::{self, UnixMs};

const MINUTE: Duration = Duration::from_secs(60);
/// Looks after an outage. DingTalk pushes for forty seconds and lists what failed three to five minutes later, so the last
/// push of an outage is listed six minutes after it at the latest. The first and the last look also at approvals.
const AFTER_OUTAGE: [(Duration, bool); 4] = [
    (Duration::ZERO, true),
    (MINUTE, false),
    (Duration::from_secs(3 * 60), false),
    (Duration::from_secs(6 * 60), true),
];
/// Between looks when nothing happens. The smallest edition of DingTalk has 5000 calls a month; this takes 720.
const QUIET: Duration = Duration::from_secs(3600);
/// Between looks of an app that may not.
const REFUSED: Duration = Duration::from_secs(6 * 3600);
/// The longest pause after a failure.
const LONGEST: Duration = Duration::from_secs(600);

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// The app may not; a person must change that.
    Refused {
        reason: String,
    },
    /// Not now.
    Later {
        reason: String,
        after: Duration,
    },
    /// The list may have been taken, and nobody has it.
    Lost {
        reason: String,
    },
}

impl Outcome {
    pub(super) fn of(stopped: Stopped) -> Self {
        let reason = stopped.to_string();
        let after = Duration::ZERO;
        match stopped {
            Stopped::Journal(_) => Self::Later { reason, after },
            Stopped::Dingtalk(error) => match error {
                ApiError::OutcomeUnknown { .. } => Self::Lost { reason },
                ApiError::RateLimited { retry_after, .. } => Self::Later {
                    reason,
                    after: retry_after,
                },
                ApiError::Unavailable { .. } => Self::Later { reason, after },
                _ => Self::Refused { reason },
            },
        }
    }
}

/// When the next looks at an app are due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Times in order, each with whether approvals are looked at as well.
    due: Vec<(UnixMs, bool)>,
    failures: u32,
    refused: bool,
    /// Outages of DingTalk that the client has seen.
    unreachable: u64,
}

impl Plan {
    /// The plan of an app that was not there before: nobody knows what it missed.
    pub(super) fn new(now: UnixMs) -> Self {
        let mut plan = Self {
            due: Vec::new(),
            failures: 0,
            refused: false,
            unreachable: 0,
        };
        plan.after_outage(now);
        plan
    }

    /// Something may have been missed until now.
    pub(super) fn after_outage(&mut self, now: UnixMs) {
        self.due = AFTER_OUTAGE
            .iter()
            .map(|(wait, thorough)| (clock::later(now, *wait), *thorough))
            .collect();
    }

    /// Whether the client has been through another outage; `count` is how many it has seen.
    pub(super) fn was_unreachable(&mut self, count: u64) -> bool {
        std::mem::replace(&mut self.unreachable, count) < count
    }

    /// Takes what is due, and says whether approvals are to be looked at as well.
    pub(super) fn take_due(&mut self, now: UnixMs) -> Option<bool> {
        let is_due = |(at, _): &(UnixMs, bool)| *at <= now;
        let thorough = self
            .due
            .iter()
            .filter(|look| is_due(look))
            .map(|look| look.1);
        let thorough = thorough.reduce(|one, another| one | another);
        self.due.retain(|look| !is_due(look));
        thorough
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Option<UnixMs> {
        self.due.iter().map(|look| look.0).min()
    }

    /// Plans on after a pass.
    pub(super) fn ended(&mut self, outcome: &Outcome, now: UnixMs) {
        let was_failing = self.is_failing();
        match outcome {
            Outcome::Done => {
                (self.failures, self.refused) = (0, false);
                if was_failing {
                    // What kept this call from DingTalk may have kept pushes from belfry.
                    self.after_outage(now);
                    self.due.remove(0);
                } else if self.due.is_empty() {
                    self.due.push((clock::later(now, QUIET), false));
                }
            }
            Outcome::Refused { .. } => {
                (self.failures, self.refused) = (0, true);
                self.due = vec![(clock::later(now, REFUSED), true)];
            }
            Outcome::Later { after, .. } => {
                let pause = Duration::from_secs(5 << self.failures.min(7)).min(LONGEST);
                self.failures += 1;
                self.due = vec![(clock::later(now, pause.max(*after)), true)];
            }
            Outcome::Lost { .. } => {
                self.failures += 1;
                self.due = vec![(clock::later(now, MINUTE), true)];
            }
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }
}
