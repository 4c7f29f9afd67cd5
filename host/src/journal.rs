//! The durable record of events and of what became of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::clock::UnixMs;
use crate::event::{Envelope, Kind};
use crate::ids::{AppName, DeliveryId, EventId, PluginName};
use crate::store::Join;

pub use self::amend::{Amended, Change, Selection};
pub use self::effect::{Effect, Effects, Place, Record};
pub use self::memory::MemoryJournal;
pub use self::sqlite::{SqliteJournal, StartedApproval};
pub use self::timers::{
    DueTimers, MAX_TIMERS, Missed, Plan, Repeat, Schedule, Timer, TimerChange, TimerError, Timers,
    Turn,
};

mod amend;
mod claim;
mod effect;
mod known;
mod memory;
mod queue;
mod sqlite;
mod timers;

#[cfg(test)]
mod tests;

/// An event to append, with the plugins that get it.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// What arrived.
    pub envelope: Envelope,
    /// Its kind, for lists.
    pub kind: Kind,
    /// By what a second arrival is recognised; `None` takes every arrival for a new event.
    pub dedupe: Option<Dedupe>,
    /// What must stay in order; `None` is in order with nothing.
    pub key: Option<String>,
    /// The plugins that get it.
    pub plugins: Vec<PluginName>,
}

/// By what a second arrival of an event is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedupe {
    /// Unique within the app.
    pub key: String,
    /// How long after the first arrival another one counts as the same; `None` is for ever.
    pub window: Option<Duration>,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is on disk.
    New,
    /// It has been on disk since an earlier arrival, under this id.
    Duplicate(EventId),
}

/// Why the journal did not do something.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Too much waits to be written; the sender should come back.
    #[error("journal queue is full")]
    Full,
    /// It cannot be written or read; nothing was acknowledged.
    #[error("journal cannot be used: {0}")]
    Unusable(String),
}

/// A delivery whose turn it is.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Which one.
    pub id: DeliveryId,
    /// Attempts that ended before.
    pub attempts: u32,
    /// Those among them that do not count.
    pub spared: u32,
    /// Whether host calls of earlier attempts are recorded.
    pub has_effects: bool,
    /// The event.
    pub envelope: Envelope,
}

/// What a claim found.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Deliveries to run now, oldest first; nobody else gets them until they are finished.
    pub due: Vec<Claimed>,
    /// When the next one is due for which there is room.
    pub next_due: Option<UnixMs>,
}

/// Room for attempts.
#[derive(Clone)]
pub struct Places {
    /// How many are free.
    pub free: usize,
    /// How many a plugin may hold at one time, those it holds already included.
    pub most: Arc<dyn Fn(&PluginName) -> usize + Send + Sync>,
}

impl From<usize> for Places {
    /// So many free places, of which each plugin may hold any number.
    fn from(free: usize) -> Self {
        Self {
            free,
            most: Arc::new(|_| usize::MAX),
        }
    }
}

/// Where a delivery goes after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It is done.
    Done,
    /// It runs again at that time.
    Retry {
        /// The time.
        at: UnixMs,
        /// Why.
        reason: String,
        /// Whether the attempt does not count.
        spared: bool,
    },
    /// It waits for a person and lets its key go.
    Parked {
        /// Why.
        reason: String,
    },
    /// It is given up and lets its key go.
    Dead {
        /// Why.
        reason: String,
    },
}

/// Where a delivery or an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits for its turn, its retry or the end of its attempt.
    Pending,
    /// It was handled.
    Done,
    /// It waits for a person.
    Parked,
    /// It was given up.
    Dead,
}

impl State {
    const NAMES: [(&'static str, Self); 4] = [
        ("pending", Self::Pending),
        ("done", Self::Done),
        ("parked", Self::Parked),
        ("dead", Self::Dead),
    ];

    /// The word in lists and in the store.
    pub fn as_str(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, state)| *state == self)
            .map_or("", |(name, _)| name)
    }

    /// The state of that word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, state)| *state)
    }

    /// The state of an event with deliveries in these states: what needs attention most.
    pub fn of_event(deliveries: impl IntoIterator<Item = Self>) -> Self {
        let rank = |state: &Self| match state {
            Self::Done => 0,
            Self::Parked => 1,
            Self::Dead => 2,
            Self::Pending => 3,
        };
        deliveries
            .into_iter()
            .max_by_key(rank)
            .unwrap_or(Self::Done)
    }
}

/// An event as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRecord {
    /// Its id.
    pub id: EventId,
    /// The app it came for.
    pub app: AppName,
    /// Its kind.
    pub kind: String,
    /// The way it came: `callback`, `robot`, `timer`, `backfill`, `reconciled`, `belfry` or `hook:KIND:NAME`.
    pub origin: String,
    /// When it came, RFC 3339.
    pub received_at: jiff::Timestamp,
    /// Where it stands.
    pub state: State,
    /// Its deliveries.
    pub deliveries: Vec<DeliveryRecord>,
    /// Its text; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// A delivery as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRecord {
    /// The plugin.
    pub plugin: PluginName,
    /// Where it stands.
    pub state: State,
    /// Attempts that ended.
    pub attempts: u32,
    /// How the last attempt ended, unless it succeeded.
    pub reason: Option<String>,
    /// What it is in order with.
    pub key: String,
    /// When it runs next, RFC 3339; only while it is pending.
    pub due_at: Option<jiff::Timestamp>,
    /// The host calls so far; left out of lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Effect>,
}

/// Which events to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// At most so many; `None` for all.
    pub limit: Option<u32>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only this one, with its text.
    pub id: Option<EventId>,
}

/// How many deliveries are not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Open {
    /// Waiting for their turn, their retry or the end of their attempt.
    pub pending: u64,
    /// Waiting for a person.
    pub parked: u64,
    /// Given up.
    pub dead: u64,
}

/// A journal. What a call answered with success survives a crash, except in [`MemoryJournal`].
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends an event and its deliveries, or recognises that it was appended before. It does not wait for a place
    /// in a full queue, and takes no more when very many deliveries are open.
    async fn append(&self, event: NewEvent) -> Result<Appended, JournalError>;

    /// Claims deliveries that are due for free places. Of one plugin and key only the oldest open one is ever due, and
    /// none while another is claimed; a plugin gets no more places than it may hold and than it leaves free.
    async fn claim_due(&self, now: UnixMs, places: Places) -> Result<Claims, JournalError>;

    /// Ends the attempt on a claimed delivery.
    async fn finish(
        &self,
        id: &DeliveryId,
        ending: Ending,
        now: UnixMs,
    ) -> Result<(), JournalError>;

    /// Makes deliveries run again or never more, as a person wants it; without a change only counts them. What runs now
    /// is left alone. A delivery that runs again waits for one of its key that runs now, and goes before younger ones.
    async fn amend(
        &self,
        selection: &Selection,
        change: Option<Change>,
        now: UnixMs,
    ) -> Result<Amended, JournalError>;

    /// The deliveries that a person means, in the order of events, at most so many after one of them; none that is pending
    /// and of which no attempt has ended.
    async fn select(
        &self,
        selection: &Selection,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryId>, JournalError>;

    /// Gives a plugin that had none a delivery of a stored event, due now; says whether it did, which it does not where
    /// there is one already, no such event, or no text left of it. `key` is what the delivery is in order with.
    async fn give(&self, id: &DeliveryId, key: &str, now: UnixMs) -> Result<bool, JournalError>;

    /// Records host calls, in order; returns when they are on disk.
    async fn record(&self, id: &DeliveryId, entries: Vec<Record>) -> Result<(), JournalError>;

    /// Records host calls after what was recorded before, and returns before they are on disk: for what a later call of
    /// [`Journal::record`] or [`Journal::finish`] makes durable, and a crash before it may take away.
    async fn record_later(&self, id: &DeliveryId, entries: Vec<Record>)
    -> Result<(), JournalError>;

    /// Records host calls within a transaction of another part of the store; `call` gets its answer there.
    fn join(&self, id: &DeliveryId, before: Vec<Record>, call: Effect) -> Box<dyn Join>;

    /// Reads what is recorded of a claimed delivery.
    async fn effects(&self, id: &DeliveryId) -> Result<Effects, JournalError>;

    /// Lists events.
    async fn list(&self, filter: &Filter) -> Result<Vec<EventRecord>, JournalError>;

    /// Counts the deliveries that are not done.
    async fn open(&self) -> Result<Open, JournalError>;

    /// Writes something that does not matter, to know whether writing works.
    async fn probe(&self, now: UnixMs) -> Result<(), JournalError>;
}
