//! A plugin hears who did not get its notices, once, also after a restart, and only if it wants to.

use belfry_tests::{Bot, ONCALL, Plugin, Stage, wait_for, wait_until};
use serde_json::{Value, json};

const PROGRESS: &str = "/topapi/message/corpconversation/getsendprogress";
const RESULT: &str = "/topapi/message/corpconversation/getsendresult";

fn bot(events: &str) -> Bot {
    let plugin = Plugin::scripted().granted("").line(events);
    Bot::new().retry("first-delay = \"50ms\"").plugin(plugin)
}

fn curious() -> Bot {
    bot("events = [\"chat-message\", \"belfry.notice-result\"]")
}

/// The results that the plugin told the group.
async fn results(stage: &Stage) -> Vec<Value> {
    let said = stage.dingtalk.answers(ONCALL).await;
    said.iter()
        .filter_map(|text| text.strip_prefix("belfry.notice-result "))
        .map(|raw| serde_json::from_str(raw).unwrap())
        .collect()
}

async fn notices_sent(stage: &Stage, count: usize) {
    wait_until("the notices are sent", async || {
        stage.dingtalk.notices().await.len() == count
    })
    .await;
}

#[tokio::test]
async fn people_whom_dingtalk_dropped_silently_come_back_as_an_event() {
    let stage = Stage::new(&curious()).await;
    let belfry = stage.host().await;
    // The same content twice a day: DingTalk says success and drops the second one.
    stage
        .dingtalk
        .say(ONCALL, "alice", "tell bob hello; tell bob hello")
        .await;
    let told = wait_for("the plugin hears of it", async || {
        results(&stage).await.pop()
    })
    .await;
    assert_eq!(told["state"], "refused");
    assert_eq!(
        told["refused"],
        json!([{"userId": "bob", "code": "143106"}])
    );
    let notices = stage.dingtalk.notices().await;
    assert_eq!(told["notice"], notices[1]["taskId"].to_string());

    // Nobody but the one who is not there is told of, and the one that arrived is asked about once.
    stage
        .dingtalk
        .say(ONCALL, "alice", "tell ghost hello")
        .await;
    let told = wait_for("the plugin hears of it", async || {
        results(&stage).await.get(1).cloned()
    })
    .await;
    assert_eq!(told["invalidUsers"], json!(["ghost"]));
    assert_eq!(stage.dingtalk.calls(RESULT).await.len(), 3);
    let events = belfry.doors.events().await;
    let own: Vec<&Value> = events
        .iter()
        .filter(|event| event["origin"] == "belfry")
        .collect();
    assert_eq!(own.len(), 2, "{events:?}");
    assert_eq!(own[0]["deliveries"][0]["plugin"], "scripted");
    belfry.stop().await;
}

#[tokio::test]
async fn a_notice_sent_before_a_kill_is_asked_about_after_it() {
    let stage = Stage::new(&curious()).await;
    let fault = json!({"path": PROGRESS, "times": 1000, "errcode": -1});
    stage.dingtalk.post("faults", fault).await;
    let belfry = stage.serve(&[]).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "tell ghost hello")
        .await;
    wait_until("the first question failed", async || {
        !stage.dingtalk.calls(PROGRESS).await.is_empty()
    })
    .await;
    belfry.kill().await;
    let gone = json!({"path": PROGRESS, "times": 0});
    stage.dingtalk.post("faults", gone).await;
    let _belfry = stage.serve(&[]).await;
    let told = wait_for("the plugin hears of it", async || {
        results(&stage).await.pop()
    })
    .await;
    assert_eq!(told["invalidUsers"], json!(["ghost"]));
    assert_eq!(stage.dingtalk.notices().await.len(), 1);
}

#[tokio::test]
async fn a_result_that_dingtalk_will_not_give_is_told_as_unknown() {
    let stage = Stage::new(&curious()).await;
    let fault =
        json!({"path": RESULT, "times": 1, "errcode": 41052, "errmsg": "too many receivers"});
    stage.dingtalk.post("faults", fault).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", "tell bob hello").await;
    let told = wait_for("the plugin hears of it", async || {
        results(&stage).await.pop()
    })
    .await;
    assert_eq!(
        (&told["state"], &told["code"]),
        (&json!("unknown"), &json!("41052"))
    );
    belfry.stop().await;
}

#[tokio::test]
async fn nobody_asks_for_a_plugin_that_does_not_want_to_hear_it() {
    let stage = Stage::new(&bot("events = [\"chat-message\"]")).await;
    let belfry = stage.host().await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "tell ghost hello")
        .await;
    notices_sent(&stage, 1).await;
    // A plugin that wants it and sends later is told first, so by then the other one would have been asked about.
    let other = Plugin::new("curious", "scripted")
        .granted("")
        .line("events = [\"chat-message\", \"belfry.notice-result\"]")
        .line("when = 'event.kind != \"chat-message\" || event.text == \"tell ghost again\"'");
    stage.write(
        &bot("events = [\"chat-message\"]\nwhen = 'event.text == \"tell ghost hello\"'")
            .plugin(other),
    );
    let (status, report) = belfry.doors.reload().await;
    assert_eq!(status, 200, "{report}");
    stage
        .dingtalk
        .say(ONCALL, "alice", "tell ghost again")
        .await;
    let told = wait_for("the other plugin hears of it", async || {
        results(&stage).await.pop()
    })
    .await;
    let notices = stage.dingtalk.notices().await;
    assert_eq!(told["notice"], notices[1]["taskId"].to_string());
    let asked = stage.dingtalk.calls(PROGRESS).await;
    assert!(
        asked
            .iter()
            .all(|call| call["body"]["task_id"] == notices[1]["taskId"]),
        "{asked:?}"
    );
    belfry.stop().await;
}
