//! Decides what happens after an attempt ended.

use std::time::Duration;

use crate::attempt::Outcome;
use crate::clock::{UnixMs, later};

/// How often and how soon a delivery is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in all before a delivery becomes a dead letter.
    pub max_attempts: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub first_delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            first_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(600),
        }
    }
}

impl Policy {
    fn delay(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        self.first_delay
            .saturating_mul(1 << doublings)
            .min(self.max_delay)
    }
}

/// What happens to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Finish,
    /// It runs again at that time and holds its key until then.
    RetryAt(UnixMs),
    /// It is given up and kept for a person to look at.
    DeadLetter,
    /// It waits for a person, because the configuration has no such plugin.
    Park,
}

/// Picks what happens after attempt number `attempts` (the first is 1) ended at `now`.
pub fn after(outcome: &Outcome, attempts: u32, now: UnixMs, policy: &Policy) -> Next {
    match outcome {
        Outcome::Done => Next::Finish,
        Outcome::Rejected { .. } => Next::DeadLetter,
        Outcome::NotLoaded => Next::Park,
        _ if attempts >= policy.max_attempts => Next::DeadLetter,
        Outcome::Retry {
            after: Some(wait), ..
        } => Next::RetryAt(later(now, (*wait).max(policy.delay(attempts)))),
        _ => Next::RetryAt(later(now, policy.delay(attempts))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outcome: Outcome, attempts: u32, expected: Next) {
        assert_eq!(
            after(&outcome, attempts, UnixMs(1_000), &Policy::default()),
            expected,
            "{outcome}"
        );
    }

    fn retry(after: Option<Duration>) -> Outcome {
        Outcome::Retry {
            reason: String::new(),
            after,
        }
    }

    #[test]
    fn pauses_double_until_the_attempts_are_used_up() {
        check(retry(None), 1, Next::RetryAt(UnixMs(2_000)));
        check(retry(None), 2, Next::RetryAt(UnixMs(3_000)));
        check(retry(None), 4, Next::RetryAt(UnixMs(9_000)));
        check(retry(None), 5, Next::DeadLetter);
    }

    #[test]
    fn a_plugin_can_lengthen_a_pause_but_not_shorten_it() {
        check(
            retry(Some(Duration::from_secs(60))),
            1,
            Next::RetryAt(UnixMs(61_000)),
        );
        check(retry(Some(Duration::ZERO)), 1, Next::RetryAt(UnixMs(2_000)));
    }

    #[test]
    fn what_cannot_get_better_is_not_tried_again() {
        check(Outcome::Done, 1, Next::Finish);
        check(
            Outcome::Rejected {
                reason: String::new(),
            },
            1,
            Next::DeadLetter,
        );
        check(Outcome::NotLoaded, 1, Next::Park);
    }

    #[test]
    fn pauses_never_exceed_the_longest() {
        let patient = Policy {
            max_attempts: 1_000,
            ..Policy::default()
        };
        assert_eq!(
            after(&retry(None), 900, UnixMs(0), &patient),
            Next::RetryAt(UnixMs(600_000))
        );
    }
}
