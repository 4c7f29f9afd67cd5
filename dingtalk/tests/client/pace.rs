//! Calls keep to DingTalk's rates, and reads are made again.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use dingtalk::{ApiError, Client, Message, Options, Pace};
use serde_json::json;

use crate::server::{Reply, Server};

fn paced(server: &Server, calls: u32, patience: Duration) -> Client {
    server.client_with(Options {
        pace: Pace {
            calls: NonZeroU32::new(calls),
            patience,
            ..Pace::default()
        },
        ..Options::default()
    })
}

async fn say(client: &Client) -> Result<String, ApiError> {
    client.chat_send("chat1", &Message::Text("hi".into())).await
}

#[tokio::test]
async fn a_call_beyond_the_rate_waits_for_its_place_before_it_leaves() {
    let server = Server::start().await;
    let client = paced(&server, 2, Duration::from_secs(3));
    let started = Instant::now();
    for _ in 0..3 {
        server.next_json("/chat/send", &json!({"errcode": 0, "messageId": "m1"}));
        say(&client).await.unwrap();
    }
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    // Another API has places of its own.
    let started = Instant::now();
    client.notice_recall(1).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_call_that_would_wait_too_long_is_not_sent() {
    let server = Server::start().await;
    let client = paced(&server, 1, Duration::from_millis(10));
    server.next_json("/chat/send", &json!({"errcode": 0, "messageId": "m1"}));
    say(&client).await.unwrap();
    let error = say(&client).await.unwrap_err();
    assert_eq!(error.code(), "client.pace");
    let ApiError::RateLimited { retry_after, .. } = error else {
        panic!("{error}");
    };
    assert!(retry_after > Duration::from_millis(500), "{retry_after:?}");
    assert_eq!(server.calls("/chat/send").len(), 1);
}

#[tokio::test]
async fn what_dingtalk_says_of_the_rate_holds_up_the_next_call() {
    let server = Server::start().await;
    let client = server.client_with(Options {
        pace: Pace::lifted(),
        ..Options::default()
    });
    server.next_json(
        "/chat/send",
        &json!({"errcode": 90018, "errmsg": "too many"}),
    );
    server.next_json("/chat/send", &json!({"errcode": 0, "messageId": "m1"}));
    let error = say(&client).await.unwrap_err();
    assert!(matches!(error, ApiError::RateLimited { .. }), "{error}");
    let started = Instant::now();
    say(&client).await.unwrap();
    assert!(
        started.elapsed() >= Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );

    // A blocked address is left alone altogether.
    let blocked = json!({"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "u"});
    server.next_json("/chat/send", &blocked);
    assert_eq!(say(&client).await.unwrap_err().code(), "client.throttled");
    let error = client.notice_recall(1).await.unwrap_err();
    assert_eq!(error.code(), "client.pace");
    let recalls = server.calls("/topapi/message/corpconversation/recall");
    assert!(recalls.is_empty());
}

#[tokio::test]
async fn a_read_that_failed_for_a_moment_is_made_again_and_a_write_is_not() {
    let server = Server::start().await;
    let client = server.client();
    server.next("/chat/get", Reply::With(502, b"<html>".to_vec()));
    server.next_json("/chat/get", &json!({"errcode": -1, "errmsg": "busy"}));
    server.next_json(
        "/chat/get",
        &json!({"errcode": 0, "chat_info": {"chatid": "chat1", "status": 1}}),
    );
    assert_eq!(client.chat_get("chat1").await.unwrap().chat_id, "chat1");
    assert_eq!(server.calls("/chat/get").len(), 3);

    server.next_json("/chat/send", &json!({"errcode": -1, "errmsg": "busy"}));
    let error = say(&client).await.unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { .. }), "{error}");
    assert_eq!(server.calls("/chat/send").len(), 1);
    // A refusal of a read is as it is.
    server.next_json("/chat/get", &json!({"errcode": 40016, "errmsg": "unknown"}));
    assert!(client.chat_get("chat9").await.is_err());
    assert_eq!(server.calls("/chat/get").len(), 4);
}
