//! The approval calls: create, get, list, terminate, execute, comment, and the templates.

pub(super) use self::request::read_attachments;

mod request;
mod view;

use serde_json::{Map, Value, json};

use super::call::{ApiCall, Params};
use super::oapi::{Outcome, Refusal, members};
use crate::approvals::{Comment, Decision, Refused, Request, Verdict, broken_rule};
use crate::clock::DAY_MS;
use crate::options::App;
use crate::state::World;

use request::{attachments, flow, form_values, known_person, people};
use view::describe;

const LIST_SIZE: i64 = 20;
const LIST_PEOPLE: usize = 10;
const LIST_SPAN_DAYS: i64 = 120;
const LIST_BACK_DAYS: i64 = 365;
const TEMPLATES_A_PAGE: i64 = 100;
/// The space of all approvals' files.
pub(super) const SPACE: i64 = 2001;

/// `POST /topapi/processinstance/create`.
pub(super) fn create(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let process_code = body
        .text("process_code")
        .ok_or_else(|| Refusal::parameter("process_code"))?;
    if world.company.template(process_code).is_none() {
        return Err(Refusal::new(
            820_001,
            format!("发起审批实例失败: 审批模板不存在 {process_code}"),
        ));
    }
    if body
        .integer("agent_id")
        .is_some_and(|agent_id| agent_id != app.agent_id)
    {
        return Err(Refusal::new(40056, "不合法的agentid"));
    }
    let originator = body.text("originator_user_id");
    let originator = known_person(
        world,
        originator.ok_or_else(|| Refusal::parameter("originator_user_id"))?,
    )?;
    let department = body
        .integer("dept_id")
        .ok_or_else(|| Refusal::parameter("dept_id"))?;
    if world.company.department(department).is_none() {
        return Err(Refusal::new(60003, "部门不存在"));
    }
    let fields = form_values(body)?;
    let template = world.company.template(process_code);
    if let Some(broken) = template.and_then(|template| broken_rule(template, &fields)) {
        return Err(Refusal::new(820_001, format!("发起审批实例失败: {broken}")));
    }
    let request = Request {
        process_code: process_code.to_owned(),
        originator: originator.to_owned(),
        department,
        fields,
        cc: people(world, body, "cc_list")?,
        steps: flow(world, body)?,
    };
    let approval = world.start_approval(request, call.now);
    Ok(members(json!({"process_instance_id": approval.id})))
}

/// `POST /topapi/processinstance/get`.
pub(super) fn get(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let id = call.members().text("process_instance_id");
    let id = id.ok_or_else(|| Refusal::parameter("process_instance_id"))?;
    let approval = world
        .approvals
        .get(id)
        .ok_or_else(|| refuse(Refused::Unknown))?;
    Ok(members(
        json!({"process_instance": describe(world, approval)}),
    ))
}

/// `POST /topapi/processinstance/listids`.
pub(super) fn list_ids(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let process_code = body
        .text("process_code")
        .ok_or_else(|| Refusal::parameter("process_code"))?;
    let start = body
        .integer("start_time")
        .ok_or_else(|| Refusal::parameter("start_time"))?;
    let end = body.integer("end_time").unwrap_or(call.now);
    let back = if body.integer("end_time").is_some() {
        LIST_BACK_DAYS
    } else {
        LIST_SPAN_DAYS
    };
    // Subtraction in plain integers could overflow on hostile numbers.
    let is_in_range = start <= end
        && end.saturating_sub(start) <= LIST_SPAN_DAYS * DAY_MS
        && call.now.saturating_sub(start) <= back * DAY_MS;
    if !is_in_range {
        return Err(Refusal::new(400_002, "参数错误: start_time, end_time"));
    }
    let size = body.integer("size").unwrap_or(LIST_SIZE);
    if !(1..=LIST_SIZE).contains(&size) {
        return Err(Refusal::new(40069, "不合法的分页大小"));
    }
    let cursor = usize::try_from(body.integer("cursor").unwrap_or(0));
    let cursor = cursor.map_err(|_| Refusal::new(40068, "不合法的偏移量"))?;
    let size = usize::try_from(size).map_err(|_| Refusal::parameter("size"))?;
    let wanted = body.comma_list("userid_list").unwrap_or_default();
    if wanted.len() > LIST_PEOPLE {
        return Err(Refusal::parameter("userid_list"));
    }
    let found: Vec<&str> = world
        .approvals
        .list()
        .iter()
        .filter(|approval| {
            approval.process_code == process_code
                && (start..=end).contains(&approval.created_at)
                && (wanted.is_empty() || wanted.contains(&approval.originator))
        })
        .map(|approval| approval.id.as_str())
        .collect();
    let page: Vec<&str> = found.iter().skip(cursor).take(size).copied().collect();
    let mut result = members(json!({"list": page}));
    if cursor.saturating_add(page.len()) < found.len() {
        result.insert("next_cursor".to_owned(), json!(cursor + page.len()));
    }
    Ok(members(json!({"result": result})))
}

/// `POST /topapi/process/instance/terminate`.
pub(super) fn terminate(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let request = request(call)?;
    let id = instance_id(request)?;
    let is_system = request
        .flag("is_system")
        .ok_or_else(|| Refusal::parameter("is_system"))?;
    let approval = world
        .approvals
        .get(id)
        .ok_or_else(|| refuse(Refused::Unknown))?;
    let operator = match request.text("operating_userid") {
        Some(userid) => userid.to_owned(),
        None if is_system => approval.originator.clone(),
        None => return Err(Refusal::parameter("operating_userid")),
    };
    if !is_system && operator != approval.originator {
        return Err(Refusal::new(820_006, "只有发起人可以撤销审批实例"));
    }
    let age = u128::try_from(call.now - approval.created_at).unwrap_or(0);
    if age < world.terminate_after.as_millis() {
        return Err(Refusal::new(820_005, "审批实例发起15秒内不能终止"));
    }
    let remark = request.text("remark").unwrap_or_default();
    let id = id.to_owned();
    world
        .terminate_approval(&id, (&operator, remark), call.now)
        .map_err(refuse)?;
    Ok(done())
}

/// `POST /topapi/process/instance/execute`.
pub(super) fn execute(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let request = request(call)?;
    let id = instance_id(request)?;
    let task_id = request
        .integer("task_id")
        .ok_or_else(|| Refusal::parameter("task_id"))?;
    let userid = request
        .text("actioner_userid")
        .ok_or_else(|| Refusal::parameter("actioner_userid"))?;
    let decision = match request.text("result") {
        Some("agree") => Decision::Agree,
        Some("refuse") => Decision::Refuse,
        _ => return Err(Refusal::parameter("result")),
    };
    let files = attachments(request)?;
    let verdict = Verdict {
        decision,
        remark: request.text("remark").unwrap_or_default(),
        files: &files,
        now: call.now,
    };
    world
        .decide_approval(id, (userid, Some(task_id)), verdict)
        .map_err(refuse)?;
    Ok(members(json!({"result": true})))
}

/// `POST /topapi/process/instance/comment/add`.
pub(super) fn comment(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let request = request(call)?;
    let id = instance_id(request)?;
    let userid = request
        .text("comment_userid")
        .ok_or_else(|| Refusal::parameter("comment_userid"))?;
    let userid = known_person(world, userid)?.to_owned();
    let text = request
        .text("text")
        .ok_or_else(|| Refusal::parameter("text"))?
        .to_owned();
    world
        .comment_approval(
            id,
            Comment {
                userid,
                text,
                at: call.now,
                files: attachments(request)?,
            },
        )
        .map_err(refuse)?;
    Ok(done())
}

/// `POST /topapi/process/get_by_name`: the code stands at the top, not in `result`.
pub(super) fn get_by_name(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let name = call
        .members()
        .text("name")
        .ok_or_else(|| Refusal::parameter("name"))?;
    let template = world
        .company
        .templates
        .iter()
        .find(|template| template.name == name);
    let template = template.ok_or_else(|| Refusal::new(820_004, "审批模板不存在"))?;
    Ok(members(json!({"process_code": template.process_code})))
}

/// `POST /topapi/process/listbyuserid`: everybody sees every template.
pub(super) fn list_by_user(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let offset = usize::try_from(
        body.integer("offset")
            .ok_or_else(|| Refusal::parameter("offset"))?,
    );
    let offset = offset.map_err(|_| Refusal::new(40068, "不合法的偏移量"))?;
    let size = body
        .integer("size")
        .filter(|size| (1..=TEMPLATES_A_PAGE).contains(size));
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| Refusal::new(40069, "不合法的分页大小"))?;
    let templates = &world.company.templates;
    let page: Vec<Value> = templates
        .iter()
        .skip(offset)
        .take(size)
        .map(|template| {
            json!({"name": template.name, "process_code": template.process_code, "icon_url": "", "url": ""})
        })
        .collect();
    let next = offset.saturating_add(page.len());
    let mut result = members(json!({"process_list": page}));
    if next < templates.len() {
        result.insert("next_cursor".to_owned(), json!(next));
    }
    Ok(members(json!({"result": result})))
}

/// `POST /topapi/process/gettodonum`.
pub(super) fn count_pending(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let userid = call.members().text("userid");
    let userid = known_person(world, userid.ok_or_else(|| Refusal::parameter("userid"))?)?;
    Ok(members(
        json!({"count": world.approvals.count_pending(userid)}),
    ))
}

/// `POST /topapi/processinstance/cspace/info`.
pub(super) fn space(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let userid = call.members().text("user_id");
    known_person(world, userid.ok_or_else(|| Refusal::parameter("user_id"))?)?;
    Ok(members(
        json!({"result": {"space_id": SPACE}, "success": true}),
    ))
}

/// `POST /topapi/processinstance/file/url/get`.
pub(super) fn file_url(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let request = request(call)?;
    let id = instance_id(request)?;
    let file = request
        .text("file_id")
        .ok_or_else(|| Refusal::parameter("file_id"))?;
    let approval = world
        .approvals
        .get(id)
        .ok_or_else(|| refuse(Refused::Unknown))?;
    if !approval.has_file(file) {
        return Err(Refusal::parameter("file_id"));
    }
    let url = file_address(world, file);
    let result = json!({"download_uri": url, "file_id": file, "space_id": SPACE});
    Ok(members(json!({"result": result, "success": true})))
}

/// `POST /topapi/process/dentry/auth`.
pub(super) fn allow_download(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let request = request(call)?;
    let userid = request.text("userid");
    known_person(world, userid.ok_or_else(|| Refusal::parameter("userid"))?)?;
    let files = request.get("file_infos").and_then(Value::as_array);
    let is_whole = |file: &Value| {
        let file = Params::of(file);
        file.integer("space_id").is_some() && file.text("file_id").is_some()
    };
    match files {
        Some(files) if !files.is_empty() && files.iter().all(is_whole) => {
            Ok(members(json!({"result": true})))
        }
        _ => Err(Refusal::parameter("file_infos")),
    }
}

/// Where a file could be fetched; nothing is there.
pub(super) fn file_address(world: &World, file: &str) -> String {
    format!("http://{}/approval-files/{file}", world.address)
}

/// The three instance calls carry their members in `request`; a form may carry it as text.
fn request(call: &ApiCall) -> Result<Params<'_>, Refusal> {
    call.members()
        .get("request")
        .map(Params::of)
        .ok_or_else(|| Refusal::parameter("request"))
}

fn instance_id(request: Params<'_>) -> Result<&str, Refusal> {
    request
        .text("process_instance_id")
        .ok_or_else(|| Refusal::parameter("process_instance_id"))
}

fn done() -> Map<String, Value> {
    members(json!({"result": true, "success": true}))
}

fn refuse(refused: Refused) -> Refusal {
    match refused {
        Refused::Unknown => Refusal::new(400_002, "参数错误: 审批实例不存在"),
        Refused::Over => Refusal::new(820_005, "审批实例已结束"),
        Refused::NoTask => Refusal::new(820_006, "审批任务不存在或不属于该用户"),
    }
}
