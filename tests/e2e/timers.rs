//! What a plugin wants to hear at a time, it hears once, also after a restart.

use std::time::{Duration, SystemTime};

use belfry::function::Function;
use belfry::journal::{EventRecord, Filter, SqliteJournal, State, Timers};
use belfry::store::sqlite::Store;
use belfry_tests::{Bot, ONCALL, Plugin, Stage, wait_until};
use simulator::Options;

fn bot() -> Bot {
    Bot::new().plugin(timekeeper())
}

fn timekeeper() -> Plugin {
    Plugin::new("timekeeper", "timekeeper").line("grant = { robot = true, schedule = true }")
}

/// Says something and waits for the answers that there are then.
async fn talk(stage: &Stage, text: &str, answers: &[&str]) {
    stage.dingtalk.say(ONCALL, "alice", text).await;
    heard(stage, answers).await;
}

async fn heard(stage: &Stage, answers: &[&str]) {
    wait_until(&format!("{answers:?} are said"), async || {
        stage.dingtalk.answers(ONCALL).await == answers
    })
    .await;
}

fn now_ms() -> u128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_millis()
}

#[tokio::test]
async fn a_timer_fires_once_and_is_gone() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    talk(&stage, "in 60000 tea", &["tea is set"]).await;
    // Setting it again replaces it.
    let started = now_ms();
    stage.dingtalk.say(ONCALL, "alice", "in 700 tea").await;
    heard(&stage, &["tea is set", "tea is set", "tea is due"]).await;
    let waited = now_ms() - started;
    assert!(waited >= 700, "after {waited} ms");
    talk(
        &stage,
        "list",
        &["tea is set", "tea is set", "tea is due", "timers: "],
    )
    .await;
    let events = belfry.doors.events().await;
    let timers: Vec<_> = events
        .iter()
        .filter(|event| event["kind"] == "timer")
        .collect();
    assert_eq!(timers.len(), 1);
    assert_eq!(timers[0]["origin"], "timer");
    assert_eq!(timers[0]["deliveries"][0]["plugin"], "timekeeper");
    assert_eq!(timers[0]["deliveries"][0]["key"], "timer:tea");
}

#[tokio::test]
async fn a_timer_that_comes_due_while_belfry_is_down_fires_after_the_start() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.serve(&[]).await;
    let soon = now_ms() + 1_500;
    stage
        .dingtalk
        .say(ONCALL, "alice", &format!("at {soon} tea"))
        .await;
    heard(&stage, &["tea is set"]).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "cron standup Asia/Shanghai 30 9 29 2 *")
        .await;
    heard(&stage, &["tea is set", "standup is set"]).await;
    belfry.kill().await;
    tokio::time::sleep(Duration::from_millis(
        u64::try_from(soon.saturating_sub(now_ms())).unwrap() + 200,
    ))
    .await;

    let belfry = stage.serve(&[]).await;
    heard(&stage, &["tea is set", "standup is set", "tea is due"]).await;
    belfry.kill().await;
    let _belfry = stage.serve(&[]).await;
    talk(
        &stage,
        "list",
        &[
            "tea is set",
            "standup is set",
            "tea is due",
            "timers: standup",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_missed_time_that_may_be_skipped_is() {
    let stage = Stage::new(&bot()).await;
    let _belfry = stage.host().await;
    // An hour ago, as after an outage.
    let past = now_ms() - 3_600_000;
    stage
        .dingtalk
        .say(ONCALL, "alice", &format!("skip {past} never"))
        .await;
    heard(&stage, &["never is set"]).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", &format!("at {past} late"))
        .await;
    heard(&stage, &["never is set", "late is set", "late is due"]).await;
    talk(
        &stage,
        "list",
        &["never is set", "late is set", "late is due", "timers: "],
    )
    .await;
}

#[tokio::test]
async fn timers_wait_while_their_plugin_is_not_loaded() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    talk(&stage, "in 600 tea", &["tea is set"]).await;
    stage.write(&Bot::new());
    assert_eq!(belfry.doors.reload().await.0, 200);
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(belfry.doors.events().await.len(), 1, "nothing fired");
    stage.write(&bot());
    assert_eq!(belfry.doors.reload().await.0, 200);
    wait_until("it fires when the plugin is back", async || {
        stage.dingtalk.answers(ONCALL).await == ["tea is set", "tea is due"]
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_timer_is_said() {
    let stage = Stage::new(&bot()).await;
    let _belfry = stage.host().await;
    let mut answers: Vec<String> = Vec::new();
    for (text, word) in [
        ("cron x Asia/Shanghai 61 * * * *", "cron pattern"),
        ("cron x Beijing 0 9 * * *", "time zone"),
        ("cron x UTC 0 9 30 2 *", "no day of the calendar"),
        ("at -5 x", "whole number"),
        ("at 99999999999999 x", "year 4000"),
        ("in 5", "name"),
        ("cancel x", "cancelled: false"),
    ] {
        stage.dingtalk.say(ONCALL, "alice", text).await;
        wait_until(&format!("{text:?} is answered"), async || {
            let said = stage.dingtalk.answers(ONCALL).await;
            if said.len() == answers.len() {
                return false;
            }
            answers = said;
            true
        })
        .await;
        let answer = answers.last().unwrap();
        assert!(answer.contains(word), "{text}: {answer}");
    }
}

#[tokio::test]
async fn without_the_grant_the_plugin_is_refused() {
    let ungranted = Plugin::new("timekeeper", "timekeeper").line("grant = { robot = true }");
    let stage = Stage::new(&Bot::new().plugin(ungranted)).await;
    let config = stage.file("bot.toml");
    let checked = belfry_tests::run(&["check", "--config", config.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(1));
    let text = format!("{}{}", checked.output, checked.errors);
    assert!(
        text.contains("grant = { robot = true, schedule = true }"),
        "{text}"
    );
}

/// A timer is set in one transaction with its record, so that there is no moment at which nobody knows whether it was.
#[tokio::test]
async fn a_kill_at_any_commit_leaves_a_timer_with_its_record_or_neither() {
    let commits = "belfry_store_commit_duration_seconds_count{result=\"ok\"}";
    let options = || Options {
        push_retries: Vec::new(),
        ..Options::default()
    };
    let stage = Stage::with(&bot(), options()).await;
    let belfry = stage.host().await;
    // Some commits of a start come when it is ready already.
    let mut before = belfry.doors.metric(commits).await;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = belfry.doors.metric(commits).await;
        if now <= before {
            break;
        }
        before = now;
    }
    let (mut with_timer, mut without) = (0, 0);
    for point in ["before-commit", "after-commit"] {
        for more in 1..=4_u32 {
            let stage = Stage::with(&bot(), options()).await;
            let failpoint = format!("{point}:{}", before + f64::from(more));
            let mut belfry = stage.serve(&[("BELFRY_FAILPOINTS", &failpoint)]).await;
            stage.dingtalk.say(ONCALL, "alice", "in 600000 tea").await;
            wait_until("it dies or everything is done", async || {
                let events = events(&stage);
                !belfry.is_running()
                    || !events.is_empty() && events.iter().all(|event| event.state == State::Done)
            })
            .await;
            belfry.kill().await;
            let (timers, calls) = kept(&stage).await;
            assert_eq!(timers, calls, "{failpoint}");
            with_timer += timers;
            without += 1 - timers;

            let belfry = stage.serve(&[]).await;
            wait_until("what is there is done", async || {
                events(&stage)
                    .iter()
                    .all(|event| event.state == State::Done)
            })
            .await;
            belfry.kill().await;
            let there = events(&stage).len();
            assert_eq!(kept(&stage).await, (there, there), "{failpoint}");
        }
    }
    assert!(with_timer > 0 && without > 0, "{with_timer} and {without}");
}

fn events(stage: &Stage) -> Vec<EventRecord> {
    SqliteJournal::list_file(&stage.file("belfry.db"), &Filter::default()).unwrap()
}

/// How many timers the store has, and how many calls that set one: all of them with their ends.
async fn kept(stage: &Stage) -> (usize, usize) {
    let path = stage.file("belfry.db");
    let by_id = |id| Filter {
        id: Some(id),
        ..Filter::default()
    };
    let mut set = 0;
    for event in events(stage) {
        for event in SqliteJournal::list_file(&path, &by_id(event.id)).unwrap() {
            let calls = event.deliveries.into_iter().flat_map(|of| of.calls);
            for call in calls.filter(|call| call.function == Function::ScheduleSet) {
                assert!(call.answer.is_some(), "{call:?}");
                set += 1;
            }
        }
    }
    let store = Store::open(&path).unwrap();
    let journal = SqliteJournal::open(store.clone()).await.unwrap();
    let timers = journal.timers(&"timekeeper".into()).await.unwrap();
    store.close().await;
    (timers.len(), set)
}
