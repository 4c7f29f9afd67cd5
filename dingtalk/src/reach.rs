//! Counts the times at which DingTalk could not be reached for long enough that its events may be lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// DingTalk pushes an event three times within forty seconds, so what is over sooner loses none.
const LONG: Duration = Duration::from_secs(30);

/// Whether DingTalk can be reached, by what became of the requests.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    lost_since: Mutex<Option<Instant>>,
    outages: AtomicU64,
}

impl Reach {
    /// A request was answered, or no connection came about.
    pub(crate) fn heard(&self, is_answered: bool, now: Instant) {
        let mut lost_since = self
            .lost_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !is_answered {
            lost_since.get_or_insert(now);
        } else if let Some(since) = lost_since.take()
            && now.saturating_duration_since(since) >= LONG
        {
            self.outages.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Outages that are over.
    pub(crate) fn outages(&self) -> u64 {
        self.outages.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_counts_when_it_is_over_and_was_long() {
        let (reach, start) = (Reach::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        reach.heard(false, at(0));
        reach.heard(true, at(29));
        assert_eq!(reach.outages(), 0);
        reach.heard(false, at(100));
        reach.heard(false, at(125));
        assert_eq!(reach.outages(), 0);
        reach.heard(true, at(130));
        reach.heard(true, at(200));
        assert_eq!(reach.outages(), 1);
    }
}
