//! `belfry:bot/approval`: approvals.

use super::bindings::belfry::bot::api::{Error, InstanceId, TaskId, UserId};
use super::bindings::belfry::bot::approval::Task as Step;
use super::bindings::belfry::bot::approval::{
    Field, Host, Instance, Listing, NewInstance, Page, Status, StepRule,
};
use super::bindings::belfry::bot::event::Decision;
use super::{from_f64, not_granted, outbound, to_f64};
use crate::config::Scope;
use crate::engine::{State, Task};

impl Host for State {
    async fn create(
        &mut self,
        instance: NewInstance,
    ) -> wasmtime::Result<Result<InstanceId, Error>> {
        let task = self.send()?;
        if let Err(error) = covers_code(&task, &instance.process_code) {
            return Ok(Err(error));
        }
        let instance = new_instance(instance);
        let client = task.client.clone();
        Ok(outbound(
            &task,
            async move { client.approval_create(&instance).await },
        )
        .await)
    }

    async fn get(&mut self, instance_id: InstanceId) -> wasmtime::Result<Result<Instance, Error>> {
        let task = self.call()?;
        let id = instance_id.clone();
        let client = task.client.clone();
        if let Err(error) = covers_instance(&task, &id).await {
            return Ok(Err(error));
        }
        let instance = outbound(
            &task,
            async move { client.approval_get(&instance_id).await },
        )
        .await;
        Ok(instance.map(to_guest))
    }

    async fn list_ids(&mut self, listing: Listing) -> wasmtime::Result<Result<Page, Error>> {
        let task = self.call()?;
        if let Err(error) = covers_code(&task, &listing.process_code) {
            return Ok(Err(error));
        }
        let listing = match to_listing(listing) {
            Ok(listing) => listing,
            Err(error) => return Ok(Err(error)),
        };
        let client = task.client.clone();
        let page = outbound(
            &task,
            async move { client.approval_list_ids(&listing).await },
        )
        .await;
        Ok(page.map(|page| Page {
            instances: page.instances,
            next_cursor: page.next_cursor,
        }))
    }

    async fn terminate(
        &mut self,
        instance_id: InstanceId,
        operator: Option<UserId>,
        remark: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let task = self.send()?;
        if let Err(error) = covers_instance(&task, &instance_id).await {
            return Ok(Err(error));
        }
        let client = task.client.clone();
        let call = async move {
            client
                .approval_terminate(&instance_id, operator.as_deref(), &remark)
                .await
        };
        Ok(outbound(&task, call).await)
    }

    async fn execute(
        &mut self,
        instance_id: InstanceId,
        task_id: TaskId,
        approver: UserId,
        decision: Decision,
        remark: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let task = self.send()?;
        if let Err(error) = covers_instance(&task, &instance_id).await {
            return Ok(Err(error));
        }
        let decision = match decision {
            Decision::Agree => dingtalk::Decision::Agree,
            Decision::Refuse => dingtalk::Decision::Refuse,
        };
        let verdict = dingtalk::Verdict {
            instance_id,
            task_id,
            approver,
            decision,
            remark,
        };
        let client = task.client.clone();
        Ok(outbound(
            &task,
            async move { client.approval_execute(&verdict).await },
        )
        .await)
    }

    async fn comment(
        &mut self,
        instance_id: InstanceId,
        user_id: UserId,
        text: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let task = self.send()?;
        if let Err(error) = covers_instance(&task, &instance_id).await {
            return Ok(Err(error));
        }
        let client = task.client.clone();
        Ok(outbound(&task, async move {
            client.approval_comment(&instance_id, &user_id, &text).await
        })
        .await)
    }
}

fn covers_code(task: &Task, code: &str) -> Result<(), Error> {
    if task.grant.approval.covers(code) {
        Ok(())
    } else {
        Err(not_granted("approval", &format!("the template {code:?}")))
    }
}

/// Whether the grant covers the template of an instance. An event about the instance tells its template; for others
/// the instance must be among those of a granted template that DingTalk lists, because reading it does not tell.
async fn covers_instance(task: &Task, instance_id: &str) -> Result<(), Error> {
    let Scope::Only(codes) = &task.grant.approval else {
        return Ok(());
    };
    if let crate::event::Content::Dingtalk(event) = &task.content {
        let told = match &event.body {
            dingtalk::EventBody::ApprovalInstance(change) => {
                Some((&change.instance_id, &change.process_code))
            }
            dingtalk::EventBody::ApprovalTask(change) => {
                Some((&change.instance_id, &change.process_code))
            }
            _ => None,
        };
        if told.is_some_and(|(id, code)| id == instance_id && task.grant.approval.covers(code)) {
            return Ok(());
        }
    }
    let now = task.envelope.received_at;
    for code in codes {
        let mut cursor = 0;
        loop {
            let client = task.client.clone();
            let listing = dingtalk::Listing {
                process_code: code.clone(),
                start: dingtalk::UnixMs(now.0 - DAYS_LOOKED_BACK * 86_400_000),
                end: None,
                originators: Vec::new(),
                cursor,
                size: 20,
            };
            let page = outbound(
                task,
                async move { client.approval_list_ids(&listing).await },
            )
            .await?;
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

fn new_instance(instance: NewInstance) -> dingtalk::NewInstance {
    dingtalk::NewInstance {
        process_code: instance.process_code,
        originator: instance.originator,
        dept_id: instance.dept_id,
        fields: instance
            .fields
            .into_iter()
            .map(|field| dingtalk::Field {
                name: field.name,
                value: field.value,
            })
            .collect(),
        steps: instance
            .steps
            .into_iter()
            .map(|step| dingtalk::Step {
                rule: match step.rule {
                    StepRule::Single => dingtalk::StepRule::Single,
                    StepRule::AllOf => dingtalk::StepRule::AllOf,
                    StepRule::AnyOf => dingtalk::StepRule::AnyOf,
                },
                approvers: step.approvers,
            })
            .collect(),
        cc: instance.cc,
    }
}

fn to_listing(listing: Listing) -> Result<dingtalk::Listing, Error> {
    Ok(dingtalk::Listing {
        process_code: listing.process_code,
        start: from_f64(listing.start)?,
        end: listing.end.map(from_f64).transpose()?,
        originators: listing.originators,
        cursor: listing.cursor,
        size: listing.size,
    })
}

fn to_guest(instance: dingtalk::Instance) -> Instance {
    Instance {
        title: instance.title,
        status: match instance.status {
            dingtalk::InstanceStatus::Pending => Status::Pending,
            dingtalk::InstanceStatus::Running => Status::Running,
            dingtalk::InstanceStatus::Terminated => Status::Terminated,
            dingtalk::InstanceStatus::Completed => Status::Completed,
            dingtalk::InstanceStatus::Canceled => Status::Canceled,
        },
        decision: instance.decision.map(|decision| match decision {
            dingtalk::Decision::Agree => Decision::Agree,
            dingtalk::Decision::Refuse => Decision::Refuse,
        }),
        originator: instance.originator,
        originator_dept: instance.originator_dept,
        business_id: instance.business_id,
        fields: instance
            .fields
            .into_iter()
            .map(|field| Field {
                name: field.name,
                value: field.value,
            })
            .collect(),
        tasks: instance
            .tasks
            .into_iter()
            .map(|task| Step {
                task_id: task.task_id,
                approver: task.approver,
                status: task.status,
                outcome: task.outcome,
            })
            .collect(),
        created_at: instance.created_at.map(to_f64),
        finished_at: instance.finished_at.map(to_f64),
    }
}
