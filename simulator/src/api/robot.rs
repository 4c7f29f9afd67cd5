//! What robots send: replies by session webhook and messages to groups and people.

mod sent;

use serde_json::{Map, Value, json};

use super::call::{ApiCall, CallBody, Params};
use super::{oapi, v1};
use crate::crypto::random_text;
use crate::groups::{Group, GroupKind, Message, Sender, SenderKind};
use crate::mentions;
use crate::options::App;
use crate::state::World;

pub(super) use sent::{group_state, people_state, recall_group, recall_people, send_to_people};

/// The largest body of a webhook message.
const WEBHOOK_BYTES: usize = 20_000;
/// The largest `msgParam`.
const PARAM_BYTES: usize = 15_000;

/// `POST /robot/sendBySession?session=…`.
pub(super) fn send_by_session(world: &mut World, call: &ApiCall) -> oapi::Outcome {
    let session = call
        .query("session")
        .and_then(|id| world.sessions.get(id, call.now))
        .cloned();
    let Some(session) = session else {
        return Err(oapi::Refusal::new(300_001, "session 不存在"));
    };
    let CallBody::Json(body) = &call.body else {
        return Err(oapi::Refusal::new(40035, "缺少参数 json"));
    };
    if body.to_string().len() > WEBHOOK_BYTES {
        return Err(oapi::Refusal::new(
            460_101,
            "message too long, exceed 20000 bytes",
        ));
    }
    let content = check_webhook(body)?;
    let Some(group) = world.groups.by_id(&session.group) else {
        return Err(oapi::Refusal::new(400_013, "群已被解散"));
    };
    let (group, members) = (group.id.clone(), group.members.clone());
    // A repetition after a lost answer is answered like the first and says nothing more.
    let key = body["msgUuid"].as_str().filter(|key| !key.is_empty());
    if let (Some(key), Some(id)) = (key, call.query("session"))
        && world.sessions.repeats(id, key)
    {
        return Ok(Map::new());
    }
    if let Some(message) = webhook_message(&session.app, body, content, &members, call.now) {
        world.say(&group, message);
    }
    Ok(Map::new())
}

/// Shows the body with which a robot answered its push, if it is a message.
pub(crate) fn show_reply(world: &mut World, app: &str, group: &str, body: &Value, now: i64) {
    let Ok(content) = check_webhook(body) else {
        return;
    };
    let Some(members) = world.groups.by_id(group).map(|group| group.members.clone()) else {
        return;
    };
    if let Some(message) = webhook_message(app, body, content, &members, now) {
        world.say(group, message);
    }
}

/// The message of a webhook body; `empty` says nothing.
fn webhook_message(
    app: &str,
    body: &Value,
    content: Value,
    members: &[String],
    now: i64,
) -> Option<Message> {
    let msgtype = body["msgtype"]
        .as_str()
        .filter(|msgtype| *msgtype != "empty")?;
    let mentions = mentions::in_webhook(body, &content, members);
    Some(Message::new(robot(app), msgtype, content, now).mentioning(mentions))
}

fn robot(app: &str) -> Sender {
    Sender {
        kind: SenderKind::Robot,
        id: app.to_owned(),
        name: app.to_owned(),
    }
}

fn check_webhook(body: &Value) -> Result<Value, oapi::Refusal> {
    let msgtype = body["msgtype"].as_str().unwrap_or_default();
    let required: &[&str] = match msgtype {
        "text" => &["content"],
        "markdown" | "actionCard" => &["title", "text"],
        "link" => &["title", "text", "messageUrl"],
        "feedCard" | "empty" => &[],
        _ => return Err(oapi::Refusal::new(400_105, "不支持的消息类型")),
    };
    if msgtype == "empty" {
        return Ok(Value::Null);
    }
    let content = &body[msgtype];
    let missing = required
        .iter()
        .find(|name| Params::of(content).text(name).is_none());
    if let Some(name) = missing {
        return Err(oapi::Refusal::new(
            40035,
            format!("缺少参数 {msgtype}.{name}"),
        ));
    }
    let whole = |items: &Value, names: [&str; 2]| {
        items.as_array().is_some_and(|items| {
            !items.is_empty()
                && items.iter().all(|item| {
                    names
                        .iter()
                        .all(|name| Params::of(item).text(name).is_some())
                })
        })
    };
    let complete = match msgtype {
        "actionCard" => {
            let single =
                ["singleTitle", "singleURL"].map(|name| Params::of(content).text(name).is_some());
            single == [true, true] || whole(&content["btns"], ["title", "actionURL"])
        }
        "feedCard" => whole(&content["links"], ["title", "messageURL"]),
        _ => true,
    };
    if complete {
        Ok(content.clone())
    } else {
        Err(oapi::Refusal::new(
            40035,
            format!("缺少参数 {msgtype}: buttons or links are incomplete"),
        ))
    }
}

/// `POST /v1.0/robot/groupMessages/send`.
pub(super) fn send_to_group(world: &mut World, app: &App, call: &ApiCall) -> v1::Outcome {
    let body = call.members();
    check_robot(app, body.text("robotCode"))?;
    let Some(id) = body.text("openConversationId") else {
        return Err(refuse("miss.openConversationId", "缺少openConversationId"));
    };
    let group = world
        .groups
        .by_id(id)
        .filter(|group| group.kind == GroupKind::Group);
    let group = check_group(group, app)?.id.clone();
    let (msgtype, content) = template_message(body)?;
    let key = format!("{}=", random_text(43));
    let message = Message::new(robot(&app.name), msgtype, content, call.now).keyed(&key);
    world.say(&group, message);
    Ok(json!({"processQueryKey": key}))
}

fn check_robot(app: &App, code: Option<&str>) -> Result<(), v1::Refusal> {
    if code == Some(app.robot_code.as_str()) {
        return Ok(());
    }
    Err(refuse(
        "invalidParameter.robotCode.notExsit",
        "robotCode不存在",
    ))
}

/// The message of `msgKey` and `msgParam`.
fn template_message(body: Params<'_>) -> Result<(&'static str, Value), v1::Refusal> {
    let Some(msgtype) = body.text("msgKey").and_then(Key::parse) else {
        return Err(refuse("invalidParameter.msgKey.invalid", "msgKey无效"));
    };
    let Some(text) = body.text("msgParam") else {
        return Err(refuse(
            "invalidParameter.msgParam.invalid",
            "msgParam必须是JSON字符串",
        ));
    };
    if text.len() > PARAM_BYTES {
        return Err(refuse("invalidParameter.msgParam.tooLong", "msgParam太长"));
    }
    let param: Option<Map<String, Value>> = serde_json::from_str(text).ok();
    let param = param.filter(|param| msgtype.is_whole(param));
    let param = param.ok_or_else(|| refuse("invalidParameter.msgParam.invalid", "msgParam无效"))?;
    Ok(msgtype.message(param))
}

fn check_group<'g>(group: Option<&'g mut Group>, app: &App) -> Result<&'g mut Group, v1::Refusal> {
    let Some(group) = group else {
        return Err(refuse(
            "invalid.openConversationId",
            "openConversationId无效",
        ));
    };
    if group.disbanded {
        return Err(refuse("group.disbanded", "群已解散"));
    }
    if !group.has_robot(&app.name) {
        return Err(refuse("resource.unavailable", "机器人不在群中"));
    }
    Ok(group)
}

fn refuse(code: &'static str, text: &'static str) -> v1::Refusal {
    v1::Refusal::new(code, text)
}

/// The kinds of message that the newer API knows.
#[derive(Debug, Clone, Copy)]
enum Key {
    Plain {
        msgtype: &'static str,
        required: &'static [&'static str],
    },
    /// So many buttons one under the other, by numbered members.
    Buttons(usize),
    /// Two buttons side by side.
    Pair,
}

impl Key {
    fn parse(key: &str) -> Option<Self> {
        let plain = |msgtype, required| Some(Self::Plain { msgtype, required });
        match key {
            "sampleText" => plain("text", &["content"]),
            "sampleMarkdown" => plain("markdown", &["title", "text"]),
            "sampleImageMsg" => plain("image", &["photoURL"]),
            "sampleLink" => plain("link", &["title", "text", "picUrl", "messageUrl"]),
            "sampleActionCard" => {
                plain("actionCard", &["title", "text", "singleTitle", "singleURL"])
            }
            "sampleActionCard2" => Some(Self::Buttons(2)),
            "sampleActionCard3" => Some(Self::Buttons(3)),
            "sampleActionCard4" => Some(Self::Buttons(4)),
            "sampleActionCard5" => Some(Self::Buttons(5)),
            "sampleActionCard6" => Some(Self::Pair),
            "sampleAudio" => plain("audio", &["mediaId", "duration"]),
            "sampleFile" => plain("file", &["mediaId", "fileName", "fileType"]),
            "sampleVideo" => plain(
                "video",
                &["duration", "videoMediaId", "videoType", "picMediaId"],
            ),
            _ => None,
        }
    }

    /// The members of the title and address of every button.
    fn buttons(self) -> Vec<(String, String)> {
        match self {
            Self::Plain { .. } => Vec::new(),
            Self::Buttons(count) => (1..=count)
                .map(|n| (format!("actionTitle{n}"), format!("actionURL{n}")))
                .collect(),
            Self::Pair => (1..=2)
                .map(|n| (format!("buttonTitle{n}"), format!("buttonUrl{n}")))
                .collect(),
        }
    }

    fn is_whole(self, param: &Map<String, Value>) -> bool {
        let is_there = |name: &str| {
            param
                .get(name)
                .is_some_and(|value| !value.is_null() && value != "")
        };
        match self {
            Self::Plain { required, .. } => required.iter().all(|name| is_there(name)),
            _ => {
                ["title", "text"].iter().all(|name| is_there(name))
                    && self
                        .buttons()
                        .iter()
                        .all(|(title, url)| is_there(title) && is_there(url))
            }
        }
    }

    /// The message as a group shows it; cards with numbered members get the button list of a webhook card.
    fn message(self, mut param: Map<String, Value>) -> (&'static str, Value) {
        if let Self::Plain { msgtype, .. } = self {
            return (msgtype, Value::Object(param));
        }
        let buttons: Vec<Value> = self
            .buttons()
            .iter()
            .map(|(title, url)| json!({"title": param.get(title), "actionURL": param.get(url)}))
            .collect();
        let orientation = if matches!(self, Self::Pair) { "1" } else { "0" };
        param.insert("btns".to_owned(), Value::Array(buttons));
        param.insert("btnOrientation".to_owned(), json!(orientation));
        ("actionCard", Value::Object(param))
    }
}
