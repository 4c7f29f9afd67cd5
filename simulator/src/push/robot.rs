//! Builds a robot message as DingTalk words it and posts it with its signature.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::describe;
use crate::api;
use crate::clock::now_ms;
use crate::company::Company;
use crate::crypto::robot_sign;
use crate::groups::GroupKind;
use crate::mentions;
use crate::options::App;
use crate::state::World;

/// What somebody wrote to a robot.
pub(crate) struct Written<'a> {
    pub(crate) msg_id: &'a str,
    pub(crate) sender: &'a str,
    pub(crate) text: &'a str,
    pub(crate) mentions: &'a [String],
    pub(crate) at: i64,
    /// The id and the end of the session webhook.
    pub(crate) session: (&'a str, i64),
}

/// Where it was written.
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: GroupKind,
}

/// The message JSON for one app's robot.
pub(crate) fn message_body(
    world: &World,
    app: &App,
    group: &Conversation,
    written: &Written<'_>,
) -> Value {
    let company: &Company = &world.company;
    let is_group = group.kind == GroupKind::Group;
    let robot = dingtalk_id("robot", &app.name);
    let mut at_users = vec![json!({"dingtalkId": robot})];
    let called = written.mentions.iter();
    at_users.extend(
        called.map(|userid| json!({"dingtalkId": dingtalk_id("user", userid), "staffId": userid})),
    );
    // DingTalk cuts the robot's name out of a group message and leaves the space behind it.
    let text = match is_group {
        true => format!(" {}", mentions::cut(written.text, &app.name)),
        false => written.text.to_owned(),
    };
    let (session, expires) = written.session;
    let mut body = json!({
        "msgtype": "text",
        "text": {"content": text},
        "msgId": written.msg_id,
        "createAt": written.at,
        "conversationId": group.id,
        "conversationType": if is_group { "2" } else { "1" },
        "senderId": dingtalk_id("user", written.sender),
        "senderStaffId": written.sender,
        "senderNick": company.name_of(written.sender),
        "senderCorpId": app.corp_id,
        "senderPlatform": "Mac",
        "isAdmin": company.person(written.sender).is_some_and(|person| person.admin),
        "chatbotCorpId": app.corp_id,
        "chatbotUserId": robot,
        "robotCode": app.robot_code,
        "sessionWebhook": format!("http://{}/robot/sendBySession?session={session}", world.address),
        "sessionWebhookExpiredTime": expires,
    });
    if is_group {
        body["conversationTitle"] = json!(group.name);
        body["isInAtList"] = json!(true);
        body["atUsers"] = json!(at_users);
    }
    body
}

/// The opaque form in which DingTalk names people and robots to robots.
fn dingtalk_id(kind: &str, id: &str) -> String {
    format!("$:LWCP_v1:${kind}-{id}")
}

/// Posts one message; gives the status and the body if it is JSON.
pub(super) async fn send(
    client: &reqwest::Client,
    app: &App,
    body: &Value,
) -> Result<(u16, Option<Value>), String> {
    let url = app
        .robot_url
        .as_ref()
        .ok_or_else(|| format!("app {:?} has no robot address", app.name))?;
    let timestamp = now_ms().to_string();
    let response = client
        .post(url)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header("sign", robot_sign(&app.app_secret, &timestamp))
        .header("timestamp", timestamp)
        .body(body.to_string())
        .send()
        .await
        .map_err(describe)?;
    let status = response.status().as_u16();
    let reply = response.bytes().await.map_err(describe)?;
    let reply = if status == 200 {
        serde_json::from_slice(&reply).ok()
    } else {
        None
    };
    Ok((status, reply))
}

/// Shows the answer of a robot in its group, if it is a message.
pub(super) fn show_reply(world: &mut World, app: &str, group: &str, reply: &Value) {
    api::show_reply(world, app, group, reply, now_ms());
}
