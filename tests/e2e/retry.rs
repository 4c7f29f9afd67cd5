//! What fails runs again, later each time, and keeps its place in the order.

use belfry_tests::{Bot, DEV, ONCALL, Plugin, Stage, wait_until};
use serde_json::{Value, json};

fn bot(times: u32, policy: &[&str]) -> Bot {
    let settings = format!("times = {times}");
    policy
        .iter()
        .fold(Bot::new(), |bot, line| bot.retry(line))
        .plugin(Plugin::naughty("naughty", "by-text", &settings))
}

/// When the app first answered in a conversation, in Unix milliseconds.
async fn answered_at(stage: &Stage, conversation: &str) -> i64 {
    let groups = stage.dingtalk.groups().await;
    let group = groups.iter().find(|group| group["id"] == conversation);
    let messages = group.unwrap()["messages"].as_array().unwrap().clone();
    let mut answers = messages
        .iter()
        .filter(|message| message["sender"]["kind"] != "user");
    answers.next().unwrap()["at"].as_i64().unwrap()
}

#[tokio::test]
async fn a_failed_attempt_runs_again_with_growing_pauses() {
    let stage = Stage::new(&bot(2, &["first-delay = \"100ms\""])).await;
    let belfry = stage.host().await;
    let report = stage.dingtalk.say(ONCALL, "alice", "retry this").await;
    let delivery = belfry.doors.ended("naughty").await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"done".into(), &3.into())
    );
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["retry this"]);
    // 100 ms and then 200 ms.
    let pushed_at = report["attempts"][0]["at"].as_i64().unwrap();
    let waited = answered_at(&stage, ONCALL).await - pushed_at;
    assert!(waited >= 300, "only {waited} ms");
}

#[tokio::test]
async fn after_the_last_attempt_it_is_a_dead_letter_with_the_last_reason() {
    let policy = ["first-delay = \"10ms\"", "max-attempts = 3"];
    let stage = Stage::new(&bot(100, &policy)).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", "retry this").await;
    let delivery = belfry.doors.ended("naughty").await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"dead".into(), &3.into())
    );
    assert_eq!(
        delivery["reason"],
        "plugin asked for a retry: attempt 3 is not the last"
    );
    let dead = belfry.doors.get("/api/events?state=dead").await;
    assert_eq!(dead.as_array().unwrap().len(), 1);
    assert!(stage.dingtalk.answers(ONCALL).await.is_empty());
}

#[tokio::test]
async fn a_retry_holds_its_conversation_and_no_other() {
    let stage = Stage::new(&bot(2, &["first-delay = \"300ms\""])).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", "retry first").await;
    stage.dingtalk.say(ONCALL, "bob", "reply second").await;
    stage.dingtalk.say(DEV, "alice", "reply elsewhere").await;
    wait_until("everything is answered", async || {
        let events = belfry.doors.events().await;
        events.len() == 3 && events.iter().all(|event| event["state"] == "done")
    })
    .await;
    assert_eq!(
        stage.dingtalk.answers(ONCALL).await,
        ["retry first", "reply second"]
    );
    assert_eq!(stage.dingtalk.answers(DEV).await, ["reply elsewhere"]);
    assert!(answered_at(&stage, DEV).await < answered_at(&stage, ONCALL).await);
}

#[tokio::test]
async fn a_dead_letter_lets_the_next_message_through() {
    let stage = Stage::new(&bot(0, &[])).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", "reject this").await;
    stage.dingtalk.say(ONCALL, "alice", "reply after it").await;
    wait_until("the second is answered", async || {
        stage.dingtalk.answers(ONCALL).await == ["reply after it"]
    })
    .await;
    let states: Vec<Value> = belfry
        .doors
        .deliveries("naughty")
        .await
        .iter()
        .map(|delivery| delivery["state"].clone())
        .collect();
    assert!(states.contains(&"dead".into()), "{states:?}");
}

#[tokio::test]
async fn a_refused_call_of_dingtalk_is_tried_again_and_said_once() {
    let bot = Bot::new()
        .retry("first-delay = \"50ms\"")
        .plugin(Plugin::alerts())
        .hook("any", "generic", "");
    let stage = Stage::new(&bot).await;
    let belfry = stage.host().await;
    // DingTalk's "the system is busy": certainly not done.
    let busy = json!({"path": "/chat/create", "times": 1, "errcode": -1, "errmsg": "系统繁忙"});
    stage.dingtalk.post("faults", busy).await;
    let alert = json!({"title": "disk", "labels": {"service": "db"}});
    assert_eq!(belfry.doors.hook("any", alert.to_string()).await.0, 200);
    let delivery = belfry.doors.ended("alerts").await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"done".into(), &2.into()),
        "{delivery}"
    );
    let groups = stage.dingtalk.groups_named("告警 db").await;
    assert_eq!(groups.len(), 1);
    assert_eq!(belfry_tests::bots_texts(&groups[0]).len(), 1);
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_not_made_again() {
    let bot = Bot::new()
        .retry("first-delay = \"10ms\"")
        .plugin(Plugin::alerts())
        .hook("any", "generic", "");
    let stage = Stage::new(&bot).await;
    let belfry = stage.host().await;
    // The message is in the group, but the connection breaks before DingTalk says so.
    let lost = json!({"path": "/chat/send", "times": 1, "drop": true});
    stage.dingtalk.post("faults", lost).await;
    let alert = json!({"title": "disk", "labels": {"service": "db"}});
    assert_eq!(belfry.doors.hook("any", alert.to_string()).await.0, 200);
    let delivery = belfry.doors.ended("alerts").await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"dead".into(), &1.into()),
        "{delivery}"
    );
    let reason = delivery["reason"].as_str().unwrap();
    assert!(reason.contains("may or may not"), "{reason}");
    let groups = stage.dingtalk.groups_named("告警 db").await;
    assert_eq!(belfry_tests::bots_texts(&groups[0]).len(), 1);
}

#[tokio::test]
async fn a_token_that_dingtalk_no_longer_takes_is_renewed_within_the_attempt() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::approvals())).await;
    let belfry = stage.host().await;
    for round in 1..=2 {
        let instance = stage.dingtalk.ask_for_leave("bob").await;
        stage
            .dingtalk
            .decide(instance["id"].as_str().unwrap(), "agree")
            .await;
        wait_until("the group is told", async || {
            stage.dingtalk.answers(ONCALL).await.len() == round
        })
        .await;
        stage.dingtalk.post("expire-tokens", json!({})).await;
    }
    wait_until("everything is done", async || {
        let events = belfry.doors.events().await;
        events.iter().all(|event| event["state"] == "done")
    })
    .await;
    let deliveries = belfry.doors.deliveries("approvals").await;
    assert!(deliveries.iter().all(|delivery| delivery["attempts"] == 1));
    assert_eq!(stage.dingtalk.calls("/gettoken").await.len(), 2);
}
