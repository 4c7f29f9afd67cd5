//! When a token is fetched, and when again.

use std::time::Duration;

use dingtalk::{ApiError, KeyKind, Message, Options, Pace, RobotOut};
use serde_json::json;

use crate::server::{Reply, Server};

#[tokio::test]
async fn fifty_calls_at_once_fetch_one_token() {
    let server = Server::start().await;
    server.slow_tokens(Duration::from_millis(50));
    let client = server.client();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.notice_recall(1).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(server.calls("/gettoken").len(), 1);
    let path = "/topapi/message/corpconversation/recall";
    assert_eq!(server.calls(path).len(), 50);
    assert!(
        server
            .calls(path)
            .iter()
            .all(|call| call.query["access_token"] == "token1")
    );
}

#[tokio::test]
async fn a_thousand_calls_with_an_expired_token_fetch_one_new_one() {
    let server = Server::start().await;
    let client = server.client_with(Options {
        pace: Pace::lifted(),
        ..Options::default()
    });
    client.notice_recall(1).await.unwrap();
    server.expire_tokens();
    // Slow enough that all the others come while the new one is on its way.
    server.slow_tokens(Duration::from_millis(200));
    let calls = (0..1000).map(|_| client.notice_recall(1));
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(server.calls("/gettoken").len(), 2);
}

#[tokio::test]
async fn the_token_is_asked_for_with_key_and_secret() {
    let server = Server::start().await;
    server.client().notice_recall(1).await.unwrap();
    let call = &server.calls("/gettoken")[0];
    assert_eq!(call.method, "GET");
    assert_eq!(
        (
            call.query["appkey"].as_str(),
            call.query["appsecret"].as_str()
        ),
        ("dingkey", "hush")
    );
}

#[tokio::test]
async fn every_form_of_a_refused_token_is_fetched_anew_once() {
    let path = "/chat/send";
    for refusal in [
        json!({"errcode": 40014, "errmsg": "不合法的access_token"}),
        json!({"errcode": "42001", "errmsg": "expired"}),
        json!({"errcode": 40001}),
        json!({"errcode": 33001}),
        json!({"errcode": 88, "sub_code": "40014", "sub_msg": "不合法的access_token"}),
        json!({"errcode": 88, "sub_code": "42001"}),
    ] {
        let server = Server::start().await;
        server.next_json(path, &refusal);
        server.next_json(path, &json!({"errcode": 0, "messageId": "m1"}));
        let sent = server
            .client()
            .chat_send("chat1", &Message::Text("hi".into()))
            .await;
        assert_eq!(sent, Ok("m1".to_owned()), "{refusal}");
        let tokens: Vec<_> = server
            .calls(path)
            .into_iter()
            .map(|call| call.query["access_token"].clone())
            .collect();
        assert_eq!(tokens, ["token1", "token2"], "{refusal}");
        assert_eq!(server.calls("/gettoken").len(), 2, "{refusal}");
    }
}

#[tokio::test]
async fn a_refused_token_of_the_newer_api_is_fetched_anew_once() {
    let path = "/v1.0/robot/groupMessages/send";
    let server = Server::start().await;
    let refusal = json!({"code": "InvalidAuthentication", "message": "不合法的access_token", "requestid": "r"});
    server.next(path, Reply::With(400, refusal.to_string().into_bytes()));
    server.next_json(path, &json!({"processQueryKey": "key1"}));
    let sent = server
        .client()
        .robot_send_group("cid1==", &RobotOut::Text("hi".into()))
        .await;
    assert_eq!(sent, Ok("key1".to_owned()));
    let tokens: Vec<_> = server
        .calls(path)
        .into_iter()
        .map(|call| call.header_token.unwrap())
        .collect();
    assert_eq!(tokens, ["token1", "token2"]);
    let asked = server.calls("/v1.0/oauth2/accessToken");
    assert_eq!(asked.len(), 2);
    assert_eq!(
        asked[0].body,
        json!({"appKey": "dingkey", "appSecret": "hush"})
    );
}

#[tokio::test]
async fn a_token_refused_twice_is_an_error_and_not_a_loop() {
    let server = Server::start().await;
    let path = "/chat/send";
    for _ in 0..5 {
        server.next_json(
            path,
            &json!({"errcode": 88, "sub_code": "40014", "sub_msg": "no"}),
        );
    }
    let error = server
        .client()
        .chat_send("chat1", &Message::Text("hi".into()))
        .await
        .unwrap_err();
    assert_eq!(
        error,
        ApiError::Credentials {
            code: "40014".into(),
            message: "no".into()
        }
    );
    assert_eq!(server.calls(path).len(), 2);
    assert_eq!(server.calls("/gettoken").len(), 2);
}

#[tokio::test]
async fn fifty_refused_calls_share_one_new_token() {
    let server = Server::start().await;
    let client = server.client();
    client.notice_recall(1).await.unwrap();
    server.slow_tokens(Duration::from_millis(50));
    let path = "/topapi/message/corpconversation/recall";
    for _ in 0..50 {
        server.next_json(path, &json!({"errcode": 88, "sub_code": "42001"}));
    }
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.notice_recall(1).await })
        })
        .collect();
    for call in calls {
        // Which call gets which answer is up to the scheduler: some may see a refusal twice.
        let _ = call.await.unwrap();
    }
    assert!(
        server.calls("/gettoken").len() < 10,
        "{}",
        server.calls("/gettoken").len()
    );
    client.notice_recall(1).await.unwrap();
}

#[tokio::test]
async fn wrong_credentials_are_named_and_not_tried_again_at_once() {
    let server = Server::start().await;
    server.next_json(
        "/gettoken",
        &json!({"errcode": 40096, "errmsg": "不合法的appKey或appSecret"}),
    );
    let client = server.client();
    for _ in 0..3 {
        let error = client.notice_recall(1).await.unwrap_err();
        assert!(matches!(error, ApiError::Credentials { .. }), "{error}");
    }
    assert_eq!(server.calls("/gettoken").len(), 1);
    assert!(
        server
            .calls("/topapi/message/corpconversation/recall")
            .is_empty()
    );

    let server = Server::start().await;
    let refusal = json!({"code": "invalidClientIdOrSecret", "message": "no"})
        .to_string()
        .into_bytes();
    server.next("/v1.0/oauth2/accessToken", Reply::With(400, refusal));
    let error = server
        .client()
        .robot_send_group("c", &RobotOut::Text("x".into()))
        .await
        .unwrap_err();
    assert!(matches!(error, ApiError::Credentials { .. }), "{error}");
}

#[tokio::test]
async fn a_write_whose_token_could_not_be_fetched_was_not_done() {
    let server = Server::start().await;
    server.next("/gettoken", Reply::With(502, b"<html>".to_vec()));
    let client = server.client();
    let error = client
        .chat_send("chat1", &Message::Text("hi".into()))
        .await
        .unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { .. }), "{error}");
    assert!(server.calls("/chat/send").is_empty());
    server.next_json("/chat/send", &json!({"errcode": 0, "messageId": "m"}));
    assert_eq!(
        client
            .chat_send("chat1", &Message::Text("hi".into()))
            .await
            .unwrap(),
        "m"
    );
}

#[tokio::test]
async fn a_corp_secret_opens_the_older_api_and_nothing_else() {
    let server = Server::start().await;
    let client = server.client_with(Options {
        keys: KeyKind::Corp,
        ..Options::default()
    });
    client.notice_recall(1).await.unwrap();
    let asked = server.calls("/gettoken").pop().unwrap();
    let query = |name: &str| asked.query.get(name).map(String::as_str);
    assert_eq!(
        (query("corpid"), query("corpsecret"), query("appkey")),
        (Some("dingkey"), Some("hush"), None)
    );
    let error = client.approval_form("PROC-1").await.unwrap_err();
    assert_eq!(error.code(), "client.corp-secret");
    assert!(server.calls("/v1.0/oauth2/accessToken").is_empty());
}
