//! Chooses which of the deliveries that are due get the free places.

use std::collections::HashMap;

use super::Places;
use crate::clock::UnixMs;
use crate::ids::PluginName;

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

/// One place in so many is kept for plugins that hold none.
const KEPT: usize = 8;

/// Picks among candidates, given in the order of their due times, and says when the next one is due.
///
/// A plugin never takes more places than it leaves free, so that attempts which only wait cannot keep the other plugins
/// from running; the last places go to plugins that hold none. What finds no place is not waited for: an attempt that
/// ends wakes the dispatcher.
pub(super) fn choose<T>(
    candidates: impl IntoIterator<Item = Candidate<T>>,
    mut held: HashMap<PluginName, usize>,
    now: UnixMs,
    places: &Places,
) -> (Vec<T>, Option<UnixMs>) {
    let total = held
        .values()
        .fold(places.free, |sum, held| sum.saturating_add(*held));
    let kept = total / KEPT;
    let mut chosen = Vec::new();
    for candidate in candidates {
        let left = places.free - chosen.len();
        let held = held.entry(candidate.plugin.clone()).or_default();
        if *held >= left || (*held > 0 && left <= kept) || *held >= (places.most)(&candidate.plugin)
        {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// How many places the plugins `0`, `1`, … get in all when each has more to do than there are places.
    fn greedy(plugins: usize, total: usize, most: usize) -> (HashMap<PluginName, usize>, usize) {
        let mut held = HashMap::new();
        loop {
            let taken: usize = held.values().sum();
            let places = Places {
                free: total - taken,
                most: Arc::new(move |_| most),
            };
            let due = |plugin: usize| Candidate {
                due_at: UnixMs(0),
                plugin: plugin.to_string().as_str().into(),
                value: plugin,
            };
            let candidates = (0..total).flat_map(|_| (0..plugins).map(due));
            let (chosen, _) = choose(candidates, held.clone(), UnixMs(0), &places);
            if chosen.is_empty() {
                return (held, total - taken);
            }
            for plugin in chosen {
                *held.entry(plugin.to_string().as_str().into()).or_default() += 1;
            }
        }
    }

    #[test]
    fn alone_a_plugin_gets_half_of_the_places_and_no_more_than_it_may_hold() {
        let (held, free) = greedy(1, 64, usize::MAX);
        assert_eq!((held[&"0".into()], free), (32, 32));
        let (held, free) = greedy(1, 64, 5);
        assert_eq!((held[&"0".into()], free), (5, 59));
        assert!(greedy(1, 64, 0).0.is_empty());
    }

    #[test]
    fn the_last_places_are_for_plugins_that_hold_none() {
        for plugins in 2..=56 {
            let (_, free) = greedy(plugins, 64, usize::MAX);
            assert!(free >= 8, "{plugins} plugins leave {free} places");
        }
        assert_eq!(greedy(64, 64, usize::MAX).1, 0, "one each");
    }
}
