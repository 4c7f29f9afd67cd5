//! The only source of time, and of what is made from it.
#![allow(clippy::disallowed_methods)]

use std::sync::atomic::{AtomicI64, Ordering};
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

/// The point in time that lies `back` before `at`.
pub fn earlier(at: UnixMs, back: Duration) -> UnixMs {
    UnixMs(at.0.saturating_sub(i64::try_from(back.as_millis()).unwrap_or(i64::MAX)))
}

/// The monotonic clock, for measuring how long something took.
pub fn instant() -> Instant {
    Instant::now()
}

/// Random bytes that nobody else knows.
pub fn secret() -> [u8; 16] {
    uuid::Uuid::new_v4().into_bytes()
}

/// The place of the last event id in the order of ids.
static LAST: AtomicI64 = AtomicI64::new(0);

/// A new event id. Ids ascend strictly, also when the clock is set back.
pub fn event_id() -> EventId {
    let now = EventId::first_order(now());
    let next = |last: i64| Some(now.max(last.saturating_add(1)));
    let last = LAST
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
        .unwrap_or_default();
    EventId::at(now.max(last.saturating_add(1)))
}

/// Makes every later id come after this one, which an earlier process made.
pub fn ids_go_on_after(order: i64) {
    LAST.fetch_max(order, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_also_after_a_clock_was_set_back() {
        let tomorrow = EventId::first_order(later(now(), Duration::from_hours(24)));
        ids_go_on_after(tomorrow);
        let [first, second] = [event_id(), event_id()];
        assert!(tomorrow < first.order() && first < second);
    }
}
