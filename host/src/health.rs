//! Decides when a plugin that keeps failing is parked, and when it may try again.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use crate::attempt::{Budget, Outcome};
use crate::clock::{UnixMs, later};

/// How much failing is too much, and how long a plugin is left alone then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// So many failures within the window park it, if at least half of its latest attempts failed.
    pub after: u32,
    /// How long a failure counts.
    pub window: Duration,
    /// The first pause; it doubles with each probe that fails.
    pub pause: Duration,
    /// The longest pause.
    pub max_pause: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            after: 10,
            window: Duration::from_secs(60),
            pause: Duration::from_secs(30),
            max_pause: Duration::from_secs(600),
        }
    }
}

impl Policy {
    fn pause(&self, times: u32) -> Duration {
        let doublings = times.saturating_sub(1).min(20);
        self.pause
            .saturating_mul(1 << doublings)
            .min(self.max_pause)
    }
}

/// How one plugin has been doing. It begins anew with each version of the plugin and with each start.
#[derive(Debug, Default)]
pub struct Health {
    /// When the latest attempts ended and whether they failed, oldest first.
    latest: VecDeque<(UnixMs, bool)>,
    parked: Option<Parked>,
}

/// A plugin that is left alone; its deliveries wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parked {
    /// How the attempt ended that was one too many.
    pub reason: String,
    /// Since when, RFC 3339.
    pub since: jiff::Timestamp,
    /// When one delivery runs as a probe, RFC 3339. A probe that fails begins another pause.
    pub until: jiff::Timestamp,
    /// Pauses so far.
    pub times: u32,
}

/// What the end of an attempt changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The plugin is parked, or parked again.
    Parked(Parked),
    /// A probe ran as it should: the plugin is as free as before.
    Recovered,
}

/// What an outcome says of the plugin itself.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Failed,
    Ran,
    Neither,
}

/// A plugin that says no, or asks for another attempt because DingTalk is down, does what it should. What belfry or
/// DingTalk did wrong says nothing of the plugin: their trouble must not park all plugins at once.
fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Done | Outcome::Retry { .. } | Outcome::Rejected { .. } => Verdict::Ran,
        Outcome::Exhausted {
            budget: Budget::Upstream,
            ..
        }
        | Outcome::HostFault { .. }
        | Outcome::Diverged { .. }
        | Outcome::VersionGone { .. }
        | Outcome::NotLoaded => Verdict::Neither,
        Outcome::Trap { .. } | Outcome::Exhausted { .. } => Verdict::Failed,
    }
}

impl Health {
    /// How many attempts may run at one time, out of `concurrent` in good days.
    pub fn places(&self, now: UnixMs, concurrent: usize) -> usize {
        match &self.parked {
            None => concurrent,
            Some(parked) if now < at(parked.until) => 0,
            Some(_) => 1,
        }
    }

    /// When it may try again, if it may not now.
    pub fn next_probe(&self, now: UnixMs) -> Option<UnixMs> {
        let parked = self.parked.as_ref()?;
        Some(at(parked.until)).filter(|until| *until > now)
    }

    /// Why and until when it is parked.
    pub fn parked(&self) -> Option<&Parked> {
        self.parked.as_ref()
    }

    /// Takes the end of an attempt into account.
    pub fn ended(
        &mut self,
        outcome: &Outcome,
        started: UnixMs,
        now: UnixMs,
        policy: &Policy,
    ) -> Option<Change> {
        let verdict = verdict(outcome);
        if verdict == Verdict::Neither {
            return None;
        }
        let failed = verdict == Verdict::Failed;
        if let Some(parked) = &self.parked {
            if started < at(parked.until) {
                // It began before the plugin was parked.
                return None;
            }
            if !failed {
                *self = Self::default();
                return Some(Change::Recovered);
            }
            let (since, times) = (parked.since, parked.times + 1);
            return Some(self.park(outcome, since, times, now, policy));
        }
        self.latest.push_back((now, failed));
        let remembered = (policy.after as usize).saturating_mul(2);
        while self.latest.len() > remembered
            || self
                .latest
                .front()
                .is_some_and(|(ended, _)| later(*ended, policy.window) < now)
        {
            self.latest.pop_front();
        }
        let failures = self.latest.iter().filter(|(_, failed)| *failed).count();
        if failed && failures >= policy.after as usize {
            return Some(self.park(outcome, timestamp(now), 1, now, policy));
        }
        None
    }

    /// Lets it run again at once; says whether it was parked.
    pub fn resume(&mut self) -> bool {
        std::mem::take(self).parked.is_some()
    }

    fn park(
        &mut self,
        outcome: &Outcome,
        since: jiff::Timestamp,
        times: u32,
        now: UnixMs,
        policy: &Policy,
    ) -> Change {
        let parked = Parked {
            reason: outcome.to_string(),
            since,
            until: timestamp(later(now, policy.pause(times))),
            times,
        };
        self.latest.clear();
        self.parked = Some(parked.clone());
        Change::Parked(parked)
    }
}

fn timestamp(at: UnixMs) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default()
}

fn at(timestamp: jiff::Timestamp) -> UnixMs {
    UnixMs(timestamp.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        after: 3,
        window: Duration::from_secs(60),
        pause: Duration::from_secs(30),
        max_pause: Duration::from_secs(100),
    };

    fn trap() -> Outcome {
        Outcome::Trap {
            reason: "unreachable".to_owned(),
        }
    }

    fn retry() -> Outcome {
        Outcome::Retry {
            reason: "DingTalk is down".to_owned(),
            after: None,
            trouble: None,
        }
    }

    /// Ends an attempt that began when it ended, in seconds.
    fn end(health: &mut Health, outcome: &Outcome, second: i64) -> Option<Change> {
        let now = UnixMs(second * 1_000);
        health.ended(outcome, now, now, &POLICY)
    }

    fn places(health: &Health, second: i64) -> usize {
        health.places(UnixMs(second * 1_000), 8)
    }

    fn parked() -> Health {
        let mut health = Health::default();
        for second in 0..2 {
            assert_eq!(end(&mut health, &trap(), second), None);
        }
        assert!(matches!(
            end(&mut health, &trap(), 2),
            Some(Change::Parked(_))
        ));
        health
    }

    #[test]
    fn so_many_failures_within_the_window_park_a_plugin() {
        let health = parked();
        assert_eq!(places(&health, 2), 0);
        assert_eq!(places(&health, 31), 0);
        assert_eq!(places(&health, 32), 1, "a probe");
        let parked = health.parked().unwrap();
        assert_eq!(
            (parked.reason.as_str(), parked.times),
            ("trap: unreachable", 1)
        );
        assert_eq!(health.next_probe(UnixMs(2_000)), Some(UnixMs(32_000)));
        assert_eq!(health.next_probe(UnixMs(32_000)), None);
    }

    #[test]
    fn failures_far_apart_do_not_park() {
        let mut health = Health::default();
        for second in [0, 50, 100, 150, 200] {
            assert_eq!(end(&mut health, &trap(), second), None);
        }
        assert_eq!(places(&health, 200), 8);
    }

    #[test]
    fn a_few_failures_among_many_successes_do_not_park() {
        let mut health = Health::default();
        for number in 0..300 {
            let outcome = if number % 3 == 0 {
                trap()
            } else {
                Outcome::Done
            };
            assert_eq!(end(&mut health, &outcome, number / 100), None, "{number}");
        }
    }

    #[test]
    fn what_is_not_the_plugins_fault_does_not_count() {
        let mut health = Health::default();
        for second in 0..10 {
            for outcome in [
                retry(),
                Outcome::Rejected {
                    reason: String::new(),
                },
                Outcome::HostFault {
                    reason: String::new(),
                },
                Outcome::Exhausted {
                    budget: Budget::Upstream,
                    limit: String::new(),
                },
            ] {
                assert_eq!(end(&mut health, &outcome, second), None);
            }
        }
    }

    #[test]
    fn a_probe_that_fails_doubles_the_pause_up_to_the_longest() {
        let mut health = parked();
        for (second, pause) in [(32, 60), (92, 100), (192, 100)] {
            let Some(Change::Parked(parked)) = end(&mut health, &trap(), second) else {
                panic!("not parked again at {second}");
            };
            assert_eq!(at(parked.until), UnixMs((second + pause) * 1_000));
            assert_eq!(at(parked.since), UnixMs(2_000));
        }
        assert_eq!(health.parked().unwrap().times, 4);
    }

    #[test]
    fn a_probe_that_runs_frees_the_plugin() {
        for outcome in [Outcome::Done, retry()] {
            let mut health = parked();
            assert_eq!(end(&mut health, &outcome, 40), Some(Change::Recovered));
            assert_eq!(places(&health, 40), 8);
            // The failures before are forgotten.
            assert_eq!(end(&mut health, &trap(), 41), None);
        }
    }

    #[test]
    fn attempts_from_before_the_pause_are_no_probes() {
        let mut health = parked();
        let before = health.parked().cloned();
        for outcome in [trap(), Outcome::Done] {
            let ended = health.ended(&outcome, UnixMs(1_000), UnixMs(40_000), &POLICY);
            assert_eq!(ended, None);
        }
        assert_eq!(health.parked().cloned(), before);
    }

    #[test]
    fn a_person_can_end_the_pause() {
        let mut health = parked();
        assert!(health.resume());
        assert_eq!(places(&health, 3), 8);
        assert!(!health.resume());
    }
}
