//! What DingTalk could not deliver is fetched, and handled once.

use belfry_tests::{Bot, Hosted, ONCALL, Plugin, Process, Stage, wait_for, wait_until};
use serde_json::{Value, json};

const FAILED: &str = "/call_back/get_call_back_failed_result";

/// What the control door shows of the app's callback.
async fn callbacks(stage: &Stage) -> Value {
    stage.dingtalk.get("callbacks").await[0].clone()
}

/// Waits until so many events are on the failed list.
async fn listed(stage: &Stage, count: usize) {
    wait_until("the events are on the failed list", async || {
        callbacks(stage).await["failed"].as_array().unwrap().len() == count
    })
    .await;
}

/// A stage whose DingTalk knows where events go, with no belfry there.
async fn deserted(bot: &Bot) -> Stage {
    let stage = Stage::new(bot).await;
    stage.host().await.stop().await;
    stage
}

async fn all_done(belfry: &Hosted, count: usize) -> Vec<Value> {
    wait_for("every event is there and done", async || {
        let events = belfry.doors.events().await;
        let done = events.iter().all(|event| event["state"] == "done");
        (events.len() == count && done).then_some(events)
    })
    .await
}

fn told(answers: &[String], instance: &str) -> usize {
    let of_it = |text: &&String| text.contains(instance) && text.contains("审批结束");
    answers.iter().filter(of_it).count()
}

#[tokio::test]
async fn what_was_pushed_while_belfry_was_down_is_fetched_at_its_start() {
    let bot = Bot::new().fetching().plugin(Plugin::approvals());
    let stage = deserted(&bot).await;
    let instance = stage.dingtalk.ask_for_leave("alice").await;
    let id = instance["id"].as_str().unwrap();
    stage.dingtalk.decide(id, "agree").await;
    for event in [
        json!({"EventType": "user_add_org", "CorpId": "dingcorp", "UserId": ["alice"], "TimeStamp": "1700000000000", "eventId": "e-1"}),
        json!({"EventType": "label_conf_add", "CorpId": "dingcorp", "LabelIdList": [7], "TimeStamp": "1700000000000"}),
        json!({"EventType": "check_in", "CorpId": "dingcorp", "StaffId": "bob", "TimeStamp": 1_700_000_000_000_i64}),
    ] {
        assert_eq!(
            stage.dingtalk.push(event, json!({})).await["delivered"],
            false
        );
    }
    // Start and end of the approval and of its step, and the three.
    listed(&stage, 7).await;

    let belfry = stage.host().await;
    let events = all_done(&belfry, 7).await;
    assert!(events.iter().all(|event| event["origin"] == "backfill"));
    let mut kinds: Vec<&str> = events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "approval-instance",
            "approval-instance",
            "approval-task",
            "approval-task",
            "contacts-change",
            "contacts-change",
            "other"
        ]
    );
    assert_eq!(told(&stage.dingtalk.answers(ONCALL).await, id), 1);
    belfry.stop().await;

    // The list is empty, and nothing of it comes again.
    let before = stage.dingtalk.calls(FAILED).await.len();
    let belfry = stage.host().await;
    wait_until("the list is read again", async || {
        stage.dingtalk.calls(FAILED).await.len() > before
    })
    .await;
    assert_eq!(belfry.doors.events().await.len(), 7);
    assert_eq!(told(&stage.dingtalk.answers(ONCALL).await, id), 1);
}

#[tokio::test]
async fn a_push_that_was_taken_but_not_believed_is_not_handled_twice() {
    let stage = Stage::new(&Bot::new().fetching()).await;
    let belfry = stage.host().await;
    let joined = json!({"EventType": "user_add_org", "CorpId": "dingcorp", "UserId": ["alice"], "TimeStamp": "1700000000000", "eventId": "e-1"});
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let now = i64::try_from(since.as_millis()).unwrap();
    let left = json!({"EventType": "user_leave_org", "CorpId": "dingcorp", "UserId": ["bob"], "TimeStamp": now.to_string(), "eventId": "e-2"});
    for event in [joined, left] {
        assert_eq!(
            stage.dingtalk.push(event, json!({})).await["delivered"],
            true
        );
    }
    belfry.stop().await;
    // The same under its id, without one, and something new.
    for entry in [
        json!({"call_back_tag": "user_add_org", "event_time": 1_700_000_000_000_i64,
            "user_add_org": {"corpid": "dingcorp", "callbackData": {"eventId": "e-1", "UserId": ["alice"]}}}),
        json!({"call_back_tag": "user_leave_org", "event_time": now - now % 1000,
            "user_leave_org": {"corpid": "dingcorp", "userid": ["bob"]}}),
        json!({"call_back_tag": "user_leave_org", "event_time": now - now % 1000,
            "user_leave_org": {"corpid": "dingcorp", "userid": ["carol"]}}),
        json!({"call_back_tag": "nobody_knows", "what": 1}),
    ] {
        let failed = json!({"app": "acme", "failed": entry});
        stage.dingtalk.post("callbacks", failed).await;
    }
    let belfry = stage.host().await;
    let events = all_done(&belfry, 4).await;
    let fetched = events
        .iter()
        .filter(|event| event["origin"] == "backfill")
        .count();
    assert_eq!(fetched, 2);
}

#[tokio::test]
async fn a_long_list_is_read_to_its_end() {
    let stage = deserted(&Bot::new().fetching()).await;
    for number in 0..450 {
        let entry = json!({"call_back_tag": "org_change", "event_time": 1_000_000 + number, "org_change": {"corpid": "dingcorp"}});
        let failed = json!({"app": "acme", "failed": entry});
        stage.dingtalk.post("callbacks", failed).await;
    }
    let belfry = stage.host().await;
    all_done(&belfry, 450).await;
}

#[tokio::test]
async fn an_end_that_nobody_told_of_is_asked_for_and_its_push_comes_too_late() {
    let bot = Bot::new().fetching().plugin(Plugin::approvals());
    let stage = Stage::new(&bot).await;
    let belfry = stage.host().await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "@acme /leave 2d rest")
        .await;
    let instance = wait_for("the approval is started", async || {
        stage.dingtalk.get("approvals").await.get(0).cloned()
    })
    .await;
    let id = instance["id"].as_str().unwrap();
    wait_until("its start is handled", async || {
        let events = belfry.doors.events().await;
        events.len() == 3 && events.iter().all(|event| event["state"] == "done")
    })
    .await;
    belfry.stop().await;
    // Nobody hears of the end, and the list cannot be read.
    stage.dingtalk.decide(id, "refuse").await;
    listed(&stage, 2).await;
    let denied = json!({"app": "acme", "allowed": false});
    stage.dingtalk.post("callbacks", denied).await;

    let belfry = stage.host().await;
    wait_until("the group is told", async || {
        told(&stage.dingtalk.answers(ONCALL).await, id) == 1
    })
    .await;
    let events = all_done(&belfry, 4).await;
    assert_eq!(events[0]["origin"], "reconciled");
    assert_eq!(events[0]["kind"], "approval-instance");

    let late = json!({"EventType": "bpms_instance_change", "CorpId": "dingcorp", "eventId": "late", "processInstanceId": id,
        "processCode": "PROC-LEAVE", "title": "t", "staffId": "alice", "type": "finish", "result": "refuse"});
    assert_eq!(
        stage.dingtalk.push(late, json!({})).await["delivered"],
        true
    );
    assert_eq!(belfry.doors.events().await.len(), 4);
    belfry.stop().await;

    // Now the end is known, so it is not asked for again.
    let asked = stage
        .dingtalk
        .calls("/v1.0/workflow/processInstances")
        .await;
    let before = stage.dingtalk.calls(FAILED).await.len();
    let belfry = stage.host().await;
    wait_until("the list is asked for again", async || {
        stage.dingtalk.calls(FAILED).await.len() > before
    })
    .await;
    belfry.stop().await;
    let again = stage
        .dingtalk
        .calls("/v1.0/workflow/processInstances")
        .await;
    assert_eq!(again.len(), asked.len());
}

#[tokio::test]
async fn an_app_that_may_not_read_the_list_says_so_once() {
    let stage = deserted(&Bot::new().fetching()).await;
    let denied = json!({"app": "acme", "allowed": false});
    stage.dingtalk.post("callbacks", denied).await;
    let belfry = stage.serve(&[]).await;
    let refusals = || {
        let log = belfry.log();
        let lines = log
            .lines()
            .filter(|line| line.contains("list of failed pushes"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    wait_until("it says so", async || !refusals().is_empty()).await;
    assert_eq!(refusals().len(), 1, "{:?}", refusals());
    assert!(refusals()[0].contains("60011"), "{:?}", refusals());
}

#[tokio::test]
async fn backfill_can_be_switched_off() {
    let stage = deserted(&Bot::new()).await;
    let event = json!({"EventType": "org_change", "CorpId": "dingcorp", "eventId": "e"});
    stage.dingtalk.push(event, json!({})).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    belfry.stop().await;
    assert!(stage.dingtalk.calls(FAILED).await.is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_full_disk_turned_away_is_fetched_when_there_is_room() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let options = simulator::Options {
        // Turned away once, it is looked for again in five seconds; turned away twice, in ten.
        push_retries: Vec::new(),
        ..Default::default()
    };
    let stage = Stage::with(&Bot::new().fetching(), options).await;
    // DingTalk knows the app before it calls.
    stage.push_to(([127, 0, 0, 1], 9).into());
    // The signal that comes with the limit is ignored, so writing fails with an error, as it does on a full disk.
    let mut command = tokio::process::Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" serve --config \"$1\""])
        .arg(belfry_tests::components::belfry())
        .arg(stage.file("bot.toml"));
    let belfry = Process::start(command, &[]).await;
    stage.push_to(belfry.doors.public);
    let limit = |current| {
        let maximum = None;
        let pid = Pid::from_raw(belfry.id());
        prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
    };
    wait_until("the first look is over", async || {
        !stage.dingtalk.calls(FAILED).await.is_empty()
    })
    .await;
    limit(Some(0));
    let event = json!({"EventType": "org_change", "CorpId": "dingcorp", "eventId": "e"});
    assert_eq!(
        stage.dingtalk.push(event, json!({})).await["delivered"],
        false
    );
    listed(&stage, 1).await;
    // As long as nothing can be kept, nothing is taken off the list.
    wait_until("it wants to look", async || {
        belfry.log().contains("cannot fetch failed pushes now")
    })
    .await;
    assert_eq!(stage.dingtalk.calls(FAILED).await.len(), 1);
    limit(None);
    wait_until("the event is fetched", async || {
        let events = belfry.doors.events().await;
        events.len() == 1 && events[0]["origin"] == "backfill"
    })
    .await;
}
