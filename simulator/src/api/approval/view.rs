//! Shows an approval as `processinstance/get` words it.

use serde_json::{Value, json};

use crate::approvals::{Approval, AttachedFile, Decision, Status};
use crate::clock::beijing_text;
use crate::state::World;

/// The instance as `processinstance/get` gives it.
pub(super) fn describe(world: &World, approval: &Approval) -> Value {
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
            "attachments": operation.files.iter().map(file).collect::<Vec<Value>>(),
        })
    });
    let tasks = approval.tasks.iter().map(|task| {
        let mut view = json!({
            "taskid": task.id.to_string(),
            "userid": task.userid,
            "task_status": task.status,
            "task_result": task.outcome(),
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

fn file(file: &AttachedFile) -> Value {
    json!({"file_id": file.file_id, "file_name": file.name, "file_size": file.size, "file_type": file.kind})
}
