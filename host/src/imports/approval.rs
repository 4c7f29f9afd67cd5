//! `belfry:bot/approval`: approvals.

use serde::Serialize;

use super::bindings::belfry::bot::api::{Error, InstanceId, TaskId, UserId};
use super::bindings::belfry::bot::approval::Task as Stage;
use super::bindings::belfry::bot::approval::{
    Field, Host, Instance, Listing, NewInstance, Page, Status, StepRule,
};
use super::bindings::belfry::bot::event::Decision;
use super::{from_f64, not_granted, to_f64, upstream};
use crate::config::Scope;
use crate::effect::Source;
use crate::engine::{State, Task};
use crate::function::Function;

mod look;

impl Host for State {
    async fn create(
        &mut self,
        instance: NewInstance,
    ) -> wasmtime::Result<Result<InstanceId, Error>> {
        let call = self.asks(Function::ApprovalCreate, &instance)?;
        let task = call.task();
        let allowed = covers_code(&task, &instance.process_code);
        let instance = new_instance(instance);
        call.write(async { allowed }, move |step| {
            let (task, instance) = (task.clone(), instance.clone());
            async move {
                if let Some(id) = look::created(&task, &instance, &step).await? {
                    return Ok(id);
                }
                upstream(&task, task.client.approval_create(&instance)).await
            }
        })
        .await
    }

    async fn get(&mut self, instance_id: InstanceId) -> wasmtime::Result<Result<Instance, Error>> {
        let asked = Get {
            instance_id: &instance_id,
        };
        let call = self.asks(Function::ApprovalGet, &asked)?;
        let task = call.task();
        call.read(async {
            covers_instance(&task, &instance_id).await?;
            let instance = upstream(&task, task.client.approval_get(&instance_id)).await;
            instance.map(to_guest)
        })
        .await
    }

    async fn list_ids(&mut self, listing: Listing) -> wasmtime::Result<Result<Page, Error>> {
        let call = self.asks(Function::ApprovalListIds, &listing)?;
        let task = call.task();
        call.read(async {
            covers_code(&task, &listing.process_code)?;
            let listing = to_listing(listing)?;
            let page = upstream(&task, task.client.approval_list_ids(&listing)).await?;
            Ok(Page {
                instances: page.instances,
                next_cursor: page.next_cursor,
            })
        })
        .await
    }

    async fn terminate(
        &mut self,
        instance_id: InstanceId,
        operator: Option<UserId>,
        remark: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Terminate {
            instance_id: &instance_id,
            operator: operator.as_deref(),
            remark: &remark,
        };
        let call = self.asks(Function::ApprovalTerminate, &asked)?;
        let (asking, task) = (call.task(), call.task());
        call.write(
            covers_instance(&asking, &instance_id.clone()),
            move |step| {
                let (task, id) = (task.clone(), instance_id.clone());
                let (operator, remark) = (operator.clone(), remark.clone());
                async move {
                    if look::terminated(&task, &id, &step).await? {
                        return Ok(());
                    }
                    let client = &task.client;
                    let call = client.approval_terminate(&id, operator.as_deref(), &remark);
                    upstream(&task, call).await
                }
            },
        )
        .await
    }

    async fn execute(
        &mut self,
        instance_id: InstanceId,
        task_id: TaskId,
        approver: UserId,
        decision: Decision,
        remark: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Execute {
            instance_id: &instance_id,
            task_id: &task_id,
            approver: &approver,
            decision,
            remark: &remark,
        };
        let call = self.asks(Function::ApprovalExecute, &asked)?;
        let (asking, task) = (call.task(), call.task());
        let about = instance_id.clone();
        let verdict = dingtalk::Verdict {
            instance_id,
            task_id,
            approver,
            decision: match decision {
                Decision::Agree => dingtalk::Decision::Agree,
                Decision::Refuse => dingtalk::Decision::Refuse,
            },
            remark,
        };
        call.write(covers_instance(&asking, &about), move |step| {
            let (task, verdict) = (task.clone(), verdict.clone());
            async move {
                if look::executed(&task, &verdict, &step).await? {
                    return Ok(());
                }
                upstream(&task, task.client.approval_execute(&verdict)).await
            }
        })
        .await
    }

    async fn comment(
        &mut self,
        instance_id: InstanceId,
        user_id: UserId,
        text: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Comment {
            instance_id: &instance_id,
            user_id: &user_id,
            text: &text,
        };
        let call = self.asks(Function::ApprovalComment, &asked)?;
        let (asking, task) = (call.task(), call.task());
        call.write(covers_instance(&asking, &instance_id.clone()), move |_| {
            let task = task.clone();
            let (id, user, text) = (instance_id.clone(), user_id.clone(), text.clone());
            async move {
                let call = task.client.approval_comment(&id, &user, &text);
                upstream(&task, call).await
            }
        })
        .await
    }
}

#[derive(Serialize)]
struct Get<'a> {
    instance_id: &'a str,
}

#[derive(Serialize)]
struct Terminate<'a> {
    instance_id: &'a str,
    operator: Option<&'a str>,
    remark: &'a str,
}

#[derive(Serialize)]
struct Execute<'a> {
    instance_id: &'a str,
    task_id: &'a str,
    approver: &'a str,
    decision: Decision,
    remark: &'a str,
}

#[derive(Serialize)]
struct Comment<'a> {
    instance_id: &'a str,
    user_id: &'a str,
    text: &'a str,
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
            .map(|task| Stage {
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
