//! Groups made from a template (场景群), by the newer and the older calls.

use serde_json::{Value, json};

use super::call::{ApiCall, Params};
use super::{oapi, v1};
use crate::options::App;
use crate::state::World;

pub(super) use self::send::send;

mod send;

const TITLE_CHARS: usize = 30;
const MEMBERS_A_PAGE: i64 = 100;

/// What is wrong with a call, in words of no style.
enum Fault {
    Parameter(&'static str),
    Person(String),
    Group,
}

/// `POST /v1.0/im/sceneGroup/create`.
pub(super) fn create(world: &mut World, app: &App, call: &ApiCall) -> v1::Outcome {
    make(world, app, call).map_err(modern)
}

/// `POST /topapi/im/chat/scenegroup/create`.
pub(super) fn create_legacy(world: &mut World, app: &App, call: &ApiCall) -> oapi::Outcome {
    let made = make(world, app, call).map_err(legacy)?;
    Ok(oapi::members(json!({"result": made, "success": true})))
}

/// `POST /v1.0/im/sceneGroup/update`.
pub(super) fn update(world: &mut World, app: &App, call: &ApiCall) -> v1::Outcome {
    change(world, app, call).map_err(modern)?;
    Ok(json!({"success": true}))
}

/// `POST /topapi/im/chat/scenegroup/update`.
pub(super) fn update_legacy(world: &mut World, app: &App, call: &ApiCall) -> oapi::Outcome {
    change(world, app, call).map_err(legacy)?;
    Ok(oapi::members(json!({"success": true})))
}

/// `POST /v1.0/im/sceneGroup/member/add`.
pub(super) fn add(world: &mut World, app: &App, call: &ApiCall) -> v1::Outcome {
    change_members(world, app, call, Change::Add).map_err(modern)?;
    Ok(json!({"success": true}))
}

/// `POST /topapi/im/chat/scenegroup/member/add`.
pub(super) fn add_legacy(world: &mut World, app: &App, call: &ApiCall) -> oapi::Outcome {
    change_members(world, app, call, Change::Add).map_err(legacy)?;
    Ok(oapi::members(json!({"success": true})))
}

/// `POST /v1.0/im/sceneGroup/member/delete`.
pub(super) fn remove(world: &mut World, app: &App, call: &ApiCall) -> v1::Outcome {
    change_members(world, app, call, Change::Remove).map_err(modern)?;
    Ok(json!({"success": true}))
}

/// `POST /topapi/im/chat/scenegroup/member/delete`.
pub(super) fn remove_legacy(world: &mut World, app: &App, call: &ApiCall) -> oapi::Outcome {
    change_members(world, app, call, Change::Remove).map_err(legacy)?;
    Ok(oapi::members(json!({"success": true})))
}

/// `POST /v1.0/im/sceneGroups/members/query`.
pub(super) fn list_members(world: &mut World, app: &App, call: &ApiCall) -> v1::Outcome {
    let body = call.members();
    let id = body
        .text("openConversationId")
        .unwrap_or_default()
        .to_owned();
    let from = body.text("cursor").unwrap_or("0").parse::<usize>();
    let from = from.map_err(|_| v1::Refusal::parameter("cursor"))?;
    let size = body
        .integer("size")
        .filter(|size| (1..=MEMBERS_A_PAGE).contains(size))
        .and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| v1::Refusal::parameter("size"))?;
    let members = scene(world, app, &id).map_err(modern)?;
    let page: Vec<&String> = members.iter().skip(from).take(size).collect();
    let next = from + page.len();
    Ok(json!({
        "success": true,
        "memberUserIds": page,
        "hasMore": next < members.len(),
        "nextCursor": next.to_string(),
    }))
}

fn make(world: &mut World, app: &App, call: &ApiCall) -> Result<Value, Fault> {
    let body = call.members();
    let title = title(body)?.ok_or(Fault::Parameter("title"))?;
    let template = body
        .text("template_id")
        .ok_or(Fault::Parameter("template_id"))?;
    let owner = body
        .text("owner_user_id")
        .ok_or(Fault::Parameter("owner_user_id"))?;
    let mut members = vec![owner.to_owned()];
    for userid in people(body) {
        if !members.contains(&userid) {
            members.push(userid);
        }
    }
    known(world, &members)?;
    let uuid = body.text("uuid").map(str::to_owned);
    let known = uuid
        .as_deref()
        .and_then(|uuid| world.groups.by_uuid(&app.name, uuid));
    if let Some(group) = known {
        return Ok(json!({"open_conversation_id": group.id, "chat_id": group.chatid}));
    }
    let group = world.groups.create(&app.name, title, owner, members);
    group.template_id = Some(template.to_owned());
    group.uuid = uuid;
    let made = json!({"open_conversation_id": group.id, "chat_id": group.chatid});
    let update = json!(group);
    world.update("group", update);
    Ok(made)
}

fn change(world: &mut World, app: &App, call: &ApiCall) -> Result<(), Fault> {
    let body = call.members();
    let title = title(body)?.map(str::to_owned);
    let owner = body.text("owner_user_id").map(str::to_owned);
    let id = conversation(body)?;
    let members = scene(world, app, id)?;
    if owner.as_ref().is_some_and(|owner| !members.contains(owner)) {
        return Err(Fault::Parameter("owner_user_id"));
    }
    let id = id.to_owned();
    edit(world, &id, |group| {
        if let Some(title) = title {
            group.name = title;
        }
        if let Some(owner) = owner {
            group.owner = owner;
        }
    });
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Remove,
}

fn change_members(
    world: &mut World,
    app: &App,
    call: &ApiCall,
    change: Change,
) -> Result<(), Fault> {
    let body = call.members();
    let users = people(body);
    if users.is_empty() {
        return Err(Fault::Parameter("user_ids"));
    }
    known(world, &users)?;
    let id = conversation(body)?.to_owned();
    scene(world, app, &id)?;
    edit(world, &id, |group| {
        for userid in users {
            if change == Change::Remove {
                group.members.retain(|member| *member != userid);
            } else if !group.members.contains(&userid) {
                group.members.push(userid);
            }
        }
    });
    Ok(())
}

fn edit(world: &mut World, id: &str, edit: impl FnOnce(&mut crate::groups::Group)) {
    let update = world.groups.by_id(id).map(|group| {
        edit(group);
        json!(group)
    });
    if let Some(update) = update {
        world.update("group", update);
    }
}

/// The members of a group that the app has made of a template.
fn scene(world: &mut World, app: &App, id: &str) -> Result<Vec<String>, Fault> {
    let group = world.groups.by_id(id);
    let group = group.filter(|group| group.template_id.is_some() && group.is_open_to(&app.name));
    group.map(|group| group.members.clone()).ok_or(Fault::Group)
}

fn conversation(body: Params<'_>) -> Result<&str, Fault> {
    body.text("open_conversation_id")
        .ok_or(Fault::Parameter("open_conversation_id"))
}

fn title(body: Params<'_>) -> Result<Option<&str>, Fault> {
    match body.text("title") {
        Some(title) if title.chars().count() > TITLE_CHARS => Err(Fault::Parameter("title")),
        title => Ok(title),
    }
}

/// A list in the newer style, text with commas in the older one.
fn people(body: Params<'_>) -> Vec<String> {
    body.texts("user_ids")
        .or_else(|| body.comma_list("user_ids"))
        .unwrap_or_default()
}

fn known(world: &World, users: &[String]) -> Result<(), Fault> {
    let stranger = users
        .iter()
        .find(|userid| world.company.person(userid).is_none());
    match stranger {
        Some(userid) => Err(Fault::Person(userid.clone())),
        None => Ok(()),
    }
}

fn modern(fault: Fault) -> v1::Refusal {
    match fault {
        Fault::Parameter(name) => v1::Refusal::parameter(name),
        Fault::Person(userid) => v1::Refusal::new("userNotExist", format!("用户不存在: {userid}")),
        Fault::Group => v1::Refusal::new("invalid.openConversationId", "openConversationId无效"),
    }
}

fn legacy(fault: Fault) -> oapi::Refusal {
    match fault {
        Fault::Parameter(name) => oapi::Refusal::parameter(name),
        Fault::Person(userid) => oapi::Refusal::unknown_user(&userid),
        Fault::Group => oapi::Refusal::new(34001, "无效的会话id"),
    }
}
