//! A plugin reads people and departments, in both styles of call and no further than its grant.

use belfry_tests::{Bot, ONCALL, Plugin, Stage, wait_until};
use serde_json::{Value, json};

fn bot(grant: &str) -> Bot {
    Bot::new()
        .retry("first-delay = \"50ms\"")
        .plugin(Plugin::scripted().granted(grant))
}

async fn heard(stage: &Stage, answers: &[&str]) {
    wait_until(&format!("{answers:?} are said"), async || {
        stage.dingtalk.answers(ONCALL).await == answers
    })
    .await;
}

const SCRIPT: &str = "who dave; people 3; tree 2";
const SAID: [&str; 3] = [
    "杜维 in 2,21 leads [2,21] 13800000005",
    "zhangsan,lisi,wangwu,zhaoliu",
    "平台组 / 2,1",
];

#[tokio::test]
async fn a_plugin_reads_people_and_departments() {
    let stage = Stage::new(&bot("")).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", SCRIPT).await;
    heard(&stage, &SAID).await;
    assert_eq!(stage.dingtalk.calls("/topapi/v2/user/get").await.len(), 1);
    assert_eq!(stage.dingtalk.calls("/topapi/v2/user/list").await.len(), 2);
    assert!(stage.dingtalk.calls("/user/get").await.is_empty());
    belfry.stop().await;
}

#[tokio::test]
async fn an_app_of_the_older_style_says_the_same_by_the_older_calls() {
    let stage = Stage::new(&bot("").app("api = \"legacy\"")).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", SCRIPT).await;
    heard(&stage, &SAID).await;
    for path in [
        "/user/get",
        "/user/listbypage",
        "/department/list",
        "/department/list_parent_depts_by_dept",
    ] {
        assert!(!stage.dingtalk.calls(path).await.is_empty(), "{path}");
    }
    assert!(stage.dingtalk.calls("/topapi/v2/user/get").await.is_empty());
    belfry.stop().await;
}

/// How the only delivery of a script ends.
async fn ending(stage: &Stage, script: &str) -> Value {
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", script).await;
    let delivery = belfry.doors.ended("scripted").await;
    belfry.stop().await;
    delivery
}

#[tokio::test]
async fn a_grant_for_a_department_reaches_its_direct_members_only() {
    let grant = "contacts = [\"2\"]";
    for (script, code) in [
        ("people 21", "belfry.grant"),
        ("people 3", "belfry.grant"),
        ("tree 1", "belfry.grant"),
        ("who lisi", "belfry.grant"),
    ] {
        let stage = Stage::new(&bot(grant)).await;
        let delivery = ending(&stage, script).await;
        assert_eq!(delivery["state"], "dead", "{script}: {delivery}");
        assert!(
            delivery["reason"].as_str().unwrap().contains(code),
            "{script}: {delivery}"
        );
        let asked = stage.dingtalk.calls("/topapi/v2/user/list").await;
        assert!(asked.is_empty(), "{script}");
    }
    let stage = Stage::new(&bot(grant)).await;
    let delivery = ending(&stage, "people 2; who carol").await;
    assert_eq!(delivery["state"], "done", "{delivery}");
}

#[tokio::test]
async fn what_dingtalk_does_not_permit_is_absent_or_refused_by_its_code() {
    let stage = Stage::new(&bot("")).await;
    let scope = json!({"app": "acme", "departments": [2], "permissions": ["qyapi_get_member"]});
    stage.dingtalk.post("scopes", scope).await;
    let delivery = ending(&stage, "who dave; who lisi").await;
    assert_eq!(delivery["state"], "dead", "{delivery}");
    assert!(
        delivery["reason"].as_str().unwrap().contains("50002"),
        "{delivery}"
    );
    let said = stage.dingtalk.answers(ONCALL).await;
    assert_eq!(said, ["杜维 in 2,21 leads [2,21] no mobile"]);
}
