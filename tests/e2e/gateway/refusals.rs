//! What is wrong with arguments, and what DingTalk refuses: the cases that people met, word by word.

use serde_json::json;

use super::{answer, bot, call, post, stage, text};

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
            "one of is_system, operating_userid is needed",
        ),
        (
            "registerCallBack",
            json!({"call_back_tag": ["x"], "token": "123456", "aes_key": "short", "url": "https://x/"}),
            400,
            "aes_key must be a text of 43 characters",
        ),
        (
            "registerCallBack",
            json!({"call_back_tag": ["x"], "token": "123456", "aes_key": "k".repeat(43), "url": "x"}),
            409,
            "url must be an http or https address",
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
