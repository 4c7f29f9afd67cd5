//! The contacts calls: people, departments and what the app may see of both.

mod asked;
mod department;
mod person;

pub(super) use department::{
    get_legacy as department_get, get_v2 as department_get_v2, list as department_list,
    list_ids as department_ids, list_sub as department_sub, list_sub_id as department_sub_ids,
    parents_of_department, parents_of_department_v2, parents_of_user, parents_of_user_v2,
};
pub(super) use person::{
    by_mobile, by_union_id, by_union_id_legacy, count, count_legacy, get_legacy as user_get,
    get_v2 as user_get_v2, list_by_page, list_ids as user_ids, list_ids_legacy as user_ids_legacy,
    list_simple, list_v2 as user_list_v2,
};

use serde_json::{Value, json};

use super::call::ApiCall;
use super::oapi::{Outcome, Refusal, members};
use crate::company::{Department, Person};
use crate::contacts::Contacts;
use crate::options::App;
use crate::state::World;

/// Permission to read people.
const MEMBER: &str = "qyapi_get_member";
/// Permission to list the people of a department.
const DEPARTMENT_MEMBER: &str = "qyapi_get_department_member";
/// Permission to read departments.
const DEPARTMENT: &str = "qyapi_get_department_list";
/// Permission to find people by their number.
const BY_MOBILE: &str = "qyapi_get_member_by_mobile";
/// Permission for one member of an answer each.
const MOBILE_FIELD: &str = "fieldMobile";
const EMAIL_FIELD: &str = "fieldEmail";

/// `GET /auth/scopes`.
pub(super) fn scopes(world: &mut World, app: &App, _call: &ApiCall) -> Outcome {
    let contacts = &world.contacts;
    let (users, departments) = match contacts.scope(&app.name) {
        Some(scope) => (scope.users.clone(), scope.departments.clone()),
        None => (Vec::new(), vec![1]),
    };
    let mut fields = vec!["name", "avatar", "position", "isAdmin", "department"];
    for (field, point) in [("mobile", MOBILE_FIELD), ("email", EMAIL_FIELD)] {
        if contacts.permits(&app.name, point) {
            fields.push(field);
        }
    }
    Ok(members(json!({
        "auth_user_field": fields,
        "condition_field": [],
        "auth_org_scopes": {"authed_user": users, "authed_dept": departments},
    })))
}

/// A permission point that the app needs.
fn permitted(contacts: &Contacts, app: &App, point: &str) -> Result<(), Refusal> {
    if contacts.permits(&app.name, point) {
        return Ok(());
    }
    Err(Refusal::new(
        60011,
        format!("应用尚未开通所需的权限：[{point}]"),
    ))
}

/// A person of the company whom the app may see.
fn seen<'c>(
    contacts: &'c Contacts,
    app: &App,
    person: Option<&'c Person>,
    unknown: impl FnOnce() -> Refusal,
) -> Result<&'c Person, Refusal> {
    let person = person.ok_or_else(unknown)?;
    if contacts.sees_person(&app.name, person) {
        Ok(person)
    } else {
        Err(Refusal::new(50002, "请求的员工userid不在授权范围内"))
    }
}

fn unknown_user(userid: &str) -> Refusal {
    Refusal::new(60121, format!("找不到该用户: {userid}"))
}

/// A department of the company, whether or not the app may see it.
fn known(contacts: &Contacts, id: i64) -> Result<&Department, Refusal> {
    contacts
        .department(id)
        .ok_or_else(|| Refusal::new(60003, "部门不存在"))
}

/// A department of the company that the app may see.
fn open<'c>(contacts: &'c Contacts, app: &App, id: i64) -> Result<&'c Department, Refusal> {
    let department = known(contacts, id)?;
    if contacts.sees_department(&app.name, id) {
        Ok(department)
    } else {
        Err(Refusal::new(50004, "请求的部门id不在授权范围内"))
    }
}

/// Who leads a department.
fn leaders(contacts: &Contacts, id: i64) -> Vec<&str> {
    contacts
        .members(id)
        .filter(|person| person.leads.contains(&id))
        .map(|person| person.userid.as_str())
        .collect()
}

/// An answer of topapi, which puts everything into `result`.
fn result(value: Value) -> Outcome {
    Ok(members(json!({"result": value})))
}
