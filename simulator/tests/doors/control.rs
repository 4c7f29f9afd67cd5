//! Looking in, the update stream, reset, the page and the stop.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::Stage;

#[tokio::test]
async fn calls_are_kept_in_order() {
    let stage = Stage::new().await;
    let token = stage.token().await;
    stage
        .post(
            &format!("/chat/send?access_token={token}"),
            json!({"chatid": "chatx"}),
        )
        .await;
    let calls = stage.get("/_sim/calls").await;
    assert_eq!(calls.as_array().unwrap().len(), 2);
    assert_eq!(
        (&calls[0]["seq"], &calls[0]["method"], &calls[0]["path"]),
        (&json!(1), &json!("GET"), &json!("/gettoken"))
    );
    assert_eq!(
        (&calls[0]["body"], &calls[0]["query"]["appkey"]),
        (&Value::Null, &json!("dingkey"))
    );
    assert_eq!(
        (&calls[1]["body"], &calls[1]["status"]),
        (&json!({"chatid": "chatx"}), &json!(200))
    );
    assert_eq!(calls[1]["response"]["errcode"], 34001);
    let at = calls[1]["at"].as_i64().unwrap();
    assert_eq!(
        stage
            .get(&format!("/_sim/calls?path=/chat/send&since={at}"))
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        stage
            .get("/_sim/calls?since=2")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        stage
            .get(&format!("/_sim/calls?since={}", at + 60_000))
            .await,
        json!([])
    );
    assert!(stage.get("/_sim/calls?colour=red").await["error"].is_string());
}

#[tokio::test]
async fn the_company_can_be_seen_without_its_secrets() {
    let stage = Stage::new().await;
    let apps = stage.get("/_sim/apps").await;
    assert_eq!(
        (
            &apps[0]["name"],
            &apps[0]["agentId"],
            &apps[1]["callbackUrl"]
        ),
        (&json!("acme"), &json!(1001), &Value::Null)
    );
    assert!(!apps.to_string().contains("secret"));
    assert_eq!(stage.get("/_sim/users").await[1]["userid"], "alice");
    let templates = stage.get("/_sim/templates").await;
    assert_eq!(
        templates[0]["fields"][1],
        json!({"name": "请假天数", "componentType": "TextField"})
    );
    let group = stage.group("cidOncall==").await;
    assert_eq!(
        (&group["chatid"], &group["robots"]),
        (&json!("chatoncall"), &json!(["acme", "other"]))
    );
    let (status, answer) = stage.post_status("/_sim/nothing", json!({})).await;
    assert_eq!((status, answer["error"].is_string()), (404, true));
    assert_eq!(stage.post_status("/_sim/groups", json!({})).await.0, 405);
}

#[tokio::test]
async fn the_stream_tells_what_happens() {
    let stage = Stage::new().await;
    let mut stream = stage
        .http
        .get(stage.url("/_sim/updates"))
        .send()
        .await
        .unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    stream.chunk().await.unwrap().unwrap();
    stage
        .call(
            "/chat/send",
            json!({"chatid": "chatoncall", "msg": {"msgtype": "text", "text": {"content": "hi"}}}),
        )
        .await;
    let body = json!({"agent_id": 1001, "userid_list": "alice", "msg": {"msgtype": "text", "text": {"content": "hi"}}});
    stage
        .call("/topapi/message/corpconversation/asyncsend_v2", body)
        .await;
    stage
        .call(
            "/chat/create",
            json!({"name": "x", "owner": "bob", "useridlist": ["bob"]}),
        )
        .await;
    stage
        .post(
            "/_sim/approvals",
            json!({"processCode": "PROC-1", "originator": "bob"}),
        )
        .await;
    let mut seen = String::new();
    let wanted = ["call", "message", "notice", "group", "approval", "push"]
        .map(|name| format!("event: {name}\n"));
    while !wanted.iter().all(|name| seen.contains(name)) {
        let chunk = tokio::time::timeout(Duration::from_secs(10), stream.chunk())
            .await
            .expect("more is told");
        seen.push_str(&String::from_utf8_lossy(&chunk.unwrap().unwrap()));
    }
    let data = seen
        .lines()
        .skip_while(|line| *line != "event: message")
        .nth(1)
        .unwrap();
    let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(
        (&data["group"], &data["message"]["content"]["content"]),
        (&json!("cidOncall=="), &json!("hi"))
    );
}

#[tokio::test]
async fn a_reset_forgets_everything() {
    let stage = Stage::new().await;
    let token = stage.token().await;
    stage
        .call(
            "/chat/create",
            json!({"name": "x", "owner": "bob", "useridlist": ["bob"]}),
        )
        .await;
    stage
        .post(
            "/_sim/approvals",
            json!({"processCode": "PROC-1", "originator": "bob"}),
        )
        .await;
    stage
        .post("/_sim/faults", json!({"path": "/chat/get", "html": true}))
        .await;
    stage.post("/_sim/reset", json!({})).await;
    for door in ["calls", "approvals", "notices", "faults"] {
        assert_eq!(
            stage.get(&format!("/_sim/{door}")).await,
            json!([]),
            "{door}"
        );
    }
    assert_eq!(stage.get("/_sim/groups").await.as_array().unwrap().len(), 2);
    assert_eq!(
        stage.group("cidDev==").await["robots"],
        json!(["acme", "other"])
    );
    assert_eq!(
        stage
            .get(&format!("/chat/get?access_token={token}&chatid=chatdev"))
            .await["errcode"],
        40014
    );
}

#[tokio::test]
async fn the_page_is_served_and_is_no_call() {
    let stage = Stage::new().await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
    ] {
        let answer = stage.http.get(stage.url(path)).send().await.unwrap();
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers()["content-type"].to_str().unwrap()
            ),
            (200, kind)
        );
    }
    stage
        .http
        .get(stage.url("/favicon.ico"))
        .send()
        .await
        .unwrap();
    assert_eq!(stage.get("/_sim/calls").await, json!([]));
}

#[tokio::test]
async fn a_stop_ends_streams_and_frees_the_address() {
    let stage = Stage::new().await;
    let address = stage.simulator.address();
    let mut stream = stage
        .http
        .get(stage.url("/_sim/updates"))
        .send()
        .await
        .unwrap();
    stream.chunk().await.unwrap();
    tokio::time::timeout(Duration::from_secs(4), stage.simulator.stop())
        .await
        .expect("it stops");
    assert_eq!(stream.chunk().await.unwrap(), None);
    tokio::net::TcpListener::bind(address).await.unwrap();
}

#[tokio::test]
async fn an_app_set_later_is_known_at_once() {
    let stage = Stage::new().await;
    let mut app = crate::stage::acme("127.0.0.1:1");
    app.name = "late".to_owned();
    app.app_key = "latekey".to_owned();
    stage.simulator.set_apps(vec![app]);
    let answer = stage
        .get(&format!(
            "/gettoken?appkey=latekey&appsecret={}",
            crate::stage::SECRET
        ))
        .await;
    assert_eq!(answer["errcode"], 0);
    assert_eq!(stage.group("cidOncall==").await["robots"], json!(["late"]));
    assert!(!format!("{:?}", crate::stage::acme("x")).contains(crate::stage::SECRET));
}
