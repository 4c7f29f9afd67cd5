//! `belfry:bot/chat`: groups.

use super::bindings::belfry::bot::api::{ChatId, Error, MessageId};
use super::bindings::belfry::bot::chat::{ChatInfo, ChatUpdate, CreatedChat, Host, NewChat};
use super::bindings::belfry::bot::message::Message;
use super::{not_granted, outbound};
use crate::config::Scope;
use crate::engine::{State, Task};
use crate::ids::PluginName;
use crate::kv::{KvError, MAX_TOTAL, Write};

impl Host for State {
    async fn create(&mut self, chat: NewChat) -> wasmtime::Result<Result<CreatedChat, Error>> {
        let task = self.call()?;
        let chat = dingtalk::NewChat {
            name: chat.name,
            owner: chat.owner,
            members: chat.members,
            show_history: chat.show_history,
        };
        let client = task.client.clone();
        let created = outbound(&task, async move { client.chat_create(&chat).await }).await;
        if let Ok(created) = &created
            && matches!(task.grant.chat, Scope::Only(_))
            && let Err(error) = remember(&task, &created.chat_id).await
        {
            // The group exists, so the plugin must hear its id; only the grant to write there is missing.
            tracing::error!(event = %task.envelope.id, plugin = %task.plugin, %error, "cannot record a created group");
        }
        Ok(created.map(|created| CreatedChat {
            chat_id: created.chat_id,
            conversation_id: created.conversation_id,
        }))
    }

    async fn get(&mut self, chat_id: ChatId) -> wasmtime::Result<Result<ChatInfo, Error>> {
        let task = self.call()?;
        if let Err(error) = granted(&task, &chat_id).await {
            return Ok(Err(error));
        }
        let client = task.client.clone();
        let info = outbound(&task, async move { client.chat_get(&chat_id).await }).await;
        Ok(info.map(|info| ChatInfo {
            chat_id: info.chat_id,
            name: info.name,
            owner: info.owner,
            members: info.members,
            disbanded: info.disbanded,
        }))
    }

    async fn update(
        &mut self,
        chat_id: ChatId,
        changes: ChatUpdate,
    ) -> wasmtime::Result<Result<(), Error>> {
        let task = self.call()?;
        if let Err(error) = granted(&task, &chat_id).await {
            return Ok(Err(error));
        }
        let client = task.client.clone();
        let changes = dingtalk::ChatUpdate {
            name: changes.name,
            owner: changes.owner,
            add_members: changes.add_members,
            remove_members: changes.remove_members,
        };
        Ok(outbound(&task, async move {
            client.chat_update(&chat_id, &changes).await
        })
        .await)
    }

    async fn send(
        &mut self,
        chat_id: ChatId,
        message: Message,
    ) -> wasmtime::Result<Result<MessageId, Error>> {
        let task = self.call()?;
        if let Err(error) = granted(&task, &chat_id).await {
            return Ok(Err(error));
        }
        let client = task.client.clone();
        let message = message.into();
        Ok(outbound(
            &task,
            async move { client.chat_send(&chat_id, &message).await },
        )
        .await)
    }
}

/// A plugin whose grant names groups may also use those it created. Their ids stand beside its values, in a space that
/// no plugin name can reach because names have no `/`.
fn own_groups(plugin: &PluginName) -> PluginName {
    format!("{plugin}/created-chats").as_str().into()
}

async fn remember(task: &Task, chat_id: &str) -> Result<(), KvError> {
    let write = Write {
        key: chat_id.to_owned(),
        value: Some(Vec::new()),
        expected: None,
        max_total: MAX_TOTAL,
    };
    task.kv
        .write(&own_groups(&task.plugin), write)
        .await
        .map(|_| ())
}

async fn granted(task: &Task, chat_id: &str) -> Result<(), Error> {
    if task.grant.chat.covers(chat_id) {
        return Ok(());
    }
    match task.kv.get(&own_groups(&task.plugin), chat_id).await {
        Ok(Some(_)) => Ok(()),
        _ => Err(not_granted("chat", &format!("the group {chat_id:?}"))),
    }
}
