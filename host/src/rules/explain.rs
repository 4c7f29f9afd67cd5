//! Says for one event which plugin would get it, and why the others would not.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Open, Rule, Rules, Ruling, Standing, Subject};
use crate::clock::UnixMs;
use crate::event::{Facts, Kind};
use crate::ids::{AppName, PluginName};

/// Characters of a value that are shown.
const SHOWN: usize = 200;

/// What the rules say about one event, rule by rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The app the event came for.
    pub app: AppName,
    /// Its kind.
    pub kind: Kind,
    /// DingTalk's `EventType`, for events of a callback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// When it came, RFC 3339.
    pub at: jiff::Timestamp,
    /// The plugins that get it, in their order.
    pub plugins: Vec<PluginName>,
    /// Every plugin, in their order.
    pub verdicts: Vec<Verdict>,
}

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The plugin.
    pub plugin: PluginName,
    /// Its `order`.
    pub order: i32,
    /// Whether it gets the event, or why not.
    #[serde(flatten)]
    pub reason: Reason,
    /// The same as a sentence.
    pub text: String,
    /// The fields of the event that its condition names, with their values; null for what the event does not have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Value>,
}

/// Whether a plugin gets an event, or the first reason against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Reason {
    /// It gets the event.
    Gets,
    /// It works for another app.
    OtherApp,
    /// It is switched off.
    Disabled,
    /// It was refused and has no older version.
    NotLoaded,
    /// Its `events` do not have this one.
    NotSubscribed,
    /// The event came at another time than it is active.
    OutsideHours {
        /// When it is active.
        hours: String,
        /// When the event came, by the clock of that zone.
        at: String,
    },
    /// Its condition does not hold.
    ConditionFalse {
        /// The condition.
        when: String,
    },
    /// Its condition cannot be evaluated, which counts as no.
    ConditionFailed {
        /// The condition.
        when: String,
        /// Why.
        error: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gets => f.write_str("gets it"),
            Self::OtherApp => f.write_str("works for another app"),
            Self::Disabled => f.write_str("is switched off by `enabled = false`"),
            Self::NotLoaded => f.write_str("was refused and has no older version that could go on"),
            Self::NotSubscribed => f.write_str("has no such event in `events`"),
            Self::OutsideHours { hours, at } => {
                write!(f, "is active {hours}, and it was {at} there")
            }
            Self::ConditionFalse { when } => write!(f, "`when` does not hold: {when}"),
            Self::ConditionFailed { when, error } => {
                write!(f, "`when` cannot be evaluated: {error}: {when}")
            }
        }
    }
}

impl Rules {
    /// Asks every rule about an event, without the index and without a short cut.
    pub fn explain(&self, app: &AppName, facts: &Facts, now: UnixMs) -> Explanation {
        let subject = Subject::new(facts);
        let verdicts: Vec<Verdict> = self
            .rules
            .iter()
            .map(|rule| verdict(rule, app, &subject, now))
            .collect();
        let plugins = verdicts
            .iter()
            .filter(|verdict| verdict.reason == Reason::Gets)
            .map(|verdict| verdict.plugin.clone())
            .collect();
        Explanation {
            app: app.clone(),
            kind: facts.kind(),
            event_type: facts.event_type().map(str::to_owned),
            at: jiff::Timestamp::from_millisecond(now.0).unwrap_or_default(),
            plugins,
            verdicts,
        }
    }
}

fn verdict(rule: &Rule, app: &AppName, subject: &Subject<'_>, now: UnixMs) -> Verdict {
    let reason = reason(rule, app, subject, now);
    let looked = matches!(
        reason,
        Reason::Gets | Reason::ConditionFalse { .. } | Reason::ConditionFailed { .. }
    );
    let when = rule.when.as_ref().filter(|_| looked);
    let values = when.map_or_else(BTreeMap::new, |when| {
        when.looked_at(subject.facts())
            .into_iter()
            .map(|(path, value)| (path, shown(value.unwrap_or_default())))
            .collect()
    });
    Verdict {
        plugin: rule.plugin.clone(),
        order: rule.order,
        text: reason.to_string(),
        reason,
        values,
    }
}

/// Whether the plugin gets an event, and if not, the first reason against it.
fn reason(rule: &Rule, app: &AppName, subject: &Subject<'_>, now: UnixMs) -> Reason {
    if rule.app != *app {
        return Reason::OtherApp;
    }
    match rule.standing {
        Standing::Active => {}
        Standing::Disabled => return Reason::Disabled,
        Standing::NotLoaded => return Reason::NotLoaded,
    }
    let facts = subject.facts();
    if !rule.events.iter().any(|wanted| wanted.covers(facts)) {
        return Reason::NotSubscribed;
    }
    match rule.decide(Open::Condition, subject, now) {
        Ruling::Gets => Reason::Gets,
        Ruling::OutsideHours(hours) => Reason::OutsideHours {
            hours: hours.to_string(),
            at: hours.wall_clock(now),
        },
        Ruling::ConditionFalse(when) => Reason::ConditionFalse {
            when: when.to_string(),
        },
        Ruling::ConditionFailed(when, error) => Reason::ConditionFailed {
            when: when.to_string(),
            error,
        },
    }
}

/// Long texts and lists are for `belfry events show`.
fn shown(value: Value) -> Value {
    let text = match &value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        _ => return value,
    };
    if text.chars().count() <= SHOWN {
        return value;
    }
    let mut cut: String = text.chars().take(SHOWN).collect();
    cut.push('…');
    cut.into()
}
