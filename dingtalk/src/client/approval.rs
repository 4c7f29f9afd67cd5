//! Approvals (OA审批, `processinstance/*` and `process/instance/*`).

use crate::{ApiError, Client, Decision, UnixMs};

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
        let _ = instance;
        todo!()
    }

    /// Reads an instance (`processinstance/get`).
    pub async fn approval_get(&self, instance_id: &str) -> Result<Instance, ApiError> {
        let _ = instance_id;
        todo!()
    }

    /// Lists instances (`processinstance/listids`).
    pub async fn approval_list_ids(&self, listing: &Listing) -> Result<Page, ApiError> {
        let _ = listing;
        todo!()
    }

    /// Withdraws an instance (`process/instance/terminate`) for its originator, or for the system when `operator` is
    /// absent. DingTalk refuses it within 15 seconds of the start.
    pub async fn approval_terminate(
        &self,
        instance_id: &str,
        operator: Option<&str>,
        remark: &str,
    ) -> Result<(), ApiError> {
        let _ = (instance_id, operator, remark);
        todo!()
    }

    /// Decides a step for its approver (`process/instance/execute`).
    pub async fn approval_execute(&self, verdict: &Verdict) -> Result<(), ApiError> {
        let _ = verdict;
        todo!()
    }

    /// Comments on an instance (`process/instance/comment/add`).
    pub async fn approval_comment(
        &self,
        instance_id: &str,
        user_id: &str,
        text: &str,
    ) -> Result<(), ApiError> {
        let _ = (instance_id, user_id, text);
        todo!()
    }
}
