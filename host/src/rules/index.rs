//! From an event to the rules that may want it.
//!
//! With a thousand plugins each place in memory that is looked at costs more than what is done there. So short texts and few
//! positions lie in the index itself, and what has been looked up is not asked again: what is left of a condition then is
//! often the same for many rules, and lies in one place.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::condition::{Pin, Rest};
use super::{Condition, Rule, Standing};
use crate::event::{Facts, Kind, Subscription};
use crate::ids::AppName;

/// The active rules of each app.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<AppName, Interested>);

/// A rule that subscribes to an event and may want it.
pub(super) struct Found<'a> {
    /// Its position among all.
    pub(super) position: usize,
    /// What is still to be asked.
    pub(super) open: Open<'a>,
}

/// What the look-up has not answered of a rule's condition.
#[derive(Clone, Copy)]
pub(super) enum Open<'a> {
    Condition,
    Rest(&'a Rest),
    Nothing,
}

/// The rules of one app by what they subscribe to.
#[derive(Debug, Default)]
struct Interested {
    kinds: HashMap<Kind, Candidates>,
    types: HashMap<SmolStr, Candidates>,
}

/// The rules that subscribe to the same thing.
#[derive(Debug, Default)]
struct Candidates {
    /// Those that must be asked about every event.
    always: SmallVec<[usize; 2]>,
    /// Those whose condition has a pin, by its field; there are few fields.
    pinned: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: String,
    by_text: HashMap<SmolStr, SmallVec<[Pinned; 1]>>,
    /// What their conditions ask besides, each once.
    rests: Vec<Arc<Rest>>,
}

#[derive(Debug)]
struct Pinned {
    position: usize,
    rest: Option<Arc<Rest>>,
}

impl Index {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (position, rule) in rules.iter().enumerate() {
            if rule.standing != Standing::Active {
                continue;
            }
            let interested = index.0.entry(rule.app.clone()).or_default();
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
        index
    }

    /// The rules of an app that may want an event, each once and in their order.
    pub(super) fn find(&self, app: &AppName, facts: &Facts) -> Vec<Found<'_>> {
        let mut found = Vec::new();
        // What `Subscription::covers` says, turned round.
        if let Some(interested) = self.0.get(app).filter(|_| facts.kind() != Kind::Suite) {
            let by_kind = interested.kinds.get(&facts.kind());
            let by_type = facts
                .event_type()
                .and_then(|name| interested.types.get(name));
            for candidates in by_kind.into_iter().chain(by_type) {
                candidates.find(facts, &mut found);
            }
        }
        found.sort_unstable_by_key(|found| found.position);
        found.dedup_by_key(|found| found.position);
        found
    }
}

impl Candidates {
    fn add(&mut self, position: usize, rule: &Rule) {
        match rule.when.as_ref().and_then(Condition::pin) {
            Some(pin) => self.field(&pin.field).add(position, pin),
            None => self.always.push(position),
        }
    }

    fn field(&mut self, name: &str) -> &mut Field {
        let known = self.pinned.iter().position(|field| field.name == name);
        let place = known.unwrap_or_else(|| {
            self.pinned.push(Field {
                name: name.to_owned(),
                by_text: HashMap::new(),
                rests: Vec::new(),
            });
            self.pinned.len() - 1
        });
        &mut self.pinned[place]
    }

    fn find<'a>(&'a self, facts: &Facts, found: &mut Vec<Found<'a>>) {
        let whole = |position| Found {
            position,
            open: Open::Condition,
        };
        found.extend(self.always.iter().copied().map(whole));
        for field in &self.pinned {
            let value = facts.as_json().get(&field.name);
            match value.and_then(|value| value.as_str()) {
                Some(text) => {
                    let pinned = field.by_text.get(text).into_iter().flatten();
                    found.extend(pinned.map(Pinned::found));
                }
                // No such text: whether the conditions fail on that is for each of them to say.
                None => {
                    let pinned = field.by_text.values().flatten();
                    found.extend(pinned.map(|pinned| whole(pinned.position)));
                }
            }
        }
    }
}

impl Field {
    fn add(&mut self, position: usize, pin: &Pin) {
        let rest = pin.rest.as_ref().map(|rest| {
            let known = self.rests.iter().find(|known| *known == rest);
            let shared = Arc::clone(known.unwrap_or(rest));
            if known.is_none() {
                self.rests.push(Arc::clone(rest));
            }
            shared
        });
        let pinned = self.by_text.entry(pin.text.as_str().into()).or_default();
        pinned.push(Pinned { position, rest });
    }
}

impl Pinned {
    fn found(&self) -> Found<'_> {
        Found {
            position: self.position,
            open: self.rest.as_deref().map_or(Open::Nothing, Open::Rest),
        }
    }
}
