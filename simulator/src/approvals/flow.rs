//! Moves an approval through its steps; says what happened and tells nobody.

use super::{Approval, AttachedFile, Decision, Happening, Operation, Rule, Status, Step, Task};

/// A decision with its words and its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict<'a> {
    pub(crate) decision: Decision,
    pub(crate) remark: &'a str,
    pub(crate) files: &'a [AttachedFile],
    pub(crate) now: i64,
}

/// A flow in which each person is asked after the one before agreed.
pub(crate) fn one_by_one(userids: &[String]) -> Vec<Step> {
    userids
        .iter()
        .map(|userid| Step {
            rule: Rule::One,
            userids: vec![userid.clone()],
        })
        .collect()
}

impl Approval {
    /// Asks the people of the next step, or finishes when there is none.
    pub(super) fn advance(&mut self, last_task: &mut i64, now: i64) -> Vec<Happening> {
        let next = self.tasks.last().map_or(0, |task| task.step + 1);
        let Some(step) = self.steps.get(next) else {
            return vec![self.finish(Decision::Agree, now)];
        };
        let mut happened = Vec::new();
        for userid in &step.userids {
            *last_task += 1;
            happened.push(Happening::Asked(self.tasks.len()));
            self.tasks.push(Task {
                id: *last_task,
                step: next,
                userid: userid.clone(),
                status: Status::Running,
                result: None,
                is_redirected: false,
                remark: String::new(),
                created_at: now,
                finished_at: None,
            });
        }
        happened
    }

    /// Takes one decision and everything that follows from it.
    pub(super) fn decide(
        &mut self,
        at: usize,
        verdict: Verdict<'_>,
        last_task: &mut i64,
    ) -> Vec<Happening> {
        let Verdict {
            decision,
            remark,
            files,
            now,
        } = verdict;
        let task = &mut self.tasks[at];
        task.status = Status::Completed;
        task.result = Some(decision);
        task.finished_at = Some(now);
        remark.clone_into(&mut task.remark);
        let (step, userid) = (task.step, task.userid.clone());
        self.operations.push(Operation {
            userid,
            at: now,
            kind: "EXECUTE_TASK_NORMAL",
            result: if decision == Decision::Agree {
                "AGREE"
            } else {
                "REFUSE"
            },
            remark: remark.to_owned(),
            files: files.to_vec(),
        });
        let mut happened = vec![Happening::Decided(at)];
        let rule = self.steps[step].rule;
        let is_waiting = rule == Rule::And
            && decision == Decision::Agree
            && self.tasks.iter().any(|task| task.status == Status::Running);
        if is_waiting {
            return happened;
        }
        happened.extend(self.cancel_open_tasks(now));
        match decision {
            Decision::Refuse => happened.push(self.finish(Decision::Refuse, now)),
            Decision::Agree => happened.extend(self.advance(last_task, now)),
        }
        happened
    }

    pub(super) fn terminate(&mut self, userid: &str, remark: &str, now: i64) -> Vec<Happening> {
        let mut happened = self.cancel_open_tasks(now);
        self.status = Status::Terminated;
        self.finished_at = Some(now);
        self.operations.push(Operation {
            userid: userid.to_owned(),
            at: now,
            kind: "TERMINATE_PROCESS_INSTANCE",
            result: "NONE",
            remark: remark.to_owned(),
            files: Vec::new(),
        });
        happened.push(Happening::Terminated);
        happened
    }

    /// Ends one open task and begins one of another person in the same step.
    pub(super) fn redirect(
        &mut self,
        at: usize,
        to: &str,
        remark: &str,
        (last_task, now): (&mut i64, i64),
    ) -> Vec<Happening> {
        let task = &mut self.tasks[at];
        task.status = Status::Completed;
        task.is_redirected = true;
        task.finished_at = Some(now);
        remark.clone_into(&mut task.remark);
        let (step, userid) = (task.step, task.userid.clone());
        self.operations.push(Operation {
            userid,
            at: now,
            kind: "REDIRECT_TASK",
            result: "NONE",
            remark: remark.to_owned(),
            files: Vec::new(),
        });
        *last_task += 1;
        self.tasks.push(Task {
            id: *last_task,
            step,
            userid: to.to_owned(),
            status: Status::Running,
            result: None,
            is_redirected: false,
            remark: String::new(),
            created_at: now,
            finished_at: None,
        });
        vec![
            Happening::Redirected(at),
            Happening::Asked(self.tasks.len() - 1),
        ]
    }

    fn cancel_open_tasks(&mut self, now: i64) -> Vec<Happening> {
        let mut happened = Vec::new();
        for (at, task) in self.tasks.iter_mut().enumerate() {
            if task.status == Status::Running {
                task.status = Status::Canceled;
                task.finished_at = Some(now);
                happened.push(Happening::Cancelled(at));
            }
        }
        happened
    }

    fn finish(&mut self, decision: Decision, now: i64) -> Happening {
        self.status = Status::Completed;
        self.result = Some(decision);
        self.finished_at = Some(now);
        Happening::Finished
    }
}
