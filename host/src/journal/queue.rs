//! The open deliveries, in memory: which is whose turn, and which are claimed.
//!
//! Of one plugin and key only the oldest open one can be claimed, and none while another of them is held: claimed, or being
//! changed by a person.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Places;
use super::claim::{Candidate, choose};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, EventId, PluginName};

/// Open deliveries with which no more events are taken; each takes some 150 bytes of memory.
const MAX_OPEN: usize = 200_000;

/// An open delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) event: EventId,
    /// What it is in order with; `None` is nothing.
    pub(super) key: Option<Arc<str>>,
    pub(super) received_at: UnixMs,
    pub(super) due_at: UnixMs,
    pub(super) attempts: u32,
    pub(super) spared: u32,
    /// Whether the store has a row of it.
    pub(super) has_row: bool,
    /// Whether it was appended by this process and never claimed. Then no host call of it can be on record.
    pub(super) is_fresh: bool,
    is_claimed: bool,
    /// Changes of a person that are being written.
    changes: u32,
}

impl Entry {
    /// One that was never attempted.
    pub(super) fn new(
        event: EventId,
        key: Option<Arc<str>>,
        received_at: UnixMs,
        due_at: UnixMs,
    ) -> Self {
        Self {
            event,
            key,
            received_at,
            due_at,
            attempts: 0,
            spared: 0,
            has_row: false,
            is_fresh: false,
            is_claimed: false,
            changes: 0,
        }
    }

    /// The same with a row in the store.
    pub(super) fn stored(self) -> Self {
        Self {
            has_row: true,
            ..self
        }
    }

    /// The same, appended by this process a moment ago.
    pub(super) fn fresh(self) -> Self {
        Self {
            is_fresh: true,
            ..self
        }
    }

    fn is_held(&self) -> bool {
        self.is_claimed || self.changes > 0
    }
}

/// A delivery that was claimed, as it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) id: DeliveryId,
    pub(super) entry: Entry,
}

/// All open deliveries.
#[derive(Debug)]
pub(super) struct Queue {
    lines: BTreeMap<PluginName, Line>,
    len: usize,
    room: usize,
    /// How many deliveries without a row an event has.
    unborn: BTreeMap<i64, u32>,
}

/// Those of one plugin.
#[derive(Debug, Default)]
struct Line {
    open: BTreeMap<i64, Entry>,
    keys: HashMap<Arc<str>, InKey>,
    /// What can be claimed, by the time it is due.
    ready: BTreeSet<(UnixMs, i64)>,
    claimed: usize,
}

/// Those of one plugin and key.
#[derive(Debug, Default)]
struct InKey {
    open: BTreeSet<i64>,
    held: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            lines: BTreeMap::new(),
            len: 0,
            room: MAX_OPEN,
            unborn: BTreeMap::new(),
        }
    }
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether an event with so many deliveries may still come. What a person makes run again needs no room.
    pub(super) fn has_room(&self, deliveries: usize) -> bool {
        deliveries == 0 || self.len.saturating_add(deliveries) <= self.room
    }

    #[cfg(test)]
    pub(super) fn limit(&mut self, room: usize) {
        self.room = room;
    }

    /// Puts in a delivery, in the place of what was known of it. What holds it goes on doing so.
    pub(super) fn insert(&mut self, plugin: &PluginName, mut entry: Entry) {
        let seq = entry.event.order();
        let event = entry.event;
        let before = self.remove(&DeliveryId {
            event,
            plugin: plugin.clone(),
        });
        entry.changes = before.map_or(0, |before| before.changes);
        if !entry.has_row {
            *self.unborn.entry(seq).or_default() += 1;
        }
        self.len += 1;
        let line = self.lines.entry(plugin.clone()).or_default();
        line.attach(seq, entry);
    }

    /// Takes out a delivery that is no longer open.
    pub(super) fn remove(&mut self, id: &DeliveryId) -> Option<Entry> {
        let seq = id.event.order();
        let line = self.lines.get_mut(&id.plugin)?;
        let entry = line.detach(seq)?;
        if line.open.is_empty() {
            self.lines.remove(&id.plugin);
        }
        self.len -= 1;
        if !entry.has_row {
            self.is_born(seq);
        }
        Some(entry)
    }

    pub(super) fn get(&self, id: &DeliveryId) -> Option<&Entry> {
        let entry = self.lines.get(&id.plugin)?.open.get(&id.event.order())?;
        (entry.event == id.event).then_some(entry)
    }

    /// Claims what is due for free places, and says when the next one is.
    pub(super) fn claim(&mut self, now: UnixMs, places: &Places) -> (Vec<Turn>, Option<UnixMs>) {
        let mut held = HashMap::new();
        let mut candidates = Vec::new();
        for (plugin, line) in &self.lines {
            if line.claimed > 0 {
                held.insert(plugin.clone(), line.claimed);
            }
            let room = (places.most)(plugin).saturating_sub(line.claimed);
            if room == 0 {
                continue;
            }
            // No plugin gets more than half of the free places, so a long queue costs no more than a short one.
            let enough = (places.free / 2 + 1).min(room).saturating_add(1);
            let ready = line.ready.iter().take(enough);
            candidates.extend(ready.map(|&(due_at, seq)| Candidate {
                due_at,
                plugin: plugin.clone(),
                value: (plugin.clone(), seq),
            }));
        }
        candidates.sort_by_key(|candidate| (candidate.due_at, candidate.value.1));
        let (chosen, next_due) = choose(candidates, held, now, places);
        let mut turns = Vec::with_capacity(chosen.len());
        for (plugin, seq) in chosen {
            let Some(event) = self.event_at(&plugin, seq) else {
                continue;
            };
            let id = DeliveryId { event, plugin };
            let entry = self.change(&id, |entry| {
                let before = entry.clone();
                entry.is_claimed = true;
                entry.is_fresh = false;
                before
            });
            turns.extend(entry.map(|entry| Turn { id, entry }));
        }
        (turns, next_due)
    }

    fn event_at(&self, plugin: &PluginName, seq: i64) -> Option<EventId> {
        Some(self.lines.get(plugin)?.open.get(&seq)?.event)
    }

    /// Gives a claimed delivery back.
    pub(super) fn release(&mut self, id: &DeliveryId) {
        self.change(id, |entry| entry.is_claimed = false);
    }

    /// Ends an attempt after which a delivery runs again.
    pub(super) fn retry(&mut self, id: &DeliveryId, due_at: UnixMs, is_spared: bool) {
        self.change(id, |entry| {
            entry.is_claimed = false;
            entry.due_at = due_at;
            entry.attempts += 1;
            entry.spared += u32::from(is_spared);
        });
        self.has_row(id);
    }

    /// Notes that the store has a row of it.
    pub(super) fn has_row(&mut self, id: &DeliveryId) {
        let had = self.change(id, |entry| std::mem::replace(&mut entry.has_row, true));
        if had == Some(false) {
            self.is_born(id.event.order());
        }
    }

    /// Keeps a delivery from being claimed while a person's change of it is written. Not if it runs now.
    pub(super) fn hold(&mut self, id: &DeliveryId) -> bool {
        if self.get(id).is_some_and(|entry| entry.is_claimed) {
            return false;
        }
        self.change(id, |entry| entry.changes += 1);
        true
    }

    /// Ends [`Queue::hold`].
    pub(super) fn let_go(&mut self, id: &DeliveryId) {
        self.change(id, |entry| entry.changes = entry.changes.saturating_sub(1));
    }

    /// Whether an event has a delivery without a row.
    pub(super) fn has_unborn(&self, seq: i64) -> bool {
        self.unborn.contains_key(&seq)
    }

    /// The events up to this one that have a delivery without a row.
    pub(super) fn unborn_up_to(&self, seq: i64) -> impl Iterator<Item = i64> {
        self.unborn.range(..=seq).map(|(seq, _)| *seq)
    }

    /// How many events have a delivery without a row.
    pub(super) fn unborn_events(&self) -> usize {
        self.unborn.len()
    }

    /// Deliveries without a row to which a condition applies, in the order of events and plugins, from after a place on.
    pub(super) fn unborn_after(
        &self,
        after: &(i64, String),
        limit: usize,
        applies: impl Fn(&PluginName, &Entry) -> bool,
    ) -> Vec<Turn> {
        let from = after.0;
        let mut found = Vec::new();
        for seq in self.unborn.range(from..).map(|(seq, _)| *seq) {
            if found.len() >= limit {
                break;
            }
            for (plugin, line) in &self.lines {
                let Some(entry) = line.open.get(&seq).filter(|entry| !entry.has_row) else {
                    continue;
                };
                let is_after = (seq, plugin.as_str()) > (after.0, after.1.as_str());
                if is_after && applies(plugin, entry) {
                    let id = DeliveryId {
                        event: entry.event,
                        plugin: plugin.clone(),
                    };
                    let entry = entry.clone();
                    found.push(Turn { id, entry });
                }
            }
        }
        found
    }

    /// Forgets what is claimed, as a crash does.
    #[cfg(test)]
    pub(super) fn forget_claims(&mut self) {
        let claimed = self.lines.iter().flat_map(|(plugin, line)| {
            let claimed = line.open.values().filter(|entry| entry.is_claimed);
            claimed.map(|entry| DeliveryId {
                event: entry.event,
                plugin: plugin.clone(),
            })
        });
        for id in claimed.collect::<Vec<_>>() {
            self.release(&id);
        }
    }

    fn change<T>(&mut self, id: &DeliveryId, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.get(id)?;
        let seq = id.event.order();
        let line = self.lines.get_mut(&id.plugin)?;
        let mut entry = line.detach(seq)?;
        let changed = change(&mut entry);
        line.attach(seq, entry);
        Some(changed)
    }

    fn is_born(&mut self, seq: i64) {
        if let Some(count) = self.unborn.get_mut(&seq) {
            *count -= 1;
            if *count == 0 {
                self.unborn.remove(&seq);
            }
        }
    }
}

impl Line {
    fn attach(&mut self, seq: i64, entry: Entry) {
        self.claimed += usize::from(entry.is_claimed);
        match &entry.key {
            None => {
                if !entry.is_held() {
                    self.ready.insert((entry.due_at, seq));
                }
                self.open.insert(seq, entry);
            }
            Some(key) => {
                let key = Arc::clone(key);
                self.withdraw(&key);
                let in_key = self.keys.entry(Arc::clone(&key)).or_default();
                in_key.open.insert(seq);
                in_key.held += usize::from(entry.is_held());
                self.open.insert(seq, entry);
                self.elect(&key);
            }
        }
    }

    fn detach(&mut self, seq: i64) -> Option<Entry> {
        let entry = self.open.get(&seq)?;
        match entry.key.clone() {
            None => {
                self.ready.remove(&(entry.due_at, seq));
            }
            Some(key) => {
                let is_held = entry.is_held();
                self.withdraw(&key);
                if let Some(in_key) = self.keys.get_mut(&key) {
                    in_key.open.remove(&seq);
                    in_key.held -= usize::from(is_held);
                    if in_key.open.is_empty() {
                        self.keys.remove(&key);
                    }
                }
                self.elect(&key);
            }
        }
        let entry = self.open.remove(&seq)?;
        self.claimed -= usize::from(entry.is_claimed);
        Some(entry)
    }

    /// What is ready of a key, if it is not held.
    fn head(&self, key: &Arc<str>) -> Option<(UnixMs, i64)> {
        let in_key = self.keys.get(key).filter(|in_key| in_key.held == 0)?;
        let seq = *in_key.open.first()?;
        Some((self.open.get(&seq)?.due_at, seq))
    }

    fn withdraw(&mut self, key: &Arc<str>) {
        if let Some(head) = self.head(key) {
            self.ready.remove(&head);
        }
    }

    fn elect(&mut self, key: &Arc<str>) {
        if let Some(head) = self.head(key) {
            self.ready.insert(head);
        }
    }
}

#[cfg(test)]
mod tests;
