//! Chooses which of the deliveries that are due get the free places.

use std::collections::HashMap;

use crate::clock::UnixMs;
use crate::ids::{DeliveryId, PluginName};

/// A delivery whose turn it is within its key.
pub(super) struct Candidate<T> {
    /// When it may run.
    pub(super) due_at: UnixMs,
    /// Whose it is.
    pub(super) plugin: PluginName,
    /// What is claimed.
    pub(super) value: T,
}

/// When the deliveries of one event are due for the first time: at once, in the order of their plugins. What is due earlier
/// is started earlier, so each is due a millisecond before the next one.
pub(super) fn first_due(
    received_at: UnixMs,
    plugins: &[PluginName],
) -> impl Iterator<Item = (&PluginName, UnixMs)> {
    let behind = (0..plugins.len()).rev();
    plugins.iter().zip(behind).map(move |(plugin, behind)| {
        let behind = i64::try_from(behind).unwrap_or(0);
        (plugin, UnixMs(received_at.0.saturating_sub(behind)))
    })
}

/// The places each plugin holds.
pub(super) fn places_held<'a>(
    claimed: impl IntoIterator<Item = &'a DeliveryId>,
) -> HashMap<PluginName, usize> {
    let mut held = HashMap::new();
    for id in claimed {
        *held.entry(id.plugin.clone()).or_default() += 1;
    }
    held
}

/// Picks among candidates, given in the order of their due times, and says when the next one is due.
///
/// A plugin never takes more places than it leaves free, so that attempts which only wait cannot keep the other plugins
/// from running. What finds no place is not waited for: an attempt that ends wakes the dispatcher.
pub(super) fn choose<T>(
    candidates: impl IntoIterator<Item = Candidate<T>>,
    mut held: HashMap<PluginName, usize>,
    now: UnixMs,
    free: usize,
) -> (Vec<T>, Option<UnixMs>) {
    let mut chosen = Vec::new();
    for candidate in candidates {
        let held = held.entry(candidate.plugin).or_default();
        if *held >= free - chosen.len() {
            continue;
        }
        if candidate.due_at > now {
            return (chosen, Some(candidate.due_at));
        }
        *held += 1;
        chosen.push(candidate.value);
    }
    (chosen, None)
}
