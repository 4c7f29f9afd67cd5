//! Whether the grant of a plugin covers a template, an instance or a step.

use dingtalk::catalog::LONGEST_ID;

use super::super::bindings::belfry::bot::api::Error;
use super::super::{invalid, not_granted, upstream};
use crate::config::Scope;
use crate::effect::Source;
use crate::engine::Task;
use crate::event::Subject;

pub(super) fn covers_code(task: &Task, code: &str) -> Result<(), Error> {
    if task.grant.approval.covers(code) {
        Ok(())
    } else {
        Err(not_granted("approval", &format!("the template {code:?}")))
    }
}

/// Whether the grant covers the template of an instance. An event about the instance tells its template; for others
/// the instance must be among those of a granted template that DingTalk lists, because reading it does not tell.
pub(super) async fn covers_instance(task: &Task, instance_id: &str) -> Result<(), Error> {
    let Scope::Only(codes) = &task.grant.approval else {
        return Ok(());
    };
    if let Subject::Approval {
        instance_id: id,
        process_code: code,
    } = &task.subject
        && id == instance_id
        && task.grant.approval.covers(code)
    {
        return Ok(());
    }
    if matches!(task.source, Source::Given(_)) {
        // Whoever stands in for DingTalk cannot list them, and sends nothing either.
        return Ok(());
    }
    let now = task.envelope.received_at;
    for code in codes {
        let mut cursor = 0;
        loop {
            let listing = dingtalk::Listing {
                process_code: code.clone(),
                start: dingtalk::UnixMs(now.0 - DAYS_LOOKED_BACK * 86_400_000),
                end: None,
                originators: Vec::new(),
                cursor,
                size: 20,
            };
            let page = upstream(task, task.client.approval_list_ids(&listing)).await?;
            if page.instances.iter().any(|id| id == instance_id) {
                return Ok(());
            }
            match page.next_cursor {
                Some(next) if next > cursor && cursor < PAGES_LOOKED_AT * 20 => cursor = next,
                _ => break,
            }
        }
    }
    Err(not_granted(
        "approval",
        &format!("the instance {instance_id:?}"),
    ))
}

/// `listids` goes back 120 days at most.
const DAYS_LOOKED_BACK: i64 = 119;
/// Pages of twenty; beyond them an instance counts as not covered.
const PAGES_LOOKED_AT: u32 = 25;

/// Whether the grant covers a step: that of an instance which is covered and has the step, because whoever is asked to
/// hand a step on is not told of which instance it is.
pub(super) async fn covers_step(task: &Task, instance_id: &str, step: &str) -> Result<(), Error> {
    // DingTalk is told the step alone, so nobody else looks at it.
    if instance_id.is_empty() || instance_id.chars().count() > LONGEST_ID {
        return Err(invalid(format!(
            "the instance id must have 1 to {LONGEST_ID} characters"
        )));
    }
    let Scope::Only(_) = &task.grant.approval else {
        return Ok(());
    };
    covers_instance(task, instance_id).await?;
    if matches!(task.source, Source::Given(_)) {
        return Ok(());
    }
    let instance = upstream(task, task.client.approval_get(instance_id)).await?;
    if instance.tasks.iter().any(|there| there.task_id == step) {
        return Ok(());
    }
    Err(not_granted(
        "approval",
        &format!("the step {step:?}, which is not of the instance {instance_id:?}"),
    ))
}

/// What belongs to no template in particular is only for those who may use all.
pub(super) fn covers_all(task: &Task, what: &str) -> Result<(), Error> {
    match &task.grant.approval {
        Scope::Everything => Ok(()),
        Scope::Only(_) | Scope::Nothing => Err(not_granted("approval", what)),
    }
}
