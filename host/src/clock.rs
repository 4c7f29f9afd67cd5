//! The only source of time, and of what is made from it.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant, SystemTime};

pub use dingtalk::UnixMs;

use crate::ids::EventId;

/// The wall clock.
pub fn now() -> UnixMs {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    UnixMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// The point in time that lies `wait` after `at`.
pub fn later(at: UnixMs, wait: Duration) -> UnixMs {
    UnixMs(at.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
}

/// The monotonic clock, for measuring how long something took.
pub fn instant() -> Instant {
    Instant::now()
}

/// A new event id; ids of one process are strictly ascending.
pub fn event_id() -> EventId {
    EventId(uuid::Uuid::now_v7())
}
