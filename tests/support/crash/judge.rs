//! Says what became of the events, from what was sent, what DingTalk saw, and what was in doubt. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

/// The way an event came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// A sealed event over HTTP.
    Callback,
    /// A robot message over HTTP.
    Robot,
    /// An alert webhook.
    Hook,
    /// A timer that a plugin set while it handled a message.
    Timer,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Callback, Self::Robot, Self::Hook, Self::Timer];

    /// Its name in marks and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Robot => "robot",
            Self::Hook => "hook",
            Self::Timer => "timer",
        }
    }
}

/// The number of an event and the way it came: what a plugin leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// The way.
    pub(super) way: Way,
    /// Unique among the events of one run.
    pub(super) number: u32,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.way.name(), self.number)
    }
}

/// One thing that is done for an event: by which plugin, through which host function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deed {
    /// The plugin.
    pub(super) plugin: String,
    /// The host function, such as `chat.send`.
    pub(super) function: &'static str,
    /// The event.
    pub(super) mark: Mark,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}/{}", self.function, self.plugin, self.mark)
    }
}

impl Deed {
    /// The deed whose signature is anywhere in the arguments or the body of a call.
    pub(super) fn in_call(function: &'static str, call: &Value) -> Option<Self> {
        let found = match call {
            Value::String(text) => signature(text).map(|(plugin, mark)| Self {
                plugin,
                function,
                mark,
            }),
            Value::Array(items) => items.iter().find_map(|item| Self::in_call(function, item)),
            Value::Object(members) => members
                .values()
                .find_map(|member| Self::in_call(function, member)),
            _ => None,
        };
        // Form values travel as JSON inside a text.
        found.or_else(|| match call {
            Value::String(text) if text.starts_with(['[', '{']) => {
                let inner: Value = serde_json::from_str(text).ok()?;
                Self::in_call(function, &inner)
            }
            _ => None,
        })
    }
}

/// Reads `first/robot-17`.
fn signature(text: &str) -> Option<(String, Mark)> {
    let (plugin, mark) = text.split_once('/')?;
    let (way, number) = mark.split_once('-')?;
    let way = Way::ALL.into_iter().find(|known| known.name() == way)?;
    let number = number.parse().ok()?;
    Some((plugin.to_owned(), Mark { way, number }))
}

/// What happens to a call in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// It is sent again, so it may be there once more for each time it was in doubt.
    Resend,
    /// It is looked for, and sent again if it is certainly not there; so it may be missing, and is never there twice.
    Look,
    /// It is not sent again, so it may be missing.
    Unknown,
}

/// What is to be done for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The deed.
    pub(super) deed: Deed,
    /// The policy of its function for its plugin.
    pub(super) policy: Policy,
}

/// An event that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Its number.
    pub(super) mark: Mark,
    /// Whether the sender heard success. What it did not hear may be done or not, but not twice.
    pub(super) acknowledged: bool,
    /// What must stay in order; events of one key have ascending numbers.
    pub(super) key: String,
    /// What is to be done for it.
    pub(super) wanted: Vec<Wanted>,
}

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// The deeds in the order DingTalk saw them.
    pub(super) seen: Vec<Deed>,
    /// How often a deed was found begun and not ended when belfry was dead.
    pub(super) doubts: BTreeMap<Deed, u32>,
    /// Of those in doubt, the ones of which the plugin was told that the outcome is unknown.
    pub(super) told: BTreeSet<Deed>,
}

/// The count of one way in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Events that were sent.
    pub sent: u32,
    /// Events whose sender heard success.
    pub acknowledged: u32,
    /// Acknowledged events of which something was not done that was never in doubt.
    pub lost: u32,
    /// Events of which something was done more often than its doubts allow.
    pub duplicated: u32,
    /// Calls that were made again because they were in doubt.
    pub ambiguous: u32,
    /// Calls in doubt that were not made again, as their plugin was told.
    pub unknown: u32,
    /// Events that were handled after a younger one of their key.
    pub disordered: u32,
}

/// What became of everything.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// By way.
    pub(super) counts: BTreeMap<Way, Count>,
    /// What must not be, in words.
    pub(super) wrong: Vec<String>,
}

/// Judges. A timer in doubt may fire twice, so the doubts of setting it are doubts of what it does.
pub(super) fn judge(sent: &[Sent], evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    for way in Way::ALL {
        verdict.counts.insert(way, Count::default());
    }
    let mut times: BTreeMap<&Deed, u32> = BTreeMap::new();
    for deed in &evidence.seen {
        *times.entry(deed).or_default() += 1;
    }
    let mut known = BTreeSet::new();
    for event in sent {
        let count = verdict.counts.entry(event.mark.way).or_default();
        count.sent += 1;
        count.acknowledged += u32::from(event.acknowledged);
        let (mut is_lost, mut is_duplicated) = (false, false);
        for Wanted { deed, policy } in &event.wanted {
            known.insert(deed);
            let doubts = doubts(deed, evidence);
            let told = doubts > 0 && evidence.told.contains(deed);
            count.unknown += u32::from(told);
            match (times.get(deed).copied().unwrap_or(0), policy) {
                (0, Policy::Unknown | Policy::Look) if told => {}
                (0, _) if event.acknowledged => {
                    is_lost = true;
                    verdict
                        .wrong
                        .push(format!("lost: {deed}, in doubt {doubts} times"));
                }
                (0 | 1, _) => {}
                (n, Policy::Resend) if n <= 1 + doubts => count.ambiguous += n - 1,
                (n, _) => {
                    is_duplicated = true;
                    verdict
                        .wrong
                        .push(format!("{n} times: {deed}, in doubt {doubts} times"));
                }
            }
        }
        count.lost += u32::from(is_lost);
        count.duplicated += u32::from(is_duplicated);
    }
    for deed in times.keys().filter(|deed| !known.contains(**deed)) {
        verdict.wrong.push(format!("nobody asked for it: {deed}"));
    }
    order(sent, evidence, &mut verdict);
    verdict
}

fn doubts(deed: &Deed, evidence: &Evidence) -> u32 {
    let of = |deed: &Deed| evidence.doubts.get(deed).copied().unwrap_or(0);
    let setting = Deed {
        function: "schedule.set",
        ..deed.clone()
    };
    let of_timer = if deed.mark.way == Way::Timer {
        of(&setting)
    } else {
        0
    };
    of(deed) + of_timer
}

/// Deeds of one kind and key must have come for the first time in the order of their numbers. What nobody acknowledged
/// may come later, out of DingTalk's list of failed pushes.
fn order(sent: &[Sent], evidence: &Evidence, verdict: &mut Verdict) {
    let acknowledged = sent.iter().filter(|event| event.acknowledged);
    let keys: BTreeMap<Mark, &str> = acknowledged
        .map(|event| (event.mark, event.key.as_str()))
        .collect();
    let mut last: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for deed in evidence.seen.iter().filter(|deed| seen.insert(*deed)) {
        let Some(key) = keys.get(&deed.mark) else {
            continue;
        };
        let last = last
            .entry((deed.plugin.as_str(), deed.function, *key))
            .or_insert(deed.mark.number);
        if deed.mark.number < *last {
            verdict.counts.entry(deed.mark.way).or_default().disordered += 1;
            verdict.wrong.push(format!("late: {deed}, after {last}"));
        }
        *last = deed.mark.number.max(*last);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deed(function: &'static str, way: Way, number: u32) -> Deed {
        Deed {
            plugin: "first".to_owned(),
            function,
            mark: Mark { way, number },
        }
    }

    fn event(way: Way, number: u32, acknowledged: bool, policy: Policy) -> Sent {
        Sent {
            mark: Mark { way, number },
            acknowledged,
            key: "k".to_owned(),
            wanted: vec![Wanted {
                deed: deed("chat.send", way, number),
                policy,
            }],
        }
    }

    /// One event that was done so many times and was so often in doubt.
    fn check(acknowledged: bool, policy: Policy, times: usize, doubts: u32, expected: Count) {
        check_told(false, acknowledged, policy, times, doubts, expected);
    }

    fn check_told(
        told: bool,
        acknowledged: bool,
        policy: Policy,
        times: usize,
        doubts: u32,
        expected: Count,
    ) {
        let sent = [event(Way::Hook, 1, acknowledged, policy)];
        let deed = deed("chat.send", Way::Hook, 1);
        let evidence = Evidence {
            seen: vec![deed.clone(); times],
            told: told.then(|| deed.clone()).into_iter().collect(),
            doubts: [(deed, doubts)].into(),
        };
        let verdict = judge(&sent, &evidence);
        let expected = Count {
            sent: 1,
            acknowledged: acknowledged.into(),
            ..expected
        };
        let found = verdict.counts[&Way::Hook];
        assert_eq!(
            found, expected,
            "{acknowledged} {policy:?} {times} {doubts}"
        );
        let is_wrong = found.lost + found.duplicated > 0;
        assert_eq!(!verdict.wrong.is_empty(), is_wrong);
    }

    #[test]
    fn what_was_done_once_is_right() {
        for policy in [Policy::Resend, Policy::Look, Policy::Unknown] {
            check(true, policy, 1, 0, Count::default());
            check(false, policy, 1, 0, Count::default());
            check(false, policy, 0, 0, Count::default());
        }
    }

    #[test]
    fn what_was_acknowledged_and_not_done_is_lost() {
        let lost = Count {
            lost: 1,
            ..Count::default()
        };
        check(true, Policy::Resend, 0, 0, lost);
        check(true, Policy::Resend, 0, 2, lost);
        check(true, Policy::Look, 0, 1, lost);
        check(true, Policy::Unknown, 0, 0, lost);
        // Nobody told the plugin, so it cannot cope.
        check(true, Policy::Unknown, 0, 1, lost);
    }

    #[test]
    fn what_was_done_twice_without_a_doubt_is_duplicated_even_if_nobody_heard_success() {
        let twice = Count {
            duplicated: 1,
            ..Count::default()
        };
        for acknowledged in [true, false] {
            check(acknowledged, Policy::Resend, 2, 0, twice);
            check(acknowledged, Policy::Resend, 3, 1, twice);
            check(acknowledged, Policy::Look, 2, 5, twice);
            check(acknowledged, Policy::Unknown, 2, 5, twice);
        }
    }

    #[test]
    fn a_doubt_allows_what_its_policy_says() {
        let ambiguous = Count {
            ambiguous: 2,
            ..Count::default()
        };
        check(true, Policy::Resend, 3, 2, ambiguous);
        let unknown = Count {
            unknown: 1,
            ..Count::default()
        };
        for policy in [Policy::Unknown, Policy::Look] {
            check_told(true, true, policy, 0, 1, unknown);
            check_told(true, true, policy, 1, 1, unknown);
            check(true, policy, 1, 1, Count::default());
        }
    }

    #[test]
    fn a_timer_that_was_in_doubt_may_fire_twice() {
        let sent = [event(Way::Timer, 1, true, Policy::Resend)];
        let seen = vec![deed("chat.send", Way::Timer, 1); 2];
        let doubts = [(deed("schedule.set", Way::Timer, 1), 1)].into();
        let verdict = judge(
            &sent,
            &Evidence {
                seen,
                doubts,
                ..Evidence::default()
            },
        );
        assert!(verdict.wrong.is_empty(), "{:?}", verdict.wrong);
        assert_eq!(verdict.counts[&Way::Timer].ambiguous, 1);
    }

    #[test]
    fn an_older_event_after_a_younger_one_of_its_key_is_out_of_order() {
        let sent = [1, 2, 3].map(|number| event(Way::Robot, number, true, Policy::Resend));
        let again = deed("chat.send", Way::Robot, 1);
        let mut evidence = Evidence {
            seen: [1, 2, 3].map(|n| deed("chat.send", Way::Robot, n)).into(),
            doubts: [(again.clone(), 1)].into(),
            ..Evidence::default()
        };
        // Made again later because it was in doubt: that is no matter of order.
        evidence.seen.push(again);
        assert_eq!(judge(&sent, &evidence).wrong, [""; 0]);
        evidence.seen.swap(0, 1);
        let verdict = judge(&sent, &evidence);
        assert_eq!(verdict.counts[&Way::Robot].disordered, 1);
        assert_eq!(verdict.wrong.len(), 1);
        let mut sent = sent;
        sent[0].acknowledged = false;
        assert_eq!(judge(&sent, &evidence).wrong, [""; 0]);
    }

    #[test]
    fn what_nobody_asked_for_is_wrong() {
        let evidence = Evidence {
            seen: vec![deed("chat.send", Way::Hook, 9)],
            ..Evidence::default()
        };
        assert_eq!(judge(&[], &evidence).wrong.len(), 1);
    }

    #[test]
    fn a_signature_is_found_wherever_it_is() {
        let check = |call: Value, expected: Option<Deed>| {
            assert_eq!(Deed::in_call("chat.send", &call), expected, "{call}");
        };
        let found = Some(deed("chat.send", Way::Robot, 17));
        check(
            json!({"msg": {"text": {"content": "first/robot-17"}}}),
            found.clone(),
        );
        check(json!({"vo": "[{\"value\":\"first/robot-17\"}]"}), found);
        check(json!({"text": "good morning", "n": 17}), None);
        check(json!("first/pigeon-17"), None);
    }
}
