//! The journal in memory: the same contract without a disk, for tests and as a yardstick.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::amend::SKIPPED;
use super::claim::first_due;
use super::queue::{self, Queue, Turn};
use super::{
    Amended, Appended, Change, Claimed, Claims, DeliveryRecord, Effect, Effects, Ending,
    EventRecord, Filter, Journal, JournalError, NewEvent, Open, Place, Places, Record, Selection,
    State,
};
use crate::call::Answer;
use crate::clock::UnixMs;
use crate::event::Envelope;
use crate::ids::{DeliveryId, EventId, PluginName};
use crate::journal::Timer;

mod timers;
use crate::store::{Join, sqlite};

/// A journal that forgets everything when it is dropped.
#[derive(Default)]
pub struct MemoryJournal(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// By their places in the order of ids.
    events: BTreeMap<i64, Entry>,
    dedupe: HashMap<(String, String), (EventId, UnixMs)>,
    queue: Queue,
    timers: BTreeMap<(PluginName, String), Timer>,
    effects: HashMap<DeliveryId, Effects>,
}

struct Entry {
    envelope: Envelope,
    kind: &'static str,
    deliveries: Vec<Delivery>,
}

struct Delivery {
    plugin: PluginName,
    key: Option<Arc<str>>,
    state: State,
    attempts: u32,
    spared: u32,
    due_at: UnixMs,
    reason: Option<String>,
}

impl Delivery {
    /// Whether a selection, which is of these states, means it.
    fn is_meant(&self, event: &Envelope, selection: &Selection, states: &[State]) -> bool {
        let of_plugin = selection.plugin.as_ref();
        selection.event.is_none_or(|wanted| wanted == event.id)
            && selection.covers_time(event.received_at)
            && of_plugin.is_none_or(|wanted| *wanted == self.plugin)
            && states.contains(&self.state)
            && selection.covers_reason(self.reason.as_deref())
    }
}

impl MemoryJournal {
    /// Forgets what is claimed, as a crash does.
    #[cfg(test)]
    pub(super) fn forget_claims(&self) {
        self.inner().queue.forget_claims();
    }

    /// Takes no more open deliveries than these.
    #[cfg(test)]
    pub(super) fn limit(&self, room: usize) {
        self.inner().queue.limit(room);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn record(&mut self, id: &DeliveryId, entries: Vec<Record>) {
        let effects = self.effects.entry(id.clone()).or_default();
        let at = |effects: &mut Effects, place: Place| {
            effects.calls.iter().position(|call| call.place == place)
        };
        for entry in entries {
            match entry {
                Record::Call(call) => {
                    effects.run = effects.run.max(call.place.run);
                    if at(effects, call.place).is_none() {
                        effects.calls.push(call);
                    }
                }
                Record::Run(run) => effects.run = effects.run.max(run),
                Record::End { place, answer } => {
                    if let Some(index) = at(effects, place) {
                        effects.calls[index].answer = Some(answer);
                    }
                }
                Record::Diverged { place, called } => {
                    if let Some(index) = at(effects, place) {
                        effects.calls[index].diverged = Some(called);
                    }
                }
            }
        }
        if *effects == Effects::default() {
            self.effects.remove(id);
        }
    }
}

/// Records a call beside a store that has transactions; this one has none.
struct Joined {
    inner: Arc<Mutex<Inner>>,
    id: DeliveryId,
    before: Vec<Record>,
    call: Effect,
}

impl Join for Joined {
    fn sqlite(&mut self, _: &sqlite::Connection, answer: Answer) -> sqlite::Written {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let call = Effect {
            answer: Some(answer),
            ..self.call.clone()
        };
        let mut records = std::mem::take(&mut self.before);
        records.push(Record::Call(call));
        inner.record(&self.id, records);
        Ok(())
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, event: NewEvent) -> Result<Appended, JournalError> {
        let mut inner = self.inner();
        let NewEvent {
            envelope,
            kind,
            dedupe,
            key,
            plugins,
        } = event;
        if !inner.queue.has_room(plugins.len()) {
            return Err(JournalError::Full);
        }
        if let Some(dedupe) = dedupe {
            let name = (envelope.app.to_string(), dedupe.key);
            if let Some((id, first)) = inner.dedupe.get(&name) {
                let age =
                    u128::try_from(envelope.received_at.0.saturating_sub(first.0)).unwrap_or(0);
                if dedupe.window.is_none_or(|window| age < window.as_millis()) {
                    return Ok(Appended::Duplicate(*id));
                }
            }
            inner
                .dedupe
                .insert(name, (envelope.id, envelope.received_at));
        }
        let key: Option<Arc<str>> = key.map(Into::into);
        let mut deliveries = Vec::new();
        for (plugin, due_at) in first_due(envelope.received_at, &plugins) {
            deliveries.push(Delivery {
                plugin: plugin.clone(),
                key: key.clone(),
                state: State::Pending,
                attempts: 0,
                spared: 0,
                due_at,
                reason: None,
            });
            let entry =
                queue::Entry::new(envelope.id, key.clone(), envelope.received_at, due_at).stored();
            inner.queue.insert(plugin, entry);
        }
        let entry = Entry {
            kind: kind.as_str(),
            deliveries,
            envelope,
        };
        inner.events.insert(entry.envelope.id.order(), entry);
        Ok(Appended::New)
    }

    async fn claim_due(&self, now: UnixMs, places: Places) -> Result<Claims, JournalError> {
        let mut inner = self.inner();
        let (turns, next_due) = inner.queue.claim(now, &places);
        let due = turns.into_iter().filter_map(|Turn { id, entry }| {
            Some(Claimed {
                attempts: entry.attempts,
                spared: entry.spared,
                has_effects: inner.effects.contains_key(&id),
                envelope: inner.events.get(&id.event.order())?.envelope.clone(),
                id,
            })
        });
        let due = due.collect();
        Ok(Claims { due, next_due })
    }

    async fn finish(
        &self,
        id: &DeliveryId,
        ending: Ending,
        now: UnixMs,
    ) -> Result<(), JournalError> {
        let mut inner = self.inner();
        let Inner { events, queue, .. } = &mut *inner;
        let delivery = events
            .get_mut(&id.event.order())
            .filter(|entry| entry.envelope.id == id.event)
            .and_then(|entry| {
                entry
                    .deliveries
                    .iter_mut()
                    .find(|delivery| delivery.plugin == id.plugin)
            })
            .ok_or_else(|| {
                JournalError::Unusable(format!(
                    "there is no delivery of {} to {}",
                    id.event, id.plugin
                ))
            })?;
        delivery.attempts += 1;
        if let Ending::Retry { spared: true, .. } = ending {
            delivery.spared += 1;
        }
        match ending {
            Ending::Retry { at, spared, .. } => queue.retry(id, at, spared),
            _ => drop(queue.remove(id)),
        }
        (delivery.state, delivery.reason, delivery.due_at) = match ending {
            Ending::Done => (State::Done, None, now),
            Ending::Retry { at, reason, .. } => (State::Pending, Some(reason), at),
            Ending::Parked { reason } => (State::Parked, Some(reason), now),
            Ending::Dead { reason } => (State::Dead, Some(reason), now),
        };
        Ok(())
    }

    async fn amend(
        &self,
        selection: &Selection,
        change: Option<Change>,
        now: UnixMs,
    ) -> Result<Amended, JournalError> {
        let mut inner = self.inner();
        let Inner {
            events,
            queue,
            effects,
            ..
        } = &mut *inner;
        let states = selection.states();
        let mut amended = Amended::default();
        for entry in events.values_mut() {
            let Envelope {
                id, received_at, ..
            } = entry.envelope;
            for delivery in &mut entry.deliveries {
                if !delivery.is_meant(&entry.envelope, selection, &states) {
                    continue;
                }
                let place = DeliveryId {
                    event: id,
                    plugin: delivery.plugin.clone(),
                };
                if !queue.hold(&place) {
                    amended.running += 1;
                    continue;
                }
                queue.let_go(&place);
                amended.deliveries += 1;
                match change {
                    None => {}
                    Some(Change::Retry) => {
                        (delivery.state, delivery.due_at) = (State::Pending, now);
                        (delivery.attempts, delivery.spared) = (0, 0);
                        let key = delivery.key.clone();
                        let again = queue::Entry::new(id, key, received_at, now).stored();
                        queue.insert(&delivery.plugin, again);
                        if let Some(effects) = effects.get_mut(&place) {
                            effects.run += 1;
                            effects.released = effects.run;
                        }
                    }
                    Some(Change::Skip) => {
                        queue.remove(&place);
                        delivery.state = State::Done;
                        delivery.reason = Some(SKIPPED.to_owned());
                    }
                }
            }
        }
        Ok(amended)
    }

    async fn select(
        &self,
        selection: &Selection,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryId>, JournalError> {
        let (inner, states) = (self.inner(), selection.states());
        let mut found: Vec<DeliveryId> = inner
            .events
            .values()
            .flat_map(|entry| entry.deliveries.iter().map(move |of| (entry, of)))
            .filter(|(entry, of)| of.is_meant(&entry.envelope, selection, &states))
            .filter(|(_, of)| of.state != State::Pending || of.attempts > 0)
            .map(|(entry, of)| DeliveryId {
                event: entry.envelope.id,
                plugin: of.plugin.clone(),
            })
            .filter(|id| after.is_none_or(|after| id > after))
            .collect();
        found.sort();
        found.truncate(limit);
        Ok(found)
    }

    async fn give(&self, id: &DeliveryId, key: &str, now: UnixMs) -> Result<bool, JournalError> {
        let mut inner = self.inner();
        let Inner { events, queue, .. } = &mut *inner;
        let entry = events.get_mut(&id.event.order());
        let Some(entry) = entry.filter(|entry| entry.envelope.id == id.event) else {
            return Ok(false);
        };
        if entry
            .deliveries
            .iter()
            .any(|delivery| delivery.plugin == id.plugin)
        {
            return Ok(false);
        }
        let key: Option<Arc<str>> = Some(key.into());
        let given = queue::Entry::new(id.event, key.clone(), entry.envelope.received_at, now);
        queue.insert(&id.plugin, given.stored());
        entry.deliveries.push(Delivery {
            plugin: id.plugin.clone(),
            key,
            state: State::Pending,
            attempts: 0,
            spared: 0,
            due_at: now,
            reason: None,
        });
        Ok(true)
    }

    async fn record(&self, id: &DeliveryId, entries: Vec<Record>) -> Result<(), JournalError> {
        self.inner().record(id, entries);
        Ok(())
    }

    async fn record_later(
        &self,
        id: &DeliveryId,
        entries: Vec<Record>,
    ) -> Result<(), JournalError> {
        self.inner().record(id, entries);
        Ok(())
    }

    fn join(&self, id: &DeliveryId, before: Vec<Record>, call: Effect) -> Box<dyn Join> {
        Box::new(Joined {
            inner: Arc::clone(&self.0),
            id: id.clone(),
            before,
            call,
        })
    }

    async fn effects(&self, id: &DeliveryId) -> Result<Effects, JournalError> {
        Ok(self.inner().effects.get(id).cloned().unwrap_or_default())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<EventRecord>, JournalError> {
        let timestamp = |at: UnixMs| jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
        let inner = self.inner();
        let records = inner.events.values().rev().map(|entry| EventRecord {
            id: entry.envelope.id,
            app: entry.envelope.app.clone(),
            kind: entry.kind.to_owned(),
            origin: entry.envelope.origin.to_text(),
            received_at: timestamp(entry.envelope.received_at),
            state: State::of_event(entry.deliveries.iter().map(|delivery| delivery.state)),
            deliveries: entry
                .deliveries
                .iter()
                .map(|delivery| DeliveryRecord {
                    plugin: delivery.plugin.clone(),
                    state: delivery.state,
                    attempts: delivery.attempts,
                    reason: delivery.reason.clone(),
                    key: delivery
                        .key
                        .as_deref()
                        .map_or_else(|| entry.envelope.id.to_string(), str::to_owned),
                    due_at: (delivery.state == State::Pending).then(|| timestamp(delivery.due_at)),
                    calls: filter
                        .id
                        .and_then(|event| {
                            let plugin = delivery.plugin.clone();
                            inner.effects.get(&DeliveryId { event, plugin })
                        })
                        .map_or_else(Vec::new, |effects| effects.calls.clone()),
                })
                .collect(),
            raw: filter.id.map(|_| entry.envelope.raw.to_string()),
        });
        let wanted = records.filter(|record| {
            filter.state.is_none_or(|state| state == record.state)
                && filter.id.is_none_or(|id| id == record.id)
        });
        Ok(wanted
            .take(filter.limit.map_or(usize::MAX, |limit| {
                usize::try_from(limit).unwrap_or(usize::MAX)
            }))
            .collect())
    }

    async fn open(&self) -> Result<Open, JournalError> {
        let mut open = Open::default();
        for delivery in self
            .inner()
            .events
            .values()
            .flat_map(|event| &event.deliveries)
        {
            match delivery.state {
                State::Pending => open.pending += 1,
                State::Parked => open.parked += 1,
                State::Dead => open.dead += 1,
                State::Done => {}
            }
        }
        Ok(open)
    }

    async fn probe(&self, _now: UnixMs) -> Result<(), JournalError> {
        Ok(())
    }
}
