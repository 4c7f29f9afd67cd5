//! Time passes as the tests say.

use super::*;
use crate::event::Content;
use crate::journal::{Journal, MemoryJournal, Missed, Repeat, TimerChange};

/// 2026-11-22T01:00:00Z, nine in the morning in Shanghai.
const NINE: i64 = 1_795_309_200_000;
const MINUTE: i64 = 60_000;

fn timer(pattern: Option<&str>, due_at: i64, missed: Missed) -> Timer {
    Timer {
        plugin: "reminder".into(),
        name: "standup".to_owned(),
        app: "acme".into(),
        due_at: UnixMs(due_at),
        repeat: pattern.map(|pattern| Repeat {
            pattern: pattern.to_owned(),
            time_zone: "Asia/Shanghai".to_owned(),
        }),
        missed,
        payload: "站会".into(),
        revision: 0,
    }
}

async fn fire(journal: &MemoryJournal, now: i64) -> Pass {
    fire_due(journal, &["reminder".into()], UnixMs(now))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_cron_timer_fires_at_each_of_its_times() {
    let journal = MemoryJournal::default();
    let daily = timer(Some("0 9 * * *"), NINE, Missed::Once);
    journal.change(TimerChange::Set(daily)).await.unwrap();
    let mut fired = 0;
    // A look each hour of three days and a second look at once.
    for hour in 0..72 {
        for _ in 0..2 {
            fired += fire(&journal, NINE + hour * 60 * MINUTE).await.fired;
        }
    }
    assert_eq!(fired, 3);
    let claimed = journal
        .claim_due(UnixMs(i64::MAX), 9.into())
        .await
        .unwrap()
        .due;
    assert_eq!(claimed.len(), 1, "one after another");
    let envelope = &claimed[0].envelope;
    assert_eq!(claimed[0].id.plugin, "reminder".into());
    let Ok(Content::Timer(content)) = Content::parse(&envelope.origin, &envelope.raw) else {
        panic!("{envelope:?}");
    };
    assert_eq!(
        (
            content.name.as_str(),
            content.payload.as_str(),
            content.due_at()
        ),
        ("standup", "站会", UnixMs(NINE))
    );
}

#[tokio::test]
async fn what_was_missed_comes_once_or_is_left_out() {
    for (missed, fired) in [(Missed::Once, 1), (Missed::Skip, 0)] {
        let journal = MemoryJournal::default();
        let daily = timer(Some("0 9 * * *"), NINE, missed);
        journal.change(TimerChange::Set(daily)).await.unwrap();
        let three_days_later = NINE + (3 * 24 * 60 + 30) * MINUTE;
        let pass = fire(&journal, three_days_later).await;
        let tomorrow = NINE + 4 * 24 * 60 * MINUTE;
        assert_eq!((pass.fired, pass.next_due), (fired, Some(UnixMs(tomorrow))));
        assert_eq!(fire(&journal, tomorrow).await.fired, 1);
    }
}

#[tokio::test]
async fn a_timer_of_a_plugin_that_is_not_there_waits_for_it() {
    let journal = MemoryJournal::default();
    journal
        .change(TimerChange::Set(timer(None, NINE, Missed::Once)))
        .await
        .unwrap();
    let now = UnixMs(NINE + MINUTE);
    assert_eq!(fire_due(&journal, &[], now).await.unwrap(), Pass::default());
    assert_eq!(fire(&journal, NINE + 60 * MINUTE).await.fired, 1);
    assert_eq!(fire(&journal, NINE + 61 * MINUTE).await, Pass::default());
}

#[test]
fn the_next_look_is_when_something_is_due() {
    let wait = |next_due: Option<i64>, more| {
        let pass = Pass {
            fired: 0,
            next_due: next_due.map(UnixMs),
            more,
        };
        pass.wait(UnixMs(1_000))
    };
    assert_eq!(wait(Some(1_250), false), Duration::from_millis(250));
    assert_eq!(wait(Some(900), false), Duration::ZERO);
    assert_eq!(wait(Some(i64::MAX), false), IDLE);
    assert_eq!(wait(None, false), IDLE);
    assert_eq!(wait(Some(5_000), true), Duration::ZERO);
}
