//! The times at which plugins want an event, and how one comes to be fired once.

use std::sync::Arc;

use async_trait::async_trait;

use super::{JournalError, NewEvent};
use crate::clock::UnixMs;
use crate::cron::Cron;
use crate::ids::{AppName, PluginName};
use crate::store::Recording;
use crate::wake::Waker;

#[cfg(test)]
mod tests;

/// Timers of one plugin.
pub const MAX_TIMERS: usize = 256;
/// Bytes of a timer's name.
const MAX_NAME: usize = 128;
/// Bytes of a timer's payload.
const MAX_PAYLOAD: usize = 8 << 10;
/// The last time a timer may have: the end of the year 4000.
const MAX_DUE: UnixMs = UnixMs(64_092_211_200_000);
/// A timer that could not be fired for so many milliseconds was missed.
const MISSED_AFTER: i64 = 60_000;

/// A timer of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Whose it is.
    pub plugin: PluginName,
    /// Unique within the plugin.
    pub name: String,
    /// The app whose event set it; its own event belongs to the same.
    pub app: AppName,
    /// When it fires.
    pub due_at: UnixMs,
    /// How it goes on.
    pub repeat: Option<Repeat>,
    /// What happens if that time is missed.
    pub missed: Missed,
    /// What its event brings back.
    pub payload: Arc<str>,
    /// Counts the changes of the timer; given by the journal.
    pub revision: i64,
}

/// The rule of a timer that fires more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// A cron pattern.
    pub pattern: String,
    /// The zone whose clock it follows.
    pub time_zone: String,
}

/// What happens to a time that passed while nothing could fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// It fires once, late.
    Once,
    /// It does not fire.
    Skip,
}

impl Missed {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Skip => "skip",
        }
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        match text {
            "once" => Some(Self::Once),
            "skip" => Some(Self::Skip),
            _ => None,
        }
    }
}

/// Why a timer was not set.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TimerError {
    /// Something of it is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The plugin has as many as it may have.
    #[error("a plugin can have {MAX_TIMERS} timers")]
    Full,
    /// The journal cannot be used at the moment.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Timer {
    /// Whether everything is within the limits.
    pub fn check(&self) -> Result<(), TimerError> {
        let invalid = |text: String| Err(TimerError::Invalid(text));
        if self.name.is_empty() || self.name.len() > MAX_NAME {
            return invalid(format!("the name is empty or longer than {MAX_NAME} bytes"));
        }
        if self.name.chars().any(char::is_control) {
            return invalid("the name has control characters".to_owned());
        }
        if self.payload.len() > MAX_PAYLOAD {
            return invalid(format!("the payload is longer than {MAX_PAYLOAD} bytes"));
        }
        if self.due_at > MAX_DUE {
            return invalid("the time lies after the year 4000".to_owned());
        }
        Ok(())
    }

    /// What becomes of it at `now`, when it is due.
    pub fn plan(&self, now: UnixMs) -> Plan {
        let missed = now.0.saturating_sub(self.due_at.0) > MISSED_AFTER;
        let next = self
            .repeat
            .as_ref()
            .and_then(|repeat| Cron::parse(&repeat.pattern, &repeat.time_zone).ok())
            .and_then(|cron| cron.next_after(now.max(self.due_at)));
        Plan {
            fires: !missed || self.missed == Missed::Once,
            next,
        }
    }
}

/// A change of a plugin's timers.
#[derive(Debug, Clone)]
pub enum TimerChange {
    /// Sets a timer in the place of one of the same name. One that repeats by the same rule as before keeps its time.
    Set(Timer),
    /// Removes a timer.
    Cancel {
        /// Whose it is.
        plugin: PluginName,
        /// Its name.
        name: String,
    },
}

impl TimerChange {
    /// Whether everything is within the limits.
    pub fn check(&self) -> Result<(), TimerError> {
        match self {
            Self::Set(timer) => timer.check(),
            Self::Cancel { .. } => Ok(()),
        }
    }
}

/// What becomes of a timer that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Whether its event comes.
    pub fires: bool,
    /// When it is due again; otherwise it is gone.
    pub next: Option<UnixMs>,
}

/// A timer that is due, and what is done with it.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The timer as it was read. If it has changed since, nothing is done.
    pub timer: Timer,
    /// The event to append, unless it is skipped.
    pub event: Option<NewEvent>,
    /// When it is due again; otherwise it is removed.
    pub next: Option<UnixMs>,
}

/// Timers that are due.
#[derive(Debug, Clone, Default)]
pub struct DueTimers {
    /// The most overdue first.
    pub due: Vec<Timer>,
    /// When the next of the others is due.
    pub next_due: Option<UnixMs>,
}

/// Keeps timers. What a change answered with success survives a crash, except in memory.
#[async_trait]
pub trait Timers: Send + Sync {
    /// Makes a change and says whether there was anything to do: always, but for a cancelled timer that is not there.
    async fn change(&self, change: TimerChange) -> Result<bool, TimerError>;

    /// Whether they are kept with transactions that can take a record along.
    fn is_transactional(&self) -> bool {
        false
    }

    /// Makes a change as [`Timers::change`] does, and its record in the same transaction, if there are any.
    async fn change_recorded(
        &self,
        change: TimerChange,
        _recording: Recording<TimerError>,
    ) -> Result<bool, TimerError> {
        self.change(change).await
    }

    /// The timers of a plugin, by name.
    async fn timers(&self, plugin: &PluginName) -> Result<Vec<Timer>, TimerError>;

    /// The timers of these plugins that are due, at most `limit` of each.
    async fn due_timers(
        &self,
        plugins: &[PluginName],
        now: UnixMs,
        limit: usize,
    ) -> Result<DueTimers, JournalError>;

    /// Appends the event and moves or removes the timer, both or neither; says whether it did.
    async fn fire(&self, turn: Turn) -> Result<bool, JournalError>;
}

/// Timers as host functions see them. Clones share them.
#[derive(Clone)]
pub struct Schedule {
    timers: Arc<dyn Timers>,
    waker: Waker,
}

impl Schedule {
    /// Timers, and the bell of the one who fires them.
    pub fn new(timers: Arc<dyn Timers>, waker: Waker) -> Self {
        Self { timers, waker }
    }

    /// As [`Timers::change`].
    pub async fn change(&self, change: TimerChange) -> Result<bool, TimerError> {
        let changed = self.timers.change(change).await;
        self.waker.wake();
        changed
    }

    /// As [`Timers::is_transactional`].
    pub fn is_transactional(&self) -> bool {
        self.timers.is_transactional()
    }

    /// As [`Timers::change_recorded`].
    pub async fn change_recorded(
        &self,
        change: TimerChange,
        recording: Recording<TimerError>,
    ) -> Result<bool, TimerError> {
        let changed = self.timers.change_recorded(change, recording).await;
        self.waker.wake();
        changed
    }

    /// As [`Timers::timers`].
    pub async fn timers(&self, plugin: &PluginName) -> Result<Vec<Timer>, TimerError> {
        self.timers.timers(plugin).await
    }
}
