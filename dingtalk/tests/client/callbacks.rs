//! Registering a callback and taking the failed list.

use dingtalk::{ApiError, Registration};
use serde_json::json;

use crate::server::{Reply, Server};

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

fn registration() -> Registration {
    Registration {
        tags: vec!["org_change".to_owned()],
        token: "token123".into(),
        aes_key: KEY.into(),
        url: "https://bot.example.com/callback/acme".to_owned(),
    }
}

#[tokio::test]
async fn a_callback_is_registered_replaced_read_and_removed() {
    let server = Server::start().await;
    let client = server.client();
    client.callback_register(&registration()).await.unwrap();
    client.callback_update(&registration()).await.unwrap();
    for path in [
        "/call_back/register_call_back",
        "/call_back/update_call_back",
    ] {
        let call = server.calls(path).pop().unwrap();
        let sent = json!({"call_back_tag": ["org_change"], "token": "token123", "aes_key": KEY,
            "url": "https://bot.example.com/callback/acme"});
        assert_eq!((call.method.as_str(), call.body), ("POST", sent), "{path}");
    }
    server.next_json(
        "/call_back/get_call_back",
        &json!({"errcode": 0, "errmsg": "ok", "call_back_tag": ["org_change"], "token": "token123", "aes_key": KEY,
            "url": "https://bot.example.com/callback/acme"}),
    );
    assert_eq!(client.callback_get().await.unwrap(), Some(registration()));
    assert!(client.callback_delete().await.unwrap());
    let call = server.calls("/call_back/delete_call_back").pop().unwrap();
    assert_eq!(call.method, "GET");
}

#[tokio::test]
async fn no_callback_is_an_answer_and_not_an_error() {
    let server = Server::start().await;
    let client = server.client();
    for code in [71007, 400_040] {
        let refusal = json!({"errcode": code, "errmsg": "no callback"});
        server.next_json("/call_back/get_call_back", &refusal);
        server.next_json("/call_back/delete_call_back", &refusal);
        assert_eq!(client.callback_get().await.unwrap(), None);
        assert!(!client.callback_delete().await.unwrap());
    }
}

#[tokio::test]
async fn what_dingtalk_must_refuse_is_not_sent() {
    let server = Server::start().await;
    let client = server.client();
    for wrong in [
        Registration {
            tags: Vec::new(),
            ..registration()
        },
        Registration {
            token: "short".into(),
            ..registration()
        },
    ] {
        let refused = client.callback_register(&wrong).await;
        assert!(matches!(refused, Err(ApiError::Invalid { .. })));
    }
    assert!(server.calls("/call_back/register_call_back").is_empty());
}

#[tokio::test]
async fn the_failed_list_comes_in_pieces() {
    let server = Server::start().await;
    let client = server.client();
    let path = "/call_back/get_call_back_failed_result";
    server.next_json(
        path,
        &json!({"errcode": 0, "has_more": true, "failed_list": [
            {"call_back_tag": "user_add_org", "event_time": 1, "user_add_org": {"userid": ["u"], "corpid": "d"}},
            {"call_back_tag": "surprise", "event_time": 1}]}),
    );
    server.next_json(
        path,
        &json!({"errcode": 0, "has_more": false, "failed_list": []}),
    );
    let first = client.callback_failed().await.unwrap();
    assert!(first.has_more);
    let types: Vec<&str> = first
        .pushes
        .iter()
        .map(|push| push.event_type.as_str())
        .collect();
    assert_eq!(types, ["user_add_org", "surprise"]);
    let second = client.callback_failed().await.unwrap();
    assert_eq!((second.pushes.len(), second.has_more), (0, false));
}

#[tokio::test]
async fn a_lost_answer_of_the_failed_list_is_a_doubt() {
    let server = Server::start().await;
    let client = server.client();
    let path = "/call_back/get_call_back_failed_result";
    server.next(path, Reply::Broken(b"{\"errcode\":0,".to_vec()));
    let lost = client.callback_failed().await;
    assert!(
        matches!(lost, Err(ApiError::OutcomeUnknown { .. })),
        "{lost:?}"
    );
}
