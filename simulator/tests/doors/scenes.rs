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
