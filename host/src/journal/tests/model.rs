//! Every journal does what a map in memory does, whatever happens and wherever it is cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Poll;

use futures_util::poll;
use proptest::prelude::*;

use super::*;
use crate::call::{Answer, Arguments, Fate, Json};
use crate::function::Function;
use crate::ids::PluginDigest;

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
struct Which {
    plugin: Option<bool>,
    states: BTreeSet<State>,
    /// Whether only those with the usual reason.
    by_reason: bool,
    /// One of the events.
    event: Option<usize>,
}

/// What is recorded of a call of the present run.
#[derive(Debug, Clone)]
enum Entry {
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

fn step() -> impl Strategy<Value = Step> {
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
    events: BTreeSet<EventId>,
    effects: BTreeMap<DeliveryId, Effects>,
    /// What was recorded and may be lost, until something is on disk that came after it.
    later: Vec<(DeliveryId, Record)>,
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
        self.events.insert(id);
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

    fn meant(&self, which: &Which) -> Vec<DeliveryId> {
        let event = which.event.and_then(|index| self.events.iter().nth(index));
        let mut states = which.states.clone();
        if states.is_empty() {
            states.extend([State::Parked, State::Dead]);
            states.extend(event.map(|_| State::Pending));
        }
        let is_meant = |id: &DeliveryId, delivery: &Delivery| {
            which.plugin().is_none_or(|plugin| plugin == id.plugin)
                && states.contains(&delivery.state)
                && (!which.by_reason || delivery.reason == Some(reason()))
                && event.is_none_or(|event| *event == id.event)
        };
        let all = self.deliveries.iter();
        all.filter(|(id, delivery)| is_meant(id, delivery))
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn amend(&mut self, which: &Which, change: Option<Change>, now: UnixMs) -> Amended {
        let mut amended = Amended::default();
        for id in self.meant(which) {
            if self.claimed.contains(&id) {
                amended.running += 1;
                continue;
            }
            amended.deliveries += 1;
            let delivery = self.deliveries.get_mut(&id).unwrap();
            match change {
                None => {}
                Some(Change::Skip) => {
                    delivery.state = State::Done;
                    delivery.reason = Some("skipped by a person".to_owned());
                }
                Some(Change::Retry) => {
                    (delivery.state, delivery.due_at) = (State::Pending, now);
                    (delivery.attempts, delivery.spared) = (0, 0);
                    if let Some(effects) = self.effects.get_mut(&id) {
                        effects.run += 1;
                        effects.released = effects.run;
                    }
                }
            }
        }
        amended
    }

    fn select(&self, which: &Which) -> Vec<DeliveryId> {
        let mut meant = self.meant(which);
        meant.retain(|id| {
            let delivery = &self.deliveries[id];
            delivery.state != State::Pending || delivery.attempts > 0
        });
        meant
    }

    fn give(&mut self, id: &DeliveryId, key: &str, now: UnixMs) -> bool {
        if self.deliveries.contains_key(id) {
            return false;
        }
        let given = Delivery {
            key: key.to_owned(),
            state: State::Pending,
            attempts: 0,
            spared: 0,
            due_at: now,
            reason: None,
        };
        self.deliveries.insert(id.clone(), given);
        true
    }

    /// The entries as records of the run that the delivery is in when they are recorded one after another.
    fn records(&self, id: &DeliveryId, entries: &[Entry]) -> Vec<Record> {
        let mut run = recorded(&self.effects, &self.later)
            .get(id)
            .map_or(0, |effects| effects.run);
        let answer = || Answer {
            fate: Fate::Done,
            text: Json::new("1"),
        };
        let record = |entry: &Entry| match *entry {
            Entry::Call {
                number,
                is_answered,
            } => Record::Call(Effect {
                place: Place { run, number },
                function: Function::ChatSend,
                digest: PluginDigest::of(b"plugin"),
                arguments: Arguments::new("{}".to_owned()),
                stands_for: None,
                started_at: NOW,
                answer: is_answered.then(answer),
                diverged: None,
            }),
            Entry::End { number } => Record::End {
                place: Place { run, number },
                answer: answer(),
            },
            Entry::Diverged { number } => Record::Diverged {
                place: Place { run, number },
                called: Json::new("{}"),
            },
            Entry::Run => {
                run += 1;
                Record::Run(run)
            }
        };
        entries.iter().map(record).collect()
    }

    /// What was recorded is on disk now.
    fn settle(&mut self) {
        self.effects = recorded(&self.effects, &self.later);
        self.later.clear();
    }
}

/// What there is after some records.
fn recorded(
    effects: &BTreeMap<DeliveryId, Effects>,
    records: &[(DeliveryId, Record)],
) -> BTreeMap<DeliveryId, Effects> {
    let mut all = effects.clone();
    for (id, record) in records {
        let calls_of_none = matches!(record, Record::End { .. } | Record::Diverged { .. });
        if calls_of_none && !all.contains_key(id) {
            continue;
        }
        let effects = all.entry(id.clone()).or_default();
        match record.clone() {
            Record::Call(call) => {
                if effects.calls.iter().all(|other| other.place != call.place) {
                    effects.calls.push(call);
                    effects.calls.sort_by_key(|call| call.place);
                }
            }
            Record::Run(run) => effects.run = run,
            Record::End { place, answer } => {
                for call in &mut effects.calls {
                    if call.place == place {
                        call.answer = Some(answer.clone());
                    }
                }
            }
            Record::Diverged { place, called } => {
                for call in &mut effects.calls {
                    if call.place == place {
                        call.diverged = Some(called.clone());
                    }
                }
            }
        }
    }
    all
}

impl Which {
    fn plugin(&self) -> Option<PluginName> {
        self.plugin
            .map(|first| if first { "a".into() } else { "b".into() })
    }

    fn selection(&self, model: &Model) -> Selection {
        let event = self.event.and_then(|index| model.events.iter().nth(index));
        Selection {
            event: event.copied(),
            plugin: self.plugin(),
            states: self.states.clone(),
            reason: self.by_reason.then(|| "ECAUS".to_owned()),
            since: Some(UnixMs(0)),
            until: Some(UnixMs(i64::MAX)),
        }
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
