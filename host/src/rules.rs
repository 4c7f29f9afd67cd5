//! Decides which plugin gets which event.

use std::collections::HashMap;

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::clock::UnixMs;
use crate::event::{Facts, Kind, Subscription};
use crate::ids::{AppName, PluginName};

pub use self::condition::{Condition, ConditionError, Subject};
pub use self::explain::{Explanation, Reason, Verdict};
pub use self::hours::{Days, Hours, Spans, zone};

mod condition;
mod explain;
mod hours;

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
    index: HashMap<AppName, Interested>,
}

/// The rules of one app by what they subscribe to. Short texts and few positions lie in the index itself: with a thousand
/// plugins each place in memory that is looked at costs more than what is done there.
#[derive(Debug, Default)]
struct Interested {
    kinds: HashMap<Kind, Candidates>,
    types: HashMap<SmolStr, Candidates>,
}

/// Positions in [`Rules::rules`].
type Positions = SmallVec<[usize; 2]>;

/// The rules that subscribe to the same thing.
#[derive(Debug, Default)]
struct Candidates {
    /// Those that must be asked about every event.
    always: Positions,
    /// Those whose condition cannot hold unless a field has one certain text, by field; there are few fields.
    pinned: Vec<(String, HashMap<SmolStr, Positions>)>,
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
        let mut index: HashMap<AppName, Interested> = HashMap::new();
        for (position, rule) in rules.iter().enumerate() {
            if rule.standing != Standing::Active {
                continue;
            }
            let interested = index.entry(rule.app.clone()).or_default();
            for subscription in &rule.events {
                let candidates = match subscription {
                    Subscription::Kind(kind) => interested.kinds.entry(*kind).or_default(),
                    Subscription::EventType(name) => {
                        interested.types.entry(name.into()).or_default()
                    }
                };
                candidates.add(position, rule);
            }
        }
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
        for position in self.candidates(app, facts) {
            let rule = &self.rules[position];
            match rule.decide(&subject, now) {
                Ruling::Gets => choice.plugins.push(rule.plugin.clone()),
                Ruling::ConditionFailed(_, error) => {
                    choice.failed.push((rule.plugin.clone(), error));
                }
                Ruling::OutsideHours(_) | Ruling::ConditionFalse(_) => {}
            }
        }
        choice
    }

    /// The rules of an app that subscribe to an event and may want it, each once and in their order.
    fn candidates(&self, app: &AppName, facts: &Facts) -> Vec<usize> {
        let mut positions = Vec::new();
        // What `Subscription::covers` says, turned round.
        if let Some(interested) = self.index.get(app).filter(|_| facts.kind() != Kind::Suite) {
            let by_kind = interested.kinds.get(&facts.kind());
            let by_type = facts
                .event_type()
                .and_then(|name| interested.types.get(name));
            for candidates in by_kind.into_iter().chain(by_type) {
                candidates.find(facts, &mut positions);
            }
        }
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}

impl Candidates {
    fn add(&mut self, position: usize, rule: &Rule) {
        match rule.when.as_ref().and_then(Condition::pinned) {
            Some((field, text)) => {
                let known = self.pinned.iter().position(|(known, _)| known == field);
                let place = known.unwrap_or_else(|| {
                    self.pinned.push((field.to_owned(), HashMap::new()));
                    self.pinned.len() - 1
                });
                let by_text = &mut self.pinned[place].1;
                by_text.entry(text.into()).or_default().push(position);
            }
            None => self.always.push(position),
        }
    }

    fn find(&self, facts: &Facts, positions: &mut Vec<usize>) {
        positions.extend(&self.always);
        for (field, by_text) in &self.pinned {
            match facts.as_json().get(field).and_then(|value| value.as_str()) {
                Some(text) => positions.extend(by_text.get(text).into_iter().flatten()),
                // No such text: whether the conditions fail on that is for each of them to say.
                None => positions.extend(by_text.values().flatten()),
            }
        }
    }
}

impl Rule {
    /// Whether the plugin gets an event of its app that it subscribes to.
    fn decide(&self, subject: &Subject<'_>, now: UnixMs) -> Ruling<'_> {
        if let Some(hours) = self.hours.as_ref().filter(|hours| !hours.covers(now)) {
            return Ruling::OutsideHours(hours);
        }
        match self.when.as_ref().map(|when| (when, when.holds(subject))) {
            None | Some((_, Ok(true))) => Ruling::Gets,
            Some((when, Ok(false))) => Ruling::ConditionFalse(when),
            Some((when, Err(error))) => Ruling::ConditionFailed(when, error),
        }
    }
}

#[cfg(test)]
mod tests;
