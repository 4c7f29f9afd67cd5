//! Decides what happens after an attempt ended.

use std::time::Duration;

use crate::attempt::{Outcome, Trouble};
use crate::clock::{UnixMs, later};

/// How often and how soon a delivery is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts that count before a delivery becomes a dead letter.
    pub max_attempts: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub first_delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
    /// How long after an event's arrival attempts that failed because of DingTalk do not count.
    pub outage: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            first_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(600),
            outage: Duration::from_secs(24 * 3600),
        }
    }
}

impl Policy {
    fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        self.first_delay
            .saturating_mul(1 << doublings)
            .min(self.max_delay)
    }
}

/// What has been tried of a delivery, the attempt that just ended included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Attempts that ended.
    pub attempts: u32,
    /// Those among the earlier ones that do not count.
    pub spared: u32,
    /// When the event arrived.
    pub received_at: UnixMs,
    /// Any number that differs between deliveries, so that those which failed together do not come back together.
    pub seed: u64,
}

/// What happens to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Finish,
    /// It runs again and holds its key until then.
    Retry {
        /// When.
        at: UnixMs,
        /// Whether the attempt does not count, because DingTalk is to blame.
        spared: bool,
    },
    /// It is given up and kept for a person to look at.
    DeadLetter,
    /// It waits for a person: what it needs is not loaded, or it went another way than before.
    Park,
}

/// Picks what happens after an attempt ended at `now`.
///
/// | the attempt ended by | runs again after | counts |
/// | --- | --- | --- |
/// | a retry the plugin asked for, a trap, a limit, a fault of belfry | `first-delay`, doubling, or what the plugin asked for if that is longer | yes |
/// | a retry after DingTalk limited the rate | the time DingTalk named, or as above if that is longer | not within `outage` |
/// | a retry after DingTalk could not be reached | the same pauses | not within `outage` |
///
/// Up to a quarter of its length comes on top of every pause.
pub fn after(outcome: &Outcome, tries: Tries, now: UnixMs, policy: &Policy) -> Next {
    let (asked, trouble) = match outcome {
        Outcome::Done => return Next::Finish,
        Outcome::Rejected { .. } => return Next::DeadLetter,
        Outcome::NotLoaded | Outcome::VersionGone { .. } | Outcome::Diverged { .. } => {
            return Next::Park;
        }
        Outcome::Retry { after, trouble, .. } => (after.unwrap_or_default(), *trouble),
        _ => (Duration::ZERO, None),
    };
    let age = u128::try_from(now.0.saturating_sub(tries.received_at.0)).unwrap_or(0);
    let spared = trouble.is_some() && age < policy.outage.as_millis();
    let counted = tries.attempts.saturating_sub(tries.spared);
    if !spared && counted >= policy.max_attempts {
        return Next::DeadLetter;
    }
    let own = policy.delay(if spared { tries.spared + 1 } else { counted });
    let named = match trouble {
        Some(Trouble::RateLimited(wait)) => wait,
        _ => Duration::ZERO,
    };
    let pause = own.max(asked).max(named);
    Next::Retry {
        at: later(now, pause + jitter(pause, tries)),
        spared,
    }
}

/// Up to a quarter of the pause, by the seed and the number of the attempt.
fn jitter(pause: Duration, tries: Tries) -> Duration {
    // The finaliser of SplitMix64 spreads neighbouring numbers.
    let mut mixed = tries
        .seed
        .wrapping_add(u64::from(tries.attempts).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let parts = u32::try_from((mixed ^ (mixed >> 31)) % 1_000).unwrap_or(0);
    pause / 4_000 * parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;

    fn tries(attempts: u32, spared: u32) -> Tries {
        Tries {
            attempts,
            spared,
            received_at: UnixMs(0),
            seed: 0,
        }
    }

    /// `expected` is the least pause in seconds; a quarter may come on top.
    fn check(outcome: &Outcome, tries: Tries, expected: f64, spared: bool) {
        let now = UnixMs(1_000);
        let Next::Retry { at, spared: found } = after(outcome, tries, now, &Policy::default())
        else {
            panic!("{outcome} with {tries:?} is not tried again");
        };
        #[allow(clippy::cast_precision_loss)]
        let pause = (at.0 - now.0) as f64 / 1e3;
        assert!(
            (expected..=expected * 1.25).contains(&pause),
            "{outcome} with {tries:?}: {pause} s"
        );
        assert_eq!(found, spared, "{outcome}");
    }

    fn ends(outcome: &Outcome, tries: Tries, now: i64, expected: Next) {
        let next = after(outcome, tries, UnixMs(now), &Policy::default());
        assert_eq!(next, expected, "{outcome} with {tries:?}");
    }

    fn retry(after: Option<Duration>, trouble: Option<Trouble>) -> Outcome {
        Outcome::Retry {
            reason: String::new(),
            after,
            trouble,
        }
    }

    fn trap() -> Outcome {
        Outcome::Trap {
            reason: String::new(),
        }
    }

    #[test]
    fn pauses_double_until_the_attempts_are_used_up() {
        for outcome in [
            retry(None, None),
            trap(),
            Outcome::Exhausted(crate::attempt::Budget::Wall),
        ] {
            check(&outcome, tries(1, 0), 1.0, false);
            check(&outcome, tries(2, 0), 2.0, false);
            check(&outcome, tries(4, 0), 8.0, false);
            ends(&outcome, tries(5, 0), 1_000, Next::DeadLetter);
        }
    }

    #[test]
    fn a_plugin_can_lengthen_a_pause_but_not_shorten_it() {
        let minute = Some(Duration::from_secs(60));
        check(&retry(minute, None), tries(1, 0), 60.0, false);
        check(&retry(Some(Duration::ZERO), None), tries(1, 0), 1.0, false);
    }

    #[test]
    fn what_cannot_get_better_is_not_tried_again() {
        let rejected = Outcome::Rejected {
            reason: String::new(),
        };
        ends(&Outcome::Done, tries(1, 0), 0, Next::Finish);
        ends(&rejected, tries(1, 0), 0, Next::DeadLetter);
        ends(&Outcome::NotLoaded, tries(1, 0), 0, Next::Park);
    }

    #[test]
    fn while_dingtalk_is_down_attempts_do_not_count_for_a_day() {
        let down = retry(None, Some(Trouble::Down));
        check(&down, tries(1, 0), 1.0, true);
        check(&down, tries(40, 39), 600.0, true);
        // It is back, and now the plugin fails by itself.
        check(&trap(), tries(41, 40), 1.0, false);
        check(&trap(), tries(44, 40), 8.0, false);
        ends(&trap(), tries(45, 40), 1_000, Next::DeadLetter);
        // After a day they count.
        ends(&down, tries(200, 195), DAY, Next::DeadLetter);
    }

    #[test]
    fn a_rate_limit_is_waited_out() {
        let limited = |seconds, asked| {
            let wait = Trouble::RateLimited(Duration::from_secs(seconds));
            retry(asked, Some(wait))
        };
        check(&limited(30, None), tries(1, 0), 30.0, true);
        check(&limited(3_600, None), tries(9, 8), 3_600.0, true);
        let asked = Some(Duration::from_secs(90));
        check(&limited(30, asked), tries(1, 0), 90.0, true);
        check(&limited(0, None), tries(4, 3), 8.0, true);
    }

    #[test]
    fn pauses_never_exceed_the_longest_by_more_than_the_jitter() {
        let patient = Policy {
            max_attempts: 1_000,
            ..Policy::default()
        };
        let next = after(&trap(), tries(900, 0), UnixMs(0), &patient);
        let Next::Retry { at, .. } = next else {
            panic!("{next:?}")
        };
        assert!((600_000..=750_000).contains(&at.0), "{at:?}");
    }

    #[test]
    fn deliveries_that_failed_together_come_back_apart() {
        let times: std::collections::HashSet<i64> = (0..100)
            .map(|seed| {
                let tries = Tries {
                    seed,
                    ..tries(4, 0)
                };
                match after(&trap(), tries, UnixMs(0), &Policy::default()) {
                    Next::Retry { at, .. } => at.0,
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        assert!(times.len() > 80, "{} times", times.len());
    }
}
