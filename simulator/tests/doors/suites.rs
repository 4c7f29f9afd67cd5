//! Third-party apps: tickets, authorisations, signed calls.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use simulator::{Options, Suite};

use crate::stage::{Stage, acme};

const CORP: &str = "dingcorp1";

async fn stage() -> Stage {
    let stage = Stage::new().await;
    set_suite(&stage);
    stage
}

fn set_suite(stage: &Stage) {
    let callback = acme(&stage.receiver.address()).callback;
    stage.simulator.set_suites(vec![Suite {
        name: "vendor".to_owned(),
        suite_key: "suitekey".to_owned(),
        suite_secret: "suite-secret".to_owned(),
        callback,
        corps: vec![CORP.to_owned()],
    }]);
}

/// Turns a wheel and gives the event that came of it.
async fn turn(stage: &Stage, what: &str) -> Value {
    let body = json!({"suite": "vendor", "what": what, "corp": CORP});
    let report = stage.post("/_sim/suites", body).await;
    assert_eq!(report["delivered"], true, "{report}");
    stage.receiver.events().pop().unwrap()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A signed call for the company; the last two may be wrong on purpose.
async fn signed(stage: &Stage, path: &str, ticket: &str, (at, secret): (i64, &str)) -> Value {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}\n{ticket}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let query = [
        ("accessKey", "suitekey".to_owned()),
        ("timestamp", at.to_string()),
        ("suiteTicket", ticket.to_owned()),
        ("signature", signature),
    ];
    let request = stage.http.post(stage.url(path)).query(&query);
    let answer = request.json(&json!({"auth_corpid": CORP})).send().await;
    answer.unwrap().json().await.unwrap()
}

async fn suite_token(stage: &Stage, ticket: &str) -> Value {
    let body =
        json!({"suite_key": "suitekey", "suite_secret": "suite-secret", "suite_ticket": ticket});
    stage.post("/service/get_suite_token", body).await
}

#[tokio::test]
async fn a_company_authorises_and_is_called_for() {
    let stage = stage().await;
    let event = turn(&stage, "ticket").await;
    assert_eq!(event["EventType"], "suite_ticket");
    let ticket = event["SuiteTicket"].as_str().unwrap().to_owned();
    let right = (now(), "suite-secret");
    let early = signed(&stage, "/service/get_corp_token", &ticket, right).await;
    assert_eq!(early["errcode"], 41030);

    let event = turn(&stage, "authorize").await;
    assert_eq!(event["AuthCorpId"], CORP);
    let token = suite_token(&stage, &ticket).await;
    let token = token["suite_access_token"].as_str().unwrap();
    let path = |name: &str| format!("/service/{name}?suite_access_token={token}");
    let code = json!({"tmp_auth_code": event["AuthCode"]});
    let exchanged = stage.post(&path("get_permanent_code"), code.clone()).await;
    assert_eq!(exchanged["auth_corp_info"]["corpid"], CORP);
    let again = stage.post(&path("get_permanent_code"), code).await;
    assert_eq!(again["errcode"], 40102);

    let activate = |code: &Value| json!({"suite_key": "suitekey", "auth_corpid": CORP, "permanent_code": code});
    let wrong = stage
        .post(&path("activate_suite"), activate(&json!("x")))
        .await;
    assert_eq!(wrong["errcode"], 41031);
    let done = stage
        .post(
            &path("activate_suite"),
            activate(&exchanged["permanent_code"]),
        )
        .await;
    assert_eq!(done["errcode"], 0);

    // Each request gives another token, and all of them are the company's.
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let given = signed(&stage, "/service/get_corp_token", &ticket, right).await;
        tokens.push(given["access_token"].as_str().unwrap().to_owned());
    }
    assert_ne!(tokens[0], tokens[1]);
    for token in tokens {
        let got = stage
            .get(&format!("/user/get?userid=alice&access_token={token}"))
            .await;
        assert_eq!(got["errcode"], 0, "{got}");
    }
    let info = signed(&stage, "/service/get_auth_info", &ticket, right).await;
    assert_eq!(info["auth_info"]["agent"][0]["agentid"], 2001);

    turn(&stage, "relieve").await;
    let late = signed(&stage, "/service/get_corp_token", &ticket, right).await;
    assert_eq!(late["errcode"], 41030);
}

/// A token of the app in the company, which has authorised it.
async fn corp_token(stage: &Stage) -> String {
    let event = turn(stage, "ticket").await;
    let ticket = event["SuiteTicket"].as_str().unwrap().to_owned();
    let event = turn(stage, "authorize").await;
    let token = suite_token(stage, &ticket).await;
    let token = token["suite_access_token"].as_str().unwrap();
    let path = |name: &str| format!("/service/{name}?suite_access_token={token}");
    let code = json!({"tmp_auth_code": event["AuthCode"]});
    let exchanged = stage.post(&path("get_permanent_code"), code).await;
    let activate = json!({"suite_key": "suitekey", "auth_corpid": CORP, "permanent_code": exchanged["permanent_code"]});
    stage.post(&path("activate_suite"), activate).await;
    let right = (now(), "suite-secret");
    let given = signed(stage, "/service/get_corp_token", &ticket, right).await;
    given["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn third_party_apps_send_notices_by_template() {
    let stage = stage().await;
    let token = corp_token(&stage).await;
    let family = "/topapi/message/corpconversation";
    let send = async |body: Value| {
        let path = format!("{family}/sendbytemplate?access_token={token}");
        stage.post(&path, body).await
    };
    let whole = json!({"agent_id": 2001, "template_id": "order-ready", "userid_list": "alice,ghost", "dept_id_list": "21",
        "data": "{\"name\":\"林爱丽\",\"order\":\"7\"}"});
    let sent = send(whole.clone()).await;
    assert_eq!(sent["errcode"], 0, "{sent}");
    let notices = stage.get("/_sim/notices").await;
    assert_eq!(notices[0]["taskId"], sent["task_id"]);
    assert_eq!(notices[0]["receivers"], json!(["alice", "dave"]));
    assert_eq!(
        notices[0]["msg"]["text"]["content"],
        "林爱丽，您的订单 7 已备好。"
    );
    let ask = json!({"agent_id": 2001, "task_id": sent["task_id"]});
    let result = stage
        .post(&format!("{family}/getsendresult?access_token={token}"), ask)
        .await;
    assert_eq!(
        result["send_result"]["invalid_user_id_list"],
        json!(["ghost"])
    );
    for (name, value, code) in [
        ("agent_id", json!(1001), 40056),
        ("template_id", json!(null), 40035),
        ("template_id", json!("nosuch"), 40035),
        ("data", json!({"name": "x", "order": "7"}), 40035),
        ("data", json!("{\"name\":\"x\"}"), 40035),
        ("data", json!("{\"name\":\"x\",\"order\":7}"), 40035),
        ("userid_list", json!(vec!["alice"; 5001].join(",")), 40035),
    ] {
        let mut body = whole.clone();
        body[name] = value;
        assert_eq!(send(body.clone()).await["errcode"], code, "{name}");
    }
    let nobody = json!({"agent_id": 2001, "template_id": "order-ready", "data": whole["data"]});
    assert_eq!(send(nobody).await["errcode"], 1_430_000);
    // A third-party app cannot send to everybody, and an app of the company has no templates.
    let everybody = json!({"agent_id": 2001, "to_all_user": true, "msg": {"msgtype": "text", "text": {"content": "x"}}});
    let path = format!("{family}/asyncsend_v2?access_token={token}");
    assert_eq!(stage.post(&path, everybody).await["errcode"], 41028);
    let own = json!({"agent_id": 1001, "template_id": "order-ready", "userid_list": "alice", "data": "{}"});
    let refused = stage.call(&format!("{family}/sendbytemplate"), own).await;
    assert_eq!(
        (&refused["errcode"], &refused["sub_code"]),
        (&json!(88), &json!("60011"))
    );
}

#[tokio::test]
async fn a_third_party_app_reaches_a_person_a_hundred_times_a_day() {
    let stage = Stage::with(Options {
        rate_limit: None,
        ..Options::default()
    })
    .await;
    set_suite(&stage);
    let token = corp_token(&stage).await;
    let path = format!("/topapi/message/corpconversation/sendbytemplate?access_token={token}");
    for order in 0..101 {
        let data = json!({"name": "x", "order": order.to_string()}).to_string();
        let body = json!({"agent_id": 2001, "template_id": "order-ready", "userid_list": "alice", "data": data});
        assert_eq!(stage.post(&path, body).await["errcode"], 0);
    }
    let notices = stage.get("/_sim/notices").await;
    assert_eq!(notices[99]["receivers"], json!(["alice"]));
    assert_eq!(
        notices[100]["dropped"],
        json!([{"userid": "alice", "code": 143_105}])
    );
}

#[tokio::test]
async fn signed_calls_are_checked() {
    let stage = stage().await;
    let old = turn(&stage, "ticket").await;
    let new = turn(&stage, "ticket").await;
    let ticket = |event: &Value| event["SuiteTicket"].as_str().unwrap().to_owned();
    let (old, new) = (ticket(&old), ticket(&new));
    let path = "/service/get_corp_token";
    for (ticket, at, secret, code) in [
        (&new, now(), "suite-secret", 41030),
        (&old, now(), "suite-secret", 40085),
        (&new, now(), "another", 853_004),
        (&new, now() - 61_000, "suite-secret", 853_002),
    ] {
        let refused = signed(&stage, path, ticket, (at, secret)).await;
        assert_eq!(refused["errcode"], code);
    }
    assert_eq!(suite_token(&stage, &old).await["errcode"], 40085);
    assert_eq!(suite_token(&stage, &new).await["errcode"], 0);
    let unsigned = stage.post(path, json!({"auth_corpid": CORP})).await;
    assert_eq!(unsigned["errcode"], 853_003);
}
