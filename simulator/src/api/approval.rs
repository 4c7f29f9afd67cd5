//! The approval calls: create, get, list, terminate, execute, comment, and the templates.

use serde_json::{Map, Value, json};

use super::call::{ApiCall, Params};
use super::oapi::{Outcome, Refusal, members};
use crate::approvals::{
    Approval, Comment, Decision, FormValue, Refused, Request, Rule, Status, Step, Verdict,
    one_by_one,
};
use crate::clock::{DAY_MS, beijing_text};
use crate::options::App;
use crate::state::World;

const VALUES: usize = 200;
const PEOPLE: usize = 20;
const LIST_SIZE: i64 = 20;
const LIST_PEOPLE: usize = 10;
const LIST_SPAN_DAYS: i64 = 120;
const LIST_BACK_DAYS: i64 = 365;
const TEMPLATES_A_PAGE: i64 = 100;

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
    let request = Request {
        process_code: process_code.to_owned(),
        originator: originator.to_owned(),
        department,
        fields: form_values(body)?,
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
    let verdict = Verdict {
        decision,
        remark: request.text("remark").unwrap_or_default(),
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

fn known_person<'u>(world: &World, userid: &'u str) -> Result<&'u str, Refusal> {
    world
        .company
        .person(userid)
        .map(|_| userid)
        .ok_or_else(|| Refusal::unknown_user(userid))
}

fn people(world: &World, body: Params<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let list = match body.get(name) {
        None => Vec::new(),
        Some(Value::Array(none)) if none.is_empty() => Vec::new(),
        Some(_) => body
            .comma_list(name)
            .ok_or_else(|| Refusal::parameter(name))?,
    };
    if list.len() > PEOPLE {
        return Err(Refusal::parameter(name));
    }
    for userid in &list {
        known_person(world, userid)?;
    }
    Ok(list)
}

/// Names and values are text; structured values are JSON in text.
fn form_values(body: Params<'_>) -> Result<Vec<FormValue>, Refusal> {
    let values = body.get("form_component_values").and_then(Value::as_array);
    let values = values.ok_or_else(|| Refusal::parameter("form_component_values"))?;
    if values.len() > VALUES {
        return Err(Refusal::parameter("form_component_values"));
    }
    let one = |value: &Value| {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(FormValue {
            name: text("name")?,
            value: text("value")?,
            ext_value: text("ext_value"),
        })
    };
    let read = values.iter().map(one).collect::<Option<Vec<FormValue>>>();
    read.ok_or_else(|| {
        Refusal::new(
            40035,
            "不合法的参数: form_component_values: name和value必须是字符串",
        )
    })
}

/// The flow that the request names: `approvers_v2` beats `approvers`; none leaves it to the template.
fn flow(world: &World, body: Params<'_>) -> Result<Vec<Step>, Refusal> {
    let Some(steps) = body.get("approvers_v2") else {
        return Ok(one_by_one(&people(world, body, "approvers")?));
    };
    let steps = steps.as_array().filter(|steps| steps.len() <= PEOPLE);
    let steps = steps.ok_or_else(|| Refusal::parameter("approvers_v2"))?;
    steps
        .iter()
        .map(|step| read_step(world, Params::of(step)))
        .collect()
}

fn read_step(world: &World, step: Params<'_>) -> Result<Step, Refusal> {
    let wrong = || Refusal::parameter("approvers_v2");
    let userids = step.texts("user_ids").ok_or_else(wrong)?;
    for userid in &userids {
        known_person(world, userid)?;
    }
    let rule = match (step.text("task_action_type"), userids.len()) {
        (Some("AND"), 2..) => Rule::And,
        (Some("OR"), 2..) => Rule::Or,
        (Some("NONE"), 1) => Rule::One,
        _ => return Err(wrong()),
    };
    Ok(Step { rule, userids })
}

/// The instance as `processinstance/get` gives it.
fn describe(world: &World, approval: &Approval) -> Value {
    let template = world.company.template(&approval.process_code);
    let component_type = |name: &str| {
        let field =
            template.and_then(|template| template.fields.iter().find(|field| field.name == name));
        field.map_or("TextField", |field| field.component_type.as_str())
    };
    let department = world.company.department(approval.department);
    let values = approval.fields.iter().enumerate().map(|(at, field)| {
        json!({
            "id": format!("{}-{at}", component_type(&field.name)),
            "name": field.name,
            "value": field.value,
            "ext_value": field.ext_value,
            "component_type": component_type(&field.name),
        })
    });
    let operations = approval.operations.iter().map(|operation| {
        json!({
            "userid": operation.userid,
            "date": beijing_text(operation.at),
            "operation_type": operation.kind,
            "operation_result": operation.result,
            "remark": operation.remark,
        })
    });
    let tasks = approval.tasks.iter().map(|task| {
        let mut view = json!({
            "taskid": task.id.to_string(),
            "userid": task.userid,
            "task_status": task.status,
            "task_result": task.result.map_or("NONE".to_owned(), |result| result.word().to_uppercase()),
            "create_time": beijing_text(task.created_at),
            "activity_id": format!("step-{}", task.step),
            "url": format!("?procInsId={}&taskId={}", approval.id, task.id),
        });
        if let Some(at) = task.finished_at {
            view["finish_time"] = json!(beijing_text(at));
        }
        view
    });
    let approvers: Vec<&String> = approval
        .steps
        .iter()
        .flat_map(|step| &step.userids)
        .collect();
    let mut view = json!({
        "title": approval.title,
        "create_time": beijing_text(approval.created_at),
        "originator_userid": approval.originator,
        "originator_dept_id": approval.department.to_string(),
        "originator_dept_name": department.map(|department| department.name.as_str()),
        "status": approval.status,
        "result": approval.result.map_or("", Decision::word),
        "approver_userids": approvers,
        "cc_userids": approval.cc,
        "business_id": approval.business_id,
        "biz_action": "NONE",
        "attached_process_instance_ids": [],
        "form_component_values": values.collect::<Vec<Value>>(),
        "operation_records": operations.collect::<Vec<Value>>(),
        "tasks": tasks.collect::<Vec<Value>>(),
    });
    if let (Some(at), true) = (approval.finished_at, approval.status != Status::Running) {
        view["finish_time"] = json!(beijing_text(at));
    }
    view
}
