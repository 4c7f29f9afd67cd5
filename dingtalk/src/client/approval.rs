//! Approvals (OA审批). Both styles of calls know the same instances, and read into the same values.

mod attachment;
mod check;
mod control;
mod form;
mod kept;
mod legacy;
mod modern;
mod read;
mod template;

use std::fmt;

use crate::{ApiError, ApiStyle, Client, Decision, UnixMs};

pub use self::attachment::{AttachedFile, Attachment, FileLink, Files};
pub use self::control::{Address, DateRange, FieldError, FieldValue, Place};
pub use self::form::{Control, Form};
pub(crate) use self::kept::Forms;
pub use self::template::{Template, TemplatePage};

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
    /// At most 150, or 200 for the older call.
    pub fields: Vec<Field>,
    /// In order, at most 20; when empty the template's own flow runs.
    pub steps: Vec<Step>,
    /// Who gets a copy when it ends, at most 50, or 20 for the older call; only with `steps`.
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
    /// What was done with it so far, oldest first.
    pub records: Vec<InstanceRecord>,
    /// When it was started; the newer call tells the minute only.
    pub created_at: Option<UnixMs>,
    /// When it ended; the newer call tells the minute only.
    pub finished_at: Option<UnixMs>,
}

/// Something that was done with an instance.
#[derive(Clone, PartialEq, Eq)]
pub struct InstanceRecord {
    /// Who did it.
    pub user_id: String,
    /// When; the newer call tells the minute only.
    pub at: Option<UnixMs>,
    /// DingTalk's word, such as `EXECUTE_TASK_NORMAL` or `ADD_REMARK`.
    pub kind: String,
    /// `AGREE`, `REFUSE` or `NONE`.
    pub outcome: String,
    /// What was said with it; may be empty.
    pub remark: String,
    /// The files that came with it.
    pub files: Vec<AttachedFile>,
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
    /// A word with it, at most 1024 characters; may be empty.
    pub remark: String,
    /// What comes with it.
    pub files: Files,
}

/// A step that its approver hands to somebody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Redirection {
    /// The step, a decimal number as text.
    pub task_id: String,
    /// Whose step it is.
    pub from: String,
    /// Whose it becomes.
    pub to: String,
    /// A word with it, at most 256 characters; may be empty.
    pub remark: String,
}

/// Something said about an instance.
#[derive(Clone, PartialEq, Eq)]
pub struct Comment {
    /// The instance.
    pub instance_id: String,
    /// Who says it.
    pub user_id: String,
    /// 1 to 1024 characters.
    pub text: String,
    /// What comes with it.
    pub files: Files,
}

impl Client {
    /// Starts an instance and answers with its id. What DingTalk would refuse is not sent, by the form of the template
    /// too if forms are kept ([`Options::forms`](crate::Options::forms)).
    pub async fn approval_create(&self, instance: &NewInstance) -> Result<String, ApiError> {
        check::new_instance(instance, self.style)?;
        self.fit_template(&instance.process_code, &instance.fields)
            .await?;
        match self.style {
            ApiStyle::Modern => self.modern_create(instance).await,
            ApiStyle::Legacy => self.legacy_create(instance).await,
        }
    }

    /// Reads an instance.
    pub async fn approval_get(&self, instance_id: &str) -> Result<Instance, ApiError> {
        check::instance_id(instance_id)?;
        match self.style {
            ApiStyle::Modern => self.modern_get(instance_id).await,
            ApiStyle::Legacy => self.legacy_get(instance_id).await,
        }
    }

    /// Lists instances.
    pub async fn approval_list_ids(&self, listing: &Listing) -> Result<Page, ApiError> {
        check::listing(listing)?;
        match self.style {
            ApiStyle::Modern => self.modern_list_ids(listing).await,
            ApiStyle::Legacy => self.legacy_list_ids(listing).await,
        }
    }

    /// Withdraws an instance for its originator, or for the system when `operator` is absent. DingTalk refuses it within
    /// 15 seconds of the start.
    pub async fn approval_terminate(
        &self,
        instance_id: &str,
        operator: Option<&str>,
        remark: &str,
    ) -> Result<(), ApiError> {
        check::instance_id(instance_id)?;
        check::remark(remark)?;
        match self.style {
            ApiStyle::Modern => self.modern_terminate(instance_id, operator, remark).await,
            ApiStyle::Legacy => self.legacy_terminate(instance_id, operator, remark).await,
        }
    }

    /// Decides a step for its approver.
    pub async fn approval_execute(&self, verdict: &Verdict) -> Result<(), ApiError> {
        check::verdict(verdict)?;
        match self.style {
            ApiStyle::Modern => self.modern_execute(verdict).await,
            ApiStyle::Legacy => self.legacy_execute(verdict).await,
        }
    }

    /// Hands a step to somebody else. Only the newer API has the call, so it is made whatever the style.
    pub async fn approval_redirect(&self, redirection: &Redirection) -> Result<(), ApiError> {
        check::redirection(redirection)?;
        self.modern_redirect(redirection).await
    }

    /// Comments on an instance.
    pub async fn approval_comment(&self, comment: &Comment) -> Result<(), ApiError> {
        check::comment(comment)?;
        match self.style {
            ApiStyle::Modern => self.modern_comment(comment).await,
            ApiStyle::Legacy => self.legacy_comment(comment).await,
        }
    }

    /// Counts the steps that wait for a person.
    pub async fn approval_count_pending(&self, user_id: &str) -> Result<u32, ApiError> {
        check::user_id(user_id)?;
        match self.style {
            ApiStyle::Modern => self.modern_count_pending(user_id).await,
            ApiStyle::Legacy => self.legacy_count_pending(user_id).await,
        }
    }
}

/// DingTalk's word for how a step is decided.
fn rule(rule: StepRule) -> &'static str {
    match rule {
        StepRule::Single => "NONE",
        StepRule::AllOf => "AND",
        StepRule::AnyOf => "OR",
    }
}

/// DingTalk's word for a decision.
fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Agree => "agree",
        Decision::Refuse => "refuse",
    }
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

fn decision(result: Option<&str>) -> Option<Decision> {
    match result {
        Some("agree") => Some(Decision::Agree),
        Some("refuse") => Some(Decision::Refuse),
        _ => None,
    }
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

impl fmt::Debug for InstanceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceRecord")
            .field("user_id", &self.user_id)
            .field("kind", &self.kind)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Redirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redirection")
            .field("task_id", &self.task_id)
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Comment")
            .field("instance_id", &self.instance_id)
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}
