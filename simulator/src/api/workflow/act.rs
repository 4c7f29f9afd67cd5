//! What is done with an instance, and with the files of approvals.

use serde_json::{Value, json};

use super::request::{attachments, known_person};
use super::{done, instance_id, refuse};
use crate::api::approval::{SPACE, file_address};
use crate::api::call::{ApiCall, Params};
use crate::api::v1::{Outcome, Refusal};
use crate::approvals::{Comment, Decision, Refused, Verdict};
use crate::options::App;
use crate::state::World;

const REMARK_CHARS: usize = 1024;
const REDIRECT_CHARS: usize = 256;

/// `POST /v1.0/workflow/processInstances/terminate`.
pub(super) fn terminate(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let id = instance_id(body)?;
    let is_system = body
        .flag("isSystem")
        .ok_or_else(|| Refusal::new("invalidInstanceTerminateIsSystem", "isSystem不能为空"))?;
    let approval = world
        .approvals
        .get(id)
        .ok_or_else(|| refuse(Refused::Unknown))?;
    let operator = match body.text("operatingUserId") {
        Some(userid) => userid.to_owned(),
        None if is_system => approval.originator.clone(),
        None => return Err(Refusal::parameter("operatingUserId")),
    };
    if !is_system && operator != approval.originator {
        return Err(Refusal::parameter("operatingUserId: 只有发起人可以撤销"));
    }
    let age = u128::try_from(call.now - approval.created_at).unwrap_or(0);
    if age < world.terminate_after.as_millis() {
        return Err(Refusal::new(
            "aflowProcessInstStatusException",
            "审批实例发起15秒内不能终止",
        ));
    }
    let remark = remark(body, REMARK_CHARS)?;
    let id = id.to_owned();
    world
        .terminate_approval(&id, (&operator, &remark), call.now)
        .map_err(|refused| match refused {
            Refused::Over => Refusal::new("aflowProcessInstStatusException", "审批实例已结束"),
            other => refuse(other),
        })?;
    Ok(done())
}

/// `POST /v1.0/workflow/processInstances/execute`.
pub(super) fn execute(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let id = instance_id(body)?;
    let task_id = body
        .integer("taskId")
        .ok_or_else(|| Refusal::new("invalidInstanceExecuteTaskId", "taskId不合法"))?;
    let userid = body.text("actionerUserId").ok_or_else(|| {
        Refusal::new(
            "invalidInstanceExecuteActionerUserId",
            "actionerUserId不合法",
        )
    })?;
    let decision = match body.text("result") {
        Some("agree") => Decision::Agree,
        Some("refuse") => Decision::Refuse,
        _ => return Err(Refusal::new("invalidInstanceExecuteResult", "result不合法")),
    };
    let remark = remark(body, REMARK_CHARS)?;
    let files = attachments(body)?;
    let verdict = Verdict {
        decision,
        remark: &remark,
        files: &files,
        now: call.now,
    };
    world
        .decide_approval(id, (userid, Some(task_id)), verdict)
        .map_err(refuse)?;
    Ok(done())
}

/// `POST /v1.0/workflow/processInstances/comments`.
pub(super) fn comment(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let id = instance_id(body)?;
    let userid = body
        .text("commentUserId")
        .ok_or_else(|| Refusal::new("invalidInstanceCommentUserId", "commentUserId不合法"))?;
    let userid = known_person(world, Some(userid))?.to_owned();
    let text = body
        .text("text")
        .filter(|text| text.chars().count() <= REMARK_CHARS);
    let text = text.ok_or_else(|| Refusal::new("invalidInstanceCommentText", "text不合法"))?;
    let comment = Comment {
        userid,
        text: text.to_owned(),
        at: call.now,
        files: attachments(body)?,
    };
    world.comment_approval(id, comment).map_err(refuse)?;
    Ok(done())
}

/// `POST /v1.0/workflow/tasks/redirect`, whose codes are written differently.
pub(super) fn redirect(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let blank = |name: &str| Refusal::new("param.blank", format!("参数为空: {name}"));
    let task_id = body.integer("taskId").ok_or_else(|| blank("taskId"))?;
    let operator = body
        .text("operateUserId")
        .ok_or_else(|| blank("operateUserId"))?;
    let to = body.text("toUserId").ok_or_else(|| blank("toUserId"))?;
    if world.company.person(to).is_none() {
        return Err(Refusal::new("param.illegal", format!("参数不合法: {to}")));
    }
    let remark = body.text("remark").unwrap_or_default();
    if remark.chars().count() > REDIRECT_CHARS {
        return Err(Refusal::new("param.illegal", "参数不合法: remark"));
    }
    world
        .redirect_approval(task_id, (operator, to), remark, call.now)
        .map_err(|refused| match refused {
            Refused::Over => Refusal::new("instance.status.error", "审批实例已结束"),
            _ => Refusal::new("param.illegal.operator", "任务不属于该操作人或已处理"),
        })?;
    Ok(json!({"result": true}))
}

/// `POST /v1.0/workflow/processInstances/spaces/infos/query`.
pub(super) fn space(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    known_person(world, call.members().text("userId"))?;
    Ok(json!({"success": true, "result": {"spaceId": SPACE}}))
}

/// `POST /v1.0/workflow/processInstances/spaces/files/urls/download`.
pub(super) fn file_url(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    let id = instance_id(body)?;
    let file = body
        .text("fileId")
        .ok_or_else(|| Refusal::parameter("fileId"))?;
    let approval = world
        .approvals
        .get(id)
        .ok_or_else(|| refuse(Refused::Unknown))?;
    if !approval.has_file(file) {
        return Err(Refusal::parameter("fileId"));
    }
    let url = file_address(world, file);
    let result = json!({"downloadUri": url, "fileId": file, "spaceId": SPACE});
    Ok(json!({"success": true, "result": result}))
}

/// `POST /v1.0/workflow/processInstances/spaces/files/authDownload`.
pub(super) fn allow_download(world: &mut World, _app: &App, call: &ApiCall) -> Outcome {
    let body = call.members();
    known_person(world, body.text("userId"))?;
    let files = body.get("fileInfos").and_then(Value::as_array);
    let is_whole = |file: &Value| {
        let file = Params::of(file);
        file.integer("spaceId").is_some() && file.text("fileId").is_some()
    };
    match files {
        Some(files) if !files.is_empty() && files.iter().all(is_whole) => Ok(done()),
        _ => Err(Refusal::parameter("fileInfos")),
    }
}

fn remark(body: Params<'_>, limit: usize) -> Result<String, Refusal> {
    let remark = body.text("remark").unwrap_or_default();
    if remark.chars().count() > limit {
        return Err(Refusal::parameter("remark"));
    }
    Ok(remark.to_owned())
}
