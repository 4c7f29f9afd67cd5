//! Work notices: send, progress, result and recall.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::call::{ApiCall, Params};
use super::message;
use super::oapi::{Outcome, Refusal, members};
use crate::clock::DAY_MS;
use crate::notices::{Draft, Notice, OWN_A_DAY, THIRD_PARTY_A_DAY};
use crate::options::App;
use crate::state::World;

/// How many users and departments one call can name.
struct Room {
    users: usize,
    departments: usize,
}

const ROOM: Room = Room {
    users: 100,
    departments: 20,
};
const TEMPLATE_ROOM: Room = Room {
    users: 5000,
    departments: 500,
};
/// People reached by one call, of an app of the company and of a third-party app.
const REACHED: usize = 5000;
const REACHED_BY_THIRD_PARTY: usize = 1000;

/// Whom a send is for.
#[derive(Default)]
struct Receivers {
    people: Vec<String>,
    unknown_users: Vec<String>,
    unknown_departments: Vec<i64>,
}

impl Receivers {
    fn add(&mut self, userid: &str) {
        if !self.people.iter().any(|known| known == userid) {
            self.people.push(userid.to_owned());
        }
    }
}

/// `POST /topapi/message/corpconversation/asyncsend_v2`.
pub(super) fn send(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let agent_id = check_agent(app, body)?;
    let msg = body.get("msg").ok_or_else(|| Refusal::parameter("msg"))?;
    message::check(msg).map_err(refuse_message)?;
    let receivers = receivers(world, app, call, &ROOM)?;
    Ok(accept(
        world,
        app,
        agent_id,
        receivers,
        msg.clone(),
        call.now,
    ))
}

/// `POST /topapi/message/corpconversation/sendbytemplate`, for third-party apps only.
pub(super) fn send_by_template(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    if !world.suites.has_app(&app.name) {
        return Err(Refusal::new(60011, "仅第三方企业应用可以调用该接口"));
    }
    let agent_id = check_agent(app, body)?;
    let id = body
        .text("template_id")
        .ok_or_else(|| Refusal::parameter("template_id"))?;
    let values: BTreeMap<String, String> = match body.get("data") {
        None => BTreeMap::new(),
        Some(Value::String(text)) => {
            serde_json::from_str(text).map_err(|_| Refusal::parameter("data"))?
        }
        Some(_) => return Err(Refusal::parameter("data")),
    };
    let template = world.company.notice_template(id);
    let template = template.ok_or_else(|| Refusal::parameter("template_id"))?;
    let text = template
        .render(&values)
        .map_err(|name| Refusal::new(40035, format!("不合法的参数: data 缺少 {name}")))?;
    let msg = json!({"msgtype": "text", "text": {"content": text}});
    let receivers = receivers(world, app, call, &TEMPLATE_ROOM)?;
    Ok(accept(world, app, agent_id, receivers, msg, call.now))
}

fn accept(
    world: &mut World,
    app: &App,
    agent_id: i64,
    receivers: Receivers,
    msg: Value,
    now: i64,
) -> Map<String, Value> {
    let is_third_party = world.suites.has_app(&app.name);
    let draft = Draft {
        app: &app.name,
        agent_id,
        people: receivers.people,
        unknown_users: receivers.unknown_users,
        unknown_departments: receivers.unknown_departments,
        msg,
        a_day: if is_third_party {
            THIRD_PARTY_A_DAY
        } else {
            OWN_A_DAY
        },
    };
    let notice = world.notices.send(draft, now);
    let (task_id, update) = (notice.task_id, json!(notice));
    world.update("notice", update);
    members(json!({"task_id": task_id}))
}

/// `POST /topapi/message/corpconversation/getsendprogress`.
pub(super) fn progress(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    find(world, app, call.members(), "task_id", call.now)?;
    Ok(members(
        json!({"progress": {"progress_in_percent": 100, "status": 2}}),
    ))
}

/// `POST /topapi/message/corpconversation/getsendresult`.
pub(super) fn result(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let notice = find(world, app, call.members(), "task_id", call.now)?;
    let forbidden: Vec<&String> = notice
        .dropped
        .iter()
        .map(|dropped| &dropped.userid)
        .collect();
    let reasons: Vec<Value> = notice
        .dropped
        .iter()
        .map(|dropped| json!({"code": dropped.code.to_string(), "count": 1, "userid": dropped.userid}))
        .collect();
    Ok(members(json!({"send_result": {
        "invalid_user_id_list": notice.unknown_users,
        "forbidden_user_id_list": forbidden,
        "failed_user_id_list": [],
        "read_user_id_list": [],
        "unread_user_id_list": notice.receivers,
        "invalid_dept_id_list": notice.unknown_departments,
        "forbidden_list": reasons,
    }})))
}

/// `POST /topapi/message/corpconversation/recall`: here the task is called `msg_task_id`.
pub(super) fn recall(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let notice = find(world, app, call.members(), "msg_task_id", call.now)?;
    notice.recalled = true;
    let update = json!(notice);
    world.update("notice", update);
    Ok(Map::new())
}

/// `POST /topapi/message/corpconversation/status_bar/update`: for a week, and only where there is a status bar.
pub(super) fn status_bar(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let agent_id = check_agent(app, body)?;
    let task_id = body
        .integer("task_id")
        .ok_or_else(|| Refusal::parameter("task_id"))?;
    let value = body
        .text("status_value")
        .ok_or_else(|| Refusal::parameter("status_value"))?;
    let color = body.text("status_bg");
    let notice = world
        .notices
        .find(agent_id, task_id)
        .filter(|notice| call.now - notice.at < 7 * DAY_MS)
        .ok_or_else(|| Refusal::parameter("task_id"))?;
    let Some(oa) = notice.msg.get_mut("oa").filter(|oa| oa.is_object()) else {
        return Err(Refusal::parameter("task_id"));
    };
    oa["status_bar"]["status_value"] = json!(value);
    if let Some(color) = color {
        oa["status_bar"]["status_bg"] = json!(color);
    }
    let update = json!(notice);
    world.update("notice", update);
    Ok(Map::new())
}

fn check_agent(app: &App, body: Params<'_>) -> Result<i64, Refusal> {
    match body.integer("agent_id") {
        Some(agent_id) if agent_id == app.agent_id => Ok(agent_id),
        _ => Err(Refusal::new(40056, "不合法的agentid")),
    }
}

fn find<'w>(
    world: &'w mut World,
    app: &App,
    body: Params<'_>,
    name: &str,
    now: i64,
) -> Result<&'w mut Notice, Refusal> {
    let agent_id = check_agent(app, body)?;
    let task_id = body.integer(name).ok_or_else(|| Refusal::parameter(name))?;
    let notice = world
        .notices
        .find(agent_id, task_id)
        .filter(|notice| now - notice.at < DAY_MS);
    notice.ok_or_else(|| Refusal::parameter(name))
}

fn receivers(
    world: &mut World,
    app: &App,
    call: &ApiCall,
    room: &Room,
) -> Result<Receivers, Refusal> {
    let body = call.members();
    let is_third_party = world.suites.has_app(&app.name);
    let mut found = Receivers::default();
    let to_all = body.flag("to_all_user").unwrap_or(false);
    let users = comma_list(body, "userid_list", room.users)?;
    let departments = comma_list(body, "dept_id_list", room.departments)?;
    if !to_all && users.is_empty() && departments.is_empty() {
        return Err(Refusal::new(1_430_000, "没有接收者"));
    }
    if to_all {
        if is_third_party {
            return Err(Refusal::new(41028, "第三方应用不能给全员发消息"));
        }
        if !world.notices.admit_to_all(&app.name, call.now) {
            return Err(Refusal::new(41045, "企业当天给全员发消息的次数超过上限"));
        }
        for person in &world.company.people {
            found.add(&person.userid);
        }
    }
    for userid in users {
        match world.company.person(&userid) {
            Some(_) => found.add(&userid),
            None => found.unknown_users.push(userid),
        }
    }
    for department in departments {
        let id: i64 = department
            .parse()
            .map_err(|_| Refusal::parameter("dept_id_list"))?;
        match world.company.department(id) {
            Some(known) => {
                for person in world.company.people_under(known.id) {
                    found.add(&person.userid);
                }
            }
            None => found.unknown_departments.push(id),
        }
    }
    let most = if is_third_party {
        REACHED_BY_THIRD_PARTY
    } else {
        REACHED
    };
    if found.people.len() > most {
        return Err(Refusal::new(41029, format!("接收者超过{most}人")));
    }
    Ok(found)
}

/// Receiver lists are text with commas, also inside JSON.
fn comma_list(body: Params<'_>, name: &str, most: usize) -> Result<Vec<String>, Refusal> {
    let list = match body.get(name) {
        None => Vec::new(),
        Some(_) => body
            .comma_list(name)
            .ok_or_else(|| Refusal::parameter(name))?,
    };
    if list.len() > most {
        return Err(Refusal::new(
            40035,
            format!("不合法的参数: {name} 最多{most}个"),
        ));
    }
    Ok(list)
}

fn refuse_message(fault: message::Fault) -> Refusal {
    match fault {
        message::Fault::Type => Refusal::new(40008, "不合法的消息类型"),
        message::Fault::SeveralTypes => Refusal::new(40035, "不合法的参数: 一条消息只能有一种类型"),
        message::Fault::Broken(why) => Refusal::new(40035, format!("不合法的参数: {why}")),
        message::Fault::TooLong(what) => Refusal::new(45002, format!("消息内容超过限制: {what}")),
    }
}
