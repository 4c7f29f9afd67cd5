//! Shows an approval as the newer call words it.

use serde_json::{Value, json};

use crate::approvals::{Approval, AttachedFile, Decision, Status};
use crate::clock::utc_minute;
use crate::state::World;

/// The instance.
pub(super) fn describe(world: &World, approval: &Approval) -> Value {
    let template = world.company.template(&approval.process_code);
    let component_type = |name: &str| {
        let fields = template.map(|template| template.fields.iter());
        let field = fields.and_then(|mut fields| fields.find(|field| field.name == name));
        field.map_or("TextField", |field| field.component_type.as_str())
    };
    let department = world.company.department(approval.department);
    let values = approval.fields.iter().enumerate().map(|(at, field)| {
        json!({
            "id": format!("{}-{at}", component_type(&field.name)),
            "name": field.name,
            "value": field.value,
            "extValue": field.ext_value,
            "componentType": component_type(&field.name),
        })
    });
    let operations = approval.operations.iter().map(|operation| {
        json!({
            "userId": operation.userid,
            "date": utc_minute(operation.at),
            "type": operation.kind,
            "result": operation.result,
            "remark": operation.remark,
            "attachments": operation.files.iter().map(file).collect::<Vec<Value>>(),
        })
    });
    let tasks = approval.tasks.iter().map(|task| {
        let mut view = json!({
            "taskId": task.id,
            "userId": task.userid,
            "status": task.status,
            "result": task.outcome(),
            "createTime": utc_minute(task.created_at),
            "activityId": format!("step-{}", task.step),
            "processInstanceId": approval.id,
        });
        if let Some(at) = task.finished_at {
            view["finishTime"] = json!(utc_minute(at));
        }
        view
    });
    let approvers = approval.steps.iter().flat_map(|step| &step.userids);
    let mut view = json!({
        "title": approval.title,
        "createTime": utc_minute(approval.created_at),
        "originatorUserId": approval.originator,
        "originatorDeptId": approval.department.to_string(),
        "originatorDeptName": department.map(|department| department.name.as_str()),
        "status": approval.status,
        "result": approval.result.map_or("", Decision::word),
        "approverUserIds": approvers.collect::<Vec<_>>(),
        "ccUserIds": approval.cc,
        "businessId": approval.business_id,
        "bizAction": "NONE",
        "attachedProcessInstanceIds": [],
        "formComponentValues": values.collect::<Vec<Value>>(),
        "operationRecords": operations.collect::<Vec<Value>>(),
        "tasks": tasks.collect::<Vec<Value>>(),
    });
    if let (Some(at), true) = (approval.finished_at, approval.status != Status::Running) {
        view["finishTime"] = json!(utc_minute(at));
    }
    view
}

fn file(file: &AttachedFile) -> Value {
    json!({"spaceId": file.space_id, "fileId": file.file_id, "fileName": file.name, "fileSize": file.size, "fileType": file.kind})
}
