//! Calls keep to DingTalk's rates before DingTalk has to say so.

use belfry_tests::{Bot, ONCALL, Plugin, Stage, wait_until};
use serde_json::json;

fn bot() -> Bot {
    Bot::new()
        .retry("first-delay = \"50ms\"")
        .plugin(Plugin::scripted().granted(""))
}

fn texts(count: usize) -> String {
    let steps: Vec<String> = (0..count)
        .map(|at| format!("say chatoncall {at}"))
        .collect();
    steps.join("; ")
}

#[tokio::test]
async fn a_burst_beyond_the_rate_is_spread_and_dingtalk_refuses_none_of_it() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    // Three deliveries at once; the simulator refuses the 21st call of a second.
    for _ in 0..3 {
        stage.dingtalk.say(ONCALL, "alice", &texts(15)).await;
    }
    wait_until("all is said", async || {
        stage.dingtalk.answers(ONCALL).await.len() == 45
    })
    .await;
    let calls = stage.dingtalk.calls("/chat/send").await;
    assert_eq!(calls.len(), 45);
    for call in calls {
        assert_eq!(call["response"]["errcode"], 0, "{call}");
    }
    let waited = "dingtalk_paced_total{path=\"/chat/send\",end=\"waited\"}";
    // The first twenty find their place free, whatever comes after.
    let waited = belfry.doors.metric(waited).await;
    assert!(waited > 0.0 && waited <= 25.0, "{waited}");
    belfry.stop().await;
}

#[tokio::test]
async fn a_call_that_would_wait_too_long_is_tried_later_and_not_lost() {
    let stage = Stage::new(&bot().app("pace = { calls = 2, patience = \"10ms\" }")).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", &texts(3)).await;
    let delivery = belfry.doors.ended("scripted").await;
    // Nothing is said twice.
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["0", "1", "2"]);
    assert!(delivery["attempts"].as_i64().unwrap() > 1, "{delivery}");
    belfry.stop().await;
}

#[tokio::test]
async fn what_dingtalk_says_of_the_rate_is_heeded() {
    let stage = Stage::new(&bot().app("pace = { calls = 0 }")).await;
    let belfry = stage.host().await;
    let fault = json!({"path": "/chat/send", "times": 1, "errcode": 90018});
    stage.dingtalk.post("faults", fault).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "say chatoncall hello")
        .await;
    wait_until("it is said", async || {
        stage.dingtalk.answers(ONCALL).await == ["hello"]
    })
    .await;
    let calls = stage.dingtalk.calls("/chat/send").await;
    let at = |place: usize| calls[place]["at"].as_i64().unwrap();
    assert_eq!(calls.len(), 2);
    assert!(at(1) - at(0) >= 900, "{} ms", at(1) - at(0));
    belfry.stop().await;
}
