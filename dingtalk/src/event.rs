//! Typed events in both dialects DingTalk speaks.

mod parse;

use std::fmt;

use serde_json::Value;

use crate::UnixMs;
use crate::crypto::sha256_hex;
use crate::members::{Members, canonical};

/// A decrypted event. It does not hold the text it was parsed from: whoever parses keeps that beside it, because
/// unknown members live only there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// DingTalk's `EventType`, such as `bpms_instance_change`.
    pub event_type: String,
    /// DingTalk's `eventId`; absent in the older dialect.
    pub event_id: Option<String>,
    /// DingTalk's `BizId`; absent in the older dialect.
    pub biz_id: Option<String>,
    /// The organisation the event belongs to.
    pub corp_id: Option<String>,
    /// When it happened according to DingTalk.
    pub occurred_at: Option<UnixMs>,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventBody {
    /// DingTalk tests the callback URL; answering is all there is to do.
    UrlCheck,
    /// An approval instance started or ended (`bpms_instance_change`).
    ApprovalInstance(ApprovalInstance),
    /// A step of an approval started or ended (`bpms_task_change`).
    ApprovalTask(ApprovalTask),
    /// Users, departments, roles or the organisation itself changed.
    Contacts(ContactsChange),
    /// A group made through the server API changed.
    Chat(ChatChange),
    /// Something about a third-party app and an organisation that uses it.
    Suite(SuiteEvent),
    /// Somebody checked in.
    CheckIn(CheckIn),
    /// Anything else; the JSON text has all of it.
    Other,
}

/// How an approval was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Agreed.
    Agree,
    /// Refused.
    Refuse,
}

/// What happened to an approval instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceChange {
    /// It was started.
    Started,
    /// It ran to its end.
    Finished(Decision),
    /// Its originator withdrew it.
    Terminated,
    /// A `type` without a name here; `finish/x` for a finish with the unknown result `x`.
    Other(String),
}

/// A change of an approval instance. Form values are not part of it: read the instance.
#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalInstance {
    /// The instance.
    pub instance_id: String,
    /// The template it was made from; empty where DingTalk leaves it out.
    pub process_code: String,
    /// The number printed on the form.
    pub business_id: Option<String>,
    /// Such as `张三提交的请假`.
    pub title: String,
    /// User id of the person who started it.
    pub originator: String,
    /// What happened.
    pub change: InstanceChange,
    /// When it was started.
    pub created_at: Option<UnixMs>,
    /// When it ended.
    pub finished_at: Option<UnixMs>,
    /// Its page inside DingTalk.
    pub url: Option<String>,
}

/// How an approver decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskDecision {
    /// Agreed.
    Agree,
    /// Refused.
    Refuse,
    /// Handed over to somebody else.
    Redirect,
}

/// What happened to a step of an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskChange {
    /// The step waits for its approver.
    Started,
    /// The approver decided.
    Finished(TaskDecision),
    /// Another approver of the same step was quicker.
    Canceled,
    /// A `type` without a name here; `finish/x` for a finish with the unknown result `x`.
    Other(String),
}

/// A change of one step of an approval.
#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalTask {
    /// The instance it belongs to.
    pub instance_id: String,
    /// The template of the instance; empty where DingTalk leaves it out.
    pub process_code: String,
    /// The step, a decimal number as text; empty where DingTalk leaves it out.
    pub task_id: String,
    /// The title of the instance.
    pub title: String,
    /// User id of the person whose turn it is or was.
    pub approver: String,
    /// What happened.
    pub change: TaskChange,
    /// What the approver wrote with the decision.
    pub remark: Option<String>,
    /// When the step started.
    pub created_at: Option<UnixMs>,
    /// When it ended.
    pub finished_at: Option<UnixMs>,
}

/// A change of users, departments, roles or of the organisation; which one says [`Event::event_type`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactsChange {
    /// The users concerned.
    pub user_ids: Vec<String>,
    /// The departments concerned, decimal numbers as text.
    pub dept_ids: Vec<String>,
    /// The roles or role groups concerned, decimal numbers as text.
    pub label_ids: Vec<String>,
    /// User id of the person who made the change, where DingTalk says so.
    pub operator: Option<String>,
}

/// What happened to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatChangeKind {
    /// Members were added.
    MembersAdded,
    /// Members were removed.
    MembersRemoved,
    /// A member left.
    MemberQuit,
    /// It has a new owner.
    OwnerChanged,
    /// It has a new title.
    TitleChanged,
    /// It was dissolved.
    Disbanded,
    /// Something without a name here.
    Unknown,
}

/// A change of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatChange {
    /// What happened.
    pub change: ChatChangeKind,
    /// The group's `chatid`; DingTalk leaves it out in some events.
    pub chat_id: Option<String>,
    /// The group's `openConversationId`.
    pub conversation_id: Option<String>,
    /// User id of the person who did it.
    pub operator: Option<String>,
    /// The members that were added or removed.
    pub user_ids: Vec<String>,
    /// The new owner.
    pub owner: Option<String>,
    /// The new title.
    pub title: Option<String>,
}

/// What happened to a third-party app.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuiteChange {
    /// A new suite ticket, which replaces the one before (`suite_ticket`).
    Ticket(crate::Secret),
    /// An organisation opened the app; the code can be used once (`tmp_auth_code`).
    Authorized(crate::Secret),
    /// The contacts the app may see changed (`change_auth`).
    ScopeChanged,
    /// The organisation removed the app (`suite_relieve`).
    Relieved,
    /// The organisation enabled the app again (`org_micro_app_restore`).
    Enabled,
    /// The organisation disabled the app (`org_micro_app_stop`).
    Disabled,
    /// The organisation placed an order (`market_buy`).
    Ordered,
}

/// Something about a third-party app and the organisation in [`Event::corp_id`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteEvent {
    /// The app's `SuiteKey`.
    pub suite_key: Option<String>,
    /// What happened.
    pub change: SuiteChange,
    /// The organisation's `AgentId` of the app, a decimal number as text.
    pub agent_id: Option<String>,
    /// DingTalk's number of the order, as text.
    pub order_id: Option<String>,
}

/// Which of DingTalk's two ways of checking in was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckInKind {
    /// A visit was noted (签到, `check_in`).
    SignIn,
    /// Attendance was recorded (打卡, `attendance_check_record`).
    Attendance,
}

/// One person who checked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckInRecord {
    /// Who.
    pub user_id: String,
    /// When.
    pub checked_at: Option<UnixMs>,
    /// Where, as text; attendance only.
    pub address: Option<String>,
    /// Such as `Normal` or `Outside`; attendance only.
    pub location_result: Option<String>,
}

/// Somebody checked in; attendance comes in batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckIn {
    /// Which way.
    pub kind: CheckInKind,
    /// Who and when.
    pub records: Vec<CheckInRecord>,
}

/// Why a text is no event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The text is not JSON.
    #[error("event is not json")]
    NotJson,
    /// The text is JSON but not an object.
    #[error("event is not a json object")]
    NotObject,
    /// The object has no `EventType`.
    #[error("event has no EventType")]
    NoEventType,
}

impl Event {
    /// Reads a decrypted event in either dialect. Unknown types and members are no error.
    pub fn parse(json: &str) -> Result<Self, EventError> {
        let value: Value = serde_json::from_str(json).map_err(|_| EventError::NotJson)?;
        let members = Members::of(&value).ok_or(EventError::NotObject)?;
        let event_type = members.text("EventType").ok_or(EventError::NoEventType)?;
        Ok(Self {
            event_id: members.text("eventId"),
            biz_id: members.text("BizId"),
            corp_id: parse::corp_id(members),
            occurred_at: parse::occurred_at(members),
            body: parse::body(&event_type, members),
            event_type,
        })
    }

    /// The key under which a second arrival of the same event is recognised, whatever way it comes: pushed again, read
    /// from the list of failed pushes, or asked for. An approval ends once, so its end is named by the instance.
    /// Everything else has `eventId`, else `BizId`, else the name of a step that is taken once, else the SHA-256 of
    /// `json`, the text the event was parsed from, with its members in order. They cannot be mistaken for one another.
    pub fn dedupe_key(&self, json: &str) -> String {
        let once = self.once();
        if let Some((key, true)) = &once {
            return key.clone();
        }
        match (&self.event_id, &self.biz_id, once) {
            (Some(id), _, _) => format!("event:{id}"),
            (None, Some(id), _) => format!("biz:{id}"),
            (None, None, Some((key, _))) => key,
            (None, None, None) => {
                let ordered = serde_json::from_str(json).map(|value| canonical(&value));
                format!("sha256:{}", sha256_hex(ordered.as_deref().unwrap_or(json)))
            }
        }
    }

    /// Whether this is another report of what `other` reports, as far as the members tell that DingTalk writes in its
    /// pushes as well as in its list of failed ones. Events of a type without such members are never the same.
    pub fn repeats(&self, other: &Self) -> bool {
        let same_corp = match (&self.corp_id, &other.corp_id) {
            (Some(one), Some(another)) => one == another,
            _ => true,
        };
        if self.event_type != other.event_type || !same_corp {
            return false;
        }
        if let (Some((one, _)), Some((another, _))) = (self.once(), other.once()) {
            return one == another;
        }
        let (Some(UnixMs(one)), Some(UnixMs(another))) = (self.occurred_at, other.occurred_at)
        else {
            return false;
        };
        if one.abs_diff(another) > TIMES_DIFFER {
            return false;
        }
        match (&self.body, &other.body) {
            (EventBody::Contacts(one), EventBody::Contacts(another)) => {
                one.user_ids == another.user_ids
                    && one.dept_ids == another.dept_ids
                    && one.label_ids == another.label_ids
            }
            (EventBody::Chat(one), EventBody::Chat(another)) => {
                one.chat_id == another.chat_id && one.user_ids == another.user_ids
            }
            (EventBody::CheckIn(one), EventBody::CheckIn(another)) => one == another,
            _ => false,
        }
    }

    /// The name of something that happens once, and whether it is so by whatever id DingTalk reports it.
    fn once(&self) -> Option<(String, bool)> {
        match &self.body {
            EventBody::ApprovalInstance(instance) => match &instance.change {
                InstanceChange::Started => {
                    Some((format!("approval:{}:start", instance.instance_id), false))
                }
                InstanceChange::Finished(_) | InstanceChange::Terminated => {
                    Some((approval_end_key(&instance.instance_id), true))
                }
                InstanceChange::Other(_) => None,
            },
            EventBody::ApprovalTask(task) if !task.task_id.is_empty() => {
                let change = match &task.change {
                    TaskChange::Started => "start",
                    TaskChange::Finished(TaskDecision::Agree) => "agree",
                    TaskChange::Finished(TaskDecision::Refuse) => "refuse",
                    TaskChange::Finished(TaskDecision::Redirect) => "redirect",
                    TaskChange::Canceled => "cancel",
                    TaskChange::Other(_) => return None,
                };
                let (instance, task) = (&task.instance_id, &task.task_id);
                Some((format!("approval-task:{instance}:{task}:{change}"), false))
            }
            _ => None,
        }
    }
}

/// Milliseconds by which the times of two reports of one event differ: a captured entry of the list of failed pushes was
/// a second off.
const TIMES_DIFFER: u64 = 2000;

/// The dedupe key of the end of an approval, which everybody who learns of the end finds.
pub fn approval_end_key(instance_id: &str) -> String {
    format!("approval:{instance_id}:end")
}

// What people wrote stays out of debug output.

impl fmt::Debug for ApprovalInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApprovalInstance")
            .field("instance_id", &self.instance_id)
            .field("process_code", &self.process_code)
            .field("originator", &self.originator)
            .field("change", &self.change)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ApprovalTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApprovalTask")
            .field("instance_id", &self.instance_id)
            .field("process_code", &self.process_code)
            .field("task_id", &self.task_id)
            .field("approver", &self.approver)
            .field("change", &self.change)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
