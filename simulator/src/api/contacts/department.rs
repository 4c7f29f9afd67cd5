//! Looks up departments, lists those below and those above.

use serde_json::{Value, json};

use super::asked::Asked;
use super::{DEPARTMENT, known, leaders, open, permitted, result};
use crate::api::call::ApiCall;
use crate::api::oapi::{Outcome, Refusal, members};
use crate::company::Department;
use crate::contacts::Contacts;
use crate::options::App;
use crate::state::World;

/// `GET /department/list_ids`.
pub(in crate::api) fn list_ids(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let ids = children(world, app, Asked::of(call).integer("id")?)?;
    Ok(members(json!({"sub_dept_id_list": ids})))
}

/// `POST /topapi/v2/department/listsubid`.
pub(in crate::api) fn list_sub_id(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let ids = children(world, app, Asked::of(call).integer("dept_id")?)?;
    result(json!({"dept_id_list": ids}))
}

/// `GET /department/list`: with `fetch_child` everything below, else one level.
pub(in crate::api) fn list(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let asked = Asked::of(call);
    let id = asked.maybe_integer("id")?.unwrap_or(1);
    let direct = children(world, app, id)?;
    let ids = if asked.flag("fetch_child") == Some(true) {
        world.contacts.below(id)
    } else {
        direct
    };
    let list = described(&world.contacts, &ids, |department| {
        json!({
            "id": department.id,
            "name": department.name,
            "parentid": department.parent,
            "createDeptGroup": false,
            "autoAddUser": false,
        })
    });
    Ok(members(json!({"department": list})))
}

/// `POST /topapi/v2/department/listsub`: one level, root when nothing is named.
pub(in crate::api) fn list_sub(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let id = Asked::of(call).maybe_integer("dept_id")?.unwrap_or(1);
    let ids = children(world, app, id)?;
    result(json!(described(&world.contacts, &ids, |department| {
        json!({
            "dept_id": department.id,
            "name": department.name,
            "parent_id": department.parent,
            "create_dept_group": false,
            "auto_add_user": false,
        })
    })))
}

/// `GET /department/get`.
pub(in crate::api) fn get_legacy(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    permitted(&world.contacts, app, DEPARTMENT)?;
    let department = open(&world.contacts, app, Asked::of(call).integer("id")?)?;
    let mut answer = json!({
        "id": department.id,
        "name": department.name,
        "order": department.id,
        "createDeptGroup": false,
        "autoAddUser": false,
        "deptHiding": false,
        "outerDept": false,
        "deptManagerUseridList": leaders(&world.contacts, department.id).join("|"),
    });
    if department.id != 1 {
        answer["parentid"] = json!(department.parent);
    }
    Ok(members(answer))
}

/// `POST /topapi/v2/department/get`.
pub(in crate::api) fn get_v2(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    permitted(&world.contacts, app, DEPARTMENT)?;
    let department = open(&world.contacts, app, Asked::of(call).integer("dept_id")?)?;
    let mut answer = json!({
        "dept_id": department.id,
        "name": department.name,
        "order": department.id,
        "create_dept_group": false,
        "auto_add_user": false,
        "hide_dept": false,
        "outer_dept": false,
        "member_count": world.contacts.member_count(department.id),
        "dept_manager_userid_list": leaders(&world.contacts, department.id),
    });
    if department.id != 1 {
        answer["parent_id"] = json!(department.parent);
    }
    result(answer)
}

/// `GET /department/list_parent_depts`: a list for each department of the person.
pub(in crate::api) fn parents_of_user(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let paths = paths_of(world, app, Asked::of(call).text("userId")?)?;
    Ok(members(json!({"department": paths})))
}

/// `POST /topapi/v2/department/listparentbyuser`.
pub(in crate::api) fn parents_of_user_v2(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let paths = paths_of(world, app, Asked::of(call).text("userid")?)?;
    let list: Vec<Value> = paths
        .iter()
        .map(|path| json!({"parent_dept_id_list": path}))
        .collect();
    result(json!({"parent_list": list}))
}

/// `GET /department/list_parent_depts_by_dept`.
pub(in crate::api) fn parents_of_department(
    world: &mut World,
    app: &App,
    call: &ApiCall,
) -> Outcome {
    let path = path_of(world, app, Asked::of(call).integer("id")?)?;
    Ok(members(json!({"parentIds": path})))
}

/// `POST /topapi/v2/department/listparentbydept`.
pub(in crate::api) fn parents_of_department_v2(
    world: &mut World,
    app: &App,
    call: &ApiCall,
) -> Outcome {
    let path = path_of(world, app, Asked::of(call).integer("dept_id")?)?;
    result(json!({"parent_id_list": path}))
}

fn children(world: &World, app: &App, id: i64) -> Result<Vec<i64>, Refusal> {
    permitted(&world.contacts, app, DEPARTMENT)?;
    let department = open(&world.contacts, app, id)?;
    Ok(world.contacts.children(department.id).to_vec())
}

fn described(
    contacts: &Contacts,
    ids: &[i64],
    describe: impl Fn(&Department) -> Value,
) -> Vec<Value> {
    let departments = ids.iter().filter_map(|id| contacts.department(*id));
    departments.map(describe).collect()
}

fn paths_of(world: &World, app: &App, userid: &str) -> Result<Vec<Vec<i64>>, Refusal> {
    permitted(&world.contacts, app, DEPARTMENT)?;
    let person = world
        .contacts
        .person(userid)
        .ok_or_else(|| Refusal::unknown_user(userid))?;
    if !world.contacts.sees_person(&app.name, person) {
        return Err(Refusal::new(50002, "请求的员工userid不在授权范围内"));
    }
    let departments = person.departments.iter();
    Ok(departments.map(|id| world.contacts.path(*id)).collect())
}

fn path_of(world: &World, app: &App, id: i64) -> Result<Vec<i64>, Refusal> {
    permitted(&world.contacts, app, DEPARTMENT)?;
    let department = known(&world.contacts, id)?;
    Ok(world.contacts.path(department.id))
}
