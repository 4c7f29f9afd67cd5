//! Decides when old events are removed, and has it done.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::{self, UnixMs};
use crate::config::Keep;
use crate::journal::{JournalError, SqliteJournal};

#[cfg(test)]
mod tests;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(600);
/// How long after its arrival an event is recognised when it comes again, and how long dead letters are kept at least.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
/// Events that are removed between two looks at the size.
const STEP: usize = 1024;

/// Removes old events.
pub struct Retention {
    /// The journal.
    pub journal: Arc<SqliteJournal>,
    /// What is kept.
    pub keep: Keep,
}

/// What one pass did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pass {
    by_age: usize,
    by_size: usize,
    /// Whether nothing more can go although the journal is still too large.
    is_stuck: bool,
}

impl Retention {
    /// Looks now and then until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        loop {
            match self.pass(clock::now()).await {
                Ok(pass) => {
                    let Pass {
                        by_age,
                        by_size,
                        is_stuck,
                    } = pass;
                    if by_age + by_size > 0 {
                        tracing::info!(by_age, by_size, "old events removed");
                    }
                    if is_stuck {
                        tracing::error!(
                            "the journal is larger than store.max-size and has only open or parked deliveries to remove"
                        );
                    }
                }
                Err(error) => tracing::error!(%error, "cannot remove old events"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn pass(&self, now: UnixMs) -> Result<Pass, JournalError> {
        let mut pass = Pass::default();
        let keys = before(now, MONTH.max(self.keep.age.unwrap_or_default()));
        if let Some(age) = self.keep.age {
            let prune = |age, spares_dead| {
                self.journal
                    .prune(before(now, age), spares_dead, keys, usize::MAX)
            };
            pass.by_age = prune(age, true).await? + prune(age.max(MONTH), false).await?;
        }
        if let Some(max_size) = self.keep.size {
            // What is done goes first, then dead letters.
            for spares_dead in [true, false] {
                while self.journal.size().await?.used > max_size {
                    let removed = self.journal.prune(now, spares_dead, keys, STEP).await?;
                    pass.by_size += removed;
                    pass.is_stuck = removed == 0 && !spares_dead;
                    if removed == 0 {
                        break;
                    }
                }
            }
        }
        while self.journal.shrink().await? {}
        Ok(pass)
    }
}

fn before(now: UnixMs, age: Duration) -> UnixMs {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    UnixMs(now.0.saturating_sub(age))
}
