//! The group calls: create, update, get, send and who has read.

use serde_json::{Map, Value, json};

use super::call::{ApiCall, Params};
use super::message::{self, Checked};
use super::oapi::{Outcome, Refusal, members};
use crate::groups::{FLAGS, Group, Message, Sender, SenderKind};
use crate::options::App;
use crate::state::World;

const NAME_CHARS: usize = 20;
const MEMBERS_A_CALL: usize = 40;
const MEMBERS_IN_ALL: usize = 1000;
const READERS_A_PAGE: i64 = 100;

/// `POST /chat/create`.
pub(super) fn create(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let name = checked_name(body.text("name").unwrap_or_default())?;
    let people = member_list(world, body, "useridlist")?;
    if people.is_empty() {
        return Err(Refusal::new(49010, "群成员为空"));
    }
    let Some(owner) = body.text("owner") else {
        return Err(Refusal::new(49013, "群主为空"));
    };
    if !people.iter().any(|userid| userid == owner) {
        return Err(Refusal::new(49006, "群主不在群成员列表里"));
    }
    let flags = checked_flags(body)?;
    let group = world.groups.create(&app.name, name, owner, people);
    group.flags.extend(flags);
    let answer =
        json!({"chatid": group.chatid, "openConversationId": group.id, "conversationTag": 2});
    let update = json!(group);
    world.update("group", update);
    Ok(members(answer))
}

/// `POST /chat/update`: everything is checked before anything changes.
pub(super) fn update(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let group = own_group(world, app, body.text("chatid"))?;
    let (chatid, before) = (group.chatid.clone(), group.members.clone());
    let name = body.text("name").map(checked_name).transpose()?;
    let flags = checked_flags(body)?;
    let added = member_list(world, body, "add_useridlist")?;
    let removed = body.texts("del_useridlist").unwrap_or_default();
    if added.iter().any(|userid| removed.contains(userid)) {
        return Err(Refusal::new(49004, "添加和删除的成员有重复"));
    }
    let mut people = before.clone();
    people.extend(
        added
            .iter()
            .filter(|userid| !before.contains(userid))
            .cloned(),
    );
    people.retain(|userid| !removed.contains(userid));
    if people.len() > MEMBERS_IN_ALL {
        return Err(Refusal::new(49011, "群成员人数超过限制"));
    }
    let owner = body.text("owner").map(str::to_owned);
    let group = own_group(world, app, Some(&chatid))?;
    let owner = owner.unwrap_or_else(|| group.owner.clone());
    if !people.contains(&owner) {
        return Err(Refusal::new(49006, "群主不在群成员列表里"));
    }
    let change = GroupChange {
        joined: people
            .iter()
            .filter(|userid| !before.contains(userid))
            .cloned()
            .collect(),
        left: before
            .iter()
            .filter(|userid| !people.contains(userid))
            .cloned()
            .collect(),
        title: name.filter(|name| *name != group.name).map(str::to_owned),
        owner: (owner != group.owner).then(|| owner.clone()),
        operator: group.owner.clone(),
        at: call.now,
    };
    if let Some(name) = name {
        name.clone_into(&mut group.name);
    }
    if let Some(icon) = body.text("icon") {
        icon.clone_into(&mut group.icon);
    }
    group.flags.extend(flags);
    group.owner = owner;
    group.members = people;
    let group = group.clone();
    world.update("group", json!(group));
    change.announce(world, &group);
    Ok(Map::new())
}

/// `GET /chat/get`.
pub(super) fn get(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let group = own_group(world, app, call.query("chatid"))?;
    let mut info = group.flags.clone();
    info.extend(members(json!({
        "chatid": group.chatid,
        "name": group.name,
        "owner": group.owner,
        "useridlist": group.members,
        "conversationTag": 2,
        "icon": group.icon,
        "status": if group.disbanded { 2 } else { 1 },
    })));
    Ok(members(json!({"chat_info": info})))
}

/// `POST /chat/send`.
pub(super) fn send(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let Some(group) = world
        .groups
        .by_chatid(body.text("chatid").unwrap_or_default())
    else {
        return Err(Refusal::new(34001, "无效的会话id"));
    };
    if !group.is_open_to(&app.name) {
        return Err(other_app());
    }
    if group.disbanded {
        return Err(Refusal::new(34013, "会话不存在"));
    }
    if let Some(sender) = body
        .text("sender")
        .filter(|sender| !group.has_member(sender))
    {
        return Err(Refusal::new(
            34002,
            format!("无效的会话消息的发送者: {sender}"),
        ));
    }
    // Older clients lay the message flat into the body, beside the chat id.
    let flat = body
        .text("msgtype")
        .and_then(|_| body.without(&["chatid", "sender"]));
    let Some(msg) = body.get("msg").or(flat.as_ref()) else {
        return Err(Refusal::new(
            34014,
            "会话消息的json结构无效或不完整: msg is missing",
        ));
    };
    let Checked { msgtype, content } = message::check(msg).map_err(refuse_message)?;
    let sender = Sender {
        kind: SenderKind::App,
        id: app.name.clone(),
        name: app.name.clone(),
    };
    let message = Message::new(sender, &msgtype, content, call.now);
    let id = message.id.clone();
    let group = group.id.clone();
    world.say(&group, message);
    Ok(members(json!({"messageId": id})))
}

/// `GET /chat/getReadList`.
pub(super) fn read_list(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let Some((group, message)) = world
        .groups
        .message(call.query("messageId").unwrap_or_default())
    else {
        return Err(Refusal::parameter("messageId"));
    };
    if !group.is_open_to(&app.name) {
        return Err(other_app());
    }
    let number = |name| call.query(name).and_then(|text| text.parse::<i64>().ok());
    let Some(cursor) = number("cursor").and_then(|cursor| usize::try_from(cursor).ok()) else {
        return Err(Refusal::new(40068, "不合法的偏移量"));
    };
    let most = READERS_A_PAGE.min(i64::try_from(group.members.len()).unwrap_or(READERS_A_PAGE));
    let size = number("size").filter(|size| (1..=most).contains(size));
    let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else {
        return Err(Refusal::new(40069, "不合法的分页大小"));
    };
    let page: Vec<&String> = message.read_by.iter().skip(cursor).take(size).collect();
    let mut answer = Map::new();
    if cursor + page.len() < message.read_by.len() {
        answer.insert("next_cursor".to_owned(), json!(cursor + page.len()));
    }
    if !page.is_empty() {
        answer.insert("readUserIdList".to_owned(), json!(page));
    }
    Ok(answer)
}

fn own_group<'w>(
    world: &'w mut World,
    app: &App,
    chatid: Option<&str>,
) -> Result<&'w mut Group, Refusal> {
    let group = world.groups.by_chatid(chatid.unwrap_or_default());
    let group = group.ok_or_else(|| Refusal::new(40016, "不合法的chatid"))?;
    if group.is_open_to(&app.name) {
        Ok(group)
    } else {
        Err(other_app())
    }
}

fn other_app() -> Refusal {
    Refusal::new(43007, "需要授权: 该群由其他应用创建")
}

fn checked_name(name: &str) -> Result<&str, Refusal> {
    if (1..=NAME_CHARS).contains(&name.chars().count()) {
        Ok(name)
    } else {
        Err(Refusal::new(49015, "群名称不合法: 1..20个字符"))
    }
}

/// The people of a member list, each once, all of them known.
fn member_list(world: &World, body: Params<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let listed = match body.get(name) {
        None => Vec::new(),
        Some(_) => body.texts(name).ok_or_else(|| Refusal::parameter(name))?,
    };
    if listed.len() > MEMBERS_A_CALL {
        return Err(Refusal::new(49011, "群成员人数超过限制: 每次最多40人"));
    }
    let mut people: Vec<String> = Vec::with_capacity(listed.len());
    for userid in listed {
        if world.company.person(&userid).is_none() {
            return Err(Refusal::new(40031, format!("不合法的UserID列表: {userid}")));
        }
        if !people.contains(&userid) {
            people.push(userid);
        }
    }
    Ok(people)
}

fn checked_flags(body: Params<'_>) -> Result<Map<String, Value>, Refusal> {
    let mut flags = Map::new();
    for name in FLAGS {
        match (body.get(name), body.integer(name)) {
            (None, _) => {}
            (Some(_), Some(value @ 0..=1)) => {
                flags.insert(name.to_owned(), json!(value));
            }
            _ => return Err(Refusal::parameter(name)),
        }
    }
    Ok(flags)
}

fn refuse_message(fault: message::Fault) -> Refusal {
    match fault {
        message::Fault::Type => Refusal::new(34004, "无效的会话消息类型"),
        message::Fault::SeveralTypes => Refusal::new(34014, "一条消息只能有一种类型"),
        message::Fault::Broken(why) => {
            Refusal::new(34014, format!("会话消息的json结构无效或不完整: {why}"))
        }
        message::Fault::TooLong(what) => Refusal::new(34016, format!("会话消息的内容太长: {what}")),
    }
}

/// What an update did, for the events that tell of it.
struct GroupChange {
    joined: Vec<String>,
    left: Vec<String>,
    title: Option<String>,
    owner: Option<String>,
    operator: String,
    at: i64,
}

impl GroupChange {
    fn announce(&self, world: &mut World, group: &Group) {
        let mut tell = |kind: &str, extra: Value| {
            world.announce(|app| {
                let mut event = members(json!({
                    "EventType": kind,
                    "TimeStamp": self.at,
                    "CorpId": app.corp_id,
                    "ChatId": group.chatid,
                    "OpenConversationId": group.id,
                }));
                if kind != "chat_update_owner" {
                    event.insert("Operator".to_owned(), json!(self.operator));
                }
                event.extend(members(extra.clone()));
                Value::Object(event)
            });
        };
        if !self.joined.is_empty() {
            tell("chat_add_member", json!({"UserId": self.joined}));
        }
        if !self.left.is_empty() {
            tell("chat_remove_member", json!({"UserId": self.left}));
        }
        if let Some(title) = &self.title {
            tell("chat_update_title", json!({"Title": title}));
        }
        if let Some(owner) = &self.owner {
            tell("chat_update_owner", json!({"Owner": owner}));
        }
    }
}

impl World {
    /// Puts a message into a group and tells the page; a group that is gone swallows it.
    pub(crate) fn say(&mut self, group: &str, message: Message) {
        if let Some(found) = self.groups.by_id(group) {
            let update = self
                .is_watched
                .then(|| json!({"group": group, "message": message}));
            found.say(message);
            if let Some(update) = update {
                self.update("message", update);
            }
        }
    }
}
