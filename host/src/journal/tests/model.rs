//! Every journal does what a map in memory does, whatever happens and wherever it is cut off.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use self::map::{Model, recorded};
use self::step::{Step, step};
use self::subject::Subject;
use super::*;

mod map;
mod step;
mod subject;

async fn follow(mut subject: Subject, steps: Vec<Step>) {
    let (mut model, mut now) = (Model::default(), NOW);
    let mut first = clock::event_id().order();
    for step in steps {
        match step {
            Step::Append { key, dedupe, late } => {
                let mut event = event("acme", &key.to_string(), &["a", "b"]);
                if late {
                    first -= 1;
                    event.envelope.id = EventId::at(first);
                    event.envelope.raw = format!("{{\"id\":\"{}\"}}", event.envelope.id).into();
                }
                event.dedupe = dedupe.map(|dedupe| Dedupe {
                    key: dedupe.to_string(),
                    window: None,
                });
                model.settle();
                let expected = model.append(&event);
                assert_eq!(subject.journal().append(event).await.unwrap(), expected);
            }
            Step::Claim { free } => {
                let found = subject.journal().claim_due(now, free.into()).await.unwrap();
                let (expected, next_due) = model.claim(now, free);
                let ids: BTreeSet<_> = found.due.iter().map(|claimed| claimed.id.clone()).collect();
                assert_eq!((ids, found.next_due), (expected, next_due));
                for claimed in found.due {
                    let delivery = &model.deliveries[&claimed.id];
                    assert_eq!(
                        (claimed.attempts, claimed.spared),
                        (delivery.attempts, delivery.spared)
                    );
                    assert_eq!(
                        claimed.has_effects,
                        recorded(&model.effects, &model.later).contains_key(&claimed.id)
                    );
                    let text = format!("{{\"id\":\"{}\"}}", claimed.id.event);
                    assert_eq!(*claimed.envelope.raw, text);
                }
            }
            Step::Finish { which, how } => {
                let Some(id) = model.claimed.iter().nth(which % 8).cloned() else {
                    continue;
                };
                let ending = match how {
                    0 => Ending::Done,
                    1 | 2 => Ending::Retry {
                        at: clock::later(now, Duration::from_secs(5)),
                        reason: reason(),
                        spared: how == 2,
                    },
                    3 => Ending::Parked { reason: reason() },
                    _ => Ending::Dead { reason: reason() },
                };
                model.settle();
                model.finish(&id, &ending);
                subject.journal().finish(&id, ending, now).await.unwrap();
            }
            Step::Amend { which, change } => {
                model.settle();
                let selection = which.selection(&model);
                let expected = model.amend(&which, change, now);
                let found = subject.journal().amend(&selection, change, now).await;
                assert_eq!(found.unwrap(), expected);
            }
            Step::Select {
                which,
                skipped,
                limit,
            } => {
                let selection = which.selection(&model);
                let meant = model.select(&which);
                let after = skipped.checked_sub(1).and_then(|last| meant.get(last));
                let rest = meant.iter().skip(after.map_or(0, |_| skipped)).take(limit);
                let found = subject.journal().select(&selection, after, limit).await;
                assert_eq!(found.unwrap(), rest.cloned().collect::<Vec<_>>());
            }
            Step::Give { event, plugin, key } => {
                let Some(event) = model.events.iter().nth(event).copied() else {
                    continue;
                };
                let id = DeliveryId {
                    event,
                    plugin: ["a", "b", "c"][usize::from(plugin)].into(),
                };
                model.settle();
                let expected = model.give(&id, &key.to_string(), now);
                let found = subject.journal().give(&id, &key.to_string(), now).await;
                assert_eq!(found.unwrap(), expected);
            }
            Step::Record {
                claimed,
                entries,
                later,
            } => {
                let Some(id) = model.claimed.iter().nth(claimed).cloned() else {
                    continue;
                };
                let records = model.records(&id, &entries);
                let of_it = records.iter().map(|record| (id.clone(), record.clone()));
                model.later.extend(of_it);
                let journal = subject.journal();
                if later {
                    journal.record_later(&id, records).await.unwrap();
                } else {
                    journal.record(&id, records).await.unwrap();
                    model.settle();
                }
            }
            Step::Crash { key } => {
                let event = event("acme", &key.to_string(), &["a"]);
                subject = subject.crash(event.clone()).await;
                model.claimed.clear();
                // Not acknowledged, so it may be there or not, but whole.
                let by_id = Filter {
                    id: Some(event.envelope.id),
                    ..Filter::default()
                };
                let is_there = !subject.journal().list(&by_id).await.unwrap().is_empty();
                // Of what nobody waited for the first part is there, and all of it if what came after it is.
                let found = effects_of(subject.journal(), &model).await;
                let mut parts = (0..=model.later.len()).rev();
                let kept =
                    parts.find(|part| recorded(&model.effects, &model.later[..*part]) == found);
                let kept = kept.unwrap_or_else(|| panic!("{found:?} of {:?}", model.later));
                assert!(!is_there || recorded(&model.effects, &model.later) == found);
                model.later.truncate(kept);
                model.settle();
                if is_there {
                    model.append(&event);
                }
            }
            Step::Later => {
                now = clock::later(now, Duration::from_secs(10));
                subject.journal().probe(now).await.unwrap();
                model.settle();
            }
        }
    }
    // Once something is on disk, all that came before it is.
    subject.journal().probe(now).await.unwrap();
    model.settle();
    assert_eq!(effects_of(subject.journal(), &model).await, model.effects);
    let pending = model.deliveries.values();
    let pending = pending.filter(|delivery| delivery.state == State::Pending);
    let expected = u64::try_from(pending.count()).unwrap();
    assert_eq!(subject.journal().open().await.unwrap().pending, expected);
    let pending = Filter {
        state: Some(State::Pending),
        ..Filter::default()
    };
    let listed = subject.journal().list(&pending).await.unwrap();
    let events: BTreeSet<EventId> = model
        .deliveries
        .iter()
        .filter(|(_, delivery)| delivery.state == State::Pending)
        .map(|(id, _)| id.event)
        .collect();
    assert_eq!(
        listed.iter().map(|event| event.id).collect::<BTreeSet<_>>(),
        events
    );
    let mut found = BTreeMap::new();
    for event in subject.journal().list(&Filter::default()).await.unwrap() {
        for delivery in event.deliveries {
            let id = DeliveryId {
                event: event.id,
                plugin: delivery.plugin,
            };
            let shown = (
                delivery.state,
                delivery.attempts,
                delivery.reason,
                delivery.key,
            );
            found.insert(id, shown);
        }
    }
    let expected: BTreeMap<_, _> = model
        .deliveries
        .into_iter()
        .map(|(id, delivery)| {
            let shown = (
                delivery.state,
                delivery.attempts,
                delivery.reason,
                delivery.key,
            );
            (id, shown)
        })
        .collect();
    assert_eq!(found, expected);
}

/// What is recorded of every delivery of which anything is.
async fn effects_of(journal: &dyn Journal, model: &Model) -> BTreeMap<DeliveryId, Effects> {
    let mut all = BTreeMap::new();
    for id in model.deliveries.keys() {
        let mut effects = journal.effects(id).await.unwrap();
        effects.calls.sort_by_key(|call| call.place);
        if effects != Effects::default() {
            all.insert(id.clone(), effects);
        }
    }
    all
}

fn run(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(story);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..60)) {
        run(async {
            let subject = Subject::disk(tempfile::tempdir().unwrap()).await;
            follow(subject, steps).await;
        });
    }

    #[test]
    fn memory_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..120)) {
        run(follow(Subject::Memory(MemoryJournal::default()), steps));
    }
}
