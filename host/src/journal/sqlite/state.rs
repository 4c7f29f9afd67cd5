//! What the journal keeps in memory beside its store.
//!
//! The writer's thread changes it right after a commit, claims change it on the threads of their callers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::Envelope;
use crate::ids::EventId;
use crate::journal::known::{Known, Pair, Print};
use crate::journal::queue::Queue;

/// Bytes of events that are kept because they are likely to be claimed soon.
const RECENT_BYTES: usize = 4 << 20;
/// The last events are behind no mark, because one that was given its id before them may still come.
const LAG: usize = if cfg!(test) { 4 } else { 4096 };
/// Events between two marks. Few in unit tests, so that a short story has several.
const EVERY: usize = if cfg!(test) { 4 } else { 4096 };

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Whether somebody should write a mark.
    wants_mark: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) known: Known,
    pub(super) recent: Recent,
    pub(super) tail: Tail,
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self {
            state: Mutex::new(state),
            wants_mark: AtomicBool::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a mark is wanted if there is enough for one.
    pub(super) fn want_mark(&self, state: &mut State) {
        let tail = &mut state.tail;
        // The list in a mark is written anew each time: the longer it is, the less often.
        let enough = EVERY.max(state.queue.unborn_events() / 4);
        if !tail.is_marking && tail.count >= enough {
            tail.is_marking = true;
            self.wants_mark.store(true, Ordering::Release);
        }
    }

    /// Whether the caller is the one who should write it.
    pub(super) fn takes_mark(&self) -> bool {
        self.wants_mark.load(Ordering::Acquire) && self.wants_mark.swap(false, Ordering::AcqRel)
    }
}

/// The last events, and how far a mark may reach.
///
/// **Invariant:** of the events up to the mark on disk, those that are in none of its lists have a row for each of their
/// deliveries, and their dedupe keys are in the table `known`.
pub(super) struct Tail {
    on_disk: i64,
    /// The mark on disk, or the one that is being written.
    mark: i64,
    is_marking: bool,
    /// Events whose transaction is not committed yet.
    under_way: BTreeSet<i64>,
    lately: VecDeque<i64>,
    /// The last of those that were pushed out of `lately`.
    settled: i64,
    /// The dedupe keys of the events after the mark.
    pairs: Vec<Pair>,
    /// Events that were pushed out of `lately` since the mark.
    count: usize,
}

impl Default for Tail {
    fn default() -> Self {
        Self::after(i64::MIN)
    }
}

impl Tail {
    pub(super) fn after(mark: i64) -> Self {
        Self {
            on_disk: mark,
            mark,
            is_marking: false,
            under_way: BTreeSet::new(),
            lately: VecDeque::new(),
            settled: i64::MIN,
            pairs: Vec::new(),
            count: 0,
        }
    }

    /// An event is being appended. Answers whether it comes so late that a mark is past it.
    pub(super) fn begin(&mut self, seq: i64) -> bool {
        self.under_way.insert(seq);
        seq <= self.mark
    }

    /// It was not appended.
    pub(super) fn give_up(&mut self, seq: i64) {
        self.under_way.remove(&seq);
    }

    /// It is on disk.
    pub(super) fn appended(&mut self, seq: i64, print: Option<Print>) {
        self.under_way.remove(&seq);
        if seq <= self.on_disk {
            return;
        }
        self.pairs.extend(print.map(|print| (print, seq)));
        self.lately.push_back(seq);
        if self.lately.len() > LAG {
            self.count += 1;
            let oldest = self.lately.pop_front();
            self.settled = self.settled.max(oldest.unwrap_or(i64::MIN));
        }
    }

    /// How far a new mark may reach, if further than the one there is; from where; and the dedupe keys between.
    pub(super) fn begin_mark(&mut self) -> Option<(i64, i64, Vec<Pair>)> {
        let first = self.under_way.first().copied().unwrap_or(i64::MAX);
        let upto = self.settled.min(first.saturating_sub(1));
        if upto <= self.on_disk {
            return None;
        }
        self.mark = upto;
        let pairs = self.pairs.iter().filter(|pair| pair.1 <= upto);
        Some((
            self.on_disk.saturating_add(1),
            upto,
            pairs.copied().collect(),
        ))
    }

    /// The mark is on disk, or was given up.
    pub(super) fn end_mark(&mut self, upto: Option<i64>) {
        self.is_marking = false;
        if let Some(upto) = upto {
            self.on_disk = upto;
            self.pairs.retain(|pair| pair.1 > upto);
            self.count = 0;
        }
        self.mark = self.on_disk;
    }
}

/// Events that came lately and were not claimed by all of their plugins.
#[derive(Default)]
pub(super) struct Recent {
    events: BTreeMap<i64, (Envelope, usize)>,
    bytes: usize,
}

impl Recent {
    pub(super) fn put(&mut self, envelope: &Envelope, deliveries: usize) {
        if deliveries == 0 {
            return;
        }
        self.bytes += envelope.raw.len();
        let replaced = self
            .events
            .insert(envelope.id.order(), (envelope.clone(), deliveries));
        self.bytes -= replaced.map_or(0, |(envelope, _)| envelope.raw.len());
        while self.bytes > RECENT_BYTES
            && let Some((_, (oldest, _))) = self.events.pop_first()
        {
            self.bytes -= oldest.raw.len();
        }
    }

    /// An event for one of its deliveries.
    pub(super) fn take(&mut self, event: EventId) -> Option<Envelope> {
        let seq = event.order();
        let (envelope, left) = self.events.get_mut(&seq)?;
        if envelope.id != event {
            return None;
        }
        *left -= 1;
        let (envelope, left) = (envelope.clone(), *left);
        if left == 0 {
            self.events.remove(&seq);
            self.bytes -= envelope.raw.len();
        }
        Some(envelope)
    }
}
