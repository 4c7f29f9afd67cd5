//! The newer approval calls (`/v1.0/workflow/`). They know the same instances as the older ones.

mod act;
mod request;
mod template;
mod view;

use serde_json::{Value, json};

use super::call::{ApiCall, Params};
use super::v1::{Outcome, Refusal};
use crate::approvals::{Refused, broken_rule};
use crate::clock::DAY_MS;
use crate::options::App;
use crate::state::World;

use request::{code_of, known_person};

const LIST_SIZE: i64 = 20;
const LIST_PEOPLE: usize = 10;
const LIST_SPAN_DAYS: i64 = 120;
const LIST_BACK_DAYS: i64 = 365;

type Answer = fn(&mut World, &App, &ApiCall) -> Outcome;

/// Who answers a path.
pub(super) fn door(method: &str, path: &str) -> Option<Answer> {
    let action = path.strip_prefix("/v1.0/workflow/")?;
    Some(match (method, action) {
        ("POST", "processInstances") => create,
        ("GET", "processInstances") => get,
        ("POST", "processes/instanceIds/query") => list_ids,
        ("POST", "processInstances/terminate") => act::terminate,
        ("POST", "processInstances/execute") => act::execute,
        ("POST", "processInstances/comments") => act::comment,
        ("POST", "tasks/redirect") => act::redirect,
        ("GET", "processes/todoTasks/numbers") => count_pending,
        ("GET", "forms/schemas/processCodes") => template::schema,
        ("GET", "processCentres/schemaNames/processCodes") => template::by_name,
        ("GET", "processes/userVisibilities/templates") => template::visible,
        ("POST", "processInstances/spaces/infos/query") => act::space,
        ("POST", "processInstances/spaces/files/urls/download") => act::file_url,
        ("POST", "processInstances/spaces/files/authDownload") => act::allow_download,
        _ => return None,
    })
}

/// `POST /v1.0/workflow/processInstances`.
fn create(world: &mut World, app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let request = request::read(world, app, body)?;
    let template = code_of(world, &request.process_code)?;
    if let Some(broken) = broken_rule(template, &request.fields) {
        return Err(Refusal::new(
            "formConverterError",
            format!("表单控件校验失败: {broken}"),
        ));
    }
    let approval = world.start_approval(request, call.now);
    // The other calls name it `processInstanceId`.
    Ok(json!({"instanceId": approval.id}))
}

/// `GET /v1.0/workflow/processInstances?processInstanceId=`.
fn get(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let id = call.query("processInstanceId");
    let id = id.ok_or_else(|| Refusal::new("processInstanceIdError", "审批实例id不合法"))?;
    let approval = world
        .approvals
        .get(id)
        .ok_or_else(|| Refusal::new("processInstanceNotExist", "审批实例不存在"))?;
    // A text here, a truth value elsewhere.
    Ok(json!({"success": "true", "result": view::describe(world, approval)}))
}

/// `POST /v1.0/workflow/processes/instanceIds/query`.
fn list_ids(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let code = body
        .text("processCode")
        .ok_or_else(|| Refusal::parameter("processCode"))?;
    code_of(world, code)?;
    let start = body
        .integer("startTime")
        .ok_or_else(|| Refusal::parameter("startTime"))?;
    let end = body.integer("endTime").unwrap_or(call.now);
    let span = end.saturating_sub(start);
    let back = call.now.saturating_sub(start);
    if start > end || span > LIST_SPAN_DAYS * DAY_MS || back > LIST_BACK_DAYS * DAY_MS {
        return Err(Refusal::new("invalidEndTime", "时间范围不合法"));
    }
    let size = body
        .integer("maxResults")
        .filter(|size| (1..=LIST_SIZE).contains(size))
        .and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| Refusal::new("invalidMaxResults", "maxResults不合法"))?;
    let from = body
        .integer("nextToken")
        .and_then(|from| usize::try_from(from).ok())
        .ok_or_else(|| Refusal::new("invalidNextToken", "nextToken不合法"))?;
    let wanted = body.texts("userIds").unwrap_or_default();
    if wanted.len() > LIST_PEOPLE {
        return Err(Refusal::parameter("userIds"));
    }
    let found: Vec<&str> = world
        .approvals
        .list()
        .iter()
        .filter(|approval| {
            approval.process_code == code
                && (start..=end).contains(&approval.created_at)
                && (wanted.is_empty() || wanted.contains(&approval.originator))
        })
        .map(|approval| approval.id.as_str())
        .collect();
    let page: Vec<&str> = found.iter().skip(from).take(size).copied().collect();
    let next = from.saturating_add(page.len());
    let mut result = json!({"list": page});
    if next < found.len() {
        result["nextToken"] = json!(next.to_string());
    }
    Ok(json!({"success": true, "result": result}))
}

/// `GET /v1.0/workflow/processes/todoTasks/numbers`.
fn count_pending(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let userid = known_person(world, call.query("userId"))?;
    Ok(json!({"result": world.approvals.count_pending(userid)}))
}

fn done() -> Value {
    json!({"result": true, "success": true})
}

fn instance_id(body: Params<'_>) -> Result<&str, Refusal> {
    body.text("processInstanceId")
        .ok_or_else(|| Refusal::new("processInstanceIdError", "审批实例id不合法"))
}

fn refuse(refused: Refused) -> Refusal {
    match refused {
        Refused::Unknown => Refusal::new("aflowProcessInstNotExist", "审批实例不存在"),
        Refused::Over => Refusal::new("aflowProcessInstCanNotBeExecuted", "审批实例已结束"),
        Refused::NoTask => Refusal::new(
            "invalidInstanceExecuteTaskId",
            "审批任务不存在或不属于该用户",
        ),
    }
}
