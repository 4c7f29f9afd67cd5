//! Notes when events may have been missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::UnixMs;
use crate::wake::Waker;

/// Notes that a sender was turned away. Clones share it.
#[derive(Clone, Default)]
pub struct Outages {
    noted: Arc<AtomicBool>,
    bell: Waker,
}

impl Outages {
    /// An event could not be stored.
    pub(super) fn note(&self) {
        if !self.noted.swap(true, Ordering::Relaxed) {
            self.bell.wake();
        }
    }

    /// Whether that happened since the last look.
    pub(super) fn take(&self) -> bool {
        self.noted.swap(false, Ordering::Relaxed)
    }

    /// Waits until it happens.
    pub(super) async fn noted(&self) {
        self.bell.woken().await;
    }
}

/// Finds the times at which nothing here ran: the machine slept, or the process was held.
#[derive(Debug)]
pub(super) struct Gaps {
    last: UnixMs,
    /// A pause that is longer is a gap. DingTalk pushes for forty seconds, so a shorter one loses nothing.
    longest: Duration,
}

impl Gaps {
    /// Counts from `now`; looks come every `tick`.
    pub(super) fn new(now: UnixMs, tick: Duration) -> Self {
        Self {
            last: now,
            longest: tick + Duration::from_secs(30),
        }
    }

    /// Whether there was a gap before this look.
    pub(super) fn slept(&mut self, now: UnixMs) -> bool {
        let pause = now
            .0
            .saturating_sub(std::mem::replace(&mut self.last, now).0);
        pause > i64::try_from(self.longest.as_millis()).unwrap_or(i64::MAX)
    }

    /// Work that took long is no gap.
    pub(super) fn looked(&mut self, now: UnixMs) {
        self.last = now;
    }
}
