//! A third-party app: one belfry, many organisations.

use std::collections::BTreeSet;

use belfry_tests::{Bot, Hosted, ONCALL, Stage, wait_for, wait_until};
use serde_json::{Value, json};
use simulator::{CallbackTarget, Suite};

const TOKEN: &str = "suite-token-5521";
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
pub(crate) const CORPS: [&str; 2] = ["dingcorp1", "dingcorp2"];
const CORP_TOKEN: &str = "/service/get_corp_token";

/// A third-party app.
pub(crate) fn app() -> String {
    format!(
        r#"
[[app]]
name = "vendor"
kind = "isv"
suite-key = "suitekey"
suite-secret = "suite-secret"
receive = ["callback"]
callback = {{ token = "{TOKEN}", aes-key = "{AES_KEY}" }}
oapi-base = "http://{{simulator}}"
api-base = "http://{{simulator}}"
"#
    )
}

fn bot() -> Bot {
    let plugin = r#"
[[plugin]]
name = "ends"
component = "plugins/approvals.wasm"
app = "vendor"
events = ["approval-instance"]
grant = { chat = ["chatoncall"], approval = ["PROC-LEAVE"], notice = true, robot = true }
config = { chat = "chatoncall", process-code = "PROC-LEAVE" }
"#;
    Bot::new().table(&app(), &[]).table(plugin, &["approvals"])
}

async fn start(stage: &Stage) -> Hosted {
    let belfry = stage.host().await;
    stage.suites(vec![Suite {
        name: "vendor".to_owned(),
        suite_key: "suitekey".to_owned(),
        suite_secret: "suite-secret".to_owned(),
        callback: Some(CallbackTarget {
            url: format!("http://{}/callback/vendor", belfry.doors.public),
            token: TOKEN.to_owned(),
            aes_key: AES_KEY.to_owned(),
            receive_id: "suitekey".to_owned(),
        }),
        corps: CORPS.map(str::to_owned).to_vec(),
    }]);
    belfry
}

async fn turn(stage: &Stage, what: &str, corp: Option<&str>) {
    let request = json!({"suite": "vendor", "what": what, "corp": corp});
    let report = stage.dingtalk.post("suites", request).await;
    assert_eq!(report["delivered"], true, "{what}: {report}");
}

/// A belfry whose third-party app the first of [`CORPS`] uses.
pub(crate) async fn with_one_corp(stage: &Stage) -> Hosted {
    let belfry = start(stage).await;
    turn(stage, "ticket", None).await;
    turn(stage, "authorize", Some(CORPS[0])).await;
    activated(stage, 1).await;
    wait_until("belfry knows its number there", async || {
        stage.dingtalk.calls("/service/get_auth_info").await.len() == 1
    })
    .await;
    belfry
}

async fn activated(stage: &Stage, count: usize) {
    wait_until("the organisations use the app", async || {
        let suites = stage.dingtalk.get("suites").await;
        suites[0]["activated"].as_array().unwrap().len() == count
    })
    .await;
}

/// An approval of an organisation ends.
async fn end(stage: &Stage, corp: &str, instance: &str) {
    let event = json!({"EventType": "bpms_instance_change", "CorpId": corp, "processInstanceId": instance, "eventId": instance,
        "processCode": "PROC-LEAVE", "title": "t", "staffId": "alice", "type": "finish", "result": "agree"});
    let push = json!({"app": format!("vendor@{corp}"), "event": event});
    let report = stage.dingtalk.post("events", push).await;
    assert_eq!(report["delivered"], true, "{report}");
}

async fn told(stage: &Stage, instance: &str) {
    wait_until("the group is told", async || {
        let answers = stage.dingtalk.answers(ONCALL).await;
        answers.iter().any(|text| text.contains(instance))
    })
    .await;
}

/// The organisation whose token a call had.
fn caller(tokens: &[Value], call: &Value) -> String {
    let of = tokens
        .iter()
        .find(|token| token["response"]["access_token"] == call["query"]["access_token"]);
    let of = of.unwrap_or_else(|| panic!("{call} has a token of nobody"));
    of["body"]["auth_corpid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn organisations_authorise_and_calls_go_to_that_of_the_event() {
    let stage = Stage::new(&bot()).await;
    let belfry = start(&stage).await;
    turn(&stage, "ticket", None).await;
    for corp in CORPS {
        turn(&stage, "authorize", Some(corp)).await;
    }
    activated(&stage, 2).await;
    wait_until("belfry knows its numbers there", async || {
        stage.dingtalk.calls("/service/get_auth_info").await.len() == 2
    })
    .await;
    for (corp, instance) in CORPS.iter().zip(["i-one", "i-two"]) {
        end(&stage, corp, instance).await;
        told(&stage, instance).await;
    }
    end(&stage, CORPS[0], "i-three").await;
    told(&stage, "i-three").await;
    wait_until("everything is done", async || {
        let events = belfry.doors.events().await;
        events.len() == 3 && events.iter().all(|event| event["state"] == "done")
    })
    .await;

    // One token for each organisation, and each call with that of its event.
    let tokens = stage.dingtalk.calls(CORP_TOKEN).await;
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    for call in stage.dingtalk.calls("/chat/send").await {
        let text = call["body"].to_string();
        let second = text.contains("i-two");
        assert_eq!(caller(&tokens, &call), CORPS[usize::from(second)], "{text}");
    }
    let notices = "/topapi/message/corpconversation/asyncsend_v2";
    let agents: BTreeSet<i64> = stage
        .dingtalk
        .calls(notices)
        .await
        .iter()
        .map(|call| call["body"]["agent_id"].as_i64().unwrap())
        .collect();
    assert_eq!(agents, BTreeSet::from([2001, 2002]));
    // Tickets and codes are no events.
    let kinds = belfry.doors.events().await;
    assert!(
        kinds
            .iter()
            .all(|event| event["kind"] == "approval-instance")
    );
}

#[tokio::test]
async fn the_ticket_and_the_organisations_are_remembered() {
    let stage = Stage::new(&bot()).await;
    let belfry = start(&stage).await;
    turn(&stage, "ticket", None).await;
    turn(&stage, "authorize", Some(CORPS[0])).await;
    activated(&stage, 1).await;
    wait_until("it knows its number there", async || {
        !stage
            .dingtalk
            .calls("/service/get_auth_info")
            .await
            .is_empty()
    })
    .await;
    belfry.stop().await;

    let belfry = start(&stage).await;
    end(&stage, CORPS[0], "i-later").await;
    told(&stage, "i-later").await;
    belfry.stop().await;

    // A new ticket makes the old one worthless, and the newest is used.
    let belfry = start(&stage).await;
    turn(&stage, "ticket", None).await;
    stage.dingtalk.post("expire-tokens", json!({})).await;
    end(&stage, CORPS[0], "i-last").await;
    told(&stage, "i-last").await;
    belfry.stop().await;
}

#[tokio::test]
async fn an_authorisation_that_came_before_the_ticket_waits_for_it() {
    let stage = Stage::new(&bot()).await;
    let _belfry = start(&stage).await;
    turn(&stage, "authorize", Some(CORPS[1])).await;
    assert!(
        stage
            .dingtalk
            .calls("/service/get_permanent_code")
            .await
            .is_empty()
    );
    turn(&stage, "ticket", None).await;
    activated(&stage, 1).await;
}

#[tokio::test]
async fn an_organisation_that_leaves_gets_nothing_done_any_more() {
    let stage = Stage::new(&bot()).await;
    let belfry = start(&stage).await;
    turn(&stage, "ticket", None).await;
    turn(&stage, "authorize", Some(CORPS[0])).await;
    activated(&stage, 1).await;
    turn(&stage, "relieve", Some(CORPS[0])).await;
    let late = json!({"EventType": "SYNC_HTTP_PUSH_MEDIUM", "bizData": [{"subscribe_id": "s", "corp_id": CORPS[0],
        "biz_type": 13, "biz_id": "u", "gmt_modified": 1, "biz_data": "{\"syncAction\":\"user_add_org\",\"userid\":\"u\"}"}]});
    // Batches are opened: each row is an event of its own, with its organisation.
    turn(&stage, "authorize", Some(CORPS[0])).await;
    activated(&stage, 1).await;
    let push = json!({"app": format!("vendor@{}", CORPS[0]), "event": late});
    for _ in 0..2 {
        let report = stage.dingtalk.post("events", push.clone()).await;
        assert_eq!(report["delivered"], true, "{report}");
    }
    let events = wait_for("the row is there", async || {
        let events = belfry.doors.events().await;
        (events.len() == 2).then_some(events)
    })
    .await;
    let kinds: BTreeSet<&str> = events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, BTreeSet::from(["contacts-change", "suite"]));
}
