//! Pushed events: sealed, retried, reported, broken on purpose.

use serde_json::{Value, json};

use crate::stage::{Answer, Stage, acme, wait_for};

fn event() -> Value {
    json!({"EventType": "org_change", "CorpId": "dingcorp", "TimeStamp": "1700000000000"})
}

async fn push(stage: &Stage, extra: Value) -> Value {
    let mut body = json!({"app": "acme", "event": event()});
    body.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    stage.post("/_sim/events", body).await
}

#[tokio::test]
async fn an_event_arrives_as_it_was_given() {
    let stage = Stage::new().await;
    let report = push(&stage, json!({})).await;
    assert_eq!(report["delivered"], true);
    let attempt = &report["attempts"][0];
    assert_eq!(
        (&attempt["status"], &attempt["success"]),
        (&json!(200), &json!(true))
    );
    assert!(attempt["ms"].is_u64());
    assert_eq!(stage.receiver.events(), [event()]);
}

#[tokio::test]
async fn a_push_is_tried_three_times() {
    let stage = Stage::new().await;
    stage.receiver.answer(&[Answer::Status(503), Answer::Plain]);
    let report = push(&stage, json!({})).await;
    let successes: Vec<&Value> = report["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| &attempt["success"])
        .collect();
    assert_eq!(
        (&report["delivered"], successes),
        (
            &json!(true),
            vec![&json!(false), &json!(false), &json!(true)]
        )
    );
    assert_eq!(report["attempts"][0]["status"], 503);

    stage
        .receiver
        .answer(&[Answer::Wrong, Answer::Wrong, Answer::Wrong, Answer::Wrong]);
    let report = push(&stage, json!({})).await;
    assert_eq!(
        (
            &report["delivered"],
            report["attempts"].as_array().unwrap().len()
        ),
        (&json!(false), 3)
    );
    let report = push(&stage, json!({"attempts": 1})).await;
    assert_eq!(report["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_tampered_push_is_broken_in_one_way() {
    let stage = Stage::new().await;
    for (tamper, why) in [
        ("signature", "signature"),
        ("receive-id", "receive id"),
        ("base64", "base64"),
        ("padding", "padding"),
        ("length", "length"),
        ("not-json", "json"),
    ] {
        let report = push(&stage, json!({"tamper": tamper, "attempts": 1})).await;
        assert_eq!(report["attempts"][0]["status"], 400, "{tamper}");
        assert_eq!(stage.receiver.refused().pop().unwrap(), why, "{tamper}");
    }
    // Another key gives noise, which may fail at any later check.
    let report = push(&stage, json!({"tamper": "key", "attempts": 1})).await;
    assert_eq!(report["attempts"][0]["status"], 400);
    assert!(stage.receiver.events().is_empty());
}

#[tokio::test]
async fn nobody_home_is_no_answer() {
    let stage = Stage::new().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    stage.simulator.set_apps(vec![acme(&closed.to_string())]);
    let report = push(&stage, json!({})).await;
    let attempt = &report["attempts"][2];
    assert_eq!(
        (&attempt["status"], &attempt["success"]),
        (&json!(0), &json!(false))
    );
    assert!(
        !attempt["error"].as_str().unwrap().contains("signature="),
        "{attempt}"
    );
}

#[tokio::test]
async fn a_late_address_is_used_by_the_next_attempt() {
    let stage = Stage::new().await;
    let address = stage.receiver.address();
    let mut app = acme(&address);
    app.callback = None;
    stage.simulator.set_apps(vec![app]);
    let (status, refusal) = stage
        .post_status("/_sim/events", json!({"app": "acme", "event": event()}))
        .await;
    assert_eq!((status, refusal["error"].is_string()), (400, true));
    stage.simulator.set_apps(vec![acme(&address)]);
    assert_eq!(push(&stage, json!({})).await["delivered"], true);
}

#[tokio::test]
async fn senseless_requests_are_refused() {
    let stage = Stage::new().await;
    for (body, status) in [
        (json!({"app": "nobody", "event": event()}), 404),
        (json!({"app": "other", "event": event()}), 400),
        (json!({"app": "acme", "event": {}}), 400),
        (json!({"app": "acme"}), 400),
        (
            json!({"app": "acme", "event": event(), "tamper": "luck"}),
            400,
        ),
    ] {
        let (got, answer) = stage.post_status("/_sim/events", body.clone()).await;
        assert_eq!((got, answer["error"].is_string()), (status, true), "{body}");
    }
}

#[tokio::test]
async fn a_doubled_push_arrives_twice() {
    let stage = Stage::new().await;
    stage
        .post(
            "/_sim/faults",
            json!({"path": "push", "times": 1, "duplicate": true}),
        )
        .await;
    let report = push(&stage, json!({})).await;
    assert_eq!(
        (
            &report["delivered"],
            report["duplicates"].as_array().unwrap().len()
        ),
        (&json!(true), 1)
    );
    assert_eq!(stage.receiver.events().len(), 2);
}

#[tokio::test]
async fn a_held_back_push_arrives_after_the_next() {
    let stage = Stage::new().await;
    stage
        .post(
            "/_sim/faults",
            json!({"path": "push", "times": 1, "reorder": true}),
        )
        .await;
    let first = push(&stage, json!({"event": {"EventType": "first"}}));
    let second = async {
        wait_for(async || (stage.get("/_sim/faults").await == json!([])).then_some(())).await;
        push(&stage, json!({"event": {"EventType": "second"}})).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(
        (&first["delivered"], &second["delivered"]),
        (&json!(true), &json!(true))
    );
    let kinds: Vec<Value> = stage
        .receiver
        .events()
        .iter()
        .map(|event| event["EventType"].clone())
        .collect();
    assert_eq!(kinds, ["second", "first"]);
}

#[tokio::test]
async fn a_lost_push_is_tried_again() {
    let stage = Stage::new().await;
    stage
        .post(
            "/_sim/faults",
            json!({"path": "push", "times": 1, "drop": true}),
        )
        .await;
    let report = push(&stage, json!({})).await;
    assert_eq!(
        (
            &report["attempts"][0]["status"],
            &report["attempts"][1]["success"]
        ),
        (&json!(0), &json!(true))
    );
    assert_eq!(stage.receiver.events().len(), 1);
}
