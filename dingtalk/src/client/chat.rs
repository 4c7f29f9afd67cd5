//! Groups (`chat/*`).

use serde_json::json;

use crate::error::Effect;
use crate::{ApiError, Client, Message};

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

impl Client {
    /// Creates a group (`chat/create`).
    pub async fn chat_create(&self, chat: &NewChat) -> Result<CreatedChat, ApiError> {
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
        let mut body = json!({"chatid": chat_id});
        if let Some(name) = &changes.name {
            body["name"] = json!(name);
        }
        if let Some(owner) = &changes.owner {
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
        message.check()?;
        let body = json!({"chatid": chat_id, "msg": message.to_json()});
        self.oapi("/chat/send", body, Effect::Write)
            .await?
            .text("messageId")
    }
}
