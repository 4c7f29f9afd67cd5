//! What a journal is: a map in memory that nothing interrupts.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::step::{Entry, Which};
use crate::call::{Answer, Arguments, Fate, Json};
use crate::function::Function;
use crate::ids::PluginDigest;

#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) key: String,
    pub(super) state: State,
    pub(super) attempts: u32,
    pub(super) spared: u32,
    pub(super) due_at: UnixMs,
    pub(super) reason: Option<String>,
}

/// What a journal is.
#[derive(Default)]
pub(super) struct Model {
    pub(super) deliveries: BTreeMap<DeliveryId, Delivery>,
    dedupe: BTreeMap<String, EventId>,
    pub(super) claimed: BTreeSet<DeliveryId>,
    pub(super) events: BTreeSet<EventId>,
    pub(super) effects: BTreeMap<DeliveryId, Effects>,
    /// What was recorded and may be lost, until something is on disk that came after it.
    pub(super) later: Vec<(DeliveryId, Record)>,
}

impl Model {
    pub(super) fn append(&mut self, event: &NewEvent) -> Appended {
        let id = event.envelope.id;
        if let Some(dedupe) = &event.dedupe {
            if let Some(first) = self.dedupe.get(&dedupe.key) {
                return Appended::Duplicate(*first);
            }
            self.dedupe.insert(dedupe.key.clone(), id);
        }
        self.events.insert(id);
        for (before, plugin) in event.plugins.iter().rev().enumerate() {
            let before = i64::try_from(before).unwrap();
            let place = DeliveryId {
                event: id,
                plugin: plugin.clone(),
            };
            let delivery = Delivery {
                key: event.key.clone().unwrap(),
                state: State::Pending,
                attempts: 0,
                spared: 0,
                due_at: UnixMs(event.envelope.received_at.0 - before),
                reason: None,
            };
            self.deliveries.insert(place, delivery);
        }
        Appended::New
    }

    /// Of each plugin and key that nothing claimed holds, the oldest open delivery.
    fn ready(&self) -> Vec<(&DeliveryId, &Delivery)> {
        let mut keys: BTreeSet<(&PluginName, &str)> = self
            .claimed
            .iter()
            .map(|id| (&id.plugin, self.deliveries[id].key.as_str()))
            .collect();
        let open = self
            .deliveries
            .iter()
            .filter(|(_, delivery)| delivery.state == State::Pending);
        open.filter(|(id, delivery)| keys.insert((&id.plugin, &delivery.key)))
            .collect()
    }

    pub(super) fn claim(
        &mut self,
        now: UnixMs,
        free: usize,
    ) -> (BTreeSet<DeliveryId>, Option<UnixMs>) {
        let mut ready: Vec<(UnixMs, DeliveryId)> = self
            .ready()
            .into_iter()
            .map(|(id, delivery)| (delivery.due_at, id.clone()))
            .collect();
        ready.sort();
        let mut chosen = BTreeSet::new();
        let kept = (free.saturating_add(self.claimed.len())) / 8;
        for (due_at, id) in ready {
            let of_plugin = |ids: &BTreeSet<DeliveryId>| {
                ids.iter().filter(|other| other.plugin == id.plugin).count()
            };
            let held = of_plugin(&self.claimed) + of_plugin(&chosen);
            let left = free - chosen.len();
            if held >= left || (held > 0 && left <= kept) {
                continue;
            }
            if due_at > now {
                self.claimed.extend(chosen.clone());
                return (chosen, Some(due_at));
            }
            chosen.insert(id);
        }
        self.claimed.extend(chosen.clone());
        (chosen, None)
    }

    pub(super) fn finish(&mut self, id: &DeliveryId, ending: &Ending) {
        self.claimed.remove(id);
        let delivery = self.deliveries.get_mut(id).unwrap();
        delivery.attempts += 1;
        let (state, reason) = match ending {
            Ending::Done => (State::Done, None),
            Ending::Retry { at, reason, spared } => {
                delivery.due_at = *at;
                delivery.spared += u32::from(*spared);
                (State::Pending, Some(reason))
            }
            Ending::Parked { reason } => (State::Parked, Some(reason)),
            Ending::Dead { reason } => (State::Dead, Some(reason)),
        };
        (delivery.state, delivery.reason) = (state, reason.cloned());
    }

    fn meant(&self, which: &Which) -> Vec<DeliveryId> {
        let event = which.event.and_then(|index| self.events.iter().nth(index));
        let mut states = which.states.clone();
        if states.is_empty() {
            states.extend([State::Parked, State::Dead]);
            states.extend(event.map(|_| State::Pending));
        }
        let is_meant = |id: &DeliveryId, delivery: &Delivery| {
            which.plugin().is_none_or(|plugin| plugin == id.plugin)
                && states.contains(&delivery.state)
                && (!which.by_reason || delivery.reason == Some(reason()))
                && event.is_none_or(|event| *event == id.event)
        };
        let all = self.deliveries.iter();
        all.filter(|(id, delivery)| is_meant(id, delivery))
            .map(|(id, _)| id.clone())
            .collect()
    }

    pub(super) fn amend(&mut self, which: &Which, change: Option<Change>, now: UnixMs) -> Amended {
        let mut amended = Amended::default();
        for id in self.meant(which) {
            if self.claimed.contains(&id) {
                amended.running += 1;
                continue;
            }
            amended.deliveries += 1;
            let delivery = self.deliveries.get_mut(&id).unwrap();
            match change {
                None => {}
                Some(Change::Skip) => {
                    delivery.state = State::Done;
                    delivery.reason = Some("skipped by a person".to_owned());
                }
                Some(Change::Retry) => {
                    (delivery.state, delivery.due_at) = (State::Pending, now);
                    (delivery.attempts, delivery.spared) = (0, 0);
                    if let Some(effects) = self.effects.get_mut(&id) {
                        effects.run += 1;
                        effects.released = effects.run;
                    }
                }
            }
        }
        amended
    }

    pub(super) fn select(&self, which: &Which) -> Vec<DeliveryId> {
        let mut meant = self.meant(which);
        meant.retain(|id| {
            let delivery = &self.deliveries[id];
            delivery.state != State::Pending || delivery.attempts > 0
        });
        meant
    }

    pub(super) fn give(&mut self, id: &DeliveryId, key: &str, now: UnixMs) -> bool {
        if self.deliveries.contains_key(id) {
            return false;
        }
        let given = Delivery {
            key: key.to_owned(),
            state: State::Pending,
            attempts: 0,
            spared: 0,
            due_at: now,
            reason: None,
        };
        self.deliveries.insert(id.clone(), given);
        true
    }

    /// The entries as records of the run that the delivery is in when they are recorded one after another.
    pub(super) fn records(&self, id: &DeliveryId, entries: &[Entry]) -> Vec<Record> {
        let mut run = recorded(&self.effects, &self.later)
            .get(id)
            .map_or(0, |effects| effects.run);
        let answer = || Answer {
            fate: Fate::Done,
            text: Json::new("1"),
        };
        let record = |entry: &Entry| match *entry {
            Entry::Call {
                number,
                is_answered,
            } => Record::Call(Effect {
                place: Place { run, number },
                function: Function::ChatSend,
                digest: PluginDigest::of(b"plugin"),
                arguments: Arguments::new("{}"),
                stands_for: None,
                started_at: NOW,
                answer: is_answered.then(answer),
                diverged: None,
            }),
            Entry::End { number } => Record::End {
                place: Place { run, number },
                answer: answer(),
            },
            Entry::Diverged { number } => Record::Diverged {
                place: Place { run, number },
                called: Json::new("{}"),
            },
            Entry::Run => {
                run += 1;
                Record::Run(run)
            }
        };
        entries.iter().map(record).collect()
    }

    /// What was recorded is on disk now.
    pub(super) fn settle(&mut self) {
        self.effects = recorded(&self.effects, &self.later);
        self.later.clear();
    }
}

/// What there is after some records.
pub(super) fn recorded(
    effects: &BTreeMap<DeliveryId, Effects>,
    records: &[(DeliveryId, Record)],
) -> BTreeMap<DeliveryId, Effects> {
    let mut all = effects.clone();
    for (id, record) in records {
        let calls_of_none = matches!(record, Record::End { .. } | Record::Diverged { .. });
        if calls_of_none && !all.contains_key(id) {
            continue;
        }
        let effects = all.entry(id.clone()).or_default();
        match record.clone() {
            Record::Call(call) => {
                if effects.calls.iter().all(|other| other.place != call.place) {
                    effects.calls.push(call);
                    effects.calls.sort_by_key(|call| call.place);
                }
            }
            Record::Run(run) => effects.run = run,
            Record::End { place, answer } => {
                for call in &mut effects.calls {
                    if call.place == place {
                        call.answer = Some(answer.clone());
                    }
                }
            }
            Record::Diverged { place, called } => {
                for call in &mut effects.calls {
                    if call.place == place {
                        call.diverged = Some(called.clone());
                    }
                }
            }
        }
    }
    all
}

impl Which {
    fn plugin(&self) -> Option<PluginName> {
        self.plugin
            .map(|first| if first { "a".into() } else { "b".into() })
    }

    pub(super) fn selection(&self, model: &Model) -> Selection {
        let event = self.event.and_then(|index| model.events.iter().nth(index));
        Selection {
            event: event.copied(),
            plugin: self.plugin(),
            states: self.states.clone(),
            reason: self.by_reason.then(|| "ECAUS".to_owned()),
            since: Some(UnixMs(0)),
            until: Some(UnixMs(i64::MAX)),
        }
    }
}
