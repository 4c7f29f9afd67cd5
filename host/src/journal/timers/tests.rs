//! What every keeper of timers keeps to: one suite, run on each implementation.

use std::sync::Arc;

use super::*;
use crate::call::{Answer, Arguments, Fate, Json};
use crate::clock;
use crate::event::{Envelope, Kind, Origin};
use crate::function::Function;
use crate::ids::{DeliveryId, PluginDigest};
use crate::journal::{Effect, Filter, Journal, MemoryJournal, Place, SqliteJournal};
use crate::store::Recording;
use crate::store::sqlite::Store;

const NOW: UnixMs = UnixMs(1_700_000_000_000);

trait Both: Journal + Timers {}
impl<T: Journal + Timers> Both for T {}

/// Runs a story on every implementation.
async fn on_each<F: AsyncFn(Arc<dyn Both>)>(story: F) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("journal.db")).unwrap();
    story(Arc::new(SqliteJournal::open(store).await.unwrap())).await;
    story(Arc::new(MemoryJournal::default())).await;
}

fn timer(plugin: &str, name: &str, due_at: i64) -> Timer {
    Timer {
        plugin: plugin.into(),
        name: name.to_owned(),
        app: "acme".into(),
        due_at: UnixMs(NOW.0 + due_at),
        repeat: None,
        missed: Missed::Once,
        payload: "{}".into(),
        revision: 0,
    }
}

fn repeating(name: &str, pattern: &str, due_at: i64) -> Timer {
    Timer {
        repeat: Some(Repeat {
            pattern: pattern.to_owned(),
            time_zone: "Asia/Shanghai".to_owned(),
        }),
        ..timer("a", name, due_at)
    }
}

fn cancel(name: &str) -> TimerChange {
    TimerChange::Cancel {
        plugin: "a".into(),
        name: name.to_owned(),
    }
}

fn turn(timer: &Timer, next: Option<i64>) -> Turn {
    let event = NewEvent {
        envelope: Envelope {
            id: clock::event_id(),
            app: timer.app.clone(),
            origin: Origin::Timer,
            received_at: NOW,
            raw: "{}".into(),
        },
        kind: Kind::Timer,
        dedupe: None,
        key: None,
        plugins: vec![timer.plugin.clone()],
    };
    Turn {
        timer: timer.clone(),
        event: Some(event),
        next: next.map(|next| UnixMs(NOW.0 + next)),
    }
}

async fn due(timers: &dyn Both, plugins: &[&str]) -> DueTimers {
    let plugins: Vec<PluginName> = plugins.iter().map(|plugin| (*plugin).into()).collect();
    timers.due_timers(&plugins, NOW, 10).await.unwrap()
}

#[tokio::test]
async fn timers_are_due_in_their_order_and_only_for_the_plugins_that_are_there() {
    on_each(async |timers| {
        for timer in [
            timer("a", "late", -1),
            timer("a", "later", -5),
            timer("a", "soon", 700),
            timer("b", "other", -3),
            timer("gone", "other", -9),
        ] {
            timers.change(TimerChange::Set(timer)).await.unwrap();
        }
        let found = due(&*timers, &["a", "b"]).await;
        let names: Vec<&str> = found.due.iter().map(|timer| timer.name.as_str()).collect();
        assert_eq!(names, ["later", "other", "late"]);
        assert_eq!(found.next_due, Some(UnixMs(NOW.0 + 700)));
        assert_eq!(due(&*timers, &[]).await.due, []);
    })
    .await;
}

#[tokio::test]
async fn firing_appends_the_event_and_moves_the_timer_once() {
    on_each(async |timers| {
        timers
            .change(TimerChange::Set(timer("a", "once", 0)))
            .await
            .unwrap();
        timers
            .change(TimerChange::Set(repeating("again", "* * * * *", 0)))
            .await
            .unwrap();
        let found = due(&*timers, &["a"]).await.due;
        let turns: Vec<Turn> = found
            .iter()
            .map(|timer| turn(timer, timer.repeat.is_some().then_some(60_000)))
            .collect();
        for turn in &turns {
            assert!(timers.fire(turn.clone()).await.unwrap());
        }
        // What was read before the change does nothing any more.
        for turn in turns {
            assert!(!timers.fire(turn).await.unwrap());
        }
        assert_eq!(timers.list(&Filter::default()).await.unwrap().len(), 2);
        assert_eq!(timers.claim_due(NOW, 9.into()).await.unwrap().due.len(), 2);
        let left = due(&*timers, &["a"]).await;
        assert_eq!(
            (left.due.len(), left.next_due),
            (0, Some(UnixMs(NOW.0 + 60_000)))
        );
    })
    .await;
}

#[tokio::test]
async fn a_timer_that_is_set_anew_is_not_fired_as_it_was() {
    on_each(async |timers| {
        timers
            .change(TimerChange::Set(timer("a", "x", 0)))
            .await
            .unwrap();
        let old = due(&*timers, &["a"]).await.due.remove(0);
        let new = Timer {
            payload: "new".into(),
            ..timer("a", "x", 0)
        };
        timers.change(TimerChange::Set(new)).await.unwrap();
        assert!(!timers.fire(turn(&old, None)).await.unwrap());
        let present = due(&*timers, &["a"]).await.due.remove(0);
        assert_eq!(&*present.payload, "new");
        assert!(timers.fire(turn(&present, None)).await.unwrap());

        timers
            .change(TimerChange::Set(timer("a", "x", 0)))
            .await
            .unwrap();
        let set = due(&*timers, &["a"]).await.due.remove(0);
        assert!(timers.change(cancel("x")).await.unwrap());
        assert!(!timers.change(cancel("x")).await.unwrap());
        assert!(!timers.fire(turn(&set, None)).await.unwrap());
        assert_eq!(timers.list(&Filter::default()).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_same_rule_keeps_its_time_and_another_does_not() {
    on_each(async |timers| {
        let due_at = async || timers.timers(&"a".into()).await.unwrap()[0].due_at.0 - NOW.0;
        timers
            .change(TimerChange::Set(repeating("x", "0 9 * * *", 100)))
            .await
            .unwrap();
        timers
            .change(TimerChange::Set(repeating("x", "0 9 * * *", 900)))
            .await
            .unwrap();
        assert_eq!(due_at().await, 100);
        timers
            .change(TimerChange::Set(repeating("x", "0 8 * * *", 900)))
            .await
            .unwrap();
        assert_eq!(due_at().await, 900);
        timers
            .change(TimerChange::Set(timer("a", "x", 500)))
            .await
            .unwrap();
        timers
            .change(TimerChange::Set(timer("a", "x", 400)))
            .await
            .unwrap();
        assert_eq!(due_at().await, 400);
    })
    .await;
}

#[tokio::test]
async fn a_plugin_has_so_many_timers_and_no_more() {
    on_each(async |timers| {
        for number in 0..MAX_TIMERS {
            timers
                .change(TimerChange::Set(timer("a", &number.to_string(), 9)))
                .await
                .unwrap();
        }
        let refused = timers
            .change(TimerChange::Set(timer("a", "one more", 9)))
            .await;
        assert!(matches!(refused, Err(TimerError::Full)));
        timers
            .change(TimerChange::Set(timer("a", "7", 8)))
            .await
            .unwrap();
        timers
            .change(TimerChange::Set(timer("b", "one more", 9)))
            .await
            .unwrap();
        assert_eq!(timers.timers(&"a".into()).await.unwrap().len(), MAX_TIMERS);
    })
    .await;
}

fn recording(journal: &dyn Both, id: &DeliveryId, number: u32) -> Recording<TimerError> {
    let call = Effect {
        place: Place { run: 0, number },
        function: Function::ScheduleSet,
        digest: PluginDigest::of(b"plugin"),
        arguments: Arguments::new("{}"),
        stands_for: None,
        started_at: NOW,
        answer: None,
        diverged: None,
    };
    Recording {
        join: journal.join(id, Vec::new(), call),
        answer: |outcome| Answer {
            fate: Fate::Done,
            text: Json::new(format!("\"{outcome:?}\"")),
        },
    }
}

/// A journal with a claimed delivery, and what is under it.
async fn claimed() -> (tempfile::TempDir, Store, SqliteJournal, DeliveryId) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("journal.db")).unwrap();
    let journal = SqliteJournal::open(store.clone()).await.unwrap();
    let event = turn(&timer("a", "x", 0), None).event.unwrap();
    journal.append(event).await.unwrap();
    let id = journal
        .claim_due(NOW, 1.into())
        .await
        .unwrap()
        .due
        .remove(0)
        .id;
    (folder, store, journal, id)
}

#[tokio::test]
async fn a_timer_and_its_record_are_written_together() {
    let (_folder, _store, journal, id) = claimed().await;
    let changes = [
        TimerChange::Set(timer("a", "x", 9)),
        cancel("x"),
        cancel("x"),
    ];
    for (number, (change, held)) in (1..).zip(changes.into_iter().zip([true, true, false])) {
        let changed = journal
            .change_recorded(change, recording(&journal, &id, number))
            .await;
        assert_eq!(changed.unwrap(), held);
        let calls = journal.effects(&id).await.unwrap().calls;
        let told = &calls.last().unwrap().answer.as_ref().unwrap().text;
        assert_eq!(told.expose(), format!("\"Ok({held})\""));
        let left = journal.timers(&"a".into()).await.unwrap().len();
        assert_eq!(left, usize::from(number == 1));
    }
}

#[tokio::test]
async fn a_timer_whose_record_cannot_be_written_is_not_set() {
    let (_folder, store, journal, id) = claimed().await;
    store
        .write(|connection| connection.execute("ALTER TABLE effect RENAME TO hidden", []))
        .await
        .unwrap();
    let set = TimerChange::Set(timer("a", "x", 9));
    let changed = journal.change_recorded(set, recording(&journal, &id, 1));
    assert!(changed.await.is_err());
    assert_eq!(journal.timers(&"a".into()).await.unwrap(), []);
}

#[tokio::test]
async fn timers_are_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || {
        let store = Store::open(&folder.path().join("journal.db")).unwrap();
        SqliteJournal::open(store).await.unwrap()
    };
    let set = Timer {
        missed: Missed::Skip,
        ..repeating("x", "0 9 * * *", 5)
    };
    open()
        .await
        .change(TimerChange::Set(set.clone()))
        .await
        .unwrap();
    assert_eq!(open().await.timers(&"a".into()).await.unwrap(), [set]);
}

#[test]
fn a_missed_time_fires_once_or_not_at_all() {
    let minute = 60_000;
    let check = |missed, repeat: bool, late: i64, fires, next: Option<i64>| {
        let timer = Timer {
            missed,
            ..if repeat {
                repeating("x", "*/5 * * * *", 0)
            } else {
                timer("a", "x", 0)
            }
        };
        let plan = timer.plan(UnixMs(NOW.0 + late));
        let next = next.map(|next| UnixMs(NOW.0 + next));
        assert_eq!(plan, Plan { fires, next }, "{missed:?} {repeat} {late}");
    };
    // NOW lies 100 s before a fifth minute.
    let after = |minutes: i64| Some(100_000 + minutes * minute);
    for missed in [Missed::Once, Missed::Skip] {
        check(missed, false, 0, true, None);
        check(missed, false, minute, true, None);
        check(missed, true, 500, true, after(0));
    }
    check(Missed::Once, false, minute + 1, true, None);
    check(Missed::Skip, false, minute + 1, false, None);
    check(Missed::Once, true, 61 * minute, true, after(60));
    check(Missed::Skip, true, 61 * minute, false, after(60));
}

#[test]
fn what_is_too_large_is_refused() {
    let check = |timer: Timer, word: &str| {
        let refused = timer.check().unwrap_err().to_string();
        assert!(refused.contains(word), "{refused}");
    };
    check(timer("a", "", 0), "name");
    check(timer("a", &"x".repeat(MAX_NAME + 1), 0), "name");
    check(timer("a", "a\nb", 0), "control");
    let large = Timer {
        payload: "x".repeat(MAX_PAYLOAD + 1).into(),
        ..timer("a", "x", 0)
    };
    check(large, "payload");
    let far = Timer {
        due_at: UnixMs(MAX_DUE.0 + 1),
        ..timer("a", "x", 0)
    };
    check(far, "year 4000");
    timer("a", &"x".repeat(MAX_NAME), 0).check().unwrap();
}
