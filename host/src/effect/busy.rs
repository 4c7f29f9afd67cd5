//! Counts the writes of an attempt that are under way, also those whose guest is gone.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The writes under way. Every write takes part, so this is two additions where a lock for many readers is four queues.
#[derive(Default)]
pub(super) struct UnderWay {
    writes: AtomicUsize,
    ended: Notify,
}

/// One write, until it is dropped.
pub struct Busy<'a>(&'a UnderWay);

impl UnderWay {
    pub(super) fn begin(&self) -> Busy<'_> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Busy(self)
    }

    /// Waits until none is under way. Whoever waits sees to it that none begins meanwhile.
    pub(super) async fn all_ended(&self) {
        loop {
            // It hears of what ends from here on, before it is awaited.
            let ended = self.ended.notified();
            if self.writes.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.0.writes.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}
