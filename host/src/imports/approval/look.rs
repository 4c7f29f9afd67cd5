//! Finds out whether an approval call that was begun before has been done.

use std::collections::HashSet;

use super::super::bindings::belfry::bot::api::Error;
use super::super::outcome_unknown;
use super::super::recorded::Step;
use crate::clock::UnixMs;
use crate::engine::Task;

/// How far DingTalk's clock may be behind ours.
const CLOCKS_DIFFER_MS: i64 = 10_000;
/// Pages of twenty; whoever started more in that time gets no answer.
const PAGES: u32 = 10;

/// The instance, if it was created: the only one of its template and originator since then, with the same form. `None` if
/// there is none; several, or one with another form, may be it or not.
pub(super) async fn created(
    task: &Task,
    instance: &dingtalk::NewInstance,
    step: &Step,
) -> Result<Option<String>, Error> {
    let Step::Unless { since, others } = step else {
        return Ok(None);
    };
    let others: HashSet<String> = others
        .iter()
        .filter_map(|told| {
            serde_json::from_str::<Result<String, Error>>(told.expose())
                .ok()?
                .ok()
        })
        .collect();
    let mut found = list(task, instance, *since).await.ok_or_else(cannot_look)?;
    found.retain(|id| !others.contains(id));
    let [id] = found.as_slice() else {
        return if found.is_empty() {
            Ok(None)
        } else {
            Err(outcome_unknown(
                "several instances were started since it was begun, and any of them may be it",
            ))
        };
    };
    let there = task
        .client
        .approval_get(id)
        .await
        .map_err(|_| cannot_look())?;
    let is_equal = instance
        .fields
        .iter()
        .all(|field| there.fields.iter().any(|other| other == field));
    if is_equal {
        Ok(Some(id.clone()))
    } else {
        Err(outcome_unknown(
            "an instance was started since it was begun, but its form differs",
        ))
    }
}

async fn list(task: &Task, instance: &dingtalk::NewInstance, since: UnixMs) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut cursor = 0;
    for _ in 0..PAGES {
        let listing = dingtalk::Listing {
            process_code: instance.process_code.clone(),
            start: UnixMs(since.0 - CLOCKS_DIFFER_MS),
            end: None,
            originators: vec![instance.originator.clone()],
            cursor,
            size: 20,
        };
        let page = task.client.approval_list_ids(&listing).await.ok()?;
        found.extend(page.instances);
        match page.next_cursor {
            Some(next) if next > cursor => cursor = next,
            _ => return Some(found),
        }
    }
    None
}

/// Whether the instance is withdrawn.
pub(super) async fn terminated(task: &Task, id: &str, step: &Step) -> Result<bool, Error> {
    let Step::Unless { .. } = step else {
        return Ok(false);
    };
    let instance = task
        .client
        .approval_get(id)
        .await
        .map_err(|_| cannot_look())?;
    Ok(instance.status == dingtalk::InstanceStatus::Terminated)
}

/// Whether the step is decided as it should be.
pub(super) async fn executed(
    task: &Task,
    verdict: &dingtalk::Verdict,
    step: &Step,
) -> Result<bool, Error> {
    let Step::Unless { .. } = step else {
        return Ok(false);
    };
    let instance = task
        .client
        .approval_get(&verdict.instance_id)
        .await
        .map_err(|_| cannot_look())?;
    let decided = match verdict.decision {
        dingtalk::Decision::Agree => "AGREE",
        dingtalk::Decision::Refuse => "REFUSE",
    };
    Ok(instance.tasks.iter().any(|step| {
        step.task_id == verdict.task_id
            && step.approver == verdict.approver
            && step.outcome == decided
    }))
}

/// Whether the step was handed on: whose it was has it no more, and the other person has one.
pub(super) async fn redirected(
    task: &Task,
    instance_id: &str,
    redirection: &dingtalk::Redirection,
    step: &Step,
) -> Result<bool, Error> {
    let Step::Unless { .. } = step else {
        return Ok(false);
    };
    let instance = task
        .client
        .approval_get(instance_id)
        .await
        .map_err(|_| cannot_look())?;
    let is_gone = instance.tasks.iter().any(|step| {
        step.task_id == redirection.task_id
            && (step.approver != redirection.from || step.outcome == "REDIRECTED")
    });
    let has_come = (instance.tasks.iter()).any(|step| step.approver == redirection.to);
    Ok(is_gone && has_come)
}

fn cannot_look() -> Error {
    outcome_unknown("it was begun before, and whether it was done could not be found out")
}
