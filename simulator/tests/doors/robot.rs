//! What people write to a robot and what it answers.

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use simulator::Options;

use crate::stage::{SECRET, Stage};

async fn write(stage: &Stage, extra: Value) -> Value {
    let mut body = json!({"app": "acme", "conversationId": "cidOncall==", "senderStaffId": "alice", "text": "ping"});
    body.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    stage.post("/_sim/messages", body).await
}

/// The path and query of the session webhook of the last message.
fn webhook(stage: &Stage) -> String {
    let (_, body) = stage.receiver.messages().pop().unwrap();
    let url = body["sessionWebhook"].as_str().unwrap().to_owned();
    url.strip_prefix(&stage.url(""))
        .expect("the webhook is the simulator's")
        .to_owned()
}

#[tokio::test]
async fn a_message_is_delivered_signed() {
    let stage = Stage::new().await;
    let report = write(&stage, json!({"text": "@acme @bob ping"})).await;
    assert_eq!(
        (&report["delivered"], &report["attempts"][0]["status"]),
        (&json!(true), &json!(200))
    );
    let (headers, body) = stage.receiver.messages().pop().unwrap();
    let timestamp = headers["timestamp"].to_str().unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{timestamp}\n{SECRET}").as_bytes());
    let sign = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(headers["sign"].to_str().unwrap(), sign);
    assert_eq!(body["msgId"], report["msgId"]);
    assert_eq!(
        body["text"],
        json!({"content": " @bob ping"}),
        "a space stays where the robot's name was"
    );
    assert_eq!(
        (&body["conversationType"], &body["conversationId"]),
        (&json!("2"), &json!("cidOncall=="))
    );
    assert_eq!(
        (&body["senderStaffId"], &body["senderNick"]),
        (&json!("alice"), &json!("林爱丽"))
    );
    assert_eq!(body["robotCode"], "dingkey");
    assert_eq!(body["atUsers"][0]["dingtalkId"], body["chatbotUserId"]);
    assert_eq!(body["atUsers"][1]["staffId"], "bob");
    let life =
        body["sessionWebhookExpiredTime"].as_i64().unwrap() - body["createAt"].as_i64().unwrap();
    assert_eq!(life, 5_400_000);
    let group = stage.group("cidOncall==").await;
    assert_eq!(
        (
            &group["messages"][0]["sender"]["kind"],
            &group["messages"][0]["mentions"]
        ),
        (&json!("user"), &json!(["bob"]))
    );
}

#[tokio::test]
async fn a_robot_hears_only_what_calls_it() {
    let stage = Stage::new().await;
    let report = write(&stage, json!({"mention": false})).await;
    assert_eq!(
        (&report["delivered"], &report["attempts"]),
        (&json!(false), &json!([]))
    );
    assert!(stage.receiver.messages().is_empty());
    assert_eq!(
        stage.group("cidOncall==").await["messages"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let single = json!({"app": "acme", "senderStaffId": "bob", "text": "hi", "mention": false});
    stage.post("/_sim/messages", single.clone()).await;
    stage.post("/_sim/messages", single).await;
    let (_, body) = stage.receiver.messages().pop().unwrap();
    assert_eq!(
        (&body["conversationType"], &body["text"]["content"]),
        (&json!("1"), &json!("hi"))
    );
    let chat = stage.group(body["conversationId"].as_str().unwrap()).await;
    assert_eq!(
        (&chat["kind"], &chat["members"]),
        (&json!("single"), &json!(["bob"]))
    );
    assert_eq!(chat["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn strangers_and_unknown_places_are_refused() {
    let stage = Stage::new().await;
    for (change, status) in [
        (json!({"senderStaffId": "ghost"}), 404),
        (json!({"senderStaffId": "wujiu"}), 400),
        (json!({"conversationId": "cidNone=="}), 404),
        (json!({"app": "nobody"}), 404),
        (json!({"text": 1}), 400),
    ] {
        let mut body = json!({"app": "acme", "conversationId": "cidOncall==", "senderStaffId": "alice", "text": "x"});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let (got, answer) = stage.post_status("/_sim/messages", body).await;
        assert_eq!(got, status, "{change} {answer}");
        assert!(answer["error"].is_string());
    }
}

#[tokio::test]
async fn a_message_can_come_twice_with_one_id() {
    let stage = Stage::new().await;
    for _ in 0..2 {
        assert_eq!(
            write(&stage, json!({"msgId": "msg-twice"})).await["msgId"],
            "msg-twice"
        );
    }
    let ids: Vec<Value> = stage
        .receiver
        .messages()
        .iter()
        .map(|(_, body)| body["msgId"].clone())
        .collect();
    assert_eq!(ids, ["msg-twice", "msg-twice"]);
}

#[tokio::test]
async fn the_session_webhook_speaks_in_the_group() {
    let stage = Stage::new().await;
    write(&stage, json!({})).await;
    let webhook = webhook(&stage);
    let body = json!({"msgtype": "text", "text": {"content": "pong @alice"}, "at": {"atUserIds": ["alice", "bob"]}});
    assert_eq!(
        stage.post(&webhook, body).await,
        json!({"errcode": 0, "errmsg": "ok"})
    );
    let body = json!({"msgtype": "actionCard", "actionCard": {"title": "t", "text": "x", "btns": [{"title": "a", "actionURL": "u"}]}});
    assert_eq!(stage.post(&webhook, body).await["errcode"], 0);
    let messages = stage.group("cidOncall==").await["messages"].clone();
    assert_eq!(messages[1]["sender"]["kind"], "robot");
    assert_eq!(
        (&messages[1]["content"]["content"], &messages[1]["mentions"]),
        (&json!("pong @alice"), &json!(["alice"]))
    );
    assert_eq!(messages[2]["msgtype"], "actionCard");

    assert_eq!(
        stage.post(&webhook, json!({"msgtype": "poem"})).await["errcode"],
        400_105
    );
    assert_eq!(
        stage.post(&webhook, json!({"msgtype": "text"})).await["errcode"],
        40035
    );
    let long = json!({"msgtype": "text", "text": {"content": "x".repeat(20_000)}});
    assert_eq!(stage.post(&webhook, long).await["errcode"], 460_101);
    let text = json!({"msgtype": "text", "text": {"content": "x"}});
    assert_eq!(
        stage
            .post("/robot/sendBySession?session=none", text.clone())
            .await["errcode"],
        300_001
    );
    stage.post("/_sim/expire-sessions", json!({})).await;
    assert_eq!(stage.post(&webhook, text).await["errcode"], 300_001);
}

#[tokio::test]
async fn an_answer_in_the_response_is_shown() {
    let stage = Stage::new().await;
    stage.receiver.reply_to_messages(
        json!({"msgtype": "markdown", "markdown": {"title": "t", "text": "**pong**"}}),
    );
    write(&stage, json!({})).await;
    stage
        .receiver
        .reply_to_messages(json!({"msgtype": "empty"}));
    write(&stage, json!({})).await;
    let messages = stage.group("cidOncall==").await["messages"].clone();
    let kinds: Vec<&str> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["msgtype"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["text", "markdown", "text"]);
}

#[tokio::test]
async fn the_newer_api_speaks_in_the_group() {
    let stage = Stage::with(Options {
        rate_limit: None,
        ..Options::default()
    })
    .await;
    let send = async |change: Value| {
        let mut body = json!({"robotCode": "dingkey", "openConversationId": "cidOncall==", "msgKey": "sampleMarkdown",
            "msgParam": json!({"title": "t", "text": "# x"}).to_string()});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let (status, answer) = stage.call_v1("/v1.0/robot/groupMessages/send", body).await;
        (
            status,
            answer["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(send(json!({})).await, (200, String::new()));
    let card = json!({"title": "t", "text": "x", "actionTitle1": "a", "actionURL1": "u", "actionTitle2": "b", "actionURL2": "v"});
    assert_eq!(
        send(json!({"msgKey": "sampleActionCard2", "msgParam": card.to_string()}))
            .await
            .0,
        200
    );
    let messages = stage.group("cidOncall==").await["messages"].clone();
    assert_eq!(
        (&messages[0]["msgtype"], &messages[0]["content"]["title"]),
        (&json!("markdown"), &json!("t"))
    );
    assert_eq!(
        messages[1]["content"]["btns"][1],
        json!({"title": "b", "actionURL": "v"})
    );

    for (change, code) in [
        (
            json!({"robotCode": "x"}),
            "invalidParameter.robotCode.notExsit",
        ),
        (
            json!({"openConversationId": null}),
            "miss.openConversationId",
        ),
        (
            json!({"openConversationId": "cidx"}),
            "invalid.openConversationId",
        ),
        (
            json!({"msgKey": "samplePoem"}),
            "invalidParameter.msgKey.invalid",
        ),
        (
            json!({"msgParam": {"title": "t", "text": "x"}}),
            "invalidParameter.msgParam.invalid",
        ),
        (
            json!({"msgParam": "{}"}),
            "invalidParameter.msgParam.invalid",
        ),
        (
            json!({"msgParam": "x".repeat(15_001)}),
            "invalidParameter.msgParam.tooLong",
        ),
    ] {
        assert_eq!(send(change).await, (400, code.to_owned()));
    }
}
