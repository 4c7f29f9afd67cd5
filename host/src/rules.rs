//! Decides which plugin gets which event.

use crate::clock::UnixMs;
use crate::event::{Facts, Subscription};
use crate::ids::{AppName, PluginName};

use self::index::{Found, Index, Open};

pub use self::condition::{Condition, ConditionError, Subject};
pub use self::explain::{Explanation, Reason, Verdict};
pub use self::hours::{Days, Hours, Spans, zone};

mod condition;
mod explain;
mod hours;
mod index;

/// When one plugin gets an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The plugin.
    pub plugin: PluginName,
    /// The app whose events it gets.
    pub app: AppName,
    /// The events it gets.
    pub events: Vec<Subscription>,
    /// A further condition.
    pub when: Option<Condition>,
    /// The times at which it gets them; `None` is always.
    pub hours: Option<Hours>,
    /// Its place among the plugins of one event; small ones come first, equal ones as in `bot.toml`.
    pub order: i32,
    /// Whether it takes part.
    pub standing: Standing,
}

/// Whether a plugin takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Active,
    /// `enabled = false`.
    Disabled,
    /// Its component or its app was refused, and there is no older version that could go on.
    NotLoaded,
}

/// What the rules say about one event.
#[derive(Debug, Default, PartialEq)]
pub struct Choice {
    /// The plugins that get it, in their order.
    pub plugins: Vec<PluginName>,
    /// Conditions that could not be evaluated, with the reason; their plugins do not get it.
    pub failed: Vec<(PluginName, String)>,
}

/// All rules, with an index from an event to those that may want it: routing costs the same however many others there are.
#[derive(Debug, Default)]
pub struct Rules {
    /// In their order.
    rules: Vec<Rule>,
    index: Index,
}

/// What a rule says about an event of its app that it subscribes to.
enum Ruling<'a> {
    Gets,
    OutsideHours(&'a Hours),
    ConditionFalse(&'a Condition),
    ConditionFailed(&'a Condition, String),
}

impl PartialEq for Rules {
    /// The index follows from the rules.
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl Rules {
    /// Puts rules in order and builds the index.
    pub fn new(mut rules: Vec<Rule>) -> Self {
        // Stable, so that equal ones stay as they were.
        rules.sort_by_key(|rule| rule.order);
        let index = Index::of(&rules);
        Self { rules, index }
    }

    /// The rules, in their order.
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// Chooses the plugins for an event that arrived at `now`.
    pub fn choose(&self, app: &AppName, facts: &Facts, now: UnixMs) -> Choice {
        let mut choice = Choice::default();
        let subject = Subject::new(facts);
        for Found { position, open } in self.index.find(app, facts) {
            let rule = &self.rules[position];
            match rule.decide(open, &subject, now) {
                Ruling::Gets => choice.plugins.push(rule.plugin.clone()),
                Ruling::ConditionFailed(_, error) => {
                    choice.failed.push((rule.plugin.clone(), error));
                }
                Ruling::OutsideHours(_) | Ruling::ConditionFalse(_) => {}
            }
        }
        choice
    }
}

impl Rule {
    /// Whether the plugin gets an event of its app that it subscribes to; `open` is what nobody has asked yet.
    fn decide(&self, open: Open<'_>, subject: &Subject<'_>, now: UnixMs) -> Ruling<'_> {
        if let Some(hours) = self.hours.as_ref().filter(|hours| !hours.covers(now)) {
            return Ruling::OutsideHours(hours);
        }
        let Some(when) = &self.when else {
            return Ruling::Gets;
        };
        let holds = match open {
            Open::Condition => when.holds(subject),
            Open::Rest(rest) => when.rest_holds(rest, subject),
            Open::Nothing => Ok(true),
        };
        match holds {
            Ok(true) => Ruling::Gets,
            Ok(false) => Ruling::ConditionFalse(when),
            Err(error) => Ruling::ConditionFailed(when, error),
        }
    }
}

#[cfg(test)]
mod tests;
