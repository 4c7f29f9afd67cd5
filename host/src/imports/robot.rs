//! `belfry:bot/robot`: what the app's robot says.

use serde::Serialize;

use super::bindings::belfry::bot::api::{ConversationId, Detail, Error, UserId};
use super::bindings::belfry::bot::message::{Mentions, RobotMessage};
use super::bindings::belfry::bot::robot::{
    Host, NotRecalled, Recalled, SendState, SentState, SentToPeople,
};
use super::recorded::Step;
use super::{invalid, not_granted, outcome_unknown, upstream};
use crate::clock;
use crate::config::Scope;
use crate::engine::{State, Task};
use crate::event::Subject;
use crate::function::Function;

/// A reply that leaves so shortly before the end of the window might come too late.
const MARGIN_MS: i64 = 10_000;

impl Host for State {
    async fn reply(
        &mut self,
        message: RobotMessage,
        mentions: Mentions,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Reply {
            message: &message,
            mentions: &mentions,
        };
        let call = self.asks(Function::RobotReply, &asked)?;
        let task = call.task();
        let allowed = match &task.subject {
            Subject::Chat(_) => Ok(()),
            _ => Err(invalid("only a chat message can be replied to")),
        };
        let message = dingtalk::RobotOut::from(message);
        let mentions = dingtalk::Mentions::from(mentions);
        call.write(async { allowed }, move |step| {
            let (task, message, mentions) = (task.clone(), message.clone(), mentions.clone());
            async move { reply(&task, &message, &mentions, &step).await }
        })
        .await
    }

    async fn send(
        &mut self,
        conversation_id: ConversationId,
        message: RobotMessage,
    ) -> wasmtime::Result<Result<String, Error>> {
        let asked = Send {
            conversation_id: &conversation_id,
            message: &message,
        };
        let call = self.asks(Function::RobotSend, &asked)?;
        let task = call.task();
        let allowed = covers(&task, &conversation_id);
        let message = dingtalk::RobotOut::from(message);
        let values = (conversation_id, message);
        call.write_alike(
            async { allowed },
            values,
            |task, (id, message)| async move {
                upstream(&task, task.client.robot_send_group(&id, &message)).await
            },
        )
        .await
    }

    async fn send_people(
        &mut self,
        user_ids: Vec<UserId>,
        message: RobotMessage,
    ) -> wasmtime::Result<Result<SentToPeople, Error>> {
        let asked = SendPeople {
            user_ids: &user_ids,
            message: &message,
        };
        let call = self.asks(Function::RobotSendPeople, &asked)?;
        let task = call.task();
        let allowed = covers_all(&task);
        let message = dingtalk::RobotOut::from(message);
        call.write(async { allowed }, move |_| {
            let (task, users, message) = (task.clone(), user_ids.clone(), message.clone());
            async move {
                let sent = task.client.robot_send_people(&users, &message);
                let sent = upstream(&task, sent).await?;
                Ok(SentToPeople {
                    key: sent.key,
                    invalid: sent.invalid,
                    flow_controlled: sent.flow_controlled,
                })
            }
        })
        .await
    }

    async fn state(
        &mut self,
        conversation_id: ConversationId,
        key: String,
        next_token: Option<String>,
        size: u32,
    ) -> wasmtime::Result<Result<SentState, Error>> {
        let asked = GroupState {
            conversation_id: &conversation_id,
            key: &key,
            next_token: next_token.as_deref(),
            size,
        };
        let call = self.asks(Function::RobotState, &asked)?;
        let task = call.task();
        call.read(async {
            covers(&task, &conversation_id)?;
            let client = &task.client;
            let token = next_token.as_deref();
            let state = client.robot_group_state(&conversation_id, &key, token, size);
            upstream(&task, state).await.map(state_to_guest)
        })
        .await
    }

    async fn people_state(&mut self, key: String) -> wasmtime::Result<Result<SentState, Error>> {
        let call = self.asks(Function::RobotPeopleState, &PeopleState { key: &key })?;
        let task = call.task();
        call.read(async {
            covers_all(&task)?;
            let state = task.client.robot_people_state(&key);
            upstream(&task, state).await.map(state_to_guest)
        })
        .await
    }

    async fn recall(
        &mut self,
        conversation_id: ConversationId,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Recalled, Error>> {
        let asked = Recall {
            conversation_id: &conversation_id,
            keys: &keys,
        };
        let call = self.asks(Function::RobotRecall, &asked)?;
        let task = call.task();
        let allowed = covers(&task, &conversation_id);
        let values = (conversation_id, keys);
        call.write_alike(async { allowed }, values, |task, (id, keys)| async move {
            let recalled = task.client.robot_recall_group(&id, &keys);
            upstream(&task, recalled).await.map(recalled_to_guest)
        })
        .await
    }

    async fn recall_people(
        &mut self,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Recalled, Error>> {
        let call = self.asks(Function::RobotRecallPeople, &RecallPeople { keys: &keys })?;
        let task = call.task();
        let allowed = covers_all(&task);
        call.write_alike(async { allowed }, keys, |task, keys| async move {
            let recalled = task.client.robot_recall_people(&keys);
            upstream(&task, recalled).await.map(recalled_to_guest)
        })
        .await
    }
}

fn covers(task: &Task, conversation_id: &str) -> Result<(), Error> {
    if task.grant.robot.covers(conversation_id) {
        return Ok(());
    }
    Err(not_granted(
        "robot",
        &format!("the conversation {conversation_id:?}"),
    ))
}

/// People are no conversations, so a grant that lists conversations does not cover them.
fn covers_all(task: &Task) -> Result<(), Error> {
    match &task.grant.robot {
        Scope::Everything => Ok(()),
        Scope::Only(_) | Scope::Nothing => Err(not_granted("robot", "messages to people")),
    }
}

fn state_to_guest(state: dingtalk::SentState) -> SentState {
    SentState {
        state: match state.state {
            dingtalk::SendState::Processing => SendState::Processing,
            dingtalk::SendState::Sent => SendState::Sent,
            dingtalk::SendState::Recalled => SendState::Recalled,
        },
        readers: state.readers,
        next_token: state.next_token,
    }
}

fn recalled_to_guest(recalled: dingtalk::Recalled) -> Recalled {
    let failed = recalled.failed.into_iter();
    Recalled {
        keys: recalled.recalled,
        failed: failed
            .map(|(key, reason)| NotRecalled { key, reason })
            .collect(),
    }
}

#[derive(Serialize)]
struct SendPeople<'a> {
    user_ids: &'a [UserId],
    message: &'a RobotMessage,
}

#[derive(Serialize)]
struct GroupState<'a> {
    conversation_id: &'a str,
    key: &'a str,
    next_token: Option<&'a str>,
    size: u32,
}

#[derive(Serialize)]
struct PeopleState<'a> {
    key: &'a str,
}

#[derive(Serialize)]
struct Recall<'a> {
    conversation_id: &'a str,
    keys: &'a [String],
}

#[derive(Serialize)]
struct RecallPeople<'a> {
    keys: &'a [String],
}

#[derive(Serialize)]
struct Reply<'a> {
    message: &'a RobotMessage,
    mentions: &'a Mentions,
}

#[derive(Serialize)]
struct Send<'a> {
    conversation_id: &'a str,
    message: &'a RobotMessage,
}

/// Replies through the session of the message, or to its group when that is over.
async fn reply(
    task: &Task,
    message: &dingtalk::RobotOut,
    mentions: &dingtalk::Mentions,
    step: &Step,
) -> Result<(), Error> {
    let Subject::Chat(asked) = &task.subject else {
        return Err(invalid("only a chat message can be replied to"));
    };
    let open = asked.session_webhook.as_ref().filter(|webhook| {
        webhook
            .expires_at
            .is_none_or(|end| clock::now().0 + MARGIN_MS < end.0)
    });
    let key = match step {
        Step::First(key) | Step::Again(key) => Some(key.as_str()),
        Step::Unless { .. } => None,
    };
    if let Some(webhook) = open {
        let sent = task
            .client
            .robot_reply(webhook.url.expose(), message, mentions, key);
        return upstream(task, sent).await;
    }
    if !matches!(step, Step::First(_)) {
        // What is sent to the group takes no key, and the first reply may be there.
        return Err(outcome_unknown(
            "it was begun before, and the time in which it could be repeated is over",
        ));
    }
    if asked.kind == dingtalk::ConversationKind::Group {
        let sent = task.client.robot_send_group(&asked.id, message);
        return upstream(task, sent).await.map(|_| ());
    }
    let message = "the time in which the message could be answered is over".to_owned();
    Err(Error::NotFound(Detail {
        code: "belfry.session".to_owned(),
        message,
    }))
}
