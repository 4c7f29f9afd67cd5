//! `belfry:bot/notice`: work notices.

use super::bindings::belfry::bot::api::Error;
use super::bindings::belfry::bot::message::Message;
use super::bindings::belfry::bot::notice::State as Stage;
use super::bindings::belfry::bot::notice::{
    Host, NoticeId, Recipients, Refusal, SendingOutcome, SendingProgress,
};
use super::{invalid, not_granted, outbound};
use crate::config;
use crate::engine::State;

impl Host for State {
    async fn send(
        &mut self,
        recipients: Recipients,
        message: Message,
    ) -> wasmtime::Result<Result<NoticeId, Error>> {
        let task = self.call()?;
        let recipients = match recipients {
            Recipients::Named(named) => dingtalk::Recipients::Named(dingtalk::NamedRecipients {
                users: named.users,
                departments: named.departments,
            }),
            Recipients::Everyone => dingtalk::Recipients::Everyone,
        };
        if let Err(error) = covered(&task.grant.notice, &recipients) {
            return Ok(Err(error));
        }
        let (client, message) = (task.client.clone(), message.into());
        let sent = outbound(&task, async move {
            client.notice_send(&recipients, &message).await
        })
        .await;
        Ok(sent.map(|id| id.to_string()))
    }

    async fn progress(
        &mut self,
        notice: NoticeId,
    ) -> wasmtime::Result<Result<SendingProgress, Error>> {
        let task = self.call()?;
        let client = task.client.clone();
        let id = match number(&notice) {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        let progress = outbound(&task, async move { client.notice_progress(id).await }).await;
        Ok(progress.map(|progress| SendingProgress {
            percent: progress.percent,
            state: match progress.state {
                dingtalk::NoticeState::Waiting => Stage::Waiting,
                dingtalk::NoticeState::Running => Stage::Running,
                dingtalk::NoticeState::Finished => Stage::Finished,
            },
        }))
    }

    async fn outcome(
        &mut self,
        notice: NoticeId,
    ) -> wasmtime::Result<Result<SendingOutcome, Error>> {
        let task = self.call()?;
        let client = task.client.clone();
        let id = match number(&notice) {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        let outcome = outbound(&task, async move { client.notice_outcome(id).await }).await;
        Ok(outcome.map(|outcome| SendingOutcome {
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
        }))
    }

    async fn recall(&mut self, notice: NoticeId) -> wasmtime::Result<Result<(), Error>> {
        let task = self.call()?;
        let client = task.client.clone();
        let id = match number(&notice) {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        Ok(outbound(&task, async move { client.notice_recall(id).await }).await)
    }
}

fn number(notice: &str) -> Result<i64, Error> {
    notice
        .parse()
        .map_err(|_| invalid("the id of a notice is not a decimal number"))
}

/// A grant for certain people and departments covers each of them, and never everybody.
fn covered(grant: &config::Recipients, recipients: &dingtalk::Recipients) -> Result<(), Error> {
    let (granted_users, granted_departments) = match grant {
        config::Recipients::Everybody => return Ok(()),
        config::Recipients::Nobody => return Err(not_granted("notice", "anybody")),
        config::Recipients::Only { users, departments } => (users, departments),
    };
    let dingtalk::Recipients::Named(named) = recipients else {
        return Err(not_granted("notice", "everybody"));
    };
    if let Some(user) = named
        .users
        .iter()
        .find(|user| !granted_users.contains(user))
    {
        return Err(not_granted("notice", &format!("the user {user:?}")));
    }
    let mut departments = named.departments.iter();
    match departments.find(|department| !granted_departments.contains(department)) {
        Some(department) => Err(not_granted(
            "notice",
            &format!("the department {department:?}"),
        )),
        None => Ok(()),
    }
}
