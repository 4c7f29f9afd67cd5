//! `belfry:bot/robot`: what the app's robot says.

use serde::Serialize;

use super::bindings::belfry::bot::api::{ConversationId, Detail, Error};
use super::bindings::belfry::bot::message::{Mentions, RobotMessage};
use super::bindings::belfry::bot::robot::Host;
use super::recorded::Step;
use super::{invalid, not_granted, outcome_unknown, upstream};
use crate::clock;
use crate::engine::{State, Task};
use crate::event::Content;
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
        let allowed = match &task.content {
            Content::Chat(_) => Ok(()),
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
        let allowed = if task.grant.robot.covers(&conversation_id) {
            Ok(())
        } else {
            let what = format!("the conversation {conversation_id:?}");
            Err(not_granted("robot", &what))
        };
        let message = dingtalk::RobotOut::from(message);
        call.write(async { allowed }, move |_| {
            let (task, id, message) = (task.clone(), conversation_id.clone(), message.clone());
            async move { upstream(&task, task.client.robot_send_group(&id, &message)).await }
        })
        .await
    }
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
    let Content::Chat(asked) = &task.content else {
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
    if asked.conversation_kind == dingtalk::ConversationKind::Group {
        let conversation = &asked.conversation_id;
        let sent = task.client.robot_send_group(conversation, message);
        return upstream(task, sent).await.map(|_| ());
    }
    let message = "the time in which the message could be answered is over".to_owned();
    Err(Error::NotFound(Detail {
        code: "belfry.session".to_owned(),
        message,
    }))
}
