//! When the next call of one kind may leave. Pure: the time comes in.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// The longest pause that repeated complaints add up to; DingTalk blocks an address for five minutes.
const LONGEST: Duration = Duration::from_secs(300);

/// So many calls in any stretch of that length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    calls: usize,
    length: Duration,
}

impl Window {
    /// Without a number of calls there is no window.
    pub(super) fn of(calls: Option<NonZeroU32>, length: Duration) -> Option<Self> {
        let calls = usize::try_from(calls?.get()).ok()?;
        Some(Self { calls, length })
    }
}

/// The calls of one kind.
///
/// **Invariant**: `taken` is in order, and holds no more places than the window has calls.
#[derive(Debug, Default)]
pub(super) struct Track {
    taken: VecDeque<Instant>,
    pub(super) pause: Pause,
}

impl Track {
    /// Takes the next place that is not before `free`, or says how long it would have to be waited for. Unlike a bucket
    /// that refills, this never lets more through in any stretch, as DingTalk counts it.
    pub(super) fn take(
        &mut self,
        window: Window,
        free: Instant,
        now: Instant,
        patience: Duration,
    ) -> Result<Instant, Duration> {
        while self.taken.len() > window.calls {
            self.taken.pop_front();
        }
        let mut at = free.max(now);
        if let Some(last) = self.taken.back() {
            at = at.max(*last);
        }
        if self.taken.len() == window.calls
            && let Some(first) = self.taken.front()
        {
            at = at.max(*first + window.length);
        }
        let wait = at.duration_since(now);
        if wait > patience {
            return Err(wait);
        }
        if self.taken.len() == window.calls {
            self.taken.pop_front();
        }
        self.taken.push_back(at);
        Ok(at)
    }

    /// Whether forgetting it would let a call through too early.
    pub(super) fn is_in_use(&self, now: Instant) -> bool {
        const LONGEST_WINDOW: Duration = Duration::from_secs(61);
        self.pause.end(now) > now
            || (self.taken.back()).is_some_and(|last| now.duration_since(*last) < LONGEST_WINDOW)
    }
}

/// A time without calls that DingTalk asked for.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
    /// Complaints since the last success.
    strikes: u32,
}

impl Pause {
    /// Its end, or now.
    pub(super) fn end(&self, now: Instant) -> Instant {
        self.until.map_or(now, |until| until.max(now))
    }

    /// Begins or lengthens a pause after a complaint, and says how long it lasts from now: what was asked for, and from
    /// the second complaint in a row on at least 1, 2, 4 … seconds.
    pub(super) fn strike(&mut self, least: Duration, now: Instant) -> Duration {
        // Calls that were on their way together complain together: that is one strike.
        if self.until.is_none_or(|until| until <= now) {
            self.strikes = self.strikes.saturating_add(1);
        }
        let grown = match self.strikes {
            0 | 1 => Duration::ZERO,
            more => Duration::from_secs(1 << (more - 2).min(9)).min(LONGEST),
        };
        let until = now + least.max(grown);
        self.until = Some(self.until.map_or(until, |before| before.max(until)));
        self.end(now).duration_since(now)
    }

    /// A call went through.
    pub(super) fn calm(&mut self) {
        self.strikes = 0;
    }
}
