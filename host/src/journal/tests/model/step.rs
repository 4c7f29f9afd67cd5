//! What may happen to a journal, in any order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::journal::{Change, State};

/// Something that happens to a journal.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Append {
        key: u8,
        dedupe: Option<u8>,
        /// Whether it got its id before all others.
        late: bool,
    },
    Claim {
        free: usize,
    },
    Finish {
        which: usize,
        how: u8,
    },
    Amend {
        which: Which,
        change: Option<Change>,
    },
    Select {
        which: Which,
        /// How many of those that are meant come before.
        skipped: usize,
        limit: usize,
    },
    Give {
        event: usize,
        plugin: u8,
        key: u8,
    },
    Record {
        claimed: usize,
        entries: Vec<Entry>,
        /// Whether nobody waits for it.
        later: bool,
    },
    /// The process ends while an append is under way.
    Crash {
        key: u8,
    },
    Later,
}

/// What a person means.
#[derive(Debug, Clone)]
pub(super) struct Which {
    pub(super) plugin: Option<bool>,
    pub(super) states: BTreeSet<State>,
    /// Whether only those with the usual reason.
    pub(super) by_reason: bool,
    /// One of the events.
    pub(super) event: Option<usize>,
}

/// What is recorded of a call of the present run.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Call { number: u32, is_answered: bool },
    End { number: u32 },
    Diverged { number: u32 },
    Run,
}

fn which() -> impl Strategy<Value = Which> {
    let state = prop::sample::select(vec![
        State::Pending,
        State::Done,
        State::Parked,
        State::Dead,
    ]);
    let states = proptest::collection::btree_set(state, 0..3);
    let event = proptest::option::weighted(0.2, 0..20_usize);
    let by_reason = proptest::bool::weighted(0.2);
    (
        proptest::option::of(any::<bool>()),
        states,
        by_reason,
        event,
    )
        .prop_map(|(plugin, states, by_reason, event)| Which {
            plugin,
            states,
            by_reason,
            event,
        })
}

fn entry() -> impl Strategy<Value = Entry> {
    let number = || 1..4_u32;
    prop_oneof![
        4 => (number(), any::<bool>()).prop_map(|(number, is_answered)| Entry::Call { number, is_answered }),
        3 => number().prop_map(|number| Entry::End { number }),
        1 => number().prop_map(|number| Entry::Diverged { number }),
        1 => Just(Entry::Run),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let change = prop::sample::select(vec![None, Some(Change::Retry), Some(Change::Skip)]);
    let entries = proptest::collection::vec(entry(), 1..4);
    prop_oneof![
        5 => (0..3_u8, proptest::option::of(0..6_u8), proptest::bool::weighted(0.1))
            .prop_map(|(key, dedupe, late)| Step::Append { key, dedupe, late }),
        4 => (1..6_usize).prop_map(|free| Step::Claim { free }),
        5 => (0..8_usize, 0..5_u8).prop_map(|(which, how)| Step::Finish { which, how }),
        3 => (which(), change).prop_map(|(which, change)| Step::Amend { which, change }),
        1 => (which(), 0..4_usize, 0..4_usize)
            .prop_map(|(which, skipped, limit)| Step::Select { which, skipped, limit }),
        1 => (0..20_usize, 0..3_u8, 0..3_u8).prop_map(|(event, plugin, key)| Step::Give { event, plugin, key }),
        3 => (0..8_usize, entries, any::<bool>())
            .prop_map(|(claimed, entries, later)| Step::Record { claimed, entries, later }),
        1 => (0..3_u8).prop_map(|key| Step::Crash { key }),
        1 => Just(Step::Later),
    ]
}
