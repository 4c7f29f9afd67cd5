//! What host functions must know of an event when the rest of it has gone to the guest.

use dingtalk::{ConversationKind, EventBody, SessionWebhook};

use super::Content;

/// What an event is about, as far as that permits a plugin something.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A message to the robot, which can be answered.
    Chat(Conversation),
    /// An approval, or a step of one.
    Approval {
        /// The instance.
        instance_id: String,
        /// Its template.
        process_code: String,
    },
    /// Anything else.
    Other,
}

/// Where a message was written.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// Single or group.
    pub kind: ConversationKind,
    /// Where to answer the message.
    pub session_webhook: Option<SessionWebhook>,
}

impl Content {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Chat(message) => Subject::Chat(Conversation {
                id: message.conversation_id.clone(),
                kind: message.conversation_kind,
                session_webhook: message.session_webhook.clone(),
            }),
            Self::Dingtalk(event) => match &event.body {
                EventBody::ApprovalInstance(change) => Subject::Approval {
                    instance_id: change.instance_id.clone(),
                    process_code: change.process_code.clone(),
                },
                EventBody::ApprovalTask(change) => Subject::Approval {
                    instance_id: change.instance_id.clone(),
                    process_code: change.process_code.clone(),
                },
                _ => Subject::Other,
            },
            Self::Alert(_) | Self::Timer(_) => Subject::Other,
        }
    }
}
