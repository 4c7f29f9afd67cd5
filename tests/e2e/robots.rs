//! What became of a robot's messages, taking them back, and groups of a template.

use belfry_tests::{Bot, DEV, ONCALL, Plugin, Stage, wait_for, wait_until};
use serde_json::{Value, json};

fn bot(plugin: Plugin) -> Bot {
    Bot::new().retry("first-delay = \"50ms\"").plugin(plugin)
}

async fn said(stage: &Stage, answers: &[&str]) {
    wait_until(&format!("{answers:?} are said"), async || {
        stage.dingtalk.answers(ONCALL).await == answers
    })
    .await;
}

async fn group(stage: &Stage, id: &str) -> Value {
    let groups = stage.dingtalk.groups().await;
    groups.into_iter().find(|group| group["id"] == id).unwrap()
}

#[tokio::test]
async fn a_message_to_a_group_is_followed_and_taken_back() {
    let stage = Stage::new(&bot(Plugin::scripted().granted(""))).await;
    let belfry = stage.host().await;
    let script = format!(
        "post {DEV} 明天停机; post-state {DEV}; post-recall {DEV}; post-state {DEV}; post-recall {DEV}"
    );
    stage.dingtalk.say(ONCALL, "alice", &script).await;
    said(
        &stage,
        &[
            "sent, read by []",
            "1 gone, 0 not",
            "recalled, read by []",
            "0 gone, 1 not",
        ],
    )
    .await;
    assert_eq!(group(&stage, DEV).await["messages"][0]["recalled"], true);
    belfry.stop().await;
}

#[tokio::test]
async fn people_are_written_to_and_those_who_are_not_reached_are_named() {
    let stage = Stage::new(&bot(Plugin::scripted().granted(""))).await;
    let belfry = stage.host().await;
    let script = "dm alice,ghost 请确认; dm-state; dm-recall; dm-state";
    stage.dingtalk.say(ONCALL, "bob", script).await;
    said(
        &stage,
        &[
            "sent, unknown: [ghost]",
            "sent, read by []",
            "1 gone, 0 not",
            "recalled, read by []",
        ],
    )
    .await;
    let groups = stage.dingtalk.groups().await;
    let single = groups
        .iter()
        .find(|group| group["kind"] == "single")
        .unwrap();
    assert_eq!(single["members"], json!(["alice"]));
    assert_eq!(single["messages"][0]["recalled"], true);
    belfry.stop().await;
}

#[tokio::test]
async fn a_group_of_a_template_is_made_and_changed_in_both_styles() {
    for style in ["modern", "legacy"] {
        // Its own groups need no entry in the grant.
        let plugin = Plugin::scripted().line(
            "grant = { robot = true, chat = [\"chatoncall\"], notice = true, approval = true, contacts = true, \
             media = true, kv = true }",
        );
        let bot = bot(plugin).app(&format!("api = {style:?}"));
        let stage = Stage::new(&bot).await;
        let belfry = stage.host().await;
        let script = "scene manager 客服群; join alice; join bob; leave alice; rename 客服二群; members; shout bob 请看";
        stage.dingtalk.say(ONCALL, "alice", script).await;
        said(&stage, &["made", "manager,bob", "sent, read by []"]).await;
        let made = stage.dingtalk.groups_named("客服二群").await;
        assert_eq!(made[0]["templateId"], "template-1");
        let shouted = &made[0]["messages"][0];
        assert_eq!(
            (&shouted["content"]["text"], &shouted["mentions"]),
            (&json!("请看"), &json!(["bob"]))
        );
        belfry.stop().await;
    }
}

#[tokio::test]
async fn readers_of_a_message_are_listed() {
    let stage = Stage::new(&bot(Plugin::scripted().granted(""))).await;
    let belfry = stage.host().await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "told chatoncall 看一下")
        .await;
    wait_until("it was told", async || {
        !stage.dingtalk.answers(ONCALL).await.is_empty()
    })
    .await;
    // Who writes has read what stood before.
    stage.dingtalk.say(ONCALL, "bob", "readers").await;
    said(&stage, &["看一下", "read by [bob]"]).await;
    belfry.stop().await;
}

#[tokio::test]
async fn limits_and_grants_hold_before_anything_is_sent() {
    let plugin = Plugin::scripted().line(&format!(
        "grant = {{ robot = [{ONCALL:?}], chat = [\"chatoncall\"], notice = true, approval = true, contacts = true, \
         media = true, kv = true }}"
    ));
    let stage = Stage::new(&bot(plugin)).await;
    let belfry = stage.host().await;
    let long = "群".repeat(31);
    let script = format!(
        "~dm alice x; ~dm-state; ~dm-recall; ~post {DEV} x; ~post-state {DEV}; ~post-recall {DEV}; ~readers; \
         ~scene manager {long}; ~members; ~group manager {long}"
    );
    stage.dingtalk.say(ONCALL, "alice", &script).await;
    let answers: Vec<String> = wait_for("all were answered", async || {
        let answers = stage.dingtalk.answers(ONCALL).await;
        (answers.len() == 10).then_some(answers)
    })
    .await;
    for answer in &answers[..7] {
        assert!(answer.contains("belfry.grant"), "{answer}");
    }
    assert_eq!(
        answers[7],
        "refused as invalid: the group's title has 31 characters, dingtalk takes 30 (belfry.argument)"
    );
    assert!(answers[8].contains("belfry.grant"), "{}", answers[8]);
    assert_eq!(
        answers[9],
        "refused as invalid: the group's name has 31 characters, dingtalk takes 20 (belfry.argument)"
    );
    let calls = stage.dingtalk.get("calls").await;
    let calls = calls.as_array().unwrap().iter();
    let paths: Vec<&str> = calls.map(|call| call["path"].as_str().unwrap()).collect();
    assert!(
        paths.iter().all(|path| *path == "/robot/sendBySession"),
        "{paths:?}"
    );
    belfry.stop().await;
}
