//! Callbacks that an app registers itself, and the list of events that nobody took.

use serde_json::{Value, json};

use crate::stage::{AES_KEY, Answer, Stage, TOKEN};

async fn call(stage: &Stage, name: &str, body: Option<Value>) -> Value {
    let path = format!("/call_back/{name}?access_token={}", stage.token().await);
    match body {
        Some(body) => stage.post(&path, body).await,
        None => stage.get(&path).await,
    }
}

fn registration(stage: &Stage) -> Value {
    let url = format!("http://{}/callback?keep=me", stage.receiver.address());
    json!({"call_back_tag": ["org_change"], "token": TOKEN, "aes_key": AES_KEY, "url": url})
}

async fn push(stage: &Stage, event: Value) -> Value {
    stage
        .post("/_sim/events", json!({"app": "acme", "event": event}))
        .await
}

async fn failed(stage: &Stage) -> Value {
    call(stage, "get_call_back_failed_result", None).await
}

#[tokio::test]
async fn a_callback_is_checked_before_it_is_registered() {
    let stage = Stage::new().await;
    let none = call(&stage, "get_call_back", None).await;
    assert_eq!(none["errcode"], 71007);
    let early = call(&stage, "update_call_back", Some(registration(&stage))).await;
    assert_eq!(early["errcode"], 71007);

    let done = call(&stage, "register_call_back", Some(registration(&stage))).await;
    assert_eq!(done["errcode"], 0, "{done}");
    assert_eq!(stage.receiver.events(), [json!({"EventType": "check_url"})]);
    let again = call(&stage, "register_call_back", Some(registration(&stage))).await;
    assert_eq!(again["errcode"], 71006);
    let shown = call(&stage, "get_call_back", None).await;
    assert_eq!(
        (&shown["call_back_tag"], &shown["aes_key"]),
        (&json!(["org_change"]), &json!(AES_KEY))
    );

    // Only what is registered is pushed.
    let wanted = push(
        &stage,
        json!({"EventType": "org_change", "CorpId": "dingcorp"}),
    )
    .await;
    assert_eq!(wanted["delivered"], true, "{wanted}");
    let other = push(
        &stage,
        json!({"EventType": "check_in", "CorpId": "dingcorp"}),
    )
    .await;
    assert_eq!(other["delivered"], false);

    assert_eq!(call(&stage, "delete_call_back", None).await["errcode"], 0);
    let gone = call(&stage, "delete_call_back", None).await;
    assert_eq!(gone["errcode"], 71007);
}

#[tokio::test]
async fn an_address_that_does_not_answer_as_it_must_is_not_registered() {
    let stage = Stage::new().await;
    for (answer, code) in [
        (Answer::Status(500), 71012),
        (Answer::Plain, 71009),
        (Answer::Wrong, 71009),
    ] {
        stage.receiver.answer(&[answer]);
        let refused = call(&stage, "register_call_back", Some(registration(&stage))).await;
        assert_eq!(refused["errcode"], code);
    }
    assert_eq!(call(&stage, "get_call_back", None).await["errcode"], 71007);
}

#[tokio::test]
async fn what_is_malformed_is_refused_before_the_check() {
    let stage = Stage::new().await;
    for (member, value, code) in [
        ("call_back_tag", json!([]), 71010),
        ("call_back_tag", json!(["no_such_tag"]), 71008),
        ("token", json!("short"), 71010),
        ("aes_key", json!("short"), 71010),
        ("url", json!("ftp://x"), 71011),
        ("url", Value::Null, 71010),
    ] {
        let mut body = registration(&stage);
        body[member] = value;
        let refused = call(&stage, "register_call_back", Some(body)).await;
        assert_eq!(refused["errcode"], code, "{member}");
    }
    assert!(stage.receiver.events().is_empty());
    let denied = json!({"app": "acme", "allowed": false});
    stage.post("/_sim/callbacks", denied).await;
    let refused = call(&stage, "register_call_back", Some(registration(&stage))).await;
    assert_eq!(refused["errcode"], 60011);
    assert_eq!(failed(&stage).await["errcode"], 60011);
}

#[tokio::test]
async fn what_nobody_took_is_on_the_failed_list_once_and_in_its_form() {
    let stage = Stage::new().await;
    stage.receiver.answer(&vec![Answer::Status(503); 6]);
    let joined = json!({"EventType": "user_add_org", "CorpId": "dingcorp", "UserId": ["alice"], "TimeStamp": "1700000000123", "eventId": "e"});
    assert_eq!(push(&stage, joined).await["delivered"], false);
    let ended = json!({"EventType": "bpms_instance_change", "CorpId": "dingcorp", "corpId": "dingcorp", "processInstanceId": "i",
        "type": "finish", "result": "agree", "finishTime": 1_700_000_000_999_i64, "BizId": "b", "eventId": "e"});
    assert_eq!(push(&stage, ended).await["delivered"], false);
    let listed = failed(&stage).await;
    assert_eq!(
        listed["failed_list"],
        json!([
            {"call_back_tag": "user_add_org", "event_time": 1_700_000_000_000_i64,
             "user_add_org": {"corpid": "dingcorp", "userid": ["alice"]}},
            {"call_back_tag": "bpms_instance_change", "event_time": 1_700_000_000_000_i64,
             "bpms_instance_change": {"corpid": "dingcorp", "bpmsCallBackData": {
                "EventType": "bpms_instance_change", "corpId": "dingcorp", "processInstanceId": "i",
                "type": "finish", "result": "agree", "finishTime": 1_700_000_000_999_i64}}},
        ])
    );
    assert_eq!(failed(&stage).await["failed_list"], json!([]));
}

#[tokio::test]
async fn the_failed_list_comes_in_pieces_of_two_hundred() {
    let stage = Stage::new().await;
    for number in 0..201 {
        let entry = json!({"app": "acme", "failed": {"call_back_tag": "org_change", "event_time": number, "org_change": {}}});
        stage.post("/_sim/callbacks", entry).await;
    }
    let first = failed(&stage).await;
    assert_eq!(
        (
            first["failed_list"].as_array().unwrap().len(),
            &first["has_more"]
        ),
        (200, &json!(true))
    );
    let second = failed(&stage).await;
    assert_eq!(second["failed_list"][0]["event_time"], 200);
    assert_eq!(second["has_more"], false);
}

#[tokio::test]
async fn a_push_that_was_broken_on_purpose_is_not_on_the_list() {
    let stage = Stage::new().await;
    let event = json!({"EventType": "org_change"});
    let broken = json!({"app": "acme", "event": event, "tamper": "signature"});
    stage.post("/_sim/events", broken).await;
    assert_eq!(stage.receiver.refused().len(), 3);
    assert_eq!(failed(&stage).await["failed_list"], json!([]));
}
