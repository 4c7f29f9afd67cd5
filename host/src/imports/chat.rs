//! `belfry:bot/chat`: groups.

use serde::Serialize;

use super::bindings::belfry::bot::api::{ChatId, Error, MessageId};
use super::bindings::belfry::bot::chat::{ChatInfo, ChatUpdate, CreatedChat, Host, NewChat};
use super::bindings::belfry::bot::message::Message;
use super::{not_granted, upstream};
use crate::config::Scope;
use crate::engine::{State, Task};
use crate::function::Function;
use crate::ids::PluginName;
use crate::kv::{KvError, Write};

impl Host for State {
    async fn create(&mut self, chat: NewChat) -> wasmtime::Result<Result<CreatedChat, Error>> {
        let call = self.asks(Function::ChatCreate, &chat)?;
        let chat = dingtalk::NewChat {
            name: chat.name,
            owner: chat.owner,
            members: chat.members,
            show_history: chat.show_history,
        };
        let task = call.task();
        call.write(async { Ok(()) }, move |_| {
            let (task, chat) = (task.clone(), chat.clone());
            async move {
                let created = upstream(&task, task.client.chat_create(&chat)).await?;
                if matches!(task.grant.chat, Scope::Only(_))
                    && let Err(error) = remember(&task, &created.chat_id).await
                {
                    // The group exists, so the plugin must hear its id; only the grant to write there is missing.
                    tracing::error!(event = %task.envelope.id, plugin = %task.plugin, %error, "cannot record a created group");
                }
                Ok(CreatedChat {
                    chat_id: created.chat_id,
                    conversation_id: created.conversation_id,
                })
            }
        })
        .await
    }

    async fn get(&mut self, chat_id: ChatId) -> wasmtime::Result<Result<ChatInfo, Error>> {
        let call = self.asks(Function::ChatGet, &Get { chat_id: &chat_id })?;
        let task = call.task();
        call.read(async {
            granted(&task, &chat_id).await?;
            let info = upstream(&task, task.client.chat_get(&chat_id)).await?;
            Ok(ChatInfo {
                chat_id: info.chat_id,
                name: info.name,
                owner: info.owner,
                members: info.members,
                disbanded: info.disbanded,
            })
        })
        .await
    }

    async fn update(
        &mut self,
        chat_id: ChatId,
        changes: ChatUpdate,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = Update {
            chat_id: &chat_id,
            changes: &changes,
        };
        let call = self.asks(Function::ChatUpdate, &asked)?;
        let changes = dingtalk::ChatUpdate {
            name: changes.name,
            owner: changes.owner,
            add_members: changes.add_members,
            remove_members: changes.remove_members,
        };
        let (asking, task) = (call.task(), call.task());
        call.write(granted(&asking, &chat_id.clone()), move |_| {
            let (task, chat_id, changes) = (task.clone(), chat_id.clone(), changes.clone());
            async move { upstream(&task, task.client.chat_update(&chat_id, &changes)).await }
        })
        .await
    }

    async fn send(
        &mut self,
        chat_id: ChatId,
        message: Message,
    ) -> wasmtime::Result<Result<MessageId, Error>> {
        let asked = Send {
            chat_id: &chat_id,
            message: &message,
        };
        let call = self.asks(Function::ChatSend, &asked)?;
        let message = dingtalk::Message::from(message);
        let (asking, task) = (call.task(), call.task());
        call.write(granted(&asking, &chat_id.clone()), move |_| {
            let (task, chat_id, message) = (task.clone(), chat_id.clone(), message.clone());
            async move { upstream(&task, task.client.chat_send(&chat_id, &message)).await }
        })
        .await
    }
}

#[derive(Serialize)]
struct Get<'a> {
    chat_id: &'a str,
}

#[derive(Serialize)]
struct Update<'a> {
    chat_id: &'a str,
    changes: &'a ChatUpdate,
}

#[derive(Serialize)]
struct Send<'a> {
    chat_id: &'a str,
    message: &'a Message,
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
