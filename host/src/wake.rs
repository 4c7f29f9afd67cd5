//! Tells the dispatcher that there may be something to do.

use std::sync::Arc;

use tokio::sync::Notify;

/// A bell between those who append and the one who claims. Clones share it.
#[derive(Clone, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Wakes the dispatcher, or keeps it from falling asleep.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for the next [`Waker::wake`].
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}
