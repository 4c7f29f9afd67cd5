//! Groups (`chat/*`). Their newer siblings know groups by another id, so these are called whatever the style.

mod scene;

use serde_json::json;

use super::{invalid, limit};
use crate::error::Effect;
use crate::{ApiError, Client, Message};

pub use self::scene::{MemberPage, NewScene, SceneChanges, SceneMessage};

/// Characters of a group's name.
const NAME_CHARS: usize = 20;
/// People that one call can add or remove.
const PEOPLE: usize = 40;

/// A group to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChat {
    /// 1 to 20 characters.
    pub name: String,
    /// Must be among the members.
    pub owner: String,
    /// 1 to 40 people.
    pub members: Vec<String>,
    /// Whether new members can read the last 100 messages.
    pub show_history: bool,
}

/// A created group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedChat {
    /// For the other calls of this family.
    pub chat_id: String,
    /// For the robot's calls.
    pub conversation_id: Option<String>,
}

/// What is known of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatInfo {
    /// The group.
    pub chat_id: String,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: String,
    /// Its members, the owner among them.
    pub members: Vec<String>,
    /// Whether it was dissolved.
    pub disbanded: bool,
}

/// What to change of a group; what is absent or empty stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatUpdate {
    /// A new name.
    pub name: Option<String>,
    /// A new owner.
    pub owner: Option<String>,
    /// At most 40 people.
    pub add_members: Vec<String>,
    /// At most 40 people.
    pub remove_members: Vec<String>,
}

/// Who has read a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderPage {
    /// Their user ids.
    pub readers: Vec<String>,
    /// Absent on the last page.
    pub next_cursor: Option<u32>,
}

impl Client {
    /// Creates a group (`chat/create`).
    pub async fn chat_create(&self, chat: &NewChat) -> Result<CreatedChat, ApiError> {
        limit::text("the group's name", &chat.name, NAME_CHARS)?;
        limit::given("the group's owner", &chat.owner)?;
        limit::some("members of a new group", chat.members.len(), PEOPLE)?;
        if !chat.members.contains(&chat.owner) {
            return Err(invalid("the group's owner is not among its members"));
        }
        let body = json!({
            "name": chat.name,
            "owner": chat.owner,
            "useridlist": chat.members,
            "showHistoryType": u8::from(chat.show_history),
        });
        let answer = self.oapi("/chat/create", body, Effect::Write).await?;
        Ok(CreatedChat {
            chat_id: answer.text("chatid")?,
            conversation_id: answer.members().text("openConversationId"),
        })
    }

    /// Reads a group (`chat/get`). Only groups made by `chat/create` can be read.
    pub async fn chat_get(&self, chat_id: &str) -> Result<ChatInfo, ApiError> {
        limit::given("the chat id", chat_id)?;
        let answer = self.oapi_get("/chat/get", &[("chatid", chat_id)]).await?;
        let info = answer.object("chat_info")?;
        Ok(ChatInfo {
            chat_id: info.text("chatid").unwrap_or_else(|| chat_id.to_owned()),
            name: info.text("name").unwrap_or_default(),
            owner: info.text("owner").unwrap_or_default(),
            members: info.texts("useridlist"),
            disbanded: info.integer("status") == Some(2),
        })
    }

    /// Changes a group (`chat/update`).
    pub async fn chat_update(&self, chat_id: &str, changes: &ChatUpdate) -> Result<(), ApiError> {
        limit::given("the chat id", chat_id)?;
        if let Some(name) = &changes.name {
            limit::text("the group's name", name, NAME_CHARS)?;
        }
        limit::at_most("members to add", changes.add_members.len(), PEOPLE)?;
        limit::at_most("members to remove", changes.remove_members.len(), PEOPLE)?;
        if (changes.add_members.iter()).any(|user| changes.remove_members.contains(user)) {
            return Err(invalid("a member cannot be added and removed in one call"));
        }
        let mut body = json!({"chatid": chat_id});
        if let Some(name) = &changes.name {
            body["name"] = json!(name);
        }
        if let Some(owner) = &changes.owner {
            limit::given("the group's owner", owner)?;
            body["owner"] = json!(owner);
        }
        if !changes.add_members.is_empty() {
            body["add_useridlist"] = json!(changes.add_members);
        }
        if !changes.remove_members.is_empty() {
            body["del_useridlist"] = json!(changes.remove_members);
        }
        self.oapi("/chat/update", body, Effect::Write)
            .await
            .map(|_| ())
    }

    /// Sends a message to a group (`chat/send`) and answers with its `messageId`.
    pub async fn chat_send(&self, chat_id: &str, message: &Message) -> Result<String, ApiError> {
        limit::given("the chat id", chat_id)?;
        let message = limit::message("/chat/send", message)?;
        let body = json!({"chatid": chat_id, "msg": message});
        self.oapi("/chat/send", body, Effect::Write)
            .await?
            .text("messageId")
    }

    /// Lists who has read a message (`chat/getReadList`), 1 to 100 a page and not more than the group has members;
    /// `cursor` is 0 first.
    pub async fn chat_readers(
        &self,
        message_id: &str,
        cursor: u32,
        size: u32,
    ) -> Result<ReaderPage, ApiError> {
        limit::given("the message id", message_id)?;
        limit::page(size, 100)?;
        let (cursor, size) = (cursor.to_string(), size.to_string());
        let query = [
            ("messageId", message_id),
            ("cursor", &cursor),
            ("size", &size),
        ];
        let answer = self.oapi_get("/chat/getReadList", &query).await?;
        let page = answer.members();
        Ok(ReaderPage {
            // Absent when nobody has read it.
            readers: page.texts("readUserIdList"),
            next_cursor: page
                .integer("next_cursor")
                .and_then(|cursor| u32::try_from(cursor).ok()),
        })
    }
}
