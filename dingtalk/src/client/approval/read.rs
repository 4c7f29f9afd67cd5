//! Reads an instance. The newer and the older calls tell the same, under names of their own and with times of their own.

use super::attachment::AttachedFile;
use super::{Field, Instance, InstanceRecord, InstanceTask, decision, status};
use crate::UnixMs;
use crate::members::Members;

/// How a call writes times.
type Time = fn(&str) -> Option<UnixMs>;

/// The instance, if its status is one that there is.
pub(super) fn instance(instance: Members<'_>, time: Time) -> Option<Instance> {
    let text = |names: [&str; 2]| instance.first_text(&names);
    let at = |names| text(names).as_deref().and_then(time);
    Some(Instance {
        title: instance.text("title").unwrap_or_default(),
        status: status(&instance.text("status")?)?,
        decision: decision(instance.text("result").as_deref()),
        originator: text(["originatorUserId", "originator_userid"]).unwrap_or_default(),
        originator_dept: text(["originatorDeptId", "originator_dept_id"]),
        business_id: text(["businessId", "business_id"]),
        fields: objects(instance, ["formComponentValues", "form_component_values"])
            .map(field)
            .collect(),
        tasks: instance.objects("tasks").map(task).collect(),
        records: objects(instance, ["operationRecords", "operation_records"])
            .map(|entry| record(entry, time))
            .collect(),
        created_at: at(["createTime", "create_time"]),
        finished_at: at(["finishTime", "finish_time"]),
    })
}

fn objects<'a>(of: Members<'a>, names: [&'a str; 2]) -> impl Iterator<Item = Members<'a>> {
    names.into_iter().flat_map(move |name| of.objects(name))
}

fn either(of: Members<'_>, names: [&str; 2]) -> String {
    of.first_text(&names).unwrap_or_default()
}

fn field(field: Members<'_>) -> Field {
    Field {
        name: field.text("name").unwrap_or_default(),
        value: field.text("value").unwrap_or_default(),
    }
}

fn task(task: Members<'_>) -> InstanceTask {
    InstanceTask {
        task_id: either(task, ["taskId", "taskid"]),
        approver: either(task, ["userId", "userid"]),
        status: either(task, ["status", "task_status"]),
        outcome: either(task, ["result", "task_result"]),
    }
}

fn record(record: Members<'_>, time: Time) -> InstanceRecord {
    InstanceRecord {
        user_id: either(record, ["userId", "userid"]),
        at: record.text("date").as_deref().and_then(time),
        kind: either(record, ["type", "operation_type"]),
        outcome: either(record, ["result", "operation_result"]),
        remark: record.text("remark").unwrap_or_default(),
        files: record
            .objects("attachments")
            .map(|file| AttachedFile {
                file_id: either(file, ["fileId", "file_id"]),
                name: either(file, ["fileName", "file_name"]),
                kind: either(file, ["fileType", "file_type"]),
                size: either(file, ["fileSize", "file_size"]),
            })
            .collect(),
    }
}
