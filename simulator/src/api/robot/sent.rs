//! Messages to people, what became of a robot's messages, and taking them back.

use serde_json::{Value, json};

use super::{check_group, check_robot, refuse, robot, template_message};
use crate::api::call::{ApiCall, Params};
use crate::api::v1::{Outcome, Refusal};
use crate::clock::DAY_MS;
use crate::crypto::random_text;
use crate::groups::Message;
use crate::options::App;
use crate::state::World;

const PEOPLE: usize = 20;
const KEYS: usize = 20;
const READERS_A_PAGE: i64 = 200;

/// `POST /v1.0/robot/oToMessages/batchSend`: success also when nobody is reached.
pub(in crate::api) fn send_to_people(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    check_robot(app, body.text("robotCode"))?;
    let users = body.texts("userIds").unwrap_or_default();
    if users.is_empty() {
        return Err(refuse("invalidParameter.userIds.invalid", "userIds为空"));
    }
    if users.len() > PEOPLE {
        return Err(refuse("too.many.people", "userIds最多20个"));
    }
    let (msgtype, content) = template_message(body)?;
    let key = format!("{}=", random_text(43));
    let mut unknown = Vec::new();
    for userid in users {
        if world.company.person(&userid).is_none() {
            unknown.push(userid);
            continue;
        }
        if world.groups.single(&app.name, &userid).is_none() {
            let update = json!(world.groups.create_single(&app.name, &userid));
            world.update("group", update);
        }
        let chat = world.groups.single(&app.name, &userid);
        let Some(chat) = chat.map(|chat| chat.id.clone()) else {
            continue;
        };
        let message = Message::new(robot(&app.name), msgtype, content.clone(), call.now);
        world.say(&chat, message.keyed(&key));
    }
    Ok(json!({
        "processQueryKey": key,
        "invalidStaffIdList": unknown,
        "flowControlledStaffIdList": [],
    }))
}

/// `POST /v1.0/robot/groupMessages/query`.
pub(in crate::api) fn group_state(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    if let Some(code) = body.text("robotCode") {
        check_robot(app, Some(code))?;
    }
    let key = key(body.text("processQueryKey"))?;
    let size = body.integer("maxResults").unwrap_or(READERS_A_PAGE);
    if !(1..=READERS_A_PAGE).contains(&size) {
        return Err(refuse(
            "invalidParameter.maxResults.invalid",
            "maxResults无效",
        ));
    }
    let from = body.text("nextToken").unwrap_or("0").parse::<usize>();
    let from = from.map_err(|_| refuse("invalidParameter.nextToken.invalid", "nextToken无效"))?;
    let conversation = body.text("openConversationId");
    let mut found = world.groups.keyed(&app.name, key);
    let found = found.find(|(group, ..)| conversation.is_none_or(|wanted| wanted == *group));
    let (_, _, message) = found.ok_or_else(unknown_key)?;
    let size = usize::try_from(size).unwrap_or(PEOPLE);
    let page: Vec<&String> = message.read_by.iter().skip(from).take(size).collect();
    let next = from + page.len();
    Ok(json!({
        "sendStatus": status(message),
        "hasMore": next < message.read_by.len(),
        "nextToken": next.to_string(),
        "readUserIds": page,
    }))
}

/// `GET /v1.0/robot/oToMessages/readStatus`.
pub(in crate::api) fn people_state(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    check_robot(app, call.query("robotCode"))?;
    let key = key(call.query("processQueryKey"))?;
    let company = std::sync::Arc::clone(&world.company);
    let mut state = None;
    let mut people: Vec<Value> = Vec::new();
    for (_, members, message) in world.groups.keyed(&app.name, key) {
        if call.now - message.at > DAY_MS {
            return Err(refuse(
                "invalidParameter.processQueryKey.expired",
                "消息已过期",
            ));
        }
        state = Some(status(message));
        people.extend(members.iter().map(|userid| {
            let read = message.read_by.contains(userid);
            json!({
                "userId": userid,
                "name": company.name_of(userid),
                "readStatus": if read { "READ" } else { "UNREAD" },
            })
        }));
    }
    let state = state.ok_or_else(unknown_key)?;
    Ok(json!({"sendStatus": state, "messageReadInfoList": people}))
}

/// `POST /v1.0/robot/groupMessages/recall`.
pub(in crate::api) fn recall_group(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let id = body.text("openConversationId").unwrap_or_default();
    let group = check_group(world.groups.by_id(id), app)?.id.clone();
    recall(world, app, call, Some(&group))
}

/// `POST /v1.0/robot/otoMessages/batchRecall`.
pub(in crate::api) fn recall_people(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    recall(world, app, call, None)
}

/// Takes messages back, in one group or in all single chats.
fn recall(world: &mut World, app: &App, call: &ApiCall, group: Option<&str>) -> Outcome {
    let body: Params<'_> = call.members();
    check_robot(app, body.text("robotCode"))?;
    let keys = body.texts("processQueryKeys").unwrap_or_default();
    if keys.is_empty() || keys.len() > KEYS {
        return Err(refuse(
            "invalidParameter.processQueryKeys.invalid",
            "processQueryKeys应为1到20个",
        ));
    }
    let (mut done, mut failed) = (Vec::new(), serde_json::Map::new());
    for key in keys {
        let mut changed = Vec::new();
        for (id, _, message) in world.groups.keyed(&app.name, &key) {
            let is_here = group.is_none_or(|group| group == id);
            let is_young = call.now - message.at <= DAY_MS;
            if is_here && is_young && !message.recalled {
                message.recalled = true;
                changed.push(id.to_owned());
            }
        }
        if changed.is_empty() {
            failed.insert(key, json!("消息不存在、已撤回或已超过24小时"));
            continue;
        }
        for id in changed {
            let update = world.groups.by_id(&id).map(|group| json!(group));
            if let Some(update) = update {
                world.update("group", update);
            }
        }
        done.push(key);
    }
    Ok(json!({"successResult": done, "failedResult": failed}))
}

fn key(key: Option<&str>) -> Result<&str, Refusal> {
    key.ok_or_else(|| refuse("miss.processQueryKey", "缺少processQueryKey"))
}

fn unknown_key() -> Refusal {
    refuse(
        "invalidParameter.processQueryKey.notExist",
        "processQueryKey不存在",
    )
}

fn status(message: &Message) -> &'static str {
    if message.recalled {
        "RECALLED"
    } else {
        "SUCCESS"
    }
}
