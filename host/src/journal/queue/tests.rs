//! The queue does what a list does that is searched from its beginning.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::journal::claim::choose;

const NOW: UnixMs = UnixMs(1_000);

#[derive(Debug, Clone)]
enum Step {
    Insert {
        seq: i64,
        plugin: u8,
        key: Option<u8>,
        due: i64,
        has_row: bool,
    },
    Claim {
        free: usize,
        most: usize,
    },
    Release(usize),
    Retry(usize, i64),
    Remove(usize),
    Hold(usize),
    LetGo(usize),
    HasRow(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..40_usize;
    let insert = (
        0..40_i64,
        0..3_u8,
        proptest::option::of(0..3_u8),
        990..1_010_i64,
        any::<bool>(),
    );
    prop_oneof![
        6 => insert.prop_map(|(seq, plugin, key, due, has_row)| Step::Insert { seq, plugin, key, due, has_row }),
        3 => (0..12_usize, 0..6_usize).prop_map(|(free, most)| Step::Claim { free, most }),
        2 => which.clone().prop_map(Step::Release),
        2 => (which.clone(), 990..1_010_i64).prop_map(|(which, due)| Step::Retry(which, due)),
        2 => which.clone().prop_map(Step::Remove),
        1 => which.clone().prop_map(Step::Hold),
        1 => which.clone().prop_map(Step::LetGo),
        1 => which.prop_map(Step::HasRow),
    ]
}

/// All open deliveries, in the order of events and plugins.
#[derive(Default)]
struct Naive(BTreeMap<(i64, PluginName), Entry>);

impl Naive {
    fn ready(&self) -> Vec<(UnixMs, i64, PluginName)> {
        let same_key = |one: &(&(i64, PluginName), &Entry),
                        other: &(&(i64, PluginName), &Entry)| {
            one.0.1 == other.0.1
                && match (&one.1.key, &other.1.key) {
                    (Some(one), Some(other)) => one == other,
                    _ => one.0.0 == other.0.0,
                }
        };
        let all: Vec<_> = self.0.iter().collect();
        let is_ready = |one: &&(&(i64, PluginName), &Entry)| {
            all.iter()
                .filter(|other| same_key(one, other))
                .all(|other| !other.1.is_held() && other.0.0 >= one.0.0)
        };
        let mut ready: Vec<_> = all
            .iter()
            .filter(is_ready)
            .map(|((seq, plugin), entry)| (entry.due_at, *seq, plugin.clone()))
            .collect();
        ready.sort_by_key(|(due_at, seq, _)| (*due_at, *seq));
        ready
    }

    fn claim(&mut self, places: &Places) -> (Vec<(i64, PluginName)>, Option<UnixMs>) {
        let mut held: HashMap<PluginName, usize> = HashMap::new();
        for ((_, plugin), entry) in &self.0 {
            if entry.is_claimed {
                *held.entry(plugin.clone()).or_default() += 1;
            }
        }
        let candidates = self
            .ready()
            .into_iter()
            .map(|(due_at, seq, plugin)| Candidate {
                due_at,
                plugin: plugin.clone(),
                value: (seq, plugin),
            });
        let (chosen, next_due) = choose(candidates, held, NOW, places);
        for place in &chosen {
            let entry = self.0.get_mut(place).unwrap();
            (entry.is_claimed, entry.is_fresh) = (true, false);
        }
        (chosen, next_due)
    }
}

proptest! {
    #[test]
    fn it_does_what_a_search_through_a_list_does(steps in proptest::collection::vec(step(), 0..120)) {
        let events: Vec<EventId> = (0..40).map(EventId::at).collect();
        let (mut queue, mut naive) = (Queue::default(), Naive::default());
        for step in steps {
            let at = |naive: &Naive, which: usize| {
                let place = naive.0.keys().nth(which).cloned()?;
                let event = events[usize::try_from(place.0).unwrap()];
                Some((DeliveryId { event, plugin: place.1.clone() }, place))
            };
            match step {
                Step::Insert { seq, plugin, key, due, has_row } => {
                    let plugin = PluginName::from(plugin.to_string().as_str());
                    let key = key.map(|key| key.to_string().into());
                    let event = events[usize::try_from(seq).unwrap()];
                    let entry = Entry { has_row, is_fresh: true, ..Entry::new(event, key, NOW, UnixMs(due)) };
                    queue.insert(&plugin, entry.clone());
                    let before = naive.0.get(&(seq, plugin.clone()));
                    let changes = before.map_or(0, |before| before.changes);
                    naive.0.insert((seq, plugin), Entry { changes, ..entry });
                }
                Step::Claim { free, most } => {
                    let places = Places { free, most: Arc::new(move |_| most) };
                    let (turns, next_due) = queue.claim(NOW, &places);
                    let found: Vec<_> = turns.iter().map(|turn| (turn.id.event.order(), turn.id.plugin.clone())).collect();
                    prop_assert_eq!((found, next_due), naive.claim(&places));
                }
                Step::Release(which) => {
                    if let Some((id, place)) = at(&naive, which) {
                        queue.release(&id);
                        naive.0.get_mut(&place).unwrap().is_claimed = false;
                    }
                }
                Step::Retry(which, due) => {
                    if let Some((id, place)) = at(&naive, which) {
                        queue.retry(&id, UnixMs(due), due % 2 == 0);
                        let entry = naive.0.get_mut(&place).unwrap();
                        (entry.is_claimed, entry.has_row, entry.due_at) = (false, true, UnixMs(due));
                        entry.attempts += 1;
                        entry.spared += u32::from(due % 2 == 0);
                    }
                }
                Step::Remove(which) => {
                    if let Some((id, place)) = at(&naive, which) {
                        queue.remove(&id);
                        naive.0.remove(&place);
                    }
                }
                Step::Hold(which) => {
                    if let Some((id, place)) = at(&naive, which) {
                        let entry = naive.0.get_mut(&place).unwrap();
                        prop_assert_eq!(queue.hold(&id), !entry.is_claimed);
                        entry.changes += u32::from(!entry.is_claimed);
                    }
                }
                Step::LetGo(which) => {
                    if let Some((id, place)) = at(&naive, which) {
                        queue.let_go(&id);
                        let entry = naive.0.get_mut(&place).unwrap();
                        entry.changes = entry.changes.saturating_sub(1);
                    }
                }
                Step::HasRow(which) => {
                    if let Some((id, place)) = at(&naive, which) {
                        queue.has_row(&id);
                        naive.0.get_mut(&place).unwrap().has_row = true;
                    }
                }
            }
            prop_assert_eq!(queue.len(), naive.0.len());
            for ((seq, plugin), entry) in &naive.0 {
                let event = events[usize::try_from(*seq).unwrap()];
                prop_assert_eq!(queue.get(&DeliveryId { event, plugin: plugin.clone() }), Some(entry));
            }
            let mut unborn: Vec<i64> = naive.0.iter().filter(|(_, entry)| !entry.has_row).map(|((seq, _), _)| *seq).collect();
            unborn.dedup();
            prop_assert_eq!(queue.unborn_up_to(i64::MAX).collect::<Vec<_>>(), unborn.clone());
            let after = (3, "1".to_owned());
            let found = queue.unborn_after(&after, usize::MAX, |_, _| true).len();
            let expected = naive.0.iter().filter(|((seq, plugin), entry)| !entry.has_row && (*seq, plugin.as_str()) > (3, "1"));
            prop_assert_eq!(found, expected.count());
        }
    }
}
