//! `Idempotency-Key`, and callers that go away.

use std::time::Duration;

use belfry_tests::{Doors, wait_until};
use serde_json::{Value, json};

use super::{KEY, answer, bot, post, stage, text};

#[tokio::test]
async fn an_idempotency_key_makes_a_write_happen_once() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    let send = |key: &str, words: &str| {
        post(doors, "chatSend")
            .header("idempotency-key", key)
            .json(&json!({"chatid": "chatoncall", "msg": text(words)}))
    };
    let (status, first) = answer(send("k1", "einmal")).await;
    assert_eq!(status, 200);
    let again = send("k1", "einmal").send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    let (status, other) = answer(send("k1", "anders")).await;
    assert_eq!(
        (status, &other["errcode"]),
        (409, &json!("gateway.other-body"))
    );
    assert_eq!(answer(send("", "x")).await.0, 400);
    assert_eq!(stage.dingtalk.calls("/chat/send").await.len(), 1);

    // While it is under way a second one waits for nothing and sends nothing.
    stage
        .dingtalk
        .post(
            "faults",
            json!({"path": "/chat/send", "times": 1, "delay_ms": 700}),
        )
        .await;
    let slow = tokio::spawn(answer(send("k2", "langsam")));
    wait_until("the call is under way", async || {
        stage.dingtalk.calls("/chat/send").await.len() == 2
    })
    .await;
    let (status, second) = answer(send("k2", "langsam")).await;
    assert_eq!(
        (status, &second["errcode"]),
        (409, &json!("gateway.under-way"))
    );
    assert_eq!(slow.await.unwrap().0, 200);
    assert_eq!(answer(send("k2", "langsam")).await.0, 200);
    assert_eq!(stage.dingtalk.calls("/chat/send").await.len(), 2);

    // What certainly was not done may be asked again with the same key.
    stage
        .dingtalk
        .post(
            "faults",
            json!({"path": "/chat/send", "times": 1, "errcode": -1}),
        )
        .await;
    assert_eq!(answer(send("k3", "spaeter")).await.0, 503);
    assert_eq!(answer(send("k3", "spaeter")).await.0, 200);

    // The record outlives the process.
    belfry.stop().await;
    let belfry = stage.host().await;
    let request = belfry
        .doors
        .post("/api/dingtalkserve/chatSend")
        .bearer_auth(KEY)
        .header("idempotency-key", "k1")
        .json(&json!({"chatid": "chatoncall", "msg": text("einmal")}));
    assert_eq!(answer(request).await.1, first);
    assert_eq!(stage.dingtalk.calls("/chat/send").await.len(), 4);
    belfry.stop().await;
}

#[tokio::test]
async fn a_write_whose_answer_a_kill_took_is_in_doubt_and_not_sent_again() {
    let stage = stage(&bot()).await;
    let process = stage.serve(&[]).await;
    stage
        .dingtalk
        .post(
            "faults",
            json!({"path": "/chat/send", "times": 1, "delay_ms": 5000}),
        )
        .await;
    let request = |doors: &Doors| {
        post(doors, "chatSend")
            .header("idempotency-key", "k1")
            .json(&json!({"chatid": "chatoncall", "msg": text("zweifel")}))
    };
    let call = tokio::spawn(request(&process.doors).send());
    wait_until("the message was sent", async || {
        stage.dingtalk.calls("/chat/send").await.len() == 1
    })
    .await;
    process.kill().await;
    assert!(call.await.unwrap().is_err());
    let process = stage.serve(&[]).await;
    for _ in 0..2 {
        let (status, told) = answer(request(&process.doors)).await;
        assert_eq!(
            (status, &told["errcode"]),
            (504, &json!("gateway.outcome-unknown"))
        );
        assert!(
            told["msg"]
                .as_str()
                .unwrap()
                .contains("unknown whether it was done")
        );
    }
    assert_eq!(stage.dingtalk.calls("/chat/send").await.len(), 1);
    process.kill().await;
}

#[tokio::test]
async fn a_write_goes_on_when_its_caller_goes_away() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    stage
        .dingtalk
        .post(
            "faults",
            json!({"path": "/chat/send", "times": 1, "delay_ms": 400}),
        )
        .await;
    let request = post(doors, "chatSend")
        .header("idempotency-key", "gone")
        .json(&json!({"chatid": "chatoncall", "msg": text("weg")}));
    let hasty = request
        .try_clone()
        .unwrap()
        .timeout(Duration::from_millis(150));
    assert!(hasty.send().await.is_err());
    wait_until("the answer is kept", async || {
        answer(request.try_clone().unwrap()).await.0 == 200
    })
    .await;
    assert_eq!(stage.dingtalk.calls("/chat/send").await.len(), 1);
    belfry.stop().await;
}
