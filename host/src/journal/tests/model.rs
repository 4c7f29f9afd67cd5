//! Every journal does what a map in memory does, whatever happens and wherever it is cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Poll;

use futures_util::poll;
use proptest::prelude::*;

use super::*;

/// Something that happens to a journal.
#[derive(Debug, Clone)]
enum Step {
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
        plugin: Option<bool>,
        skip: bool,
    },
    /// The process ends while an append is under way.
    Crash {
        key: u8,
    },
    Later,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..3_u8, proptest::option::of(0..6_u8), proptest::bool::weighted(0.1))
            .prop_map(|(key, dedupe, late)| Step::Append { key, dedupe, late }),
        4 => (1..6_usize).prop_map(|free| Step::Claim { free }),
        5 => (0..8_usize, 0..5_u8).prop_map(|(which, how)| Step::Finish { which, how }),
        2 => (proptest::option::of(any::<bool>()), any::<bool>()).prop_map(|(plugin, skip)| Step::Amend { plugin, skip }),
        1 => (0..3_u8).prop_map(|key| Step::Crash { key }),
        1 => Just(Step::Later),
    ]
}

#[derive(Debug, Clone)]
struct Delivery {
    key: String,
    state: State,
    attempts: u32,
    spared: u32,
    due_at: UnixMs,
    reason: Option<String>,
}

/// What a journal is.
#[derive(Default)]
struct Model {
    deliveries: BTreeMap<DeliveryId, Delivery>,
    dedupe: BTreeMap<String, EventId>,
    claimed: BTreeSet<DeliveryId>,
}

impl Model {
    fn append(&mut self, event: &NewEvent) -> Appended {
        let id = event.envelope.id;
        if let Some(dedupe) = &event.dedupe {
            if let Some(first) = self.dedupe.get(&dedupe.key) {
                return Appended::Duplicate(*first);
            }
            self.dedupe.insert(dedupe.key.clone(), id);
        }
        for (before, plugin) in event.plugins.iter().rev().enumerate() {
            let before = i64::try_from(before).unwrap();
            let place = DeliveryId {
                event: id,
                plugin: plugin.clone(),
            };
            let delivery = Delivery {
                key: event.key.clone().unwrap(),
                state: State::Pending,
                attempts: 0,
                spared: 0,
                due_at: UnixMs(event.envelope.received_at.0 - before),
                reason: None,
            };
            self.deliveries.insert(place, delivery);
        }
        Appended::New
    }

    /// Of each plugin and key that nothing claimed holds, the oldest open delivery.
    fn ready(&self) -> Vec<(&DeliveryId, &Delivery)> {
        let mut keys: BTreeSet<(&PluginName, &str)> = self
            .claimed
            .iter()
            .map(|id| (&id.plugin, self.deliveries[id].key.as_str()))
            .collect();
        let open = self
            .deliveries
            .iter()
            .filter(|(_, delivery)| delivery.state == State::Pending);
        open.filter(|(id, delivery)| keys.insert((&id.plugin, &delivery.key)))
            .collect()
    }

    fn claim(&mut self, now: UnixMs, free: usize) -> (BTreeSet<DeliveryId>, Option<UnixMs>) {
        let mut ready: Vec<(UnixMs, DeliveryId)> = self
            .ready()
            .into_iter()
            .map(|(id, delivery)| (delivery.due_at, id.clone()))
            .collect();
        ready.sort();
        let mut chosen = BTreeSet::new();
        let kept = (free.saturating_add(self.claimed.len())) / 8;
        for (due_at, id) in ready {
            let of_plugin = |ids: &BTreeSet<DeliveryId>| {
                ids.iter().filter(|other| other.plugin == id.plugin).count()
            };
            let held = of_plugin(&self.claimed) + of_plugin(&chosen);
            let left = free - chosen.len();
            if held >= left || (held > 0 && left <= kept) {
                continue;
            }
            if due_at > now {
                self.claimed.extend(chosen.clone());
                return (chosen, Some(due_at));
            }
            chosen.insert(id);
        }
        self.claimed.extend(chosen.clone());
        (chosen, None)
    }

    fn finish(&mut self, id: &DeliveryId, ending: &Ending) {
        self.claimed.remove(id);
        let delivery = self.deliveries.get_mut(id).unwrap();
        delivery.attempts += 1;
        let (state, reason) = match ending {
            Ending::Done => (State::Done, None),
            Ending::Retry { at, reason, spared } => {
                delivery.due_at = *at;
                delivery.spared += u32::from(*spared);
                (State::Pending, Some(reason))
            }
            Ending::Parked { reason } => (State::Parked, Some(reason)),
            Ending::Dead { reason } => (State::Dead, Some(reason)),
        };
        (delivery.state, delivery.reason) = (state, reason.cloned());
    }

    fn amend(&mut self, plugin: Option<&PluginName>, skip: bool, now: UnixMs) -> Amended {
        let mut amended = Amended::default();
        for (id, delivery) in &mut self.deliveries {
            let is_meant = plugin.is_none_or(|plugin| *plugin == id.plugin)
                && [State::Parked, State::Dead].contains(&delivery.state);
            if !is_meant {
                continue;
            }
            amended.deliveries += 1;
            if skip {
                delivery.state = State::Done;
                delivery.reason = Some("skipped by a person".to_owned());
            } else {
                (delivery.state, delivery.due_at) = (State::Pending, now);
                (delivery.attempts, delivery.spared) = (0, 0);
            }
        }
        amended
    }
}

/// A journal under test.
enum Subject {
    Memory(MemoryJournal),
    Disk {
        folder: tempfile::TempDir,
        journal: SqliteJournal,
    },
}

impl Subject {
    async fn disk(folder: tempfile::TempDir) -> Self {
        let journal = sqlite(&folder).await;
        Self::Disk { folder, journal }
    }

    fn journal(&self) -> &dyn Journal {
        match self {
            Self::Memory(journal) => journal,
            Self::Disk { journal, .. } => journal,
        }
    }

    /// Ends it while an event is being appended, as a kill does: what is on disk at that moment is all there is.
    async fn crash(self, event: NewEvent) -> Self {
        match self {
            Self::Memory(journal) => {
                journal.append(event).await.unwrap();
                journal.forget_claims();
                Self::Memory(journal)
            }
            Self::Disk { folder, journal } => {
                let copy = tempfile::tempdir().unwrap();
                {
                    let mut append = journal.append(event);
                    let early = poll!(&mut append);
                    for file in ["journal.db", "journal.db-wal"] {
                        std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
                    }
                    // The writer's thread may have answered before that.
                    let appended = match early {
                        Poll::Ready(appended) => appended,
                        Poll::Pending => append.await,
                    };
                    appended.unwrap();
                }
                let found = Self::disk(copy).await;
                if let Self::Disk { folder, .. } = &found {
                    let findings = SqliteJournal::verify_file(&folder.path().join("journal.db"));
                    assert_eq!(findings.unwrap(), [] as [String; 0]);
                }
                found
            }
        }
    }
}

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
                model.finish(&id, &ending);
                subject.journal().finish(&id, ending, now).await.unwrap();
            }
            Step::Amend { plugin, skip } => {
                let plugin = plugin.map(|first| if first { "a".into() } else { "b".into() });
                let selection = Selection {
                    plugin: plugin.clone(),
                    ..Selection::default()
                };
                let change = if skip { Change::Skip } else { Change::Retry };
                let expected = model.amend(plugin.as_ref(), skip, now);
                let found = subject.journal().amend(&selection, Some(change), now).await;
                assert_eq!(found.unwrap(), expected);
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
                if !subject.journal().list(&by_id).await.unwrap().is_empty() {
                    model.append(&event);
                }
            }
            Step::Later => now = clock::later(now, Duration::from_secs(10)),
        }
    }
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
