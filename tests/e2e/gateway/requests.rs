//! How a request may look, who may make it, and what is written down of it.

use belfry_tests::Bot;
use serde_json::json;

use super::{KEY, READER, answer, bot, bot_with, call, post, stage, text};

#[tokio::test]
async fn arguments_may_come_as_query_json_or_form() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    let get = |path: &str| {
        doors
            .http
            .get(format!("http://{}/api/dingtalkserve/{path}", doors.public))
            .bearer_auth(KEY)
    };
    let (status, counted) = answer(get("get_org_user_count?onlyActive=0")).await;
    assert_eq!(
        (status, counted["data"]["errcode"].as_i64()),
        (200, Some(0)),
        "{counted}"
    );
    let (status, read) = answer(get("userinfo?userid=alice")).await;
    assert_eq!((status, &read["data"]["userid"]), (200, &json!("alice")));
    let form = "name=Form&owner=alice&useridlist=alice,bob&searchable=";
    let request = post(doors, "createChat")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let (status, created) = answer(request).await;
    assert_eq!(status, 200, "{created}");
    // The query counts where the body says nothing.
    let (status, read) =
        answer(post(doors, "userinfo?userid=bob").json(&json!({"userid": "alice"}))).await;
    assert_eq!((status, &read["data"]["userid"]), (200, &json!("alice")));

    // What writes takes no GET: proxies and clients repeat those.
    let (status, refused) = answer(get("chatSend?chatid=chatoncall&msg=%7B%7D")).await;
    assert_eq!(
        (status, &refused["errcode"]),
        (405, &json!("gateway.method"))
    );
    for (kind, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("text/plain", "{}", 415),
        ("application/json", "\u{feff}", 400),
    ] {
        let request = post(doors, "userinfo")
            .header("content-type", kind)
            .body(body);
        assert_eq!(answer(request).await.0, status, "{kind} {body}");
    }
    let large = json!({"userid": "x".repeat(300 << 10)});
    assert_eq!(call(doors, "userinfo", large).await.0, 413);
    assert!(stage.dingtalk.calls("/chat/send").await.is_empty());
    belfry.stop().await;
}

#[tokio::test]
async fn keys_open_their_scopes_only_and_change_live() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    let with = |key: &str, name: &str| {
        let request = doors.post(&format!("/api/dingtalkserve/{name}"));
        request
            .bearer_auth(key)
            .json(&json!({"userid": "alice", "chatid": "chatoncall"}))
    };
    assert_eq!(answer(with(READER, "userinfo")).await.0, 200);
    let (status, refused) = answer(with(READER, "chatInfo")).await;
    assert_eq!(
        (status, &refused["errcode"]),
        (403, &json!("gateway.scope"))
    );
    for key in ["", "wrong", &KEY[1..]] {
        let (status, refused) = answer(with(key, "userinfo")).await;
        assert_eq!((status, &refused["success"]), (401, &json!(false)), "{key}");
    }
    let nameless = doors
        .post("/api/dingtalkserve/userinfo")
        .json(&json!({"userid": "alice"}));
    assert_eq!(answer(nameless).await.0, 401);
    assert_eq!(answer(with(KEY, "noSuchName")).await.0, 404);

    stage.write(&bot_with("[[gateway.key]]\nname = \"new\"\nkey = \"a-new-key-0123456789\"\nscopes = [\"contacts\"]\nrate = 2\n"));
    // Whether the file was seen before it was asked for does not matter.
    assert_eq!(doors.reload().await.0, 200);
    let new = || with("a-new-key-0123456789", "userinfo");
    let statuses = [
        answer(new()).await.0,
        answer(new()).await.0,
        answer(new()).await.0,
    ];
    assert_eq!(statuses, [200, 200, 429]);
    let limited = new().send().await.unwrap();
    assert_eq!(limited.headers()["retry-after"], "1");
    stage.write(&Bot::new());
    doors.reload().await;
    assert_eq!(answer(with(KEY, "userinfo")).await.0, 404);
    belfry.stop().await;
}

#[tokio::test]
async fn the_log_has_neither_keys_nor_bodies() {
    let stage = stage(&bot()).await;
    let process = stage
        .serve(&[("BELFRY_LOG", "belfry=trace,dingtalk=trace")])
        .await;
    call(
        &process.doors,
        "chatSend",
        json!({"chatid": "chatoncall", "msg": text("geheim-wort")}),
    )
    .await;
    let wrong = process
        .doors
        .post("/api/dingtalkserve/chatSend")
        .bearer_auth("geheim-key");
    answer(wrong.json(&json!({}))).await;
    let log = process.log();
    assert_eq!(log.matches("gateway called").count(), 2, "{log}");
    assert!(log.contains("\"key\":\"crm\""), "{log}");
    for secret in ["geheim", KEY, READER] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    process.kill().await;
}

#[tokio::test]
async fn the_openapi_document_is_there_for_everybody() {
    let stage = stage(&Bot::new()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    let request = doors
        .http
        .get(format!("http://{}/api/openapi.json", doors.public));
    let (status, document) = answer(request).await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(document["paths"].as_object().unwrap().len(), 27);
    belfry.stop().await;
}
