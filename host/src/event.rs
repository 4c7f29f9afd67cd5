//! What arrived: an envelope as the journal keeps it, and what can be read from it.

use std::str::FromStr;
use std::sync::Arc;

use dingtalk::{EventBody, RobotMessage};
use serde::Serialize;

use crate::clock::UnixMs;
use crate::ids::{AppName, EventId};

pub use self::alert::{Alert, AlertError, AlertItem, AlertStatus, HookKind, NotAHookKind};
pub use self::facts::Facts;
pub use self::notice::{NOTICE_RESULT, NoticeEnd, SentNotice};
pub use self::subject::{Conversation, Subject};
pub use self::timer::{Timer, TimerError};

mod alert;
mod facts;
mod notice;
mod subject;
mod timer;

/// An event as it arrived, with what belfry noted about its arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The event's id in the journal.
    pub id: EventId,
    /// The app it came for.
    pub app: AppName,
    /// The way it came.
    pub origin: Origin,
    /// When it came.
    pub received_at: UnixMs,
    /// Its text, decrypted; shared because several deliveries read it.
    pub raw: Arc<str>,
}

/// The way an event came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An event callback of DingTalk.
    Callback,
    /// A message to the robot.
    Robot,
    /// An alert webhook.
    Hook {
        /// The hook's name in `bot.toml`.
        name: String,
        /// The form of its payload.
        kind: HookKind,
    },
    /// A time that a plugin asked for.
    Timer,
    /// The list of events that DingTalk could not deliver, brought into the form of a callback.
    Backfill,
    /// Told by nobody: belfry asked DingTalk, and put the answer into the form of a callback.
    Reconciled,
    /// Something that belfry found out by itself.
    Belfry,
}

impl Origin {
    /// The form in which the journal keeps it: its word, or `hook:KIND:NAME`.
    pub fn to_text(&self) -> String {
        match self {
            Self::Callback => "callback".to_owned(),
            Self::Robot => "robot".to_owned(),
            Self::Timer => "timer".to_owned(),
            Self::Backfill => "backfill".to_owned(),
            Self::Reconciled => "reconciled".to_owned(),
            Self::Belfry => "belfry".to_owned(),
            Self::Hook { name, kind } => format!("hook:{kind}:{name}"),
        }
    }

    /// One word for it, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Robot => "robot",
            Self::Hook { .. } => "hook",
            Self::Timer => "timer",
            Self::Backfill => "backfill",
            Self::Reconciled => "reconciled",
            Self::Belfry => "belfry",
        }
    }

    /// Reads what [`Origin::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "callback" => Some(Self::Callback),
            "robot" => Some(Self::Robot),
            "timer" => Some(Self::Timer),
            "backfill" => Some(Self::Backfill),
            "reconciled" => Some(Self::Reconciled),
            "belfry" => Some(Self::Belfry),
            _ => {
                let (kind, name) = text.strip_prefix("hook:")?.split_once(':')?;
                Some(Self::Hook {
                    name: name.to_owned(),
                    kind: kind.parse().ok()?,
                })
            }
        }
    }
}

/// The kinds of events, as `events = [...]` names them and the WIT enum `event-kind` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody wrote to the robot.
    ChatMessage,
    /// An approval instance started or ended.
    ApprovalInstance,
    /// A step of an approval started or ended.
    ApprovalTask,
    /// Users, departments or roles changed.
    ContactsChange,
    /// A group changed.
    ChatChange,
    /// A monitoring system reported something.
    Alert,
    /// A time that a plugin asked for has come.
    Timer,
    /// A button of a card was pressed.
    CardAction,
    /// Anything else.
    Other,
    /// Something about a third-party app; it carries secrets and goes to no plugin.
    Suite,
}

impl Kind {
    const NAMES: [(&'static str, Self); 9] = [
        ("chat-message", Self::ChatMessage),
        ("approval-instance", Self::ApprovalInstance),
        ("approval-task", Self::ApprovalTask),
        ("contacts-change", Self::ContactsChange),
        ("chat-change", Self::ChatChange),
        ("alert", Self::Alert),
        ("timer", Self::Timer),
        ("card-action", Self::CardAction),
        ("other", Self::Other),
    ];

    /// The name in `bot.toml` and in lists.
    pub fn as_str(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("suite", |(name, _)| name)
    }
}

/// One entry of a plugin's `events`: a kind, or DingTalk's `EventType` of a single event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// Every event of a kind.
    Kind(Kind),
    /// Events of one `EventType`, such as `check_in`.
    EventType(String),
}

impl std::fmt::Display for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kind(kind) => kind.as_str(),
            Self::EventType(name) => name,
        })
    }
}

/// The text names no kind of event.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is neither a kind of event (chat-message, approval-instance, approval-task, contacts-change, chat-change, alert, timer, card-action, other) nor a DingTalk EventType such as \"check_in\""
)]
pub struct NotASubscription(String);

impl FromStr for Subscription {
    type Err = NotASubscription;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((_, kind)) = Kind::NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Kind(*kind));
        }
        // Event types are written with underscores, kinds with hyphens: a misspelt kind is not taken for a type.
        let is_type =
            text.contains('_') && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_type || text == NOTICE_RESULT {
            Ok(Self::EventType(text.to_owned()))
        } else {
            Err(NotASubscription(text.to_owned()))
        }
    }
}

impl Subscription {
    /// Whether an event is meant.
    pub fn covers(&self, facts: &Facts) -> bool {
        match self {
            Self::Kind(kind) => facts.kind() == *kind,
            Self::EventType(name) => {
                facts.kind() != Kind::Suite && facts.event_type() == Some(name)
            }
        }
    }
}

/// What can be read from the text of an event.
#[derive(Debug, Clone)]
pub enum Content {
    /// An event callback.
    Dingtalk(dingtalk::Event),
    /// A message to the robot.
    Chat(RobotMessage),
    /// A group of alerts.
    Alert(Alert),
    /// A timer that fired.
    Timer(Timer),
}

/// Why the text of an event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A callback's text is no event.
    #[error(transparent)]
    Dingtalk(#[from] dingtalk::EventError),
    /// A robot's text is no message.
    #[error(transparent)]
    Chat(#[from] dingtalk::RobotMessageError),
    /// A hook's text is no alert of its kind.
    #[error(transparent)]
    Alert(#[from] AlertError),
    /// The text of a timer's event was not written by belfry.
    #[error(transparent)]
    Timer(#[from] TimerError),
}

impl Content {
    /// Reads a text according to the way it came. The same text always reads the same.
    pub fn parse(origin: &Origin, raw: &str) -> Result<Self, ContentError> {
        Ok(match origin {
            Origin::Callback | Origin::Backfill | Origin::Reconciled | Origin::Belfry => {
                Self::Dingtalk(dingtalk::Event::parse(raw)?)
            }
            Origin::Robot => Self::Chat(RobotMessage::parse(raw)?),
            Origin::Hook { name, kind } => Self::Alert(Alert::parse(name, *kind, raw)?),
            Origin::Timer => Self::Timer(Timer::parse(raw)?),
        })
    }

    /// The kind of event.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Chat(_) => Kind::ChatMessage,
            Self::Alert(_) => Kind::Alert,
            Self::Timer(_) => Kind::Timer,
            Self::Dingtalk(event) => match &event.body {
                EventBody::ApprovalInstance(_) => Kind::ApprovalInstance,
                EventBody::ApprovalTask(_) => Kind::ApprovalTask,
                EventBody::Contacts(_) => Kind::ContactsChange,
                EventBody::Chat(_) => Kind::ChatChange,
                EventBody::Suite(_) => Kind::Suite,
                _ => Kind::Other,
            },
        }
    }

    /// The organisation it concerns, where it says so.
    pub fn corp_id(&self) -> Option<&str> {
        match self {
            Self::Dingtalk(event) => event.corp_id.as_deref(),
            Self::Chat(message) => message.sender_corp_id.as_deref(),
            Self::Alert(_) | Self::Timer(_) => None,
        }
    }

    /// What must stay in order: deliveries of one plugin and one key run one after another.
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Chat(message) => Some(message.conversation_id.clone()),
            Self::Alert(alert) => Some(alert.group_key.clone()),
            Self::Timer(timer) => Some(timer.key()),
            Self::Dingtalk(event) => match &event.body {
                EventBody::ApprovalInstance(change) => Some(change.instance_id.clone()),
                EventBody::ApprovalTask(change) => Some(change.instance_id.clone()),
                EventBody::Contacts(change) => {
                    change.user_ids.first().or(change.dept_ids.first()).cloned()
                }
                EventBody::Chat(change) => {
                    change.conversation_id.clone().or(change.chat_id.clone())
                }
                EventBody::CheckIn(check_in) => check_in
                    .records
                    .first()
                    .map(|record| record.user_id.clone()),
                _ => None,
            },
        }
    }
}
