//! What arrives again is handled once.

use belfry_tests::{Bot, Doors, ONCALL, Plugin, Stage, wait_until};
use serde_json::{Value, json};

fn bot() -> Bot {
    Bot::new()
        .plugin(Plugin::echo())
        .plugin(Plugin::alerts())
        .hook("any", "generic", "")
}

/// The same message, the same event with an id, the same event without one and the same alert, each pushed once.
async fn push_everything(stage: &Stage, doors: &Doors) {
    let message = json!({"app": "acme", "conversationId": ONCALL, "senderStaffId": "alice", "text": "once", "msgId": "msg-1"});
    let report = stage.dingtalk.post("messages", message).await;
    assert_eq!(report["delivered"], true, "{report}");
    for event in [
        json!({"EventType": "org_change", "CorpId": "dingcorp", "eventId": "e-1"}),
        json!({"EventType": "org_remove", "CorpId": "dingcorp", "TimeStamp": "1700000000000"}),
    ] {
        let report = stage.dingtalk.push(event, json!({})).await;
        assert_eq!(report["delivered"], true, "{report}");
    }
    let alert = json!({"title": "disk", "labels": {"service": "db"}});
    assert_eq!(doors.hook("any", alert.to_string()).await.0, 200);
}

async fn handled_once(stage: &Stage, doors: &Doors) {
    wait_until("everything is done", async || {
        let events = doors.events().await;
        events.len() == 4 && events.iter().all(|event| event["state"] == "done")
    })
    .await;
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["once"]);
    assert_eq!(stage.dingtalk.calls("/chat/create").await.len(), 1);
    assert_eq!(stage.dingtalk.calls("/chat/send").await.len(), 1);
}

#[tokio::test]
async fn the_same_push_again_and_again_is_handled_once() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    for _ in 0..3 {
        push_everything(&stage, &belfry.doors).await;
    }
    handled_once(&stage, &belfry.doors).await;
}

#[tokio::test]
async fn a_push_that_dingtalk_delivers_twice_is_acknowledged_twice_and_handled_once() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    let twice = json!({"path": "push", "times": 1, "duplicate": true});
    stage.dingtalk.post("faults", twice).await;
    let report = stage.dingtalk.say(ONCALL, "alice", "once").await;
    assert_eq!(report["attempts"][0]["success"], true, "{report}");
    assert_eq!(report["duplicates"][0]["success"], true, "{report}");
    wait_until("it is answered", async || {
        !stage.dingtalk.answers(ONCALL).await.is_empty()
    })
    .await;
    let events: Vec<Value> = belfry.doors.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["once"]);
}

#[tokio::test]
async fn copies_that_arrive_together_are_one_event() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    let alert = json!({"title": "disk", "labels": {"service": "db"}}).to_string();
    let copies: Vec<_> = (0..20)
        .map(|_| {
            let (doors, alert) = (belfry.doors.clone(), alert.clone());
            tokio::spawn(async move { doors.hook("any", alert).await.0 })
        })
        .collect();
    for copy in copies {
        assert_eq!(copy.await.unwrap(), 200);
    }
    assert_eq!(belfry.doors.events().await.len(), 1);
}

#[tokio::test]
async fn what_came_before_a_restart_is_still_known_after_it() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    push_everything(&stage, &belfry.doors).await;
    handled_once(&stage, &belfry.doors).await;
    belfry.stop().await;
    let belfry = stage.host().await;
    push_everything(&stage, &belfry.doors).await;
    handled_once(&stage, &belfry.doors).await;
}
