//! Runs approvals step by step: who is asked next, and what a decision leads to.

mod events;
mod flow;
mod rules;

use serde::Serialize;
use serde_json::{Value, json};

use crate::clock::beijing_digits;
use crate::crypto::random_text;
use crate::state::World;

pub(crate) use flow::{Verdict, one_by_one};
pub(crate) use rules::broken_rule;

/// All approvals, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Approvals {
    approvals: Vec<Approval>,
    last_task: i64,
}

/// One approval instance.
#[derive(Debug, Clone)]
pub(crate) struct Approval {
    pub(crate) id: String,
    pub(crate) business_id: String,
    pub(crate) process_code: String,
    pub(crate) title: String,
    pub(crate) originator: String,
    pub(crate) department: i64,
    pub(crate) status: Status,
    pub(crate) result: Option<Decision>,
    pub(crate) created_at: i64,
    pub(crate) finished_at: Option<i64>,
    pub(crate) fields: Vec<FormValue>,
    pub(crate) cc: Vec<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) operations: Vec<Operation>,
}

/// Where an instance or a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Running,
    Completed,
    Terminated,
    Canceled,
}

/// What an approver said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    Agree,
    Refuse,
}

impl Decision {
    /// The lower-case word of events and instances.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Refuse => "refuse",
        }
    }
}

/// One filled control of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct FormValue {
    pub(crate) name: String,
    pub(crate) value: String,
    #[serde(skip)]
    pub(crate) ext_value: Option<String>,
}

/// One step of the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) rule: Rule,
    pub(crate) userids: Vec<String>,
}

/// Whose word ends a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Everybody must agree.
    And,
    /// The first to decide decides.
    Or,
    /// There is only one.
    One,
}

/// The question to one approver.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: i64,
    pub(crate) step: usize,
    pub(crate) userid: String,
    pub(crate) status: Status,
    pub(crate) result: Option<Decision>,
    /// Whether its person handed it to somebody else.
    pub(crate) is_redirected: bool,
    pub(crate) remark: String,
    pub(crate) created_at: i64,
    pub(crate) finished_at: Option<i64>,
}

impl Task {
    /// The word of what came of it, as instances have it.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.result {
            _ if self.is_redirected => "REDIRECTED",
            Some(Decision::Agree) => "AGREE",
            Some(Decision::Refuse) => "REFUSE",
            None => "NONE",
        }
    }
}

/// Something said beside the decisions.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comment {
    pub(crate) userid: String,
    pub(crate) text: String,
    pub(crate) at: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<AttachedFile>,
}

/// One line of the instance's history.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) userid: String,
    pub(crate) at: i64,
    pub(crate) kind: &'static str,
    pub(crate) result: &'static str,
    pub(crate) remark: String,
    /// The files that came with it.
    pub(crate) files: Vec<AttachedFile>,
}

/// A file that came with a decision or a comment; the older and the newer calls name its members differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttachedFile {
    pub(crate) space_id: String,
    pub(crate) file_id: String,
    pub(crate) name: String,
    pub(crate) size: String,
    pub(crate) kind: String,
}

/// A request that passed its checks.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) process_code: String,
    pub(crate) originator: String,
    pub(crate) department: i64,
    pub(crate) fields: Vec<FormValue>,
    pub(crate) cc: Vec<String>,
    /// The template's own approvers when empty.
    pub(crate) steps: Vec<Step>,
}

/// What happened, for the events that tell of it; numbers are places in the task list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    Started,
    Asked(usize),
    Decided(usize),
    Redirected(usize),
    Cancelled(usize),
    Finished,
    Terminated,
}

/// Why a decision or a withdrawal was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("there is no such approval")]
    Unknown,
    #[error("the approval is over")]
    Over,
    #[error("this person has no open task here")]
    NoTask,
}

impl Approvals {
    /// All of them, oldest first.
    pub(crate) fn list(&self) -> &[Approval] {
        &self.approvals
    }

    /// The approval of an id.
    pub(crate) fn get(&self, id: &str) -> Option<&Approval> {
        self.approvals.iter().find(|approval| approval.id == id)
    }

    /// The open tasks of a person.
    pub(crate) fn count_pending(&self, userid: &str) -> usize {
        let tasks = self.approvals.iter().flat_map(|approval| &approval.tasks);
        tasks
            .filter(|task| task.userid == userid && task.status == Status::Running)
            .count()
    }

    fn get_mut(&mut self, id: &str) -> Option<&mut Approval> {
        self.approvals.iter_mut().find(|approval| approval.id == id)
    }
}

impl Approval {
    /// The open task of a person, by its id where one is given.
    pub(crate) fn open_task(&self, userid: &str, task_id: Option<i64>) -> Option<usize> {
        self.tasks.iter().position(|task| {
            task.status == Status::Running
                && task.userid == userid
                && task_id.is_none_or(|task_id| task_id == task.id)
        })
    }

    /// Whether a file is in one of the form's attachment controls.
    pub(crate) fn has_file(&self, file: &str) -> bool {
        self.fields.iter().any(|field| {
            let files: Vec<Value> = serde_json::from_str(&field.value).unwrap_or_default();
            files.iter().any(|there| there["fileId"] == file)
        })
    }

    /// The approval as the control door shows it.
    pub(crate) fn view(&self) -> Value {
        let tasks = self.tasks.iter().map(|task| {
            json!({
                "taskId": task.id,
                "userid": task.userid,
                "status": task.status,
                "result": if task.is_redirected { "redirected" } else { task.result.map_or("NONE", Decision::word) },
                "remark": task.remark,
            })
        });
        json!({
            "id": self.id,
            "businessId": self.business_id,
            "processCode": self.process_code,
            "title": self.title,
            "originator": self.originator,
            "status": self.status,
            "result": self.result.map_or("", Decision::word),
            "createdAt": self.created_at,
            "finishedAt": self.finished_at,
            "fields": self.fields,
            "tasks": tasks.collect::<Vec<Value>>(),
            "comments": self.comments,
        })
    }
}

impl World {
    /// Starts an approval and tells the apps; the template must exist.
    pub(crate) fn start_approval(&mut self, request: Request, now: i64) -> Approval {
        let template = self.company.template(&request.process_code);
        let what = template.map_or(request.process_code.as_str(), |template| {
            template.name.as_str()
        });
        let standing = template
            .map(|template| template.approvers.as_slice())
            .unwrap_or_default();
        let steps = if request.steps.is_empty() {
            one_by_one(standing)
        } else {
            request.steps
        };
        let number = self.approvals.approvals.len() + 1;
        let mut approval = Approval {
            id: random_text(24),
            business_id: format!("{}{number:09}", beijing_digits(now)),
            title: format!("{}提交的{what}", self.company.name_of(&request.originator)),
            process_code: request.process_code,
            department: request.department,
            status: Status::Running,
            result: None,
            created_at: now,
            finished_at: None,
            fields: request.fields,
            cc: request.cc,
            steps,
            tasks: Vec::new(),
            comments: Vec::new(),
            operations: vec![Operation {
                userid: request.originator.clone(),
                at: now,
                kind: "START_PROCESS_INSTANCE",
                result: "NONE",
                remark: String::new(),
                files: Vec::new(),
            }],
            originator: request.originator,
        };
        let mut happened = vec![Happening::Started];
        happened.extend(approval.advance(&mut self.approvals.last_task, now));
        self.approvals.approvals.push(approval.clone());
        self.tell_approval(&approval, &happened);
        approval
    }

    /// Decides the open task of a person.
    pub(crate) fn decide_approval(
        &mut self,
        id: &str,
        (userid, task_id): (&str, Option<i64>),
        verdict: Verdict<'_>,
    ) -> Result<Approval, Refused> {
        let mut last_task = self.approvals.last_task;
        let approval = self.approvals.get_mut(id).ok_or(Refused::Unknown)?;
        if approval.status != Status::Running {
            return Err(Refused::Over);
        }
        let at = approval.open_task(userid, task_id).ok_or(Refused::NoTask)?;
        let happened = approval.decide(at, verdict, &mut last_task);
        let approval = approval.clone();
        self.approvals.last_task = last_task;
        self.tell_approval(&approval, &happened);
        Ok(approval)
    }

    /// Hands the open task of a person to another one.
    pub(crate) fn redirect_approval(
        &mut self,
        task_id: i64,
        (from, to): (&str, &str),
        remark: &str,
        now: i64,
    ) -> Result<Approval, Refused> {
        let mut last_task = self.approvals.last_task;
        let approval = self.approvals.approvals.iter_mut().find(|approval| {
            let tasks = &approval.tasks;
            tasks.iter().any(|task| task.id == task_id)
        });
        let approval = approval.ok_or(Refused::NoTask)?;
        if approval.status != Status::Running {
            return Err(Refused::Over);
        }
        let at = approval.open_task(from, Some(task_id));
        let at = at.ok_or(Refused::NoTask)?;
        let happened = approval.redirect(at, to, remark, (&mut last_task, now));
        let approval = approval.clone();
        self.approvals.last_task = last_task;
        self.tell_approval(&approval, &happened);
        Ok(approval)
    }

    /// Withdraws a running approval.
    pub(crate) fn terminate_approval(
        &mut self,
        id: &str,
        (userid, remark): (&str, &str),
        now: i64,
    ) -> Result<Approval, Refused> {
        let approval = self.approvals.get_mut(id).ok_or(Refused::Unknown)?;
        if approval.status != Status::Running {
            return Err(Refused::Over);
        }
        let happened = approval.terminate(userid, remark, now);
        let approval = approval.clone();
        self.tell_approval(&approval, &happened);
        Ok(approval)
    }

    /// Adds a comment, which pushes no event.
    pub(crate) fn comment_approval(&mut self, id: &str, comment: Comment) -> Result<(), Refused> {
        let approval = self.approvals.get_mut(id).ok_or(Refused::Unknown)?;
        approval.operations.push(Operation {
            userid: comment.userid.clone(),
            at: comment.at,
            kind: "ADD_REMARK",
            result: "NONE",
            remark: comment.text.clone(),
            files: comment.files.clone(),
        });
        approval.comments.push(comment);
        let update = approval.view();
        self.update("approval", update);
        Ok(())
    }

    fn tell_approval(&mut self, approval: &Approval, happened: &[Happening]) {
        self.update("approval", approval.view());
        for happening in happened {
            self.announce(|app| events::event(app, approval, *happening));
        }
    }
}

#[cfg(test)]
mod tests;
