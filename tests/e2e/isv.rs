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
    app_with(", backfill = false")
}

/// A plugin that does this script on an event of the type `run_script`.
fn worker(script: &str) -> String {
    format!(
        r#"
[[plugin]]
name = "worker"
component = "plugins/scripted.wasm"
app = "vendor"
events = ["run_script", "belfry.notice-result"]
grant = {{ chat = true, approval = true, notice = true, contacts = true, robot = true, kv = true, media = true }}
config = {{ script = {script:?} }}
"#
    )
}

fn app_with(callback: &str) -> String {
    format!(
        r#"
[[app]]
name = "vendor"
kind = "isv"
suite-key = "suitekey"
suite-secret = "suite-secret"
receive = ["callback"]
callback = {{ token = "{TOKEN}", aes-key = "{AES_KEY}"{callback} }}
oapi-base = "http://{{simulator}}"
api-base = "http://{{simulator}}"
"#
    )
}

fn bot() -> Bot {
    bot_of(&app())
}

/// As [`bot`], which also fetches what DingTalk could not deliver.
fn fetching() -> Bot {
    bot_of(&app_with(""))
}

fn bot_of(app: &str) -> Bot {
    let plugin = r#"
[[plugin]]
name = "ends"
component = "plugins/approvals.wasm"
app = "vendor"
events = ["approval-instance"]
grant = { chat = ["chatoncall"], approval = ["PROC-LEAVE"], notice = true, robot = true }
config = { chat = "chatoncall", process-code = "PROC-LEAVE" }
"#;
    Bot::new().table(app, &[]).table(plugin, &["approvals"])
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

/// Something happens in an organisation; says whether belfry took it.
async fn happens(stage: &Stage, corp: &str, event: Value) -> bool {
    let push = json!({"app": format!("vendor@{corp}"), "event": event});
    let report = stage.dingtalk.post("events", push).await;
    report["delivered"].as_bool().unwrap()
}

/// Tells the worker to do its script for an organisation.
async fn work(stage: &Stage, corp: &str) {
    let event =
        json!({"EventType": "run_script", "CorpId": corp, "eventId": format!("run-{corp}")});
    assert!(happens(stage, corp, event).await);
}

/// All organisations use the app.
async fn authorized(stage: &Stage) {
    turn(stage, "ticket", None).await;
    for corp in CORPS {
        turn(stage, "authorize", Some(corp)).await;
    }
    activated(stage, CORPS.len()).await;
    wait_until("belfry knows its numbers there", async || {
        stage.dingtalk.calls("/service/get_auth_info").await.len() == CORPS.len()
    })
    .await;
}

fn ended(corp: &str, instance: &str) -> Value {
    json!({"EventType": "bpms_instance_change", "CorpId": corp, "processInstanceId": instance, "eventId": instance,
        "processCode": "PROC-LEAVE", "title": "t", "staffId": "alice", "type": "finish", "result": "agree"})
}

/// An approval of an organisation ends.
async fn end(stage: &Stage, corp: &str, instance: &str) {
    assert!(happens(stage, corp, ended(corp, instance)).await);
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
    authorized(&stage).await;
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

const FAILED: &str = "/call_back/get_call_back_failed_result";

#[tokio::test]
async fn what_organisations_could_not_push_is_fetched_from_the_list_of_each() {
    let stage = Stage::new(&fetching()).await;
    let belfry = start(&stage).await;
    authorized(&stage).await;
    wait_until("the lists were read", async || {
        stage.dingtalk.calls(FAILED).await.len() >= CORPS.len()
    })
    .await;
    belfry.stop().await;
    for (corp, instance) in CORPS.iter().zip(["i-one", "i-two"]) {
        assert!(!happens(&stage, corp, ended(corp, instance)).await);
    }
    // An entry that does not tell its organisation is of the one whose list it is on.
    let entry = json!({"call_back_tag": "label_conf_add", "event_time": 1_700_000_000_000_i64, "label_conf_add": {"LabelIdList": [7]}});
    let failed = json!({"app": format!("vendor@{}", CORPS[1]), "failed": entry});
    stage.dingtalk.post("callbacks", failed).await;

    let belfry = start(&stage).await;
    for instance in ["i-one", "i-two"] {
        told(&stage, instance).await;
    }
    let events = wait_for("everything is fetched", async || {
        let events = belfry.doors.events().await;
        let all_done = events.iter().all(|event| event["state"] == "done");
        (events.len() == 3 && all_done).then_some(events)
    })
    .await;
    assert!(events.iter().all(|event| event["origin"] == "backfill"));
    let corps: BTreeSet<String> = {
        let tokens = stage.dingtalk.calls(CORP_TOKEN).await;
        let lists = stage.dingtalk.calls(FAILED).await;
        lists.iter().map(|call| caller(&tokens, call)).collect()
    };
    assert_eq!(corps, BTreeSet::from(CORPS.map(str::to_owned)));
    // What was fetched is handled with the token of its organisation.
    let tokens = stage.dingtalk.calls(CORP_TOKEN).await;
    for call in stage.dingtalk.calls("/chat/send").await {
        let second = call["body"].to_string().contains("i-two");
        assert_eq!(caller(&tokens, &call), CORPS[usize::from(second)]);
    }
    belfry.stop().await;
}

#[tokio::test]
async fn an_end_that_nobody_told_of_is_asked_for_in_its_organisation() {
    let bot = fetching().table(&worker("ask alice rest"), &["scripted"]);
    let stage = Stage::new(&bot).await;
    let belfry = start(&stage).await;
    authorized(&stage).await;
    work(&stage, CORPS[1]).await;
    let instance = wait_for("the approval is started", async || {
        stage.dingtalk.get("approvals").await.get(0).cloned()
    })
    .await;
    let id = instance["id"].as_str().unwrap();
    wait_until("everything is done", async || {
        let events = belfry.doors.events().await;
        !events.is_empty() && events.iter().all(|event| event["state"] == "done")
    })
    .await;
    belfry.stop().await;
    stage.dingtalk.decide(id, "agree").await;
    wait_until("nobody took its end", async || {
        let callbacks = stage.dingtalk.get("callbacks").await;
        let of_vendor = callbacks.as_array().unwrap().iter();
        let ends: Vec<usize> = of_vendor
            .filter(|app| app["app"].as_str().unwrap().starts_with("vendor@"))
            .map(|app| app["failed"].to_string().matches("\"finish\"").count())
            .collect();
        // Of the step and of the instance.
        ends == [2, 2]
    })
    .await;
    for corp in CORPS {
        let denied = json!({"app": format!("vendor@{corp}"), "allowed": false});
        stage.dingtalk.post("callbacks", denied).await;
    }

    let belfry = start(&stage).await;
    told(&stage, id).await;
    let events = belfry.doors.events().await;
    assert_eq!(events[0]["origin"], "reconciled", "{events:?}");
    let tokens = stage.dingtalk.calls("/v1.0/oauth2/corpAccessToken").await;
    let asked = stage
        .dingtalk
        .calls("/v1.0/workflow/processInstances")
        .await;
    let asked: Vec<&Value> = asked
        .iter()
        .filter(|call| call["method"] == "GET")
        .collect();
    assert!(!asked.is_empty());
    assert!(
        tokens
            .iter()
            .all(|token| token["body"]["authCorpId"] == CORPS[1]),
        "{tokens:?}"
    );
    belfry.stop().await;
}

#[tokio::test]
async fn who_did_not_get_a_notice_is_asked_for_in_its_organisation() {
    let bot = bot().table(&worker("tell ghost hello"), &["scripted"]);
    let stage = Stage::new(&bot).await;
    let belfry = start(&stage).await;
    authorized(&stage).await;
    for corp in CORPS {
        work(&stage, corp).await;
    }
    let told = wait_for("the plugin hears of both", async || {
        let said = stage.dingtalk.answers(ONCALL).await;
        let results: Vec<Value> = said
            .iter()
            .filter_map(|text| text.strip_prefix("belfry.notice-result "))
            .map(|raw| serde_json::from_str(raw).unwrap())
            .collect();
        (results.len() == CORPS.len()).then_some(results)
    })
    .await;
    let corps: BTreeSet<&str> = told
        .iter()
        .map(|told| told["CorpId"].as_str().unwrap())
        .collect();
    assert_eq!(corps, BTreeSet::from(CORPS));
    assert!(
        told.iter()
            .all(|told| told["invalidUsers"] == json!(["ghost"]))
    );
    // Asked with the token and the number of the organisation, and told to its group with the same token.
    let tokens = stage.dingtalk.calls(CORP_TOKEN).await;
    let asked = stage
        .dingtalk
        .calls("/topapi/message/corpconversation/getsendresult")
        .await;
    assert_eq!(asked.len(), CORPS.len());
    for call in asked {
        let agent = if caller(&tokens, &call) == CORPS[0] {
            2001
        } else {
            2002
        };
        assert_eq!(call["body"]["agent_id"], agent);
    }
    let said: BTreeSet<String> = stage
        .dingtalk
        .calls("/chat/send")
        .await
        .iter()
        .map(|call| caller(&tokens, call))
        .collect();
    assert_eq!(said.len(), CORPS.len());
    belfry.stop().await;
}

#[tokio::test]
async fn other_services_ask_how_an_organisation_authorised_the_app() {
    const KEY: &str = "vendor-key-0123456789";
    let gateway = format!(
        "[gateway]\napp = \"acme\"\n[[gateway.key]]\nname = \"crm\"\nkey = {KEY:?}\nscopes = [\"isv\"]\n"
    );
    let stage = Stage::new(&bot().table(&gateway, &[])).await;
    let belfry = start(&stage).await;
    let ask = async |corp: &str| {
        let request = belfry.doors.post("/api/dingtalkserve/getAuthInfo");
        let body = json!({"app": "vendor", "auth_corpid": corp});
        let answer = request.bearer_auth(KEY).json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let early = ask(CORPS[0]).await;
    assert_eq!(early["errcode"], "client.no-suite-ticket", "{early}");
    turn(&stage, "ticket", None).await;
    let stranger = ask(CORPS[0]).await;
    assert_eq!(stranger["errcode"], 41030, "{stranger}");
    turn(&stage, "authorize", Some(CORPS[1])).await;
    activated(&stage, 1).await;
    let told = ask(CORPS[1]).await;
    assert_eq!(told["success"], true, "{told}");
    let data = &told["data"];
    assert_eq!(data["auth_corp_info"]["corpid"], CORPS[1]);
    assert_eq!(data["auth_info"]["agent"][0]["agentid"], 2002);
    belfry.stop().await;
}

#[tokio::test]
async fn a_third_party_app_sends_notices_by_template() {
    let bot = bot().table(&worker("order ghost 7; order alice 8"), &["scripted"]);
    let stage = Stage::new(&bot).await;
    let belfry = start(&stage).await;
    authorized(&stage).await;
    work(&stage, CORPS[0]).await;
    let told = wait_for("the plugin hears who did not get it", async || {
        let said = stage.dingtalk.answers(ONCALL).await;
        let text = said.into_iter().next()?;
        let raw = text.strip_prefix("belfry.notice-result ")?.to_owned();
        serde_json::from_str::<Value>(&raw).ok()
    })
    .await;
    assert_eq!(told["invalidUsers"], json!(["ghost"]));
    let notices = stage.dingtalk.notices().await;
    assert_eq!(notices[1]["receivers"], json!(["alice"]));
    assert_eq!(
        notices[1]["msg"]["text"]["content"],
        "alice，您的订单 8 已备好。"
    );
    belfry.stop().await;
}
