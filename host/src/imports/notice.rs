//! `belfry:bot/notice`: work notices.

use serde::Serialize;

use super::bindings::belfry::bot::api::Error;
use super::bindings::belfry::bot::message::Message;
use super::bindings::belfry::bot::notice::State as Stage;
use super::bindings::belfry::bot::notice::{
    Host, NoticeId, Recipients, Refusal, SendingOutcome, SendingProgress,
};
use super::{invalid, not_granted, upstream};
use crate::config::Scope;
use crate::engine::State;
use crate::function::Function;

impl Host for State {
    async fn send(
        &mut self,
        recipients: Recipients,
        message: Message,
    ) -> wasmtime::Result<Result<NoticeId, Error>> {
        let asked = Send {
            recipients: &recipients,
            message: &message,
        };
        let call = self.asks(Function::NoticeSend, &asked)?;
        let recipients = match recipients {
            Recipients::Named(named) => dingtalk::Recipients::Named(dingtalk::NamedRecipients {
                users: named.users,
                departments: named.departments,
            }),
            Recipients::Everyone => dingtalk::Recipients::Everyone,
        };
        let task = call.task();
        let allowed = covered(&task.grant.notice, &recipients);
        let message = dingtalk::Message::from(message);
        call.write(async { allowed }, move |_| {
            let (task, recipients, message) = (task.clone(), recipients.clone(), message.clone());
            async move {
                let sent = upstream(&task, task.client.notice_send(&recipients, &message)).await;
                sent.map(|id| id.to_string())
            }
        })
        .await
    }

    async fn progress(
        &mut self,
        notice: NoticeId,
    ) -> wasmtime::Result<Result<SendingProgress, Error>> {
        let call = self.asks(Function::NoticeProgress, &About { notice: &notice })?;
        let task = call.task();
        call.read(async {
            let id = number(&notice)?;
            let progress = upstream(&task, task.client.notice_progress(id)).await?;
            Ok(SendingProgress {
                percent: progress.percent,
                state: match progress.state {
                    dingtalk::NoticeState::Waiting => Stage::Waiting,
                    dingtalk::NoticeState::Running => Stage::Running,
                    dingtalk::NoticeState::Finished => Stage::Finished,
                },
            })
        })
        .await
    }

    async fn outcome(
        &mut self,
        notice: NoticeId,
    ) -> wasmtime::Result<Result<SendingOutcome, Error>> {
        let call = self.asks(Function::NoticeOutcome, &About { notice: &notice })?;
        let task = call.task();
        call.read(async {
            let id = number(&notice)?;
            let outcome = upstream(&task, task.client.notice_outcome(id)).await?;
            Ok(SendingOutcome {
                invalid_users: outcome.invalid_users,
                invalid_departments: outcome.invalid_departments,
                refused: outcome
                    .refused
                    .into_iter()
                    .map(|refusal| Refusal {
                        user_id: refusal.user_id,
                        code: refusal.code,
                    })
                    .collect(),
                failed_users: outcome.failed_users,
                read_users: outcome.read_users,
                unread_users: outcome.unread_users,
            })
        })
        .await
    }

    async fn recall(&mut self, notice: NoticeId) -> wasmtime::Result<Result<(), Error>> {
        let call = self.asks(Function::NoticeRecall, &About { notice: &notice })?;
        let (task, id) = (call.task(), number(&notice));
        let allowed = id.as_ref().map(|_| ()).map_err(Clone::clone);
        let id = id.unwrap_or_default();
        call.write(async { allowed }, move |_| {
            let task = task.clone();
            async move { upstream(&task, task.client.notice_recall(id)).await }
        })
        .await
    }
}

#[derive(Serialize)]
struct Send<'a> {
    recipients: &'a Recipients,
    message: &'a Message,
}

#[derive(Serialize)]
struct About<'a> {
    notice: &'a str,
}

fn number(notice: &str) -> Result<i64, Error> {
    notice
        .parse()
        .map_err(|_| invalid("the id of a notice is not a decimal number"))
}

/// A grant for certain people covers neither departments nor everybody.
fn covered(grant: &Scope, recipients: &dingtalk::Recipients) -> Result<(), Error> {
    if *grant == Scope::Everything {
        return Ok(());
    }
    match recipients {
        dingtalk::Recipients::Named(named) => {
            if let Some(user) = named.users.iter().find(|user| !grant.covers(user)) {
                return Err(not_granted("notice", &format!("the user {user:?}")));
            }
            if named.departments.is_empty() {
                Ok(())
            } else {
                Err(not_granted("notice", "departments"))
            }
        }
        dingtalk::Recipients::Everyone => Err(not_granted("notice", "everybody")),
    }
}
