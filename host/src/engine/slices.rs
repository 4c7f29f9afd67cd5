//! A guest's CPU time, in ticks of the engine's clock.
//!
//! A tick counts against the guest that it finds running. One that comes while the guest waits for a host call, or for its
//! turn behind others, is not its own, however many of them come: a call of DingTalk takes many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::UpdateDeadline;

/// How often running guests are interrupted to count their time and to let others run.
pub const TICK: Duration = Duration::from_millis(10);

/// How often the clock has ticked. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Ticks(Arc<AtomicU64>);

impl Ticks {
    /// The next tick.
    pub(super) fn advance(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// When a guest was last let run.
pub(super) struct Turn {
    ticks: Ticks,
    began: AtomicU64,
}

impl Turn {
    pub(super) fn new(ticks: &Ticks) -> Self {
        Self {
            ticks: ticks.clone(),
            began: ticks.now().into(),
        }
    }

    /// The guest goes on: each time that it does is a turn of its own.
    pub(super) fn begin(&self) {
        self.began.store(self.ticks.now(), Ordering::Relaxed);
    }

    fn has_lasted_a_tick(&self) -> bool {
        self.ticks.now() != self.began.load(Ordering::Relaxed)
    }
}

/// What is left of a CPU budget.
pub(super) struct Slices {
    turn: Arc<Turn>,
    left: u64,
}

impl Slices {
    /// The first tick may come at once, so it is not counted.
    pub(super) fn new(turn: Arc<Turn>, cpu: Duration) -> Self {
        let ticks = u64::try_from(cpu.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX);
        Self {
            turn,
            left: ticks.saturating_add(1),
        }
    }

    /// What becomes of a guest that finds that the clock has ticked.
    pub(super) fn ticked(&mut self) -> UpdateDeadline {
        if !self.turn.has_lasted_a_tick() {
            return UpdateDeadline::Continue(1);
        }
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Yield(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said at each of these moments: `t` is a tick, `r` lets the guest run, `?` lets it find the ticks.
    fn said(cpu_ms: u64, moments: &str) -> String {
        let ticks = Ticks::default();
        let turn = Arc::new(Turn::new(&ticks));
        let mut slices = Slices::new(Arc::clone(&turn), Duration::from_millis(cpu_ms));
        let mut said = String::new();
        for moment in moments.chars() {
            match moment {
                't' => ticks.advance(),
                'r' => turn.begin(),
                _ => said.push_str(match slices.ticked() {
                    UpdateDeadline::Continue(1) => "goes on, ",
                    UpdateDeadline::Yield(1) => "yields, ",
                    UpdateDeadline::Interrupt => "ends",
                    _ => "?",
                }),
            }
        }
        said
    }

    #[test]
    fn a_guest_that_computes_is_charged_for_each_tick() {
        assert_eq!(said(20, "rt?rt?rt?"), "yields, yields, ends");
    }

    #[test]
    fn ticks_that_come_while_it_waits_are_free() {
        assert_eq!(
            said(20, "rtttr?tttr?tttr?t?"),
            "goes on, goes on, goes on, yields, "
        );
    }
}
