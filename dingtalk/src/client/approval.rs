//! Approvals (OA审批, `processinstance/*` and `process/instance/*`).

use std::fmt;

use serde_json::{Value, json};

use super::{comma_joined, number};
use crate::error::Effect;
use crate::members::Members;
use crate::{ApiError, Client, Decision, UnixMs};

/// A field of a form.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    /// The field's label, exactly as in the template.
    pub name: String,
    /// Its value; anything structured is JSON text.
    pub value: String,
}

/// How the approvers of one step decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepRule {
    /// Exactly one approver.
    Single,
    /// All must agree (会签).
    AllOf,
    /// One is enough (或签).
    AnyOf,
}

/// A step of an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How its approvers decide.
    pub rule: StepRule,
    /// Their user ids; two or more unless the rule is [`StepRule::Single`].
    pub approvers: Vec<String>,
}

/// An instance to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInstance {
    /// The template.
    pub process_code: String,
    /// Who starts it.
    pub originator: String,
    /// The originator's department, a decimal number as text; `-1` is the root.
    pub dept_id: String,
    /// At most 200.
    pub fields: Vec<Field>,
    /// In order, at most 20; when empty the template's own flow runs.
    pub steps: Vec<Step>,
    /// Who gets a copy when it ends, at most 20; only with `steps`.
    pub cc: Vec<String>,
}

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceStatus {
    /// Not started yet (`NEW`).
    Pending,
    /// Under way.
    Running,
    /// Withdrawn.
    Terminated,
    /// Ran to its end.
    Completed,
    /// Canceled.
    Canceled,
}

/// A step that waits or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceTask {
    /// The step, a decimal number as text.
    pub task_id: String,
    /// Whose step it is.
    pub approver: String,
    /// DingTalk's `task_status`, such as `RUNNING`.
    pub status: String,
    /// DingTalk's `task_result`, such as `AGREE`; empty when it has none.
    pub outcome: String,
}

/// What is known of an instance.
#[derive(Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: InstanceStatus,
    /// Absent while it runs and when it was withdrawn.
    pub decision: Option<Decision>,
    /// Who started it.
    pub originator: String,
    /// The originator's department.
    pub originator_dept: Option<String>,
    /// The number printed on the form.
    pub business_id: Option<String>,
    /// The form.
    pub fields: Vec<Field>,
    /// The steps so far.
    pub tasks: Vec<InstanceTask>,
    /// When it was started.
    pub created_at: Option<UnixMs>,
    /// When it ended.
    pub finished_at: Option<UnixMs>,
}

/// Which instances to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The template.
    pub process_code: String,
    /// At most 120 days before `end`.
    pub start: UnixMs,
    /// Until now when absent.
    pub end: Option<UnixMs>,
    /// At most 10 people; empty for all.
    pub originators: Vec<String>,
    /// `0` first, then `next_cursor` of the page before.
    pub cursor: u32,
    /// 1 to 20.
    pub size: u32,
}

/// A page of instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Their ids.
    pub instances: Vec<String>,
    /// Absent on the last page.
    pub next_cursor: Option<u32>,
}

/// The decision of one step on behalf of its approver.
#[derive(Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The instance.
    pub instance_id: String,
    /// The step, a decimal number as text.
    pub task_id: String,
    /// Whose step it is.
    pub approver: String,
    /// How it is decided.
    pub decision: Decision,
    /// A word with it; may be empty.
    pub remark: String,
}

impl Client {
    /// Starts an instance (`processinstance/create`) and answers with its id.
    pub async fn approval_create(&self, instance: &NewInstance) -> Result<String, ApiError> {
        let mut body = json!({
            "process_code": instance.process_code,
            "originator_user_id": instance.originator,
            "dept_id": number("department id", &instance.dept_id)?,
            "form_component_values": form(&instance.fields),
        });
        if let Some(agent_id) = self.inner.credentials.agent_id {
            body["agent_id"] = json!(agent_id);
        }
        if !instance.steps.is_empty() {
            body["approvers_v2"] = instance.steps.iter().map(step).collect();
        }
        if !instance.cc.is_empty() {
            body["cc_list"] = json!(comma_joined("user id", &instance.cc)?);
            body["cc_position"] = json!("FINISH");
        }
        let answer = self
            .oapi("/topapi/processinstance/create", body, Effect::Write)
            .await?;
        answer.text("process_instance_id")
    }

    /// Reads an instance (`processinstance/get`).
    pub async fn approval_get(&self, instance_id: &str) -> Result<Instance, ApiError> {
        let body = json!({"process_instance_id": instance_id});
        let answer = self
            .oapi("/topapi/processinstance/get", body, Effect::Read)
            .await?;
        let instance = answer.object("process_instance")?;
        let status = instance.text("status").as_deref().and_then(status);
        Ok(Instance {
            title: instance.text("title").unwrap_or_default(),
            status: status.ok_or_else(|| answer.lacks("process_instance.status"))?,
            decision: match instance.text("result").as_deref() {
                Some("agree") => Some(Decision::Agree),
                Some("refuse") => Some(Decision::Refuse),
                _ => None,
            },
            originator: instance.text("originator_userid").unwrap_or_default(),
            originator_dept: instance.text("originator_dept_id"),
            business_id: instance.text("business_id"),
            fields: instance
                .objects("form_component_values")
                .map(field)
                .collect(),
            tasks: instance.objects("tasks").map(task).collect(),
            created_at: instance
                .text("create_time")
                .as_deref()
                .and_then(beijing_time),
            finished_at: instance
                .text("finish_time")
                .as_deref()
                .and_then(beijing_time),
        })
    }

    /// Lists instances (`processinstance/listids`).
    pub async fn approval_list_ids(&self, listing: &Listing) -> Result<Page, ApiError> {
        let mut body = json!({
            "process_code": listing.process_code,
            "start_time": listing.start,
            "size": listing.size,
            "cursor": listing.cursor,
        });
        if let Some(end) = listing.end {
            body["end_time"] = json!(end);
        }
        if !listing.originators.is_empty() {
            body["userid_list"] = json!(comma_joined("user id", &listing.originators)?);
        }
        let answer = self
            .oapi("/topapi/processinstance/listids", body, Effect::Read)
            .await?;
        let page = answer.object("result")?;
        Ok(Page {
            instances: page.texts("list"),
            next_cursor: page
                .integer("next_cursor")
                .and_then(|cursor| u32::try_from(cursor).ok()),
        })
    }

    /// Withdraws an instance (`process/instance/terminate`) for its originator, or for the system when `operator` is
    /// absent. DingTalk refuses it within 15 seconds of the start.
    pub async fn approval_terminate(
        &self,
        instance_id: &str,
        operator: Option<&str>,
        remark: &str,
    ) -> Result<(), ApiError> {
        let mut request = json!({
            "process_instance_id": instance_id,
            "is_system": operator.is_none(),
            "remark": remark,
        });
        if let Some(operator) = operator {
            request["operating_userid"] = json!(operator);
        }
        self.process_instance("terminate", request).await
    }

    /// Decides a step for its approver (`process/instance/execute`).
    pub async fn approval_execute(&self, verdict: &Verdict) -> Result<(), ApiError> {
        let request = json!({
            "process_instance_id": verdict.instance_id,
            "task_id": number("task id", &verdict.task_id)?,
            "actioner_userid": verdict.approver,
            "result": match verdict.decision {
                Decision::Agree => "agree",
                Decision::Refuse => "refuse",
            },
            "remark": verdict.remark,
        });
        self.process_instance("execute", request).await
    }

    /// Comments on an instance (`process/instance/comment/add`).
    pub async fn approval_comment(
        &self,
        instance_id: &str,
        user_id: &str,
        text: &str,
    ) -> Result<(), ApiError> {
        let request = json!({
            "process_instance_id": instance_id,
            "comment_userid": user_id,
            "text": text,
        });
        self.process_instance("comment/add", request).await
    }

    async fn process_instance(&self, action: &str, request: Value) -> Result<(), ApiError> {
        let path = format!("/topapi/process/instance/{action}");
        self.oapi(&path, json!({"request": request}), Effect::Write)
            .await?
            .accepted()
    }
}

fn form(fields: &[Field]) -> Value {
    fields
        .iter()
        .map(|field| json!({"name": field.name, "value": field.value}))
        .collect()
}

fn step(step: &Step) -> Value {
    let rule = match step.rule {
        StepRule::Single => "NONE",
        StepRule::AllOf => "AND",
        StepRule::AnyOf => "OR",
    };
    json!({"task_action_type": rule, "user_ids": step.approvers})
}

fn status(name: &str) -> Option<InstanceStatus> {
    match name {
        "NEW" => Some(InstanceStatus::Pending),
        "RUNNING" => Some(InstanceStatus::Running),
        "TERMINATED" => Some(InstanceStatus::Terminated),
        "COMPLETED" => Some(InstanceStatus::Completed),
        "CANCELED" => Some(InstanceStatus::Canceled),
        _ => None,
    }
}

fn field(field: Members<'_>) -> Field {
    Field {
        name: field.text("name").unwrap_or_default(),
        value: field.text("value").unwrap_or_default(),
    }
}

fn task(task: Members<'_>) -> InstanceTask {
    InstanceTask {
        task_id: task.text("taskid").unwrap_or_default(),
        approver: task.text("userid").unwrap_or_default(),
        status: task.text("task_status").unwrap_or_default(),
        outcome: task.text("task_result").unwrap_or_default(),
    }
}

/// `yyyy-MM-dd HH:mm:ss` as clocks in Beijing show it, which have not been put forward or back since 1991.
fn beijing_time(text: &str) -> Option<UnixMs> {
    let civil = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    let zoned = civil
        .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)))
        .ok()?;
    Some(UnixMs(zoned.timestamp().as_millisecond()))
}

// What people wrote stays out of debug output.

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("status", &self.status)
            .field("decision", &self.decision)
            .field("originator", &self.originator)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict")
            .field("instance_id", &self.instance_id)
            .field("task_id", &self.task_id)
            .field("approver", &self.approver)
            .field("decision", &self.decision)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_beijing_time() {
        assert_eq!(
            beijing_time("2021-12-28 17:13:09"),
            Some(UnixMs(1_640_682_789_000))
        );
        for text in [
            "",
            "2021-12-28",
            "2021-13-28 17:13:09",
            "9999-12-31 24:00:00",
            "soon",
        ] {
            assert_eq!(beijing_time(text), None, "{text}");
        }
    }
}
