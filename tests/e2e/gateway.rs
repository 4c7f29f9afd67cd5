//! Other services call DingTalk through belfry, with keys of their own.

use std::time::Duration;

use belfry_tests::{Bot, Doors, Stage, wait_until};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use simulator::Options;

const KEY: &str = "crm-key-0123456789";
const READER: &str = "contacts-key-012345";

fn bot() -> Bot {
    bot_with("")
}

fn bot_with(more: &str) -> Bot {
    let text = format!(
        "[gateway]\napp = \"acme\"\n\
         [[gateway.key]]\nname = \"crm\"\nkey = {KEY:?}\nscopes = [\"chat\", \"notice\", \"contacts\", \"approval\", \"callback\", \"isv\"]\nrate = 1000\n\
         [[gateway.key]]\nname = \"reader\"\nkey = {READER:?}\nscopes = [\"contacts\"]\nrate = 1000\n{more}"
    );
    Bot::new().table(&text, &[])
}

/// A stage whose simulator has no rate of its own.
async fn stage(bot: &Bot) -> Stage {
    let options = Options {
        rate_limit: None,
        terminate_after: Duration::ZERO,
        ..Options::default()
    };
    Stage::with(bot, options).await
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text);
    (status, body.unwrap_or(Value::String(text)))
}

fn post(doors: &Doors, name: &str) -> RequestBuilder {
    doors
        .post(&format!("/api/dingtalkserve/{name}"))
        .bearer_auth(KEY)
}

async fn call(doors: &Doors, name: &str, body: Value) -> (u16, Value) {
    answer(post(doors, name).json(&body)).await
}

async fn data(doors: &Doors, name: &str, body: Value) -> Value {
    let (status, answer) = call(doors, name, body).await;
    assert_eq!(
        (status, &answer["success"]),
        (200, &json!(true)),
        "{name}: {answer}"
    );
    answer["data"].clone()
}

fn text(content: &str) -> Value {
    json!({"msgtype": "text", "text": {"content": content}})
}

#[tokio::test]
async fn every_name_of_the_gateway_reaches_its_call() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;

    // Contacts.
    assert_eq!(
        data(doors, "userinfo", json!({"userid": "alice"})).await["userid"],
        "alice"
    );
    let ids = data(doors, "list_ids", json!({"id": 1})).await;
    let below = ids["sub_dept_id_list"][0].as_i64().unwrap();
    assert!(data(doors, "list", json!({"id": 1})).await["department"].is_array());
    assert_eq!(
        data(doors, "departmentget", json!({"id": below})).await["id"],
        below
    );
    let up = data(doors, "list_parent_depts_by_dept", json!({"id": below})).await;
    assert_eq!(up["parentIds"], json!([below, 1]));
    assert!(
        data(doors, "list_parent_depts", json!({"userId": "alice"})).await["department"].is_array()
    );
    let all = data(doors, "get_org_user_count", json!({"onlyActive": 0})).await["count"].as_i64();
    assert!(all > Some(0), "{all:?}");
    let page = data(
        doors,
        "listbypage",
        json!({"department_id": 1, "offset": 0, "size": 100}),
    )
    .await;
    assert!(page["userlist"].is_array(), "{page}");
    assert!(data(doors, "getDeptMember", json!({"deptId": below})).await["userIds"].is_array());
    let union = data(doors, "userinfo", json!({"userid": "alice"})).await["unionid"].clone();
    assert_eq!(
        data(doors, "getUseridByUnionid", json!({"unionid": union})).await["userid"],
        "alice"
    );
    assert!(data(doors, "authScopes", json!({})).await["auth_org_scopes"].is_object());

    // Groups.
    let chat = data(
        doors,
        "createChat",
        json!({"name": "外部", "owner": "alice", "useridlist": ["alice", "bob"]}),
    )
    .await;
    let chat = chat["chatid"].clone();
    let info = data(doors, "chatInfo", json!({"chatid": chat})).await;
    assert_eq!(info["chat_info"]["owner"], "alice");
    let sent = data(
        doors,
        "chatSend",
        json!({"chatid": chat, "msg": text("你好")}),
    )
    .await;
    let read = data(
        doors,
        "getReadList",
        json!({"messageId": sent["messageId"], "cursor": 0, "size": 2}),
    )
    .await;
    assert_eq!(read["errcode"], 0);

    // Notices; the agent id is the app's.
    let task = data(
        doors,
        "asyncsend_v2",
        json!({"userid_list": "alice,bob", "msg": text("下班了")}),
    )
    .await;
    let task = task["task_id"].clone();
    assert!(task.is_i64());
    assert_eq!(
        data(doors, "getsendprogress", json!({"task_id": task})).await["progress"]["status"],
        2
    );
    let result = data(doors, "getsendresult", json!({"task_id": task})).await;
    assert_eq!(
        result["send_result"]["unread_user_id_list"],
        json!(["alice", "bob"])
    );

    // Approvals, by both of DingTalk's dialects where the simulator has them.
    let fields = json!([{"name": "请假类型", "value": "年假"}, {"name": "请假天数", "value": "1"}, {"name": "请假事由", "value": "搬家"}]);
    let body = json!({"process_code": "PROC-LEAVE", "originator_user_id": "alice", "dept_id": -1, "form_component_values": fields});
    let instance = data(doors, "createProcessInstance", body).await["process_instance_id"].clone();
    let read = data(
        doors,
        "getProcessInstance",
        json!({"process_instance_id": instance}),
    )
    .await;
    assert_eq!(read["process_instance"]["status"], "RUNNING");
    let start = json!({"process_code": "PROC-LEAVE", "start_time": now_ms() - 60_000, "size": 20, "cursor": 0});
    let listed = data(doors, "listProcessInstanceIds", start).await;
    assert_eq!(listed["result"]["list"], json!([instance]));
    let end = json!({"request": {"process_instance_id": instance, "is_system": true}});
    data(doors, "terminateProcessInstance", end).await;
    let read = data(
        doors,
        "getProcessInstance",
        json!({"process_instance_id": instance}),
    )
    .await;
    assert_eq!(read["process_instance"]["status"], "TERMINATED");
    belfry.stop().await;
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

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
async fn what_is_wrong_is_named_and_nothing_is_sent() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    for (name, body, status, says) in [
        (
            "asyncsend_v2",
            json!({"msg": text("x")}),
            400,
            "one of userid_list, dept_id_list, to_all_user is needed",
        ),
        (
            "asyncsend_v2",
            json!({"userid_list": "alice"}),
            400,
            "msg is missing",
        ),
        (
            "asyncsend_v2",
            json!({"userid_list": "alice", "msg": "x"}),
            400,
            "msg must be a message",
        ),
        (
            "createChat",
            json!({"name": "n", "owner": "carol", "useridlist": ["alice"]}),
            409,
            "owner must be among useridlist",
        ),
        (
            "createChat",
            json!({"name": "", "owner": "alice", "useridlist": ["alice"]}),
            400,
            "name is empty",
        ),
        (
            "createChat",
            json!({"name": "长".repeat(21), "owner": "alice", "useridlist": ["alice"]}),
            400,
            "name has more than 20 characters",
        ),
        ("chatInfo", json!({}), 400, "chatid is missing"),
        (
            "chatInfo",
            json!({"chatid": 7}),
            400,
            "chatid must be a text",
        ),
        (
            "get_org_user_count",
            json!({}),
            400,
            "onlyActive is missing",
        ),
        (
            "get_org_user_count",
            json!({"onlyActive": 2}),
            400,
            "onlyActive must be a whole number between 0 and 1",
        ),
        (
            "listbypage",
            json!({"department_id": 1, "offset": 0, "size": 101}),
            400,
            "size must be",
        ),
        (
            "getProcessInstance",
            json!({"process_instance_id": ""}),
            400,
            "process_instance_id is empty",
        ),
        (
            "terminateProcessInstance",
            json!({"request": {"process_instance_id": "i", "is_system": false}}),
            400,
            "operating_userid is missing",
        ),
        (
            "registerCallBack",
            json!({"call_back_tag": ["x"], "token": "123456", "aes_key": "short", "url": "https://x/"}),
            409,
            "aes_key must have 43 characters",
        ),
    ] {
        let (got, answer) = call(doors, name, body.clone()).await;
        let msg = answer["msg"].as_str().unwrap_or_default();
        assert_eq!(
            (got, &answer["success"]),
            (status, &json!(false)),
            "{name} {body}: {answer}"
        );
        assert!(msg.contains(says), "{name}: {msg}");
        assert_eq!(answer["errcode"], "client.argument");
    }
    let (status, refused) = call(
        doors,
        "getAuthInfo",
        json!({"app": "acme", "auth_corpid": "c"}),
    )
    .await;
    assert_eq!((status, &refused["errcode"]), (404, &json!("gateway.app")));
    let calls = stage.dingtalk.get("calls").await;
    assert_eq!(calls, json!([]));
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
async fn what_dingtalk_refuses_keeps_its_kind() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    let send = || {
        call(
            doors,
            "chatSend",
            json!({"chatid": "chatoncall", "msg": text("x")}),
        )
    };
    let (status, unknown) = call(
        doors,
        "chatSend",
        json!({"chatid": "chatx", "msg": text("x")}),
    )
    .await;
    assert_eq!(
        (status, &unknown["errcode"]),
        (404, &json!(34001)),
        "{unknown}"
    );
    for (fault, status, errcode) in [
        (json!({"errcode": 60011}), 403, json!(60011)),
        (json!({"errcode": 34016}), 409, json!(34016)),
        (json!({"errcode": -1}), 503, json!(-1)),
        (json!({"html": true}), 504, json!("client.html")),
        (json!({"status": 502}), 504, json!("client.http-502")),
    ] {
        let mut body = json!({"path": "/chat/send", "times": 1});
        body.as_object_mut()
            .unwrap()
            .extend(fault.as_object().unwrap().clone());
        stage.dingtalk.post("faults", body).await;
        let (got, answer) = send().await;
        assert_eq!(
            (got, &answer["errcode"]),
            (status, &errcode),
            "{fault}: {answer}"
        );
        assert!(!answer["msg"].as_str().unwrap().is_empty());
    }
    // Too many calls: the answer says how long to wait.
    stage
        .dingtalk
        .post(
            "faults",
            json!({"path": "/chat/send", "times": 1, "errcode": 90018}),
        )
        .await;
    let limited = post(doors, "chatSend").json(&json!({"chatid": "chatoncall", "msg": text("x")}));
    let limited = limited.send().await.unwrap();
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["retry-after"], "1");
    belfry.stop().await;
}

#[tokio::test]
async fn a_token_that_expired_is_fetched_once_for_all_callers() {
    let stage = stage(&bot()).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    call(doors, "userinfo", json!({"userid": "alice"})).await;
    let before = stage.dingtalk.calls("/gettoken").await.len();
    stage.dingtalk.post("expire-tokens", json!({})).await;
    let calls: Vec<_> = (0..15)
        .map(|_| {
            let request = post(doors, "userinfo").json(&json!({"userid": "alice"}));
            tokio::spawn(answer(request))
        })
        .collect();
    for call in calls {
        let (status, answer) = call.await.unwrap();
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(stage.dingtalk.calls("/gettoken").await.len() - before, 1);
    belfry.stop().await;
}

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
