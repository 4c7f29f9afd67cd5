//! The group calls.

use serde_json::{Value, json};

use crate::stage::Stage;

async fn create(stage: &Stage) -> Value {
    let body = json!({"name": "Incident", "owner": "alice", "useridlist": ["alice", "bob", "bob"], "searchable": 1});
    stage.call("/chat/create", body).await
}

fn text(content: &str) -> Value {
    json!({"msgtype": "text", "text": {"content": content}})
}

#[tokio::test]
async fn a_group_is_made_read_and_changed() {
    let stage = Stage::new().await;
    let made = create(&stage).await;
    assert_eq!(
        (&made["errcode"], &made["conversationTag"]),
        (&json!(0), &json!(2))
    );
    let chatid = made["chatid"].as_str().unwrap();
    let group = stage
        .group(made["openConversationId"].as_str().unwrap())
        .await;
    assert_eq!(group["members"], json!(["alice", "bob"]));
    assert_eq!(
        (&group["kind"], &group["robots"]),
        (&json!("group"), &json!(["acme"]))
    );

    let body = json!({"chatid": chatid, "name": "Solved", "owner": "bob",
        "add_useridlist": ["carol"], "del_useridlist": ["alice"]});
    assert_eq!(stage.call("/chat/update", body).await["errcode"], 0);
    let got = stage.ask("/chat/get", &format!("chatid={chatid}")).await;
    let info = &got["chat_info"];
    assert_eq!(info["useridlist"], json!(["bob", "carol"]));
    assert_eq!(
        (&info["name"], &info["owner"]),
        (&json!("Solved"), &json!("bob"))
    );
    assert_eq!(
        (
            &info["status"],
            &info["searchable"],
            &info["chatBannedType"]
        ),
        (&json!(1), &json!(1), &json!(0))
    );

    let events = stage.receiver.wait_for_events(4).await;
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["EventType"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "chat_add_member",
            "chat_remove_member",
            "chat_update_title",
            "chat_update_owner"
        ]
    );
    assert_eq!(events[0]["UserId"], json!(["carol"]));
    assert_eq!(events[0]["ChatId"], chatid);
    assert!(events[0]["TimeStamp"].is_i64());
}

#[tokio::test]
async fn bad_groups_are_refused() {
    let stage = Stage::new().await;
    let check = async |body: Value, code: i64| {
        assert_eq!(
            stage.call("/chat/create", body.clone()).await["errcode"],
            code,
            "{body}"
        );
    };
    let people = json!(["alice", "bob"]);
    let crowd = vec!["alice"; 41];
    check(json!({"owner": "alice", "useridlist": people}), 49015).await;
    check(
        json!({"name": "x".repeat(21), "owner": "alice", "useridlist": people}),
        49015,
    )
    .await;
    check(json!({"name": "x", "owner": "alice"}), 49010).await;
    check(
        json!({"name": "x", "owner": "alice", "useridlist": "alice"}),
        40035,
    )
    .await;
    check(
        json!({"name": "x", "owner": "alice", "useridlist": crowd}),
        49011,
    )
    .await;
    check(json!({"name": "x", "useridlist": people}), 49013).await;
    check(
        json!({"name": "x", "owner": "carol", "useridlist": people}),
        49006,
    )
    .await;
    check(
        json!({"name": "x", "owner": "alice", "useridlist": ["alice", "ghost"]}),
        40031,
    )
    .await;
    check(
        json!({"name": "x", "owner": "alice", "useridlist": people, "searchable": 2}),
        40035,
    )
    .await;
}

#[tokio::test]
async fn bad_changes_change_nothing() {
    let stage = Stage::new().await;
    let made = create(&stage).await;
    let chatid = made["chatid"].as_str().unwrap();
    for (body, code) in [
        (json!({"chatid": "chatx"}), 40016),
        (
            json!({"chatid": chatid, "name": "y", "add_useridlist": ["carol"], "del_useridlist": ["carol"]}),
            49004,
        ),
        (
            json!({"chatid": chatid, "name": "y", "owner": "carol"}),
            49006,
        ),
        (
            json!({"chatid": chatid, "name": "y", "del_useridlist": ["alice"]}),
            49006,
        ),
    ] {
        assert_eq!(
            stage.call("/chat/update", body.clone()).await["errcode"],
            code,
            "{body}"
        );
    }
    let got = stage.ask("/chat/get", &format!("chatid={chatid}")).await;
    assert_eq!(got["chat_info"]["name"], "Incident");
    assert_eq!(
        stage.ask("/chat/get", "chatid=chatx").await["errcode"],
        40016
    );
}

#[tokio::test]
async fn a_message_appears_in_its_group() {
    let stage = Stage::new().await;
    let sent = stage
        .call(
            "/chat/send",
            json!({"chatid": "chatoncall", "msg": text("磁盘满了")}),
        )
        .await;
    assert_eq!(sent["errcode"], 0);
    let group = stage.group("cidOncall==").await;
    let message = &group["messages"][0];
    assert_eq!(message["id"], sent["messageId"]);
    assert_eq!(
        message["sender"],
        json!({"kind": "app", "id": "acme", "name": "acme"})
    );
    assert_eq!(
        (&message["msgtype"], &message["content"]),
        (&json!("text"), &json!({"content": "磁盘满了"}))
    );
}

#[tokio::test]
async fn a_message_may_lie_flat_in_the_body() {
    let stage = Stage::new().await;
    let body = json!({"chatid": "chatdev", "msgtype": "text", "text": {"content": "flat"}});
    assert_eq!(stage.call("/chat/send", body).await["errcode"], 0);
    assert_eq!(
        stage.group("cidDev==").await["messages"][0]["content"]["content"],
        "flat"
    );
}

#[tokio::test]
async fn bad_messages_are_refused() {
    let stage = Stage::new().await;
    let send = async |body: Value| {
        stage.call("/chat/send", body).await["errcode"]
            .as_i64()
            .unwrap()
    };
    assert_eq!(
        send(json!({"chatid": "chatx", "msg": text("x")})).await,
        34001
    );
    assert_eq!(send(json!({"msg": text("x")})).await, 34001);
    assert_eq!(send(json!({"chatid": "chatoncall"})).await, 34014);
    assert_eq!(
        send(json!({"chatid": "chatoncall", "sender": "ghost", "msg": text("x")})).await,
        34002
    );
    assert_eq!(
        send(json!({"chatid": "chatoncall", "msg": {"msgtype": "poem"}})).await,
        34004
    );
    assert_eq!(
        send(json!({"chatid": "chatoncall", "msg": {"msgtype": "text"}})).await,
        34014
    );
    let two = json!({"msgtype": "text", "text": {"content": "x"}, "link": {}});
    assert_eq!(
        send(json!({"chatid": "chatoncall", "msg": two})).await,
        34014
    );
    assert_eq!(
        send(json!({"chatid": "chatoncall", "msg": text(&"长".repeat(700))})).await,
        34016
    );
}

#[tokio::test]
async fn a_group_of_another_app_is_closed() {
    let stage = Stage::new().await;
    let made = create(&stage).await;
    let chatid = made["chatid"].as_str().unwrap();
    let token = stage.other_token().await;
    let got = stage
        .get(&format!("/chat/get?access_token={token}&chatid={chatid}"))
        .await;
    assert_eq!(got["errcode"], 43007);
    let body = json!({"chatid": chatid, "msg": text("x")});
    assert_eq!(
        stage
            .post(&format!("/chat/send?access_token={token}"), body)
            .await["errcode"],
        43007
    );
}

#[tokio::test]
async fn who_writes_has_read() {
    let stage = Stage::new().await;
    let sent = stage
        .call(
            "/chat/send",
            json!({"chatid": "chatoncall", "msg": text("x")}),
        )
        .await;
    let id = sent["messageId"].as_str().unwrap();
    let list = async |query: &str| {
        stage
            .ask("/chat/getReadList", &format!("messageId={id}&{query}"))
            .await
    };
    let nobody = list("cursor=0&size=5").await;
    assert_eq!(
        (&nobody["errcode"], nobody.get("readUserIdList")),
        (&json!(0), None)
    );
    for person in ["bob", "alice"] {
        let body = json!({"conversationId": "cidOncall==", "senderStaffId": person, "text": "ok"});
        stage.post("/_sim/messages", body).await;
    }
    let first = list("cursor=0&size=1").await;
    assert_eq!(
        (&first["readUserIdList"], &first["next_cursor"]),
        (&json!(["alice"]), &json!(1))
    );
    let last = list("cursor=1&size=1").await;
    assert_eq!(
        (&last["readUserIdList"], last.get("next_cursor")),
        (&json!(["bob"]), None)
    );
    assert_eq!(list("cursor=x&size=1").await["errcode"], 40068);
    assert_eq!(list("cursor=0&size=8").await["errcode"], 40069);
    assert_eq!(
        stage
            .ask("/chat/getReadList", "messageId=x&cursor=0&size=1")
            .await["errcode"],
        40035
    );
}

#[tokio::test]
async fn people_can_be_looked_up() {
    let stage = Stage::new().await;
    let old = stage.ask("/user/get", "userid=alice").await;
    assert_eq!(
        (&old["name"], &old["orderInDepts"]),
        (&json!("林爱丽"), &json!("{2:176318668975061000}"))
    );
    assert_eq!(
        stage.ask("/user/get", "userid=ghost").await["errcode"],
        60121
    );
    let new = stage
        .call("/topapi/v2/user/get", json!({"userid": "manager"}))
        .await;
    assert_eq!(
        (&new["result"]["admin"], &new["result"]["dept_id_list"]),
        (&json!(true), &json!([1]))
    );
    assert_eq!(
        stage.call("/topapi/v2/user/get", json!({})).await["errcode"],
        40035
    );
}
