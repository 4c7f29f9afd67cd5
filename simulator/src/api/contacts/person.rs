//! Looks up people and lists those of a department.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::asked::Asked;
use super::{
    BY_MOBILE, DEPARTMENT_MEMBER, EMAIL_FIELD, MEMBER, MOBILE_FIELD, known, open, permitted,
    result, seen, unknown_user,
};
use crate::api::call::ApiCall;
use crate::api::oapi::{Outcome, Refusal, members};
use crate::company::Person;
use crate::contacts::Contacts;
use crate::options::App;
use crate::state::World;

/// A number of the size that DingTalk gives for the place of a person in a department: no double holds it exactly.
const FIRST_ORDER: i64 = 176_318_668_975_061_512;

/// `GET /user/get`: flat, and two members are text that only looks like JSON.
pub(in crate::api) fn get_legacy(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let contacts = &world.contacts;
    permitted(contacts, app, MEMBER)?;
    let userid = Asked::of(call).text("userid")?;
    let person = seen(contacts, app, contacts.person(userid), || {
        unknown_user(userid)
    })?;
    let mut answer = legacy(contacts, app, person);
    let by_department = |value: &dyn Fn(i64) -> String| {
        let pairs: Vec<String> = person
            .departments
            .iter()
            .map(|id| format!("{id}:{}", value(*id)))
            .collect();
        json!(format!("{{{}}}", pairs.join(",")))
    };
    let order = order(contacts, person);
    let more = json!({
        "orderInDepts": by_department(&|_| order.to_string()),
        "isLeaderInDepts": by_department(&|id| person.leads.contains(&id).to_string()),
        "realAuthed": true,
        "isSenior": false,
        "managerUserid": person.manager,
        "roles": roles(contacts, person, "groupName"),
        "tags": {},
    });
    answer.extend(present(more));
    Ok(answer)
}

/// `POST /topapi/v2/user/get`.
pub(in crate::api) fn get_v2(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let contacts = &world.contacts;
    permitted(contacts, app, MEMBER)?;
    let userid = Asked::of(call).text("userid")?;
    let person = seen(contacts, app, contacts.person(userid), || {
        unknown_user(userid)
    })?;
    let mut answer = modern(contacts, app, person);
    let each = |member: &str, value: &dyn Fn(i64) -> Value| -> Vec<Value> {
        let row = |id: &i64| json!({"dept_id": id, member: value(*id)});
        person.departments.iter().map(row).collect()
    };
    let order = order(contacts, person);
    let more = json!({
        "real_authed": true,
        "senior": false,
        "manager_userid": person.manager,
        "dept_order_list": each("order", &|_| json!(order)),
        "leader_in_dept": each("leader", &|id| json!(person.leads.contains(&id))),
        "role_list": roles(contacts, person, "group_name"),
    });
    answer.extend(present(more));
    result(Value::Object(answer))
}

/// `GET /user/getDeptMember`.
pub(in crate::api) fn list_ids_legacy(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let contacts = &world.contacts;
    permitted(contacts, app, DEPARTMENT_MEMBER)?;
    let department = open(contacts, app, Asked::of(call).integer("deptId")?)?;
    Ok(members(json!({"userIds": ids(contacts, department.id)})))
}

/// `POST /topapi/user/listid`: not limited by the app's scope.
pub(in crate::api) fn list_ids(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let contacts = &world.contacts;
    permitted(contacts, app, DEPARTMENT_MEMBER)?;
    let department = known(contacts, Asked::of(call).integer("dept_id")?)?;
    result(json!({"userid_list": ids(contacts, department.id)}))
}

/// `GET /user/listbypage`.
pub(in crate::api) fn list_by_page(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let asked = Asked::of(call);
    let page = page(
        &world.contacts,
        app,
        asked,
        "department_id",
        "offset",
        "order",
    )?;
    let list: Vec<Value> = page
        .people
        .iter()
        .map(|person| {
            let mut entry = legacy(&world.contacts, app, person);
            entry.insert("order".to_owned(), json!(order(&world.contacts, person)));
            let leads = person.leads.contains(&page.department);
            entry.insert("isLeader".to_owned(), json!(leads));
            Value::Object(entry)
        })
        .collect();
    Ok(members(
        json!({"hasMore": page.next.is_some(), "userlist": list}),
    ))
}

/// `POST /topapi/v2/user/list`.
pub(in crate::api) fn list_v2(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let asked = Asked::of(call);
    let page = page(
        &world.contacts,
        app,
        asked,
        "dept_id",
        "cursor",
        "order_field",
    )?;
    let list = page.people.iter().map(|person| {
        let mut entry = modern(&world.contacts, app, person);
        entry.insert(
            "dept_order".to_owned(),
            json!(order(&world.contacts, person)),
        );
        let leads = person.leads.contains(&page.department);
        entry.insert("leader".to_owned(), json!(leads));
        Value::Object(entry)
    });
    result(page.answer(list.collect()))
}

/// `POST /topapi/user/listsimple`.
pub(in crate::api) fn list_simple(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let asked = Asked::of(call);
    let page = page(
        &world.contacts,
        app,
        asked,
        "dept_id",
        "cursor",
        "order_field",
    )?;
    let list = page
        .people
        .iter()
        .map(|person| json!({"userid": person.userid, "name": person.name}));
    result(page.answer(list.collect()))
}

/// `GET /user/getUseridByUnionid`.
pub(in crate::api) fn by_union_id_legacy(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let person = by_union(world, app, call)?;
    Ok(members(json!({"userid": person.userid, "contactType": 0})))
}

/// `POST /topapi/user/getbyunionid`.
pub(in crate::api) fn by_union_id(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let person = by_union(world, app, call)?;
    result(json!({"userid": person.userid, "contact_type": 0}))
}

fn by_union<'w>(world: &'w World, app: &App, call: &ApiCall) -> Result<&'w Person, Refusal> {
    let contacts = &world.contacts;
    permitted(contacts, app, MEMBER)?;
    let unionid = Asked::of(call).text("unionid")?;
    seen(contacts, app, contacts.by_union_id(unionid), || {
        unknown_user(unionid)
    })
}

/// `POST /topapi/v2/user/getbymobile`.
pub(in crate::api) fn by_mobile(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let contacts = &world.contacts;
    permitted(contacts, app, BY_MOBILE)?;
    let mobile = Asked::of(call).text("mobile")?;
    let digits = mobile.strip_prefix('+').unwrap_or(mobile);
    let is_number = digits.len() >= 8 && digits.bytes().all(|c| c.is_ascii_digit() || c == b'-');
    if !is_number {
        return Err(Refusal::new(40104, "不合法的手机号"));
    }
    // The text of the answer must not repeat the number.
    let person = seen(contacts, app, contacts.by_mobile(mobile), || {
        Refusal::new(60121, "找不到该用户")
    })?;
    result(json!({"userid": person.userid}))
}

/// `GET /user/get_org_user_count`: 0 counts those that are not activated too.
pub(in crate::api) fn count_legacy(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let only_active = match Asked::of(call).integer("onlyActive")? {
        0 => false,
        1 => true,
        _ => return Err(Refusal::parameter("onlyActive")),
    };
    permitted(&world.contacts, app, MEMBER)?;
    Ok(members(
        json!({"count": heads(&world.contacts, only_active)}),
    ))
}

/// `POST /topapi/user/count`.
pub(in crate::api) fn count(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let only_active = Asked::of(call)
        .flag("only_active")
        .ok_or_else(|| Refusal::parameter("only_active"))?;
    permitted(&world.contacts, app, MEMBER)?;
    result(json!({"count": heads(&world.contacts, only_active)}))
}

fn heads(contacts: &Contacts, only_active: bool) -> usize {
    let everybody = contacts.everybody().iter();
    everybody
        .filter(|person| person.active || !only_active)
        .count()
}

fn ids(contacts: &Contacts, department: i64) -> Vec<&str> {
    contacts
        .members(department)
        .map(|person| person.userid.as_str())
        .collect()
}

/// A page of the direct members of a department.
struct Page<'c> {
    department: i64,
    people: Vec<&'c Person>,
    /// Where the next one begins.
    next: Option<usize>,
}

impl Page<'_> {
    fn answer(&self, list: Vec<Value>) -> Value {
        let mut answer = json!({"has_more": self.next.is_some(), "list": list});
        if let Some(next) = self.next {
            answer["next_cursor"] = json!(next);
        }
        answer
    }
}

fn page<'c>(
    contacts: &'c Contacts,
    app: &App,
    asked: Asked<'_>,
    department: &str,
    start: &str,
    order: &str,
) -> Result<Page<'c>, Refusal> {
    permitted(contacts, app, DEPARTMENT_MEMBER)?;
    let id = asked.integer(department)?;
    let (from, size) = asked.page(start)?;
    let is_reversed = asked.is_reversed(order)?;
    let department = open(contacts, app, id)?.id;
    let count = contacts.member_count(department);
    let mut people: Vec<&Person> = contacts.members(department).collect();
    if is_reversed {
        people.reverse();
    }
    let people = people.into_iter().skip(from).take(size).collect();
    let next = (from + size < count).then_some(from + size);
    Ok(Page {
        department,
        people,
        next,
    })
}

/// What both of the older calls say of a person. What the app has no permission for is absent.
fn legacy(contacts: &Contacts, app: &App, person: &Person) -> Map<String, Value> {
    present(json!({
        "userid": person.userid,
        "unionid": person.union_id(),
        "name": person.name,
        "position": person.title,
        "jobnumber": person.job_number,
        "mobile": permitted_field(contacts, app, MOBILE_FIELD, person.mobile.as_deref()),
        "stateCode": permitted_field(contacts, app, MOBILE_FIELD, person.mobile.as_ref().map(|_| "86")),
        "email": permitted_field(contacts, app, EMAIL_FIELD, person.email.as_deref()),
        "hiredDate": hired(person),
        "active": person.active,
        "isAdmin": person.admin,
        "isBoss": person.boss,
        "isHide": false,
        "department": person.departments,
    }))
}

/// What both of the newer calls say of a person.
fn modern(contacts: &Contacts, app: &App, person: &Person) -> Map<String, Value> {
    present(json!({
        "userid": person.userid,
        "unionid": person.union_id(),
        "name": person.name,
        "title": person.title,
        "job_number": person.job_number,
        "mobile": permitted_field(contacts, app, MOBILE_FIELD, person.mobile.as_deref()),
        "state_code": permitted_field(contacts, app, MOBILE_FIELD, person.mobile.as_ref().map(|_| "86")),
        "email": permitted_field(contacts, app, EMAIL_FIELD, person.email.as_deref()),
        "hired_date": hired(person),
        "active": person.active,
        "admin": person.admin,
        "boss": person.boss,
        "hide_mobile": false,
        "exclusive_account": false,
        "dept_id_list": person.departments,
    }))
}

fn permitted_field<'p>(
    contacts: &Contacts,
    app: &App,
    point: &str,
    value: Option<&'p str>,
) -> Option<&'p str> {
    value.filter(|_| contacts.permits(&app.name, point))
}

/// The members that are not null.
fn present(value: Value) -> Map<String, Value> {
    let mut members = members(value);
    members.retain(|_, value| !value.is_null());
    members
}

fn roles(contacts: &Contacts, person: &Person, group: &str) -> Vec<Value> {
    let roles = person.roles.iter().filter_map(|id| contacts.role(*id));
    roles
        .map(|role| json!({"id": role.id, "name": role.name, group: role.group, "type": 101}))
        .collect()
}

fn order(contacts: &Contacts, person: &Person) -> i64 {
    let place = i64::try_from(contacts.place(&person.userid)).unwrap_or_default();
    FIRST_ORDER - 512 * place
}

/// Midnight of the first day in Beijing.
fn hired(person: &Person) -> Option<i64> {
    let beijing = TimeZone::fixed(jiff::tz::offset(8));
    let midnight = person.hired?.to_zoned(beijing).ok()?;
    Some(midnight.timestamp().as_millisecond())
}
