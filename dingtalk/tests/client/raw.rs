//! Raw calls of the catalogue: what goes out, what comes back, and what is not sent.

use dingtalk::catalog::{self, Call, Host, Kind, Manner, Verb};
use dingtalk::{ApiError, ApiStyle};
use serde_json::{Map, Value, json};

use crate::server::{Reply, Server};

fn arguments(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn arguments_go_where_the_call_wants_them_and_the_answer_comes_as_it_is() {
    let server = Server::start().await;
    let client = server.client();
    let call = async |name: &str, given: Value| {
        client
            .call(catalog::find(name).unwrap(), &arguments(given))
            .await
    };

    server.next_json(
        "/chat/get",
        &json!({"errcode": 0, "chat_info": {"name": "值班"}}),
    );
    let answer = call("chat.get", json!({"chatid": "chat+1"})).await.unwrap();
    assert_eq!(answer["chat_info"]["name"], "值班");
    assert_eq!(server.calls("/chat/get")[0].query["chatid"], "chat+1");

    server.next_json(
        "/v1.0/workflow/processInstances",
        &json!({"success": "true", "result": {"title": "t"}}),
    );
    let answer = call("approval.get", json!({"processInstanceId": "i"}))
        .await
        .unwrap();
    assert_eq!(answer["result"]["title"], "t");
    let asked = server
        .calls("/v1.0/workflow/processInstances")
        .pop()
        .unwrap();
    assert_eq!(
        (
            asked.method.as_str(),
            asked.query["processInstanceId"].as_str()
        ),
        ("GET", "i")
    );
    assert!(asked.header_token.is_some());

    call(
        "approval.terminate",
        json!({"process_instance_id": "i", "is_system": true}),
    )
    .await
    .unwrap();
    let asked = server
        .calls("/topapi/process/instance/terminate")
        .pop()
        .unwrap();
    assert_eq!(
        asked.body,
        json!({"request": {"process_instance_id": "i", "is_system": true}})
    );
}

#[tokio::test]
async fn what_the_app_knows_itself_is_put_in() {
    let server = Server::start().await;
    let client = server.client();
    let api = catalog::find("notice.progress").unwrap();
    client
        .call(api, &arguments(json!({"task_id": 7})))
        .await
        .unwrap();
    client
        .call(api, &arguments(json!({"task_id": 8, "agent_id": 5})))
        .await
        .unwrap();
    let bodies: Vec<Value> = server
        .calls("/topapi/message/corpconversation/getsendprogress")
        .into_iter()
        .map(|call| call.body)
        .collect();
    assert_eq!(
        bodies,
        [
            json!({"agent_id": 1001, "task_id": 7}),
            json!({"agent_id": 5, "task_id": 8})
        ]
    );
}

#[tokio::test]
async fn every_call_of_the_catalogue_refuses_what_lacks_its_first_needed_field_and_sends_nothing() {
    let server = Server::start().await;
    let client = server.client();
    let mut tried = 0;
    for api in catalog::apis() {
        for style in [ApiStyle::Legacy, ApiStyle::Modern] {
            let Some(call) = api.styled(style) else {
                continue;
            };
            let Some(needed) = call.params.iter().find(|param| param.is_needed()) else {
                continue;
            };
            tried += 1;
            for (given, says) in [
                (json!({}), "is missing"),
                (json!({needed.name: ""}), "is empty"),
                (json!({needed.name: {"a": [1]}}), "must be"),
            ] {
                let error = call.check(&arguments(given)).unwrap_err();
                assert_eq!(error.field(), needed.name, "{}: {error}", call.path);
                assert!(error.to_string().contains(says), "{}: {error}", call.path);
            }
        }
        if api
            .calls(ApiStyle::Modern)
            .all(|call| call.params.iter().any(catalog::Param::is_needed))
        {
            let error = client.call(api, &Map::new()).await.unwrap_err();
            assert!(
                matches!(&error, ApiError::Invalid { code, .. } if code == "client.argument"),
                "{}: {error}",
                api.name
            );
        }
        assert!(
            api.calls(ApiStyle::Modern)
                .all(|call| call.verb == Verb::Post || call.envelope.is_none())
        );
    }
    assert!(tried > 60, "{tried}");
    assert!(server.calls("/gettoken").is_empty());
}

#[tokio::test]
async fn tokens_files_and_suites_are_no_raw_calls() {
    let server = Server::start().await;
    let client = server.client();
    for (name, given) in [
        ("token.get", json!({"appkey": "k", "appsecret": "s"})),
        ("media.upload", json!({"type": "file"})),
        ("isv.auth-info", json!({"auth_corpid": "c"})),
    ] {
        let error = client
            .call(catalog::find(name).unwrap(), &arguments(given))
            .await
            .unwrap_err();
        assert!(error.message().contains("cannot be called"), "{error}");
    }
    assert!(server.calls("/gettoken").is_empty());
}

#[tokio::test]
async fn failures_are_typed_as_those_of_the_other_calls() {
    let server = Server::start().await;
    let client = server.client();
    let send = catalog::find("chat.send").unwrap();
    let given =
        arguments(json!({"chatid": "c", "msg": {"msgtype": "text", "text": {"content": "hi"}}}));
    server.next_json(
        "/chat/send",
        &json!({"errcode": 34001, "errmsg": "no such chat"}),
    );
    assert!(matches!(
        client.call(send, &given).await,
        Err(ApiError::NotFound { .. })
    ));
    server.next("/chat/send", Reply::With(200, b"<html>".to_vec()));
    assert!(matches!(
        client.call(send, &given).await,
        Err(ApiError::OutcomeUnknown { .. })
    ));
    server.next(
        "/chat/send",
        Reply::With(200, br#"{"errcode":40014}"#.to_vec()),
    );
    client.call(send, &given).await.unwrap();
    assert_eq!(server.calls("/gettoken").len(), 2);
}

/// A value that a field takes.
fn sample(name: &str, kind: Kind) -> Value {
    match (name, kind) {
        ("url", _) => json!("https://bot.example.com/callback/acme"),
        (_, Kind::Text(most)) => json!("x".repeat(most.min(3))),
        (_, Kind::Sized(least, _)) => json!("x".repeat(least)),
        (_, Kind::Word(words)) => json!(words[0]),
        (_, Kind::Integer(least, _)) => json!(least.max(1)),
        (_, Kind::Boolean) => json!(true),
        (_, Kind::Texts(_)) => json!(["xxx"]),
        (_, Kind::Joined(_)) => json!("xxx"),
        (_, Kind::Objects(_)) => json!([{"x": 1}]),
        (_, Kind::Fields(_)) => json!([{"name": "n", "value": "v"}]),
        (_, Kind::Object) => json!({"x": 1}),
        (_, Kind::Message) => json!({"msgtype": "text", "text": {"content": "hi"}}),
    }
}

/// The least that a call takes.
fn least(call: &Call) -> Map<String, Value> {
    let mut names: Vec<&str> = call
        .params
        .iter()
        .filter(|param| param.is_needed())
        .map(|param| param.name)
        .collect();
    names.extend(call.any_of.first());
    names
        .into_iter()
        .map(|name| {
            (
                name.to_owned(),
                sample(name, call.param(name).unwrap().kind),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_raw_call_of_the_catalogue_leaves_as_its_row_says() {
    let server = Server::start().await;
    let client = server.client();
    let mut made = 0;
    for api in catalog::apis() {
        for style in [ApiStyle::Legacy, ApiStyle::Modern] {
            let Some(call) = api
                .styled(style)
                .filter(|call| call.manner == Manner::Token)
            else {
                continue;
            };
            let given = least(call);
            let checked = call.check(&given).unwrap();
            client
                .call_checked(api.access, call, checked)
                .await
                .unwrap_or_else(|error| panic!("{}: {error}", call.path));
            let seen = server.calls(call.path).pop().unwrap();
            made += 1;
            assert_eq!(
                seen.method == "GET",
                call.verb == Verb::Get,
                "{}",
                call.path
            );
            assert_eq!(
                seen.header_token.is_some(),
                call.host() == Host::Api,
                "{}",
                call.path
            );
            for (name, value) in &given {
                let sent = match (call.verb, call.envelope) {
                    (Verb::Get, _) => json!(seen.query[name]),
                    (Verb::Post, None) => seen.body[name].clone(),
                    (Verb::Post, Some(envelope)) => seen.body[envelope][name].clone(),
                };
                let as_text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                assert!(
                    sent == *value || sent == as_text,
                    "{} {name}: {sent}",
                    call.path
                );
            }
        }
    }
    assert!(made > 65, "{made}");
}
