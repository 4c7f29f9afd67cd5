//! Work notices (工作通知, `corpconversation/*`).

use crate::{ApiError, Client, Message};

/// People and departments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedRecipients {
    /// At most 100 people.
    pub users: Vec<String>,
    /// At most 20 departments, with everything below them; decimal numbers as text.
    pub departments: Vec<String>,
}

/// Who gets a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// These people and departments; at least one.
    Named(NamedRecipients),
    /// Everybody in the app's scope; three times a day at most.
    Everyone,
}

/// How far sending has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeState {
    /// Not started.
    Waiting,
    /// Under way.
    Running,
    /// Done.
    Finished,
}

/// How far sending has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeProgress {
    /// 0 to 100.
    pub percent: u32,
    /// The state.
    pub state: NoticeState,
}

/// A person DingTalk refused to deliver to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who.
    pub user_id: String,
    /// Such as `143106` (the same content was sent to that person today).
    pub code: String,
}

/// What became of a notice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticeOutcome {
    /// User ids that do not exist.
    pub invalid_users: Vec<String>,
    /// Departments that do not exist.
    pub invalid_departments: Vec<String>,
    /// People over a quota.
    pub refused: Vec<Refusal>,
    /// People it could not be delivered to.
    pub failed_users: Vec<String>,
    /// People who read it.
    pub read_users: Vec<String>,
    /// People who have not read it yet.
    pub unread_users: Vec<String>,
}

impl Client {
    /// Sends a notice (`asyncsend_v2`) and answers with its task id. Success means that DingTalk took it: over quota it
    /// is dropped silently, and only [`Client::notice_outcome`] tells.
    pub async fn notice_send(
        &self,
        recipients: &Recipients,
        message: &Message,
    ) -> Result<i64, ApiError> {
        let _ = (recipients, message);
        todo!()
    }

    /// Asks how far sending has come (`getsendprogress`).
    pub async fn notice_progress(&self, task_id: i64) -> Result<NoticeProgress, ApiError> {
        let _ = task_id;
        todo!()
    }

    /// Asks what became of a notice (`getsendresult`), within 24 hours.
    pub async fn notice_outcome(&self, task_id: i64) -> Result<NoticeOutcome, ApiError> {
        let _ = task_id;
        todo!()
    }

    /// Takes a notice back (`recall`), within 24 hours.
    pub async fn notice_recall(&self, task_id: i64) -> Result<(), ApiError> {
        let _ = task_id;
        todo!()
    }
}
