//! Messages that people write to a robot, and the signature they arrive with.

use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::crypto::robot_signature;
use crate::members::Members;
use crate::{Secret, UnixMs};

/// How far a timestamp may be off.
const SIGN_WINDOW_MS: u64 = 3_600_000;

/// Where a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversationKind {
    /// Between one person and the robot.
    Single,
    /// In a group, where the robot sees what mentions it.
    Group,
}

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Plain text.
    Text,
    /// Text and pictures.
    RichText,
    /// A picture.
    Picture,
    /// A recording, often with what was recognised in it.
    Audio,
    /// A video.
    Video,
    /// A file.
    File,
    /// A form without a name here.
    Unknown,
}

/// Where a message can be answered without a token. Whoever knows the URL can write into the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionWebhook {
    /// The URL; check nothing by hand, [`crate::Client::robot_reply`] only calls DingTalk.
    pub url: Secret,
    /// When it stops working, about 90 minutes after the message.
    pub expires_at: Option<UnixMs>,
}

/// A message that somebody wrote to a robot, from either transport. `Debug` does not show its text.
#[derive(Clone, PartialEq, Eq)]
pub struct RobotMessage {
    /// DingTalk's id of the message; a second delivery has the same.
    pub msg_id: String,
    /// The conversation; for a group also its `openConversationId`.
    pub conversation_id: String,
    /// Single or group.
    pub conversation_kind: ConversationKind,
    /// The group's title.
    pub conversation_title: Option<String>,
    /// The sender's user id; absent for outsiders and before the robot's app is published.
    pub sender_staff_id: Option<String>,
    /// The sender's name as shown in the chat.
    pub sender_nick: String,
    /// The sender's organisation.
    pub sender_corp_id: Option<String>,
    /// Whether the sender administers the organisation.
    pub is_admin: bool,
    /// The form of the message.
    pub kind: MessageKind,
    /// The text without surrounding blanks: of a text, of the text parts of a rich text, or what was recognised in a
    /// recording. Empty for the rest.
    pub text: String,
    /// User ids of the mentioned people, the robot and outsiders excepted.
    pub mentions: Vec<String>,
    /// The robot; absent for custom robots.
    pub robot_code: Option<String>,
    /// Where to answer.
    pub session_webhook: Option<SessionWebhook>,
    /// When it was written.
    pub created_at: Option<UnixMs>,
    /// What DingTalk says instead of the content, such as that the month's quota is spent.
    pub platform_error: Option<String>,
}

impl std::fmt::Debug for RobotMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RobotMessage")
            .field("msg_id", &self.msg_id)
            .field("conversation_id", &self.conversation_id)
            .field("conversation_kind", &self.conversation_kind)
            .field("sender_staff_id", &self.sender_staff_id)
            .field("kind", &self.kind)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// Why a text is no robot message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RobotMessageError {
    /// The text is not JSON.
    #[error("robot message is not json")]
    NotJson,
    /// The text is JSON but not an object.
    #[error("robot message is not a json object")]
    NotObject,
    /// A member without which a message cannot be handled is missing or has the wrong type.
    #[error("robot message has no usable {0}")]
    Missing(&'static str),
}

impl RobotMessage {
    /// Reads the body of a robot's HTTP push or the `data` of a Stream message.
    pub fn parse(json: &str) -> Result<Self, RobotMessageError> {
        let value: Value = serde_json::from_str(json).map_err(|_| RobotMessageError::NotJson)?;
        let message = Members::of(&value).ok_or(RobotMessageError::NotObject)?;
        let kind = kind(message);
        Ok(Self {
            msg_id: message
                .text("msgId")
                .ok_or(RobotMessageError::Missing("msgId"))?,
            conversation_id: message
                .text("conversationId")
                .ok_or(RobotMessageError::Missing("conversationId"))?,
            conversation_kind: match message.text("conversationType").as_deref() {
                Some("1") => ConversationKind::Single,
                Some("2") => ConversationKind::Group,
                _ => return Err(RobotMessageError::Missing("conversationType")),
            },
            conversation_title: message.text("conversationTitle"),
            sender_staff_id: message.text("senderStaffId"),
            sender_nick: message.text("senderNick").unwrap_or_default(),
            sender_corp_id: message.text("senderCorpId"),
            is_admin: message.flag("isAdmin").unwrap_or(false),
            kind,
            text: text(kind, message),
            mentions: mentions(message),
            robot_code: message.text("robotCode"),
            session_webhook: message.text("sessionWebhook").map(|url| SessionWebhook {
                url: Secret::new(url),
                expires_at: message.time("sessionWebhookExpiredTime"),
            }),
            created_at: message.time("createAt"),
            platform_error: message.first_text(&["errorMessage", "errMsg"]),
        })
    }
}

/// Why the headers of a robot's HTTP push were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// `timestamp` is not a number of milliseconds.
    #[error("timestamp is not a number")]
    Timestamp,
    /// `timestamp` is more than an hour away from now.
    #[error("timestamp is more than an hour off")]
    Expired,
    /// `sign` is not the signature of `timestamp`.
    #[error("signature does not match")]
    Mismatch,
}

/// Checks the headers `timestamp` and `sign` of a robot's HTTP push. They do not cover the body, so the same pair
/// passes for an hour.
pub fn verify_sign(
    app_secret: &str,
    timestamp: &str,
    sign: &str,
    now: UnixMs,
) -> Result<(), SignError> {
    let sent: i64 = timestamp.parse().map_err(|_| SignError::Timestamp)?;
    if now.0.abs_diff(sent) > SIGN_WINDOW_MS {
        return Err(SignError::Expired);
    }
    let expected = robot_signature(app_secret, timestamp);
    if bool::from(expected.as_bytes().ct_eq(sign.as_bytes())) {
        Ok(())
    } else {
        Err(SignError::Mismatch)
    }
}

fn kind(message: Members<'_>) -> MessageKind {
    match message.text("msgtype").as_deref() {
        Some("text") => MessageKind::Text,
        Some("richText") => MessageKind::RichText,
        Some("picture") => MessageKind::Picture,
        Some("audio") => MessageKind::Audio,
        Some("video") => MessageKind::Video,
        Some("file") => MessageKind::File,
        _ => MessageKind::Unknown,
    }
}

fn text(kind: MessageKind, message: Members<'_>) -> String {
    let content = message.object("content");
    let text = match kind {
        // One of DingTalk's own samples has a bare `content` instead of the object `text`.
        MessageKind::Text => message
            .object("text")
            .and_then(|text| text.text("content"))
            .or_else(|| content.and_then(|content| content.text("content")))
            .or_else(|| message.text("content")),
        MessageKind::RichText => content.map(|content| {
            content
                .objects("richText")
                .filter_map(|part| part.text("text"))
                .collect::<String>()
        }),
        MessageKind::Audio => content.and_then(|content| content.text("recognition")),
        _ => None,
    };
    text.unwrap_or_default().trim().to_owned()
}

/// The robot is among the mentioned, under an id of its own; outsiders have no staff id.
fn mentions(message: Members<'_>) -> Vec<String> {
    let robot = message.text("chatbotUserId");
    message
        .objects("atUsers")
        .filter(|user| robot.is_none() || user.text("dingtalkId") != robot)
        .filter_map(|user| user.text("staffId"))
        .collect()
}

#[cfg(test)]
mod tests;
