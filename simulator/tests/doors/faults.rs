//! Faults of API calls.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stage::Stage;

fn message() -> Value {
    json!({"chatid": "chatoncall", "msg": {"msgtype": "text", "text": {"content": "x"}}})
}

async fn said(stage: &Stage) -> usize {
    stage.group("cidOncall==").await["messages"]
        .as_array()
        .unwrap()
        .len()
}

async fn ask(stage: &Stage, fault: Value) {
    let (status, answer) = stage.post_status("/_sim/faults", fault).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn an_error_code_is_answered_and_nothing_happens() {
    let stage = Stage::new().await;
    ask(&stage, json!({"path": "/chat/send", "times": 2, "errcode": 88, "sub_code": "40014", "errmsg": "no"})).await;
    for _ in 0..2 {
        let answer = stage.call("/chat/send", message()).await;
        assert_eq!(
            (&answer["errcode"], &answer["sub_code"], &answer["errmsg"]),
            (&json!(88), &json!("40014"), &json!("no"))
        );
    }
    assert_eq!(said(&stage).await, 0);
    assert_eq!(stage.call("/chat/send", message()).await["errcode"], 0);
    ask(&stage, json!({"path": "/v1.0/robot/groupMessages/send", "errcode": 1, "sub_code": "send.too.fast"})).await;
    let (status, answer) = stage
        .call_v1("/v1.0/robot/groupMessages/send", json!({}))
        .await;
    assert_eq!((status, &answer["code"]), (400, &json!("send.too.fast")));
}

#[tokio::test]
async fn a_status_and_a_page_come_without_json() {
    let stage = Stage::new().await;
    let url = stage.url(&format!("/chat/send?access_token={}", stage.token().await));
    ask(&stage, json!({"path": "*", "status": 503})).await;
    let answer = stage.http.post(&url).json(&message()).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    ask(&stage, json!({"path": "*", "html": true})).await;
    let answer = stage.http.post(&url).json(&message()).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"text/html;charset=utf-8".parse().unwrap())
    );
    assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE"));
    assert_eq!(said(&stage).await, 0);
    let calls = stage.get("/_sim/calls?path=/chat/send").await;
    assert_eq!(
        (&calls[0]["fault"], &calls[0]["status"], &calls[1]["fault"]),
        (&json!("status"), &json!(503), &json!("html"))
    );
}

#[tokio::test]
async fn a_dropped_answer_comes_after_the_effect_unless_told_otherwise() {
    let stage = Stage::new().await;
    let url = stage.url(&format!("/chat/send?access_token={}", stage.token().await));
    ask(&stage, json!({"path": "/chat/send", "drop": true})).await;
    assert!(stage.http.post(&url).json(&message()).send().await.is_err());
    assert_eq!(said(&stage).await, 1);
    ask(
        &stage,
        json!({"path": "/chat/send", "drop": true, "before": true}),
    )
    .await;
    assert!(stage.http.post(&url).json(&message()).send().await.is_err());
    assert_eq!(said(&stage).await, 1);
    let calls = stage.get("/_sim/calls?path=/chat/send").await;
    assert_eq!(
        (&calls[0]["status"], &calls[0]["response"]["errcode"]),
        (&json!(200), &json!(0))
    );
    assert_eq!(
        (&calls[1]["status"], &calls[1]["response"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn a_late_answer_takes_effect_at_once() {
    let stage = Stage::new().await;
    let url = stage.url(&format!("/chat/send?access_token={}", stage.token().await));
    ask(&stage, json!({"path": "/chat/send", "delay_ms": 60_000})).await;
    let sent = stage
        .http
        .post(&url)
        .json(&message())
        .timeout(Duration::from_millis(300))
        .send()
        .await;
    assert!(sent.unwrap_err().is_timeout());
    assert_eq!(said(&stage).await, 1);
    ask(
        &stage,
        json!({"path": "/chat/send", "delay_ms": 30, "before": true}),
    )
    .await;
    let started = Instant::now();
    assert_eq!(stage.call("/chat/send", message()).await["errcode"], 0);
    assert!(started.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn faults_are_listed_and_taken_back() {
    let stage = Stage::new().await;
    ask(
        &stage,
        json!({"path": "stream", "times": 1, "disconnect": true}),
    )
    .await;
    ask(
        &stage,
        json!({"path": "/chat/get", "times": 3, "html": true}),
    )
    .await;
    let listed = stage.get("/_sim/faults").await;
    assert_eq!(
        listed,
        json!([
            {"path": "stream", "times": 1, "disconnect": true},
            {"path": "/chat/get", "times": 3, "html": true},
        ])
    );
    ask(&stage, json!({"path": "/chat/get", "times": 0})).await;
    assert_eq!(stage.get("/_sim/faults").await.as_array().unwrap().len(), 1);
    for bad in [
        json!({"path": "/x"}),
        json!({"path": "/x", "html": true, "colour": "red"}),
        json!("x"),
    ] {
        let (status, answer) = stage.post_status("/_sim/faults", bad).await;
        assert_eq!((status, answer["error"].is_string()), (400, true));
    }
}
