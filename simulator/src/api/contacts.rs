//! The contacts calls that look up one person.

use serde_json::{Map, Value, json};

use super::call::ApiCall;
use super::oapi::{Outcome, Refusal, members};
use crate::company::Person;
use crate::options::App;
use crate::state::World;

/// `GET /user/get`: flat, and two members are text that only looks like JSON.
pub(super) fn user_get(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let userid = call
        .query("userid")
        .ok_or_else(|| Refusal::parameter("userid"))?;
    let person = find(world, userid)?;
    let by_department = |value: &str| {
        let pairs: Vec<String> = person
            .departments
            .iter()
            .map(|id| format!("{id}:{value}"))
            .collect();
        format!("{{{}}}", pairs.join(","))
    };
    Ok(members(json!({
        "userid": person.userid,
        "unionid": union_id(person),
        "name": person.name,
        "position": person.title,
        "active": true,
        "isAdmin": person.admin,
        "isBoss": false,
        "isHide": false,
        "isSenior": false,
        "realAuthed": true,
        "department": person.departments,
        "orderInDepts": by_department("1"),
        "isLeaderInDepts": by_department("false"),
        "roles": [],
        "tags": {},
    })))
}

/// `POST /topapi/v2/user/get`.
pub(super) fn user_get_v2(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let userid = call
        .members()
        .text("userid")
        .ok_or_else(|| Refusal::parameter("userid"))?;
    let person = find(world, userid)?;
    let each = |member: &str, value: Value| -> Vec<Map<String, Value>> {
        let row = |id: &i64| members(json!({"dept_id": id, member: value}));
        person.departments.iter().map(row).collect()
    };
    Ok(members(json!({"result": {
        "userid": person.userid,
        "unionid": union_id(person),
        "name": person.name,
        "title": person.title,
        "active": true,
        "admin": person.admin,
        "boss": false,
        "senior": false,
        "real_authed": true,
        "exclusive_account": false,
        "hide_mobile": false,
        "dept_id_list": person.departments,
        "dept_order_list": each("order", json!(1)),
        "leader_in_dept": each("leader", json!(false)),
        "role_list": [],
    }})))
}

fn find<'w>(world: &'w World, userid: &str) -> Result<&'w Person, Refusal> {
    world
        .company
        .person(userid)
        .ok_or_else(|| Refusal::new(60121, format!("找不到该用户: {userid}")))
}

fn union_id(person: &Person) -> String {
    format!("union-{}", person.userid)
}
