//! `belfry:bot/chat`: groups.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bindings::belfry::bot::api::{ChatId, ConversationId, Error, MessageId, UserId};
use super::bindings::belfry::bot::chat::{
    ChatInfo, ChatUpdate, CreatedChat, Host, MemberPage, NewChat, NewScene, ReaderPage,
    SceneMessage, SceneUpdate, SceneValue,
};
use super::bindings::belfry::bot::message::Message;
use super::recorded::Step;
use super::{not_granted, upstream};
use crate::config::Scope;
use crate::engine::{State, Task};
use crate::function::Function;
use crate::ids::PluginName;
use crate::kv::{KvError, MAX_TOTAL, Write};

impl Host for State {
    async fn create(&mut self, chat: NewChat) -> wasmtime::Result<Result<CreatedChat, Error>> {
        let call = self.asks(Function::ChatCreate, &chat)?;
        let chat = dingtalk::NewChat {
            name: chat.name,
            owner: chat.owner,
            members: chat.members,
            show_history: chat.show_history,
        };
        call.write_alike(async { Ok(()) }, chat, |task, chat| async move {
            let created = upstream(&task, task.client.chat_create(&chat)).await?;
            Ok(own(&task, created).await)
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
        let task = call.task();
        let allowed = granted(&task, &chat_id);
        call.write_alike(
            allowed,
            (chat_id.clone(), changes),
            |task, (chat_id, changes)| async move {
                upstream(&task, task.client.chat_update(&chat_id, &changes)).await
            },
        )
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
        let task = call.task();
        let allowed = granted(&task, &chat_id);
        call.write_alike(
            allowed,
            (chat_id.clone(), message),
            |task, (chat_id, message)| async move {
                upstream(&task, task.client.chat_send(&chat_id, &message)).await
            },
        )
        .await
    }

    async fn readers(
        &mut self,
        message_id: MessageId,
        cursor: u32,
        size: u32,
    ) -> wasmtime::Result<Result<ReaderPage, Error>> {
        let asked = Readers {
            message_id: &message_id,
            cursor,
            size,
        };
        let call = self.asks(Function::ChatReaders, &asked)?;
        let task = call.task();
        call.read(async {
            if let Scope::Only(_) = &task.grant.chat {
                let what = "the readers of a message, which does not tell its group";
                return Err(not_granted("chat", what));
            }
            let page = task.client.chat_readers(&message_id, cursor, size);
            let page = upstream(&task, page).await?;
            Ok(ReaderPage {
                readers: page.readers,
                next_cursor: page.next_cursor,
            })
        })
        .await
    }

    async fn create_scene(
        &mut self,
        scene: NewScene,
    ) -> wasmtime::Result<Result<CreatedChat, Error>> {
        let call = self.asks(Function::ChatCreateScene, &scene)?;
        let task = call.task();
        call.write(async { Ok(()) }, move |step| {
            let key = match &step {
                Step::First(key) | Step::Again(key) => Some(key.as_str().to_owned()),
                Step::Unless { .. } => None,
            };
            let scene = dingtalk::NewScene {
                title: scene.title.clone(),
                template_id: scene.template_id.clone(),
                owner: scene.owner.clone(),
                members: scene.members.clone(),
                key,
            };
            let task = task.clone();
            async move {
                let created = upstream(&task, task.client.scene_create(&scene)).await?;
                Ok(own(&task, created).await)
            }
        })
        .await
    }

    async fn update_scene(
        &mut self,
        conversation_id: ConversationId,
        changes: SceneUpdate,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = UpdateScene {
            conversation_id: &conversation_id,
            changes: &changes,
        };
        let call = self.asks(Function::ChatUpdateScene, &asked)?;
        let changes = dingtalk::SceneChanges {
            title: changes.title,
            owner: changes.owner,
        };
        let task = call.task();
        let allowed = granted(&task, &conversation_id);
        call.write_alike(
            allowed,
            (conversation_id.clone(), changes),
            |task, (id, changes)| async move {
                upstream(&task, task.client.scene_update(&id, &changes)).await
            },
        )
        .await
    }

    async fn add_scene_members(
        &mut self,
        conversation_id: ConversationId,
        members: Vec<UserId>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = ChangeMembers {
            conversation_id: &conversation_id,
            members: &members,
        };
        let call = self.asks(Function::ChatAddSceneMembers, &asked)?;
        let task = call.task();
        let allowed = granted(&task, &conversation_id);
        call.write_alike(
            allowed,
            (conversation_id.clone(), members),
            |task, (id, members)| async move {
                upstream(&task, task.client.scene_add(&id, &members)).await
            },
        )
        .await
    }

    async fn remove_scene_members(
        &mut self,
        conversation_id: ConversationId,
        members: Vec<UserId>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = ChangeMembers {
            conversation_id: &conversation_id,
            members: &members,
        };
        let call = self.asks(Function::ChatRemoveSceneMembers, &asked)?;
        let task = call.task();
        let allowed = granted(&task, &conversation_id);
        call.write_alike(
            allowed,
            (conversation_id.clone(), members),
            |task, (id, members)| async move {
                upstream(&task, task.client.scene_remove(&id, &members)).await
            },
        )
        .await
    }

    async fn scene_members(
        &mut self,
        conversation_id: ConversationId,
        cursor: Option<String>,
        size: u32,
    ) -> wasmtime::Result<Result<MemberPage, Error>> {
        let asked = SceneMembers {
            conversation_id: &conversation_id,
            cursor: cursor.as_deref(),
            size,
        };
        let call = self.asks(Function::ChatSceneMembers, &asked)?;
        let task = call.task();
        call.read(async {
            granted(&task, &conversation_id).await?;
            let client = &task.client;
            let page = client.scene_list_members(&conversation_id, cursor.as_deref(), size);
            let page = upstream(&task, page).await?;
            Ok(MemberPage {
                members: page.members,
                next_cursor: page.next_cursor,
            })
        })
        .await
    }

    async fn send_scene(
        &mut self,
        conversation_id: ConversationId,
        message: SceneMessage,
    ) -> wasmtime::Result<Result<String, Error>> {
        let asked = SendScene {
            conversation_id: &conversation_id,
            message: &message,
        };
        let call = self.asks(Function::ChatSendScene, &asked)?;
        let message = dingtalk::SceneMessage {
            robot_code: message.robot_code,
            template_id: message.template_id,
            values: places(message.values),
            media: places(message.media),
            mentions: message.mentions,
            mention_all: message.mention_all,
            receivers: message.receivers,
        };
        let task = call.task();
        let allowed = granted(&task, &conversation_id);
        call.write_alike(
            allowed,
            (conversation_id.clone(), message),
            |task, (id, message)| async move {
                upstream(&task, task.client.scene_send(&id, &message)).await
            },
        )
        .await
    }
}

fn places(values: Vec<SceneValue>) -> BTreeMap<String, String> {
    let values = values.into_iter();
    values.map(|place| (place.name, place.value)).collect()
}

/// A group that the plugin has made, from now on its own.
async fn own(task: &Task, created: dingtalk::CreatedChat) -> CreatedChat {
    if matches!(task.grant.chat, Scope::Only(_)) {
        for id in [Some(&created.chat_id), created.conversation_id.as_ref()] {
            let Some(id) = id else { continue };
            if let Err(error) = remember(task, id).await {
                // The group exists, so the plugin must hear its id; only the grant to write there is missing.
                tracing::error!(event = %task.envelope.id, plugin = %task.plugin, %error, "cannot record a created group");
            }
        }
    }
    CreatedChat {
        chat_id: created.chat_id,
        conversation_id: created.conversation_id,
    }
}

#[derive(Serialize)]
struct Readers<'a> {
    message_id: &'a str,
    cursor: u32,
    size: u32,
}

#[derive(Serialize)]
struct UpdateScene<'a> {
    conversation_id: &'a str,
    changes: &'a SceneUpdate,
}

#[derive(Serialize)]
struct ChangeMembers<'a> {
    conversation_id: &'a str,
    members: &'a [UserId],
}

#[derive(Serialize)]
struct SendScene<'a> {
    conversation_id: &'a str,
    message: &'a SceneMessage,
}

#[derive(Serialize)]
struct SceneMembers<'a> {
    conversation_id: &'a str,
    cursor: Option<&'a str>,
    size: u32,
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
