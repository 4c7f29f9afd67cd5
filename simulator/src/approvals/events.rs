//! Words what happened to an approval as the events DingTalk pushes.

use serde_json::{Value, json};

use super::{Approval, Decision, Happening, Task};
use crate::crypto::random_text;
use crate::options::App;

/// The event of one happening as one app sees it.
pub(super) fn event(app: &App, approval: &Approval, happening: Happening) -> Value {
    match happening {
        Happening::Started => instance(app, approval, "start"),
        Happening::Finished => instance(app, approval, "finish"),
        Happening::Terminated => instance(app, approval, "terminate"),
        Happening::Asked(at) => task(app, approval, &approval.tasks[at], "start"),
        Happening::Decided(at) | Happening::Redirected(at) => {
            task(app, approval, &approval.tasks[at], "finish")
        }
        Happening::Cancelled(at) => task(app, approval, &approval.tasks[at], "cancel"),
    }
}

fn instance(app: &App, approval: &Approval, kind: &str) -> Value {
    let mut event = envelope(app, approval, "bpms_instance_change", kind);
    event["staffId"] = json!(approval.originator);
    event["createTime"] = json!(approval.created_at);
    event["url"] = json!(format!(
        "https://aflow.dingtalk.com/dingtalk/mobile/homepage.htm?procInstId={}",
        approval.id
    ));
    // At the start the instance may be over already, but that is another event's news.
    if kind != "start" {
        event["finishTime"] = json!(approval.finished_at);
        event["EventTime"] = json!(approval.finished_at);
    }
    if let (Some(result), "finish") = (approval.result, kind) {
        event["result"] = json!(result.word());
    }
    event
}

fn task(app: &App, approval: &Approval, task: &Task, kind: &str) -> Value {
    let mut event = envelope(app, approval, "bpms_task_change", kind);
    event["taskId"] = json!(task.id);
    event["staffId"] = json!(task.userid);
    event["createTime"] = json!(task.created_at);
    event["EventTime"] = json!(task.finished_at.unwrap_or(task.created_at));
    if kind != "start" {
        event["finishTime"] = json!(task.finished_at);
    }
    if kind == "finish" {
        event["result"] = json!(if task.is_redirected {
            "redirect"
        } else {
            task.result.map_or("", Decision::word)
        });
        event["remark"] = json!(task.remark);
    }
    event
}

/// The members of both dialects: old captures and today's catalogue.
fn envelope(app: &App, approval: &Approval, event_type: &str, kind: &str) -> Value {
    json!({
        "EventType": event_type,
        "EventTime": approval.created_at,
        "CorpId": app.corp_id,
        "corpId": app.corp_id,
        "BizId": random_text(24),
        "eventId": random_text(32),
        "processInstanceId": approval.id,
        "processCode": approval.process_code,
        "businessId": approval.business_id,
        "bizCategoryId": "",
        "title": approval.title,
        "type": kind,
    })
}
