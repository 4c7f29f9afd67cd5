//! What each call sends and reads.

use dingtalk::{
    ApiError, ChatUpdate, Markdown, Mentions, Message, NamedRecipients, NewChat, NoticeState,
    Recipients, RobotOut,
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
async fn groups_are_created_read_changed_and_written_to() {
    let server = Server::start().await;
    let client = server.client();

    server.next_json(
        "/chat/create",
        &json!({"errcode": 0, "chatid": "chat1", "openConversationId": "cid1=="}),
    );
    let chat = NewChat {
        name: "值班".into(),
        owner: "u1".into(),
        members: texts(&["u1", "u2"]),
        show_history: true,
    };
    let created = client.chat_create(&chat).await.unwrap();
    assert_eq!(
        (created.chat_id.as_str(), created.conversation_id.as_deref()),
        ("chat1", Some("cid1=="))
    );
    assert_eq!(
        last_body(&server, "/chat/create"),
        json!({"name": "值班", "owner": "u1", "useridlist": ["u1", "u2"], "showHistoryType": 1})
    );

    server.next_json(
        "/chat/get",
        &json!({"errcode": 0, "chat_info": {"chatid": "chat1", "name": "值班", "owner": "u1", "useridlist": ["u1"], "status": 2}}),
    );
    let info = client.chat_get("chat1").await.unwrap();
    assert_eq!(info.members, ["u1"]);
    assert!(info.disbanded);
    assert_eq!(server.calls("/chat/get")[0].query["chatid"], "chat1");

    let changes = ChatUpdate {
        owner: Some("u2".into()),
        remove_members: texts(&["u1"]),
        ..ChatUpdate::default()
    };
    client.chat_update("chat1", &changes).await.unwrap();
    assert_eq!(
        last_body(&server, "/chat/update"),
        json!({"chatid": "chat1", "owner": "u2", "del_useridlist": ["u1"]})
    );

    server.next_json("/chat/send", &json!({"errcode": 0, "messageId": "m1"}));
    assert_eq!(
        client
            .chat_send("chat1", &Message::Text("hi".into()))
            .await
            .unwrap(),
        "m1"
    );
    assert_eq!(
        last_body(&server, "/chat/send"),
        json!({"chatid": "chat1", "msg": {"msgtype": "text", "text": {"content": "hi"}}})
    );
}

#[tokio::test]
async fn notices_are_sent_followed_and_recalled() {
    let path = |name: &str| format!("/topapi/message/corpconversation/{name}");
    let server = Server::start().await;
    let client = server.client();

    server.next_json(
        &path("asyncsend_v2"),
        &json!({"errcode": 0, "task_id": 256271667526_i64}),
    );
    let named = Recipients::Named(NamedRecipients {
        users: texts(&["u1", "u2"]),
        departments: texts(&["7"]),
    });
    let message = Message::Markdown(Markdown {
        title: "t".into(),
        text: "x".into(),
    });
    assert_eq!(
        client.notice_send(&named, &message).await.unwrap(),
        256_271_667_526
    );
    let body = last_body(&server, &path("asyncsend_v2"));
    assert_eq!(body["agent_id"], 1001);
    assert_eq!(
        (&body["userid_list"], &body["dept_id_list"]),
        (&json!("u1,u2"), &json!("7"))
    );
    assert_eq!(body.get("to_all_user"), None);

    server.next_json(
        &path("asyncsend_v2"),
        &json!({"errcode": 0, "task_id": "5"}),
    );
    assert_eq!(
        client
            .notice_send(&Recipients::Everyone, &message)
            .await
            .unwrap(),
        5
    );
    assert_eq!(
        last_body(&server, &path("asyncsend_v2"))["to_all_user"],
        true
    );

    server.next_json(
        &path("getsendprogress"),
        &json!({"errcode": 0, "progress": {"progress_in_percent": 100, "status": 2}}),
    );
    let progress = client.notice_progress(5).await.unwrap();
    assert_eq!(
        (progress.percent, progress.state),
        (100, NoticeState::Finished)
    );

    server.next_json(
        &path("getsendresult"),
        &json!({"errcode": 0, "send_result": {"invalid_user_id_list": ["x"], "forbidden_user_id_list": ["u1", "u9"],
            "forbidden_list": [{"code": "143106", "count": 1, "userid": "u1"}], "read_user_id_list": ["u2"],
            "invalid_dept_id_list": [8]}}),
    );
    let outcome = client.notice_outcome(5).await.unwrap();
    assert_eq!(outcome.invalid_users, ["x"]);
    assert_eq!(outcome.invalid_departments, ["8"]);
    assert_eq!(outcome.read_users, ["u2"]);
    let refused: Vec<_> = outcome
        .refused
        .iter()
        .map(|r| (r.user_id.as_str(), r.code.as_str()))
        .collect();
    assert_eq!(refused, [("u1", "143106"), ("u9", "")]);

    client.notice_recall(5).await.unwrap();
    assert_eq!(
        last_body(&server, &path("recall")),
        json!({"agent_id": 1001, "msg_task_id": 5})
    );
}

#[tokio::test]
async fn an_id_with_a_comma_cannot_smuggle_in_a_second_recipient() {
    let server = Server::start().await;
    let client = server.client();
    for users in [texts(&["u1,u2"]), texts(&[""]), vec![]] {
        let named = Recipients::Named(NamedRecipients {
            users,
            departments: vec![],
        });
        let error = client
            .notice_send(&named, &Message::Text("x".into()))
            .await
            .unwrap_err();
        assert!(matches!(error, ApiError::Invalid { .. }), "{error}");
    }
    assert!(
        server
            .calls("/topapi/message/corpconversation/asyncsend_v2")
            .is_empty()
    );
}

#[tokio::test]
async fn the_robot_replies_without_a_token_and_sends_with_one() {
    let server = Server::start().await;
    let client = server.client();
    let webhook = server.base.join("/robot/sendBySession?session=s").unwrap();
    let mentions = Mentions {
        user_ids: texts(&["u1"]),
        ..Mentions::default()
    };
    client
        .robot_reply(
            webhook.as_str(),
            &RobotOut::Text("hi @u1".into()),
            &mentions,
            Some("key-1"),
        )
        .await
        .unwrap();
    let call = server.calls("/robot/sendBySession").pop().unwrap();
    assert_eq!(call.query["session"], "s");
    assert_eq!(call.body["at"]["atUserIds"], json!(["u1"]));
    assert_eq!(call.body["msgUuid"], "key-1");
    assert!(server.calls("/gettoken").is_empty());

    server.next_json(
        "/robot/sendBySession",
        &json!({"errcode": 300001, "errmsg": "session 不存在"}),
    );
    let gone = client
        .robot_reply(
            webhook.as_str(),
            &RobotOut::Text("hi".into()),
            &mentions,
            None,
        )
        .await;
    assert!(matches!(gone.unwrap_err(), ApiError::NotFound { .. }));

    server.next_json(
        "/v1.0/robot/groupMessages/send",
        &json!({"processQueryKey": "k"}),
    );
    assert_eq!(
        client
            .robot_send_group("cid1==", &RobotOut::Text("hi".into()))
            .await
            .unwrap(),
        "k"
    );
    assert_eq!(
        last_body(&server, "/v1.0/robot/groupMessages/send"),
        json!({"robotCode": "dingrobot", "openConversationId": "cid1==", "msgKey": "sampleText", "msgParam": "{\"content\":\"hi\"}"})
    );
}

#[tokio::test]
async fn a_forged_webhook_is_not_called() {
    let server = Server::start().await;
    let elsewhere = Server::start().await;
    let webhook = elsewhere
        .base
        .join("/robot/sendBySession?session=s")
        .unwrap();
    let sent = server
        .client()
        .robot_reply(
            webhook.as_str(),
            &RobotOut::Text("hi".into()),
            &Mentions::default(),
            None,
        )
        .await;
    assert!(matches!(sent.unwrap_err(), ApiError::Invalid { .. }));
    assert!(elsewhere.calls("/robot/sendBySession").is_empty());
}

#[tokio::test]
async fn a_status_bar_is_changed_and_a_file_has_an_address() {
    let server = Server::start().await;
    let client = server.client();
    client.notice_status_bar(5, "已同意", None).await.unwrap();
    let path = "/topapi/message/corpconversation/status_bar/update";
    assert_eq!(
        last_body(&server, path),
        json!({"agent_id": 1001, "task_id": 5, "status_value": "已同意"})
    );
    let path = "/v1.0/robot/messageFiles/download";
    let there = server.base.join("/files/a").unwrap();
    server.next_json(path, &json!({"downloadUrl": there.as_str()}));
    let url = client.robot_file_url("code").await.unwrap();
    assert_eq!(url, there);
    assert_eq!(last_body(&server, path)["downloadCode"], "code");
}
