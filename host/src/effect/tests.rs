//! The cursor, call by call and against any history.

use proptest::prelude::*;

use super::*;
use crate::call::Json;
use crate::clock;
use crate::ids::DeliveryId;
use crate::journal::{Journal, MemoryJournal};

const SEND: Function = Function::ChatSend;
const GET: Function = Function::KvGet;
const SET: Function = Function::KvSet;

fn arguments(text: &str) -> Arguments {
    Arguments::new(&format!("{{\"text\":\"{text}\"}}"))
}

fn answer(fate: Fate, text: &str) -> Answer {
    Answer {
        fate,
        text: Json::new(format!("\"{text}\"")),
    }
}

/// A record: its place, what was called with which text, and its fate.
fn record(run: u32, number: u32, function: Function, text: &str, fate: Option<Fate>) -> Effect {
    Effect {
        place: Place { run, number },
        function,
        digest: PluginDigest::of(b"plugin"),
        arguments: arguments(text),
        stands_for: None,
        started_at: UnixMs(i64::from(run) * 1_000 + i64::from(number)),
        answer: fate.map(|fate| answer(fate, &format!("{run}.{number}"))),
        diverged: None,
    }
}

fn standing_for(run: u32, number: u32, effect: Effect) -> Effect {
    Effect {
        stands_for: Some(Place { run, number }),
        ..effect
    }
}

fn effects(run: u32, calls: &[Effect]) -> Effects {
    Effects {
        run,
        released: 0,
        calls: calls.to_vec(),
    }
}

fn place(run: u32, number: u32) -> Place {
    Place { run, number }
}

#[test]
fn a_first_attempt_makes_every_call() {
    let mut cursor = Cursor::new(Effects::default(), Begin::Again);
    for number in 1..4 {
        let next = cursor.next(SEND, &arguments("same"));
        assert_eq!(
            next,
            Next::Make {
                place: place(0, number)
            }
        );
    }
}

#[test]
fn a_second_attempt_hears_what_the_first_one_heard_and_then_goes_on() {
    let calls = [
        record(0, 1, GET, "a", Some(Fate::Done)),
        record(0, 2, SEND, "b", Some(Fate::Refused)),
        record(0, 3, SEND, "c", Some(Fate::Unknown)),
    ];
    let mut cursor = Cursor::new(effects(0, &calls), Begin::Again);
    for (call, text) in calls.iter().zip(["a", "b", "c"]) {
        let next = cursor.next(call.function, &arguments(text));
        assert_eq!(next, Next::Answer(call.answer.clone().unwrap()));
    }
    let next = cursor.next(GET, &arguments("a"));
    assert_eq!(next, Next::Make { place: place(0, 4) });
}

#[test]
fn a_write_that_was_only_begun_is_ambiguous_under_its_own_key() {
    let calls = [record(0, 1, SEND, "b", None)];
    let mut cursor = Cursor::new(effects(0, &calls), Begin::Again);
    let expected = Next::Ambiguous {
        place: place(0, 1),
        of: place(0, 1),
        since: UnixMs(1),
        is_recorded: true,
    };
    assert_eq!(cursor.next(SEND, &arguments("b")), expected);
}

#[test]
fn another_call_than_the_recorded_one_is_a_divergence_that_names_the_field() {
    let calls = [record(0, 1, SEND, "b", Some(Fate::Done))];
    let mut cursor = Cursor::new(effects(0, &calls), Begin::Again);
    let Next::Diverged(divergence) = cursor.next(SEND, &arguments("secret")) else {
        panic!("the arguments differ");
    };
    assert_eq!(
        divergence.to_string(),
        "the plugin did something else than before: call 1 of run 0 was chat.send, and now its text differs"
    );
    let Next::Diverged(divergence) = cursor.next(GET, &arguments("b")) else {
        panic!("the function differs");
    };
    assert_eq!(
        divergence.to_string(),
        "the plugin did something else than before: call 1 of run 0 was chat.send, and now it is kv.get"
    );
    assert!(!format!("{divergence:?}").contains("secret"));
}

#[test]
fn a_plugin_that_leaves_a_write_out_diverges_but_a_read_may_be_left_out() {
    let calls = [
        record(0, 1, GET, "a", Some(Fate::Done)),
        record(0, 2, GET, "a", Some(Fate::Done)),
    ];
    let mut cursor = Cursor::new(effects(0, &calls), Begin::Again);
    cursor.next(GET, &arguments("a"));
    assert_eq!(cursor.left_out(), None);
    let calls = [
        record(0, 1, GET, "a", Some(Fate::Done)),
        record(0, 2, SET, "a", Some(Fate::Done)),
    ];
    let mut cursor = Cursor::new(effects(0, &calls), Begin::Again);
    cursor.next(GET, &arguments("a"));
    assert_eq!(cursor.left_out().unwrap().place, place(0, 2));
    cursor.next(SET, &arguments("a"));
    assert_eq!(cursor.left_out(), None);
}

#[test]
fn a_run_begun_anew_reads_and_sets_again_but_does_not_send_again() {
    let calls = [
        record(0, 1, GET, "a", Some(Fate::Done)),
        record(0, 2, SET, "a", Some(Fate::Done)),
        record(0, 3, SEND, "sent", Some(Fate::Done)),
        record(0, 4, SEND, "refused", Some(Fate::Refused)),
    ];
    // The mark of a new run is there, and nothing of it.
    let mut cursor = Cursor::new(effects(1, &calls), Begin::Again);
    let made = |number| Next::Make {
        place: place(1, number),
    };
    assert_eq!(cursor.next(SEND, &arguments("refused")), made(1));
    assert_eq!(cursor.next(GET, &arguments("a")), made(2));
    assert_eq!(cursor.next(SET, &arguments("a")), made(3));
    let reused = Next::Reuse {
        place: place(1, 4),
        of: place(0, 3),
        answer: answer(Fate::Done, "0.3"),
    };
    assert_eq!(cursor.next(SEND, &arguments("sent")), reused);
    // It was sent once, so a second one is one more.
    assert_eq!(cursor.next(SEND, &arguments("sent")), made(5));
    assert_eq!(cursor.next(SEND, &arguments("another")), made(6));
}

#[test]
fn what_is_taken_over_is_taken_over_by_one_call_of_each_run() {
    let sent = record(0, 1, SEND, "x", Some(Fate::Done));
    let taken = standing_for(0, 1, record(1, 1, SEND, "x", Some(Fate::Done)));
    // Run 1 was cut off after it had taken the first over.
    let mut cursor = Cursor::new(effects(1, &[sent.clone(), taken.clone()]), Begin::Again);
    assert!(matches!(
        cursor.next(SEND, &arguments("x")),
        Next::Answer(_)
    ));
    assert_eq!(
        cursor.next(SEND, &arguments("x")),
        Next::Make { place: place(1, 2) }
    );
    // Run 2 may take it over once more.
    let mut cursor = Cursor::new(effects(2, &[sent, taken]), Begin::Again);
    assert!(matches!(
        cursor.next(SEND, &arguments("x")),
        Next::Reuse {
            of: Place { run: 0, number: 1 },
            ..
        }
    ));
    assert_eq!(
        cursor.next(SEND, &arguments("x")),
        Next::Make { place: place(2, 2) }
    );
}

#[test]
fn an_unknown_end_stays_ambiguous_in_later_runs_under_the_first_key() {
    for fate in [None, Some(Fate::Unknown)] {
        let calls = [record(0, 1, SEND, "x", fate)];
        let mut cursor = Cursor::new(effects(1, &calls), Begin::Again);
        let expected = Next::Ambiguous {
            place: place(1, 1),
            of: place(0, 1),
            since: UnixMs(1),
            is_recorded: false,
        };
        assert_eq!(cursor.next(SEND, &arguments("x")), expected);
    }
    // Made again in run 1 with that key, and then it is known.
    let calls = [
        record(0, 1, SEND, "x", Some(Fate::Unknown)),
        standing_for(0, 1, record(1, 1, SEND, "x", Some(Fate::Done))),
    ];
    let mut cursor = Cursor::new(effects(2, &calls), Begin::Again);
    assert_eq!(
        cursor.next(SEND, &arguments("x")),
        Next::Reuse {
            place: place(2, 1),
            of: place(0, 1),
            answer: answer(Fate::Done, "1.1"),
        }
    );
    // Made again and refused: that says nothing of the first.
    let calls = [
        record(0, 1, SEND, "x", Some(Fate::Unknown)),
        standing_for(0, 1, record(1, 1, SEND, "x", Some(Fate::Refused))),
    ];
    let mut cursor = Cursor::new(effects(2, &calls), Begin::Again);
    assert!(matches!(
        cursor.next(SEND, &arguments("x")),
        Next::Ambiguous {
            of: Place { run: 0, number: 1 },
            ..
        }
    ));
}

#[test]
fn an_attempt_of_another_version_begins_anew_only_if_something_is_recorded() {
    assert_eq!(Cursor::new(Effects::default(), Begin::Anew).run(), 0);
    let calls = [record(0, 1, GET, "a", Some(Fate::Done))];
    let mut cursor = Cursor::new(effects(0, &calls), Begin::Anew);
    assert_eq!(
        cursor.next(GET, &arguments("other")),
        Next::Make { place: place(1, 1) }
    );
}

#[test]
fn what_a_plugin_did_not_cope_with_is_the_last_thing_it_heard() {
    let mut cursor = Cursor::new(Effects::default(), Begin::Again);
    assert!(!cursor.ends_refused());
    cursor.next(SEND, &arguments("a"));
    cursor.answered(Fate::Refused);
    assert!(cursor.ends_refused());
    cursor.next(SEND, &arguments("b"));
    assert!(!cursor.ends_refused());
}

#[test]
fn a_delivery_belongs_to_the_version_that_wrote_for_it() {
    let read = record(0, 1, GET, "a", Some(Fate::Done));
    assert_eq!(
        pinned_to(&effects(0, std::slice::from_ref(&read)), UnixMs(0)),
        None
    );
    let write = Effect {
        digest: PluginDigest::of(b"other"),
        ..record(0, 2, SEND, "a", None)
    };
    let both = effects(0, &[read, write]);
    assert_eq!(
        pinned_to(&both, UnixMs(0)),
        Some(PluginDigest::of(b"other"))
    );
    assert_eq!(pinned_to(&both, UnixMs(3)), None, "it is long ago");
    let released = Effects {
        run: 1,
        released: 1,
        ..both
    };
    assert_eq!(pinned_to(&released, UnixMs(0)), None, "a person began anew");
}

#[test]
fn a_call_that_is_known_later_keeps_the_place_it_took() {
    let mut cursor = Cursor::new(Effects::default(), Begin::Again);
    let early = cursor.take();
    assert_eq!(
        cursor.next(SEND, &arguments("b")),
        Next::Make { place: place(0, 2) }
    );
    assert_eq!(early, place(0, 1));
    assert_eq!(
        cursor.at(early, GET, &arguments("a")),
        Next::Make { place: early }
    );
}

#[test]
fn a_call_that_was_cut_off_before_its_record_leaves_a_hole_and_is_made() {
    let calls = [record(0, 2, SEND, "b", Some(Fate::Done))];
    let mut cursor = Cursor::new(effects(0, &calls), Begin::Again);
    let early = cursor.take();
    let next = cursor.next(SEND, &arguments("b"));
    assert_eq!(next, Next::Answer(answer(Fate::Done, "0.2")));
    assert_eq!(
        cursor.at(early, GET, &arguments("a")),
        Next::Make { place: early }
    );
    assert_eq!(cursor.left_out(), None);
    // Known in the other order it is the same.
    let calls = [
        record(0, 1, GET, "a", Some(Fate::Done)),
        record(0, 2, SEND, "b", Some(Fate::Done)),
    ];
    let mut cursor = Cursor::new(effects(0, &calls), Begin::Again);
    let early = cursor.take();
    cursor.next(SEND, &arguments("b"));
    let next = cursor.at(early, GET, &arguments("x"));
    assert!(matches!(next, Next::Diverged(_)), "{next:?}");
}

#[test]
fn a_timer_that_was_set_is_not_set_again_and_one_that_was_refused_is() {
    let records = [
        record(0, 1, Function::ScheduleSet, "a", Some(Fate::Done)),
        record(0, 2, Function::ScheduleCancel, "b", Some(Fate::Done)),
        record(0, 3, Function::ScheduleSet, "c", Some(Fate::Refused)),
    ];
    let mut cursor = Cursor::new(effects(0, &records), Begin::Anew);
    for (number, record) in (1..).zip(&records[..2]) {
        let next = cursor.next(record.function, &record.arguments);
        let expected = Next::Reuse {
            place: place(1, number),
            of: place(0, number),
            answer: record.answer.clone().unwrap(),
        };
        assert_eq!(next, expected);
    }
    let next = cursor.next(Function::ScheduleSet, &arguments("c"));
    assert_eq!(next, Next::Make { place: place(1, 3) });
}

fn recorder(journal: &Arc<dyn Journal>) -> (Recorder, DeliveryId) {
    let delivery = DeliveryId {
        event: clock::event_id(),
        plugin: "plugin".into(),
    };
    let recorder = Recorder::new(
        Arc::clone(journal),
        delivery.clone(),
        PluginDigest::of(b"plugin"),
        Effects::default(),
        Begin::Again,
    );
    (recorder, delivery)
}

#[tokio::test]
async fn what_came_beside_a_transaction_is_recorded_after_it() {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
    let (recorder, delivery) = recorder(&journal);
    let call = |number, function| recorder.call(place(0, number), function, arguments("a"));
    recorder.keep(call(1, GET), answer(Fate::Done, "1"));
    let (_in_the_store, joined) = recorder.join(call(2, SET));
    // A request beside it has its answer before the transaction is on disk.
    recorder.keep(call(3, Function::HttpRead), answer(Fate::Done, "3"));
    recorder.joined(joined, Fate::Done);
    recorder.close(true, Retried::No).await;
    let calls = journal.effects(&delivery).await.unwrap().calls;
    let places: Vec<Place> = calls.iter().map(|call| call.place).collect();
    assert_eq!(places, [place(0, 3)], "the store has the others");
}

#[tokio::test]
async fn nothing_begins_for_an_attempt_that_has_ended() {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
    let (recorder, _) = recorder(&journal);
    let early = recorder.take();
    // Several may be under way, and the end waits for all of them.
    let (one, another) = (recorder.busy().unwrap(), recorder.busy().unwrap());
    let mut close = Box::pin(recorder.close(true, Retried::No));
    assert!(futures_util::poll!(&mut close).is_pending());
    drop(one);
    assert!(futures_util::poll!(&mut close).is_pending());
    drop(another);
    assert_eq!(close.await, None);
    assert!(matches!(recorder.busy(), Err(Halt::Over)));
    let late = recorder.at(early, GET, &arguments("a"));
    assert!(matches!(late, Err(Halt::Over)));
}

/// A deterministic plugin as the cursor sees it: the calls it makes, one after the other.
fn script() -> impl Strategy<Value = Vec<(Function, String)>> {
    let function = prop::sample::select(vec![SEND, GET, SET]);
    prop::collection::vec((function, "[ab]"), 0..12)
}

/// What happens to a call that is made.
#[derive(Debug, Clone, Copy)]
enum Luck {
    Done,
    Refused,
    /// Done, and the attempt ends before that is recorded.
    DoneAndCut,
    /// Not even begun when the attempt ends.
    Cut,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        6 => Just(Luck::Done),
        1 => Just(Luck::Refused),
        1 => Just(Luck::DoneAndCut),
        1 => Just(Luck::Cut),
    ]
}

proptest! {
    /// Whatever cuts its attempts off: a plugin that does the same each time is never found to diverge, each of its calls
    /// that was done is not made a second time, and only what was cut off in the middle is ambiguous.
    #[test]
    fn a_deterministic_plugin_does_nothing_twice(
        calls in script(),
        lucks in prop::collection::vec(luck(), 0..60),
    ) {
        let mut lucks = lucks.into_iter();
        let mut stored = Effects::default();
        let mut done = std::collections::BTreeSet::new();
        let mut cut_in_the_middle = None;
        for _attempt in 0..80 {
            let mut cursor = Cursor::new(stored.clone(), Begin::Again);
            let mut ended = true;
            for (function, text) in &calls {
                let arguments = arguments(text);
                let place = match cursor.next(*function, &arguments) {
                    Next::Answer(_) => continue,
                    Next::Make { place } => place,
                    Next::Ambiguous { place, of, is_recorded, .. } => {
                        prop_assert!(is_recorded && of == place);
                        prop_assert_eq!(cut_in_the_middle.take(), Some(place));
                        let call = stored.calls.iter_mut().find(|call| call.place == place).unwrap();
                        call.answer = Some(answer(Fate::Unknown, "told"));
                        continue;
                    }
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                };
                let mut call = record(place.run, place.number, *function, text, None);
                match lucks.next().unwrap_or(Luck::Done) {
                    Luck::Done => {
                        prop_assert!(done.insert(place), "done twice: {place:?}");
                        call.answer = Some(answer(Fate::Done, "done"));
                        stored.calls.push(call);
                    }
                    Luck::Refused => {
                        call.answer = Some(answer(Fate::Refused, "no"));
                        stored.calls.push(call);
                    }
                    Luck::DoneAndCut if *function == SEND => {
                        prop_assert!(done.insert(place), "done twice: {place:?}");
                        stored.calls.push(call);
                        cut_in_the_middle = Some(place);
                        ended = false;
                        break;
                    }
                    Luck::DoneAndCut | Luck::Cut => {
                        ended = false;
                        break;
                    }
                }
            }
            if ended {
                prop_assert_eq!(cursor.left_out(), None);
                prop_assert_eq!(stored.calls.len(), calls.len());
                return Ok(());
            }
        }
        prop_assert!(false, "it never ended");
    }

    /// Whatever a plugin asks in the runs that it asked for: no send that was done is made again, as often as it was done.
    #[test]
    fn runs_begun_anew_send_no_message_more_often_than_one_run_asks_for(
        runs in prop::collection::vec(script(), 1..5),
    ) {
        let mut stored = Effects::default();
        let mut sent: BTreeMap<String, usize> = BTreeMap::new();
        let mut most: BTreeMap<String, usize> = BTreeMap::new();
        for (run, calls) in runs.iter().enumerate() {
            stored.run = u32::try_from(run).unwrap();
            let mut cursor = Cursor::new(stored.clone(), Begin::Again);
            let mut asked: BTreeMap<String, usize> = BTreeMap::new();
            for (function, text) in calls {
                if *function == SEND {
                    *asked.entry(text.clone()).or_default() += 1;
                }
                let (place, stands_for) = match cursor.next(*function, &arguments(text)) {
                    Next::Make { place } => {
                        if *function == SEND {
                            *sent.entry(text.clone()).or_default() += 1;
                        }
                        (place, None)
                    }
                    Next::Reuse { place, of, .. } => (place, Some(of)),
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                };
                let call = record(place.run, place.number, *function, text, Some(Fate::Done));
                stored.calls.push(Effect { stands_for, ..call });
            }
            for (text, times) in asked {
                let before = most.entry(text).or_default();
                *before = times.max(*before);
            }
        }
        prop_assert_eq!(sent, most);
    }
}
