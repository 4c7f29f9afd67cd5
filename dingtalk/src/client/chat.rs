//! Groups (`chat/*`).

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
        let _ = chat;
        todo!()
    }

    /// Reads a group (`chat/get`).
    pub async fn chat_get(&self, chat_id: &str) -> Result<ChatInfo, ApiError> {
        let _ = chat_id;
        todo!()
    }

    /// Changes a group (`chat/update`).
    pub async fn chat_update(&self, chat_id: &str, changes: &ChatUpdate) -> Result<(), ApiError> {
        let _ = (chat_id, changes);
        todo!()
    }

    /// Sends a message to a group (`chat/send`) and answers with its `messageId`.
    pub async fn chat_send(&self, chat_id: &str, message: &Message) -> Result<String, ApiError> {
        let _ = (chat_id, message);
        todo!()
    }
}
