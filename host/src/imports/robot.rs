//! `belfry:bot/robot`: what the app's robot says.

use super::bindings::belfry::bot::api::{ConversationId, Detail, Error};
use super::bindings::belfry::bot::message::{Mentions, RobotMessage};
use super::bindings::belfry::bot::robot::Host;
use super::{invalid, not_granted, outbound};
use crate::clock;
use crate::engine::State;
use crate::event::Content;

/// A reply that leaves so shortly before the end of the window might come too late.
const MARGIN_MS: i64 = 10_000;

impl Host for State {
    async fn reply(
        &mut self,
        message: RobotMessage,
        mentions: Mentions,
    ) -> wasmtime::Result<Result<(), Error>> {
        let task = self.send()?;
        let Content::Chat(asked) = &task.content else {
            return Ok(Err(invalid("only a chat message can be replied to")));
        };
        let message: dingtalk::RobotOut = message.into();
        let open = asked
            .session_webhook
            .as_ref()
            .filter(|webhook| {
                webhook
                    .expires_at
                    .is_none_or(|end| clock::now().0 + MARGIN_MS < end.0)
            })
            .map(|webhook| webhook.url.clone());
        let client = task.client.clone();
        if let Some(url) = open {
            let mentions = mentions.into();
            return Ok(outbound(&task, async move {
                client.robot_reply(url.expose(), &message, &mentions).await
            })
            .await);
        }
        if asked.conversation_kind == dingtalk::ConversationKind::Group {
            let conversation = asked.conversation_id.clone();
            let sent = outbound(&task, async move {
                client.robot_send_group(&conversation, &message).await
            })
            .await;
            return Ok(sent.map(|_| ()));
        }
        let message = "the time in which the message could be answered is over".to_owned();
        Ok(Err(Error::NotFound(Detail {
            code: "belfry.session".to_owned(),
            message,
        })))
    }

    async fn send(
        &mut self,
        conversation_id: ConversationId,
        message: RobotMessage,
    ) -> wasmtime::Result<Result<String, Error>> {
        let task = self.send()?;
        if !task.grant.robot.covers(&conversation_id) {
            return Ok(Err(not_granted(
                "robot",
                &format!("the conversation {conversation_id:?}"),
            )));
        }
        let (client, message) = (task.client.clone(), message.into());
        Ok(outbound(&task, async move {
            client.robot_send_group(&conversation_id, &message).await
        })
        .await)
    }
}
