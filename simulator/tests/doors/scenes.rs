//! Groups of a template, and a robot's messages that are followed and taken back.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn a_group_of_a_template_is_made_once_for_one_word() {
    let stage = Stage::new().await;
    let body = json!({"title": "客服群", "template_id": "t1", "owner_user_id": "manager", "user_ids": ["alice"], "uuid": "k"});
    let (status, made) = stage
        .call_v1("/v1.0/im/sceneGroup/create", body.clone())
        .await;
    assert_eq!(status, 200, "{made}");
    let id = made["open_conversation_id"].as_str().unwrap().to_owned();
    assert_eq!(
        stage.call_v1("/v1.0/im/sceneGroup/create", body).await.1["open_conversation_id"],
        id
    );
    let older = json!({"title": "另一个", "template_id": "t1", "owner_user_id": "manager", "user_ids": "alice,bob"});
    let other = stage.call("/topapi/im/chat/scenegroup/create", older).await;
    assert_ne!(other["result"]["open_conversation_id"], id);

    let change = json!({"open_conversation_id": id, "user_ids": ["bob"]});
    assert_eq!(
        stage
            .call_v1("/v1.0/im/sceneGroup/member/add", change)
            .await
            .1["success"],
        true
    );
    let change = json!({"open_conversation_id": id, "user_ids": "alice"});
    assert_eq!(
        stage
            .call("/topapi/im/chat/scenegroup/member/delete", change)
            .await["errcode"],
        0
    );
    let query = json!({"openConversationId": id, "cursor": "0", "size": 1});
    let page = stage
        .call_v1("/v1.0/im/sceneGroups/members/query", query)
        .await
        .1;
    assert_eq!(
        (&page["memberUserIds"], &page["hasMore"]),
        (&json!(["manager"]), &json!(true))
    );
    assert_eq!(stage.group(&id).await["members"], json!(["manager", "bob"]));

    // A group that was not made of a template is none.
    let change = json!({"open_conversation_id": "cidOncall==", "title": "x"});
    let told = stage.call_v1("/v1.0/im/sceneGroup/update", change).await.1;
    assert_eq!(told["code"], "invalid.openConversationId");
    let long = json!({"title": "群".repeat(31), "template_id": "t1", "owner_user_id": "manager"});
    let told = stage.call_v1("/v1.0/im/sceneGroup/create", long).await.1;
    assert_eq!(told["code"], "invalidParameter");
}

#[tokio::test]
async fn a_message_to_people_is_followed_and_taken_back() {
    let stage = Stage::new().await;
    let send = |users: Vec<&str>| json!({"robotCode": "dingkey", "userIds": users, "msgKey": "sampleText", "msgParam": "{\"content\":\"hi\"}"});
    let path = "/v1.0/robot/oToMessages/batchSend";
    let told = stage.call_v1(path, send(vec!["alice"; 21])).await.1;
    assert_eq!(told["code"], "too.many.people");
    let (_, sent) = stage.call_v1(path, send(vec!["alice", "ghost"])).await;
    assert_eq!(sent["invalidStaffIdList"], json!(["ghost"]));
    let key = sent["processQueryKey"].as_str().unwrap().to_owned();
    let encoded = key.replace('=', "%3D");
    let status = "/v1.0/robot/oToMessages/readStatus";
    let state = stage
        .ask_v1(
            status,
            &format!("robotCode=dingkey&processQueryKey={encoded}"),
        )
        .await
        .1;
    assert_eq!(
        (
            &state["sendStatus"],
            &state["messageReadInfoList"][0]["readStatus"]
        ),
        (&json!("SUCCESS"), &json!("UNREAD"))
    );
    let recall = json!({"robotCode": "dingkey", "processQueryKeys": [key, "none"]});
    let gone = stage
        .call_v1("/v1.0/robot/otoMessages/batchRecall", recall)
        .await
        .1;
    assert_eq!(gone["successResult"], json!([key]));
    assert!(gone["failedResult"]["none"].is_string());
    let groups = stage.get("/_sim/groups").await;
    let single = groups
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["kind"] == "single")
        .unwrap();
    assert_eq!(single["messages"][0]["recalled"], true);
}

const SEND: &str = "/topapi/im/chat/scencegroup/message/send_v2";

/// A group of a template with `manager`, `alice` and `bob`.
async fn scene(stage: &Stage) -> String {
    let body = json!({"title": "客服群", "template_id": "t1", "owner_user_id": "manager", "user_ids": ["alice", "bob"]});
    let (_, made) = stage.call_v1("/v1.0/im/sceneGroup/create", body).await;
    made["open_conversation_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_message_of_a_template_mentions_people_and_is_followed() {
    let stage = Stage::new().await;
    let id = scene(&stage).await;
    let body = json!({"robot_code": "dingkey", "target_open_conversation_id": id, "msg_template_id": "inner_app_template_markdown",
        "msg_param_map": "{\"title\":\"标题\",\"markdown_content\":\"# 正文 @13800000003\"}",
        "at_users": "alice,carol", "at_mobiles": "13800000003"});
    let sent = stage.call(SEND, body).await;
    assert_eq!(
        (&sent["errcode"], &sent["success"]),
        (&json!(0), &json!(true)),
        "{sent}"
    );
    let message = stage.group(&id).await["messages"][0].clone();
    assert_eq!(
        message["content"],
        json!({"title": "标题", "text": "# 正文 @13800000003"})
    );
    // Carol is no member, so nobody calls her.
    assert_eq!(message["mentions"], json!(["alice", "bob"]));
    assert_eq!(message["onlyFor"], json!(null));
    // Its id is the key of a robot's message.
    let query = json!({"robotCode": "dingkey", "openConversationId": id, "processQueryKey": sent["open_msg_id"]});
    let state = stage
        .call_v1("/v1.0/robot/groupMessages/query", query)
        .await
        .1;
    assert_eq!(state["sendStatus"], "SUCCESS");

    // The samples give an object where the table says text, and a message may be for some only.
    let body = json!({"robot_code": "dingkey", "target_open_conversation_id": id, "msg_template_id": "inner_app_template_action_card",
        "msg_param_map": {"title": "t", "markdown": "x", "btn_orientation": "1", "btn_title_1": "是", "action_url_1": "https://example.com/1",
            "btn_title_2": "否", "action_url_2": "https://example.com/2"},
        "is_at_all": true, "receiver_user_ids": "bob"});
    assert_eq!(stage.call(SEND, body).await["errcode"], 0);
    let message = stage.group(&id).await["messages"][1].clone();
    assert_eq!(message["content"]["btns"][1]["title"], "否");
    assert_eq!(
        (&message["all"], &message["onlyFor"]),
        (&json!(true), &json!(["bob"]))
    );
}

#[tokio::test]
async fn bad_messages_of_a_template_are_refused_by_their_fault() {
    let stage = Stage::new().await;
    let id = scene(&stage).await;
    let whole = json!({"robot_code": "dingkey", "target_open_conversation_id": id, "msg_template_id": "inner_app_template_text",
        "msg_param_map": "{\"content\":\"hi\"}"});
    assert_eq!(stage.call(SEND, whole.clone()).await["errcode"], 0);
    for (name, value, code) in [
        ("target_open_conversation_id", json!(""), 660_001),
        ("target_open_conversation_id", json!("chat1"), 660_023),
        ("target_open_conversation_id", json!("cidOncall=="), 660_015),
        ("robot_code", json!(null), 660_002),
        ("robot_code", json!("otherrobot"), 660_014),
        ("msg_template_id", json!(null), 660_027),
        ("msg_template_id", json!("mine"), 660_024),
        // That of third-party apps.
        (
            "msg_template_id",
            json!("offical_template_test_action_card"),
            660_024,
        ),
        (
            "msg_template_id",
            json!("inner_app_template_photo"),
            660_025,
        ),
        ("msg_param_map", json!("{\"content\""), 660_025),
        ("msg_param_map", json!("{\"text\":\"hi\"}"), 660_025),
        (
            "msg_media_id_param_map",
            json!("{\"content\":\"@1\"}"),
            660_020,
        ),
        ("receiver_user_ids", json!("ghost"), 660_022),
        ("receiver_user_ids", json!("carol"), 660_022),
        ("at_mobiles", json!("1"), 660_022),
    ] {
        let mut body = whole.clone();
        body[name] = value;
        assert_eq!(
            stage.call(SEND, body.clone()).await["errcode"],
            code,
            "{body}"
        );
    }
    assert_eq!(
        stage.group(&id).await["messages"].as_array().unwrap().len(),
        1
    );
    let photo = json!({"robot_code": "dingkey", "target_open_conversation_id": id, "msg_template_id": "inner_app_template_photo",
        "msg_media_id_param_map": "{\"img_media_id\":\"@never\"}"});
    assert_eq!(stage.call(SEND, photo).await["errcode"], 660_018);
}
