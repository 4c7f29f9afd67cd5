//! Scene groups, readers, and what became of a robot's messages.

use dingtalk::{
    ApiStyle, ChatUpdate, NamedRecipients, NewChat, NewScene, RobotOut, SceneChanges, SceneMessage,
    SendState,
};
use serde_json::{Value, json};

use crate::server::Server;

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn last_body(server: &Server, path: &str) -> Value {
    server.calls(path).pop().unwrap().body
}

#[tokio::test]
async fn groups_of_a_template_are_made_and_changed_by_both_styles() {
    let server = Server::start().await;
    let (client, older) = (server.client(), server.client().styled(ApiStyle::Legacy));
    let scene = NewScene {
        title: "客服群".into(),
        template_id: "t1".into(),
        owner: "u1".into(),
        members: texts(&["u2", "u3"]),
        key: Some("k".into()),
    };
    server.next_json(
        "/v1.0/im/sceneGroup/create",
        &json!({"open_conversation_id": "cid1==", "chat_id": "chat1"}),
    );
    let made = client.scene_create(&scene).await.unwrap();
    assert_eq!(
        (made.chat_id.as_str(), made.conversation_id.as_deref()),
        ("chat1", Some("cid1=="))
    );
    assert_eq!(
        last_body(&server, "/v1.0/im/sceneGroup/create"),
        json!({"title": "客服群", "template_id": "t1", "owner_user_id": "u1", "user_ids": ["u2", "u3"], "uuid": "k"})
    );
    let answer = json!({"errcode": 0, "success": true, "result": {"open_conversation_id": "cid1==", "chat_id": "chat1"}});
    server.next_json("/topapi/im/chat/scenegroup/create", &answer);
    assert_eq!(older.scene_create(&scene).await.unwrap(), made);
    assert_eq!(
        last_body(&server, "/topapi/im/chat/scenegroup/create")["user_ids"],
        "u2,u3"
    );

    let changes = SceneChanges {
        title: Some("新名".into()),
        owner: None,
    };
    client.scene_update("cid1==", &changes).await.unwrap();
    assert_eq!(
        last_body(&server, "/v1.0/im/sceneGroup/update"),
        json!({"open_conversation_id": "cid1==", "title": "新名"})
    );
    client.scene_add("cid1==", &texts(&["u4"])).await.unwrap();
    older.scene_remove("cid1==", &texts(&["u4"])).await.unwrap();
    assert_eq!(
        last_body(&server, "/v1.0/im/sceneGroup/member/add"),
        json!({"open_conversation_id": "cid1==", "user_ids": ["u4"]})
    );
    assert_eq!(
        last_body(&server, "/topapi/im/chat/scenegroup/member/delete"),
        json!({"open_conversation_id": "cid1==", "user_ids": "u4"})
    );
    let page =
        json!({"success": true, "memberUserIds": ["u1"], "hasMore": true, "nextCursor": "1"});
    server.next_json("/v1.0/im/sceneGroups/members/query", &page);
    let page = client.scene_list_members("cid1==", None, 1).await.unwrap();
    assert_eq!(
        (page.members, page.next_cursor.as_deref()),
        (texts(&["u1"]), Some("1"))
    );
}

#[tokio::test]
async fn readers_are_listed_with_the_id_encoded_once() {
    let server = Server::start().await;
    let client = server.client();
    server.next_json(
        "/chat/getReadList",
        &json!({"errcode": 0, "readUserIdList": ["u1"], "next_cursor": 1}),
    );
    let page = client.chat_readers("msg+/=", 0, 1).await.unwrap();
    assert_eq!((page.readers, page.next_cursor), (texts(&["u1"]), Some(1)));
    assert_eq!(
        server.calls("/chat/getReadList")[0].query["messageId"],
        "msg+/="
    );
    // Nobody has read it: the list is absent.
    let page = client.chat_readers("msg+/=", 0, 1).await.unwrap();
    assert!(page.readers.is_empty() && page.next_cursor.is_none());
}

#[tokio::test]
async fn messages_of_the_robot_are_followed_and_taken_back() {
    let server = Server::start().await;
    let client = server.client();
    let send = "/v1.0/robot/oToMessages/batchSend";
    server.next_json(send, &json!({"processQueryKey": "k", "invalidStaffIdList": ["x"], "flowControlledStaffIdList": ["u2"]}));
    let sent = client
        .robot_send_people(&texts(&["u1", "u2", "x"]), &RobotOut::Text("hi".into()))
        .await
        .unwrap();
    assert_eq!(
        (sent.key.as_str(), sent.invalid, sent.flow_controlled),
        ("k", texts(&["x"]), texts(&["u2"]))
    );
    assert_eq!(
        last_body(&server, send)["userIds"],
        json!(["u1", "u2", "x"])
    );

    let query = "/v1.0/robot/groupMessages/query";
    server.next_json(
        query,
        &json!({"sendStatus": "SUCCESS", "readUserIds": ["u1"], "hasMore": true, "nextToken": "1"}),
    );
    let state = client
        .robot_group_state("cid1==", "k", None, 1)
        .await
        .unwrap();
    assert_eq!(
        (state.state, state.next_token.as_deref()),
        (SendState::Sent, Some("1"))
    );
    let status = "/v1.0/robot/oToMessages/readStatus";
    server.next_json(status, &json!({"sendStatus": "RECALLED", "messageReadInfoList": [
        {"name": "一", "userId": "u1", "readStatus": "READ"}, {"name": "二", "userId": "u2", "readStatus": "UNREAD"}]}));
    let state = client.robot_people_state("k+=").await.unwrap();
    assert_eq!(
        (state.state, state.readers),
        (SendState::Recalled, texts(&["u1"]))
    );
    assert_eq!(server.calls(status)[0].query["processQueryKey"], "k+=");

    let recall = "/v1.0/robot/groupMessages/recall";
    server.next_json(
        recall,
        &json!({"successResult": ["k"], "failedResult": {"j": "too late"}}),
    );
    let recalled = client
        .robot_recall_group("cid1==", &texts(&["k", "j"]))
        .await
        .unwrap();
    assert_eq!(recalled.recalled, ["k"]);
    assert_eq!(recalled.failed, [("j".to_owned(), "too late".to_owned())]);
    server.next_json(
        "/v1.0/robot/otoMessages/batchRecall",
        &json!({"successResult": ["k"], "failedResult": {}}),
    );
    assert_eq!(
        client
            .robot_recall_people(&texts(&["k"]))
            .await
            .unwrap()
            .recalled,
        ["k"]
    );
}

#[tokio::test]
async fn limits_of_groups_and_robots_are_named_and_nothing_is_sent() {
    let server = Server::start().await;
    let client = server.client();
    let many = |count| vec!["u1".to_owned(); count];
    let chat = |name: &str, members: Vec<String>| NewChat {
        name: name.to_owned(),
        owner: "u1".into(),
        members,
        show_history: false,
    };
    let told = async |chat: NewChat| {
        client
            .chat_create(&chat)
            .await
            .unwrap_err()
            .message()
            .to_owned()
    };
    let long = "群".repeat(21);
    assert_eq!(
        told(chat(&long, many(1))).await,
        "the group's name has 21 characters, dingtalk takes 20"
    );
    assert_eq!(told(chat("", many(1))).await, "the group's name is empty");
    assert_eq!(
        told(chat("a", many(41))).await,
        "41 members of a new group, dingtalk takes 40"
    );
    assert_eq!(
        told(chat("a", Vec::new())).await,
        "no members of a new group, dingtalk takes 1 to 40"
    );
    assert_eq!(
        told(chat("a", texts(&["u2"]))).await,
        "the group's owner is not among its members"
    );
    let both = ChatUpdate {
        add_members: many(1),
        remove_members: many(1),
        ..ChatUpdate::default()
    };
    assert_eq!(
        client
            .chat_update("chat1", &both)
            .await
            .unwrap_err()
            .message(),
        "a member cannot be added and removed in one call"
    );
    assert_eq!(
        client
            .chat_readers("m", 0, 101)
            .await
            .unwrap_err()
            .message(),
        "a page of 101, dingtalk takes 1 to 100"
    );
    assert_eq!(
        client
            .robot_send_people(&many(21), &RobotOut::Text("hi".into()))
            .await
            .unwrap_err()
            .message(),
        "21 people, dingtalk takes 20"
    );
    assert_eq!(
        client
            .robot_recall_group("cid1==", &many(21))
            .await
            .unwrap_err()
            .message(),
        "21 messages, dingtalk takes 20"
    );
    assert!(server.calls("/gettoken").is_empty());
}

#[tokio::test]
async fn messages_and_notices_of_templates_leave_with_their_values_in_text() {
    let server = Server::start().await;
    let client = server.client();
    let values = std::collections::BTreeMap::from([("title".to_owned(), "标题".to_owned())]);
    let message = SceneMessage {
        template_id: "inner_app_template_markdown".into(),
        values: values.clone(),
        mentions: texts(&["u1", "u2"]),
        ..SceneMessage::default()
    };
    let path = "/topapi/im/chat/scencegroup/message/send_v2";
    server.next_json(
        path,
        &json!({"errcode": 0, "success": true, "open_msg_id": "key="}),
    );
    assert_eq!(client.scene_send("cid1==", &message).await.unwrap(), "key=");
    assert_eq!(
        last_body(&server, path),
        json!({"robot_code": "dingrobot", "target_open_conversation_id": "cid1==",
            "msg_template_id": "inner_app_template_markdown", "msg_param_map": "{\"title\":\"标题\"}",
            "is_at_all": false, "at_users": "u1,u2"})
    );
    let both = SceneMessage {
        media: values.clone(),
        ..message.clone()
    };
    let crowd = SceneMessage {
        mentions: vec!["u".to_owned(); 51],
        ..message
    };
    for (message, told) in [
        (both, "the place \"title\" has a value and a media id"),
        (crowd, "51 people to mention, dingtalk takes 50"),
    ] {
        let error = client.scene_send("cid1==", &message).await.unwrap_err();
        assert_eq!(error.message(), told);
    }

    let people = NamedRecipients {
        users: texts(&["u1"]),
        departments: texts(&["2", "3"]),
    };
    let path = "/topapi/message/corpconversation/sendbytemplate";
    server.next_json(path, &json!({"errcode": 0, "task_id": 9}));
    let sent = client.notice_send_template(&people, "t1", &values).await;
    assert_eq!(sent.unwrap(), 9);
    assert_eq!(
        last_body(&server, path),
        json!({"agent_id": 1001, "template_id": "t1", "userid_list": "u1", "dept_id_list": "2,3",
            "data": "{\"title\":\"标题\"}"})
    );
    let nobody = NamedRecipients::default();
    let error = client
        .notice_send_template(&nobody, "t1", &values)
        .await
        .unwrap_err();
    assert_eq!(error.message(), "a notice needs at least one recipient");
    assert_eq!(server.calls(path).len(), 1);
}
