//! Work notices (工作通知, `corpconversation/*`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{comma_joined, invalid, limit};
use crate::error::Effect;
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
    /// People DingTalk refused to deliver to, with a code where it gave one.
    pub refused: Vec<Refusal>,
    /// People it could not be delivered to.
    pub failed_users: Vec<String>,
    /// People who read it.
    pub read_users: Vec<String>,
    /// People who have not read it yet.
    pub unread_users: Vec<String>,
}

impl Client {
    /// Sends a notice by a template that was made in the developer console (`sendbytemplate`), with values for its places,
    /// and answers with its task id. Only third-party apps have the call, and the younger ones have no other. It takes 5000
    /// people and 500 departments.
    pub async fn notice_send_template(
        &self,
        recipients: &NamedRecipients,
        template_id: &str,
        values: &BTreeMap<String, String>,
    ) -> Result<i64, ApiError> {
        limit::given("the template id", template_id)?;
        for name in values.keys() {
            limit::given("the name of a place of the template", name)?;
        }
        let mut body = json!({
            "agent_id": self.agent_id()?,
            "template_id": template_id,
            "data": json!(values).to_string(),
        });
        name(&mut body, recipients, (5000, 500))?;
        self.notice_task("sendbytemplate", body).await
    }

    /// Sends a notice (`asyncsend_v2`) and answers with its task id. Success means that DingTalk took it: over quota it
    /// is dropped silently, and only [`Client::notice_outcome`] tells.
    pub async fn notice_send(
        &self,
        recipients: &Recipients,
        message: &Message,
    ) -> Result<i64, ApiError> {
        let message = limit::message(&path("asyncsend_v2"), message)?;
        let mut body = json!({"agent_id": self.agent_id()?, "msg": message});
        match recipients {
            Recipients::Everyone => body["to_all_user"] = json!(true),
            Recipients::Named(named) => name(&mut body, named, (100, 20))?,
        }
        self.notice_task("asyncsend_v2", body).await
    }

    async fn notice_task(&self, call: &str, body: Value) -> Result<i64, ApiError> {
        let answer = self.oapi(&path(call), body, Effect::Write).await?;
        answer
            .members()
            .integer("task_id")
            .ok_or_else(|| answer.lacks("task_id"))
    }

    /// Asks how far sending has come (`getsendprogress`).
    pub async fn notice_progress(&self, task_id: i64) -> Result<NoticeProgress, ApiError> {
        let body = json!({"agent_id": self.agent_id()?, "task_id": task_id});
        let answer = self
            .oapi(&path("getsendprogress"), body, Effect::Read)
            .await?;
        let progress = answer.object("progress")?;
        let percent = progress
            .integer("progress_in_percent")
            .unwrap_or(0)
            .clamp(0, 100);
        let state = match progress.integer("status") {
            Some(0) => NoticeState::Waiting,
            Some(1) => NoticeState::Running,
            Some(2) => NoticeState::Finished,
            _ => return Err(answer.lacks("progress.status")),
        };
        Ok(NoticeProgress {
            percent: u32::try_from(percent).unwrap_or(0),
            state,
        })
    }

    /// Asks what became of a notice (`getsendresult`), within 24 hours.
    pub async fn notice_outcome(&self, task_id: i64) -> Result<NoticeOutcome, ApiError> {
        let body = json!({"agent_id": self.agent_id()?, "task_id": task_id});
        let answer = self
            .oapi(&path("getsendresult"), body, Effect::Read)
            .await?;
        let result = answer.object("send_result")?;
        let mut refused: Vec<Refusal> = result
            .objects("forbidden_list")
            .filter_map(|entry| {
                Some(Refusal {
                    user_id: entry.text("userid")?,
                    code: entry.text("code").unwrap_or_default(),
                })
            })
            .collect();
        // The older list has no codes and repeats the people of the newer one.
        for user_id in result.texts("forbidden_user_id_list") {
            if refused.iter().all(|refusal| refusal.user_id != user_id) {
                refused.push(Refusal {
                    user_id,
                    code: String::new(),
                });
            }
        }
        Ok(NoticeOutcome {
            invalid_users: result.texts("invalid_user_id_list"),
            invalid_departments: result.texts("invalid_dept_id_list"),
            refused,
            failed_users: result.texts("failed_user_id_list"),
            read_users: result.texts("read_user_id_list"),
            unread_users: result.texts("unread_user_id_list"),
        })
    }

    /// Takes a notice back (`recall`), within 24 hours.
    pub async fn notice_recall(&self, task_id: i64) -> Result<(), ApiError> {
        let body = json!({"agent_id": self.agent_id()?, "msg_task_id": task_id});
        self.oapi(&path("recall"), body, Effect::Write)
            .await
            .map(|_| ())
    }

    /// Changes the status bar of an `oa` notice (`status_bar/update`), within 7 days. `color` is `0xAARRGGBB`.
    pub async fn notice_status_bar(
        &self,
        task_id: i64,
        value: &str,
        color: Option<&str>,
    ) -> Result<(), ApiError> {
        if value.is_empty() {
            return Err(invalid("the status is empty"));
        }
        let mut body = json!({
            "agent_id": self.agent_id()?,
            "task_id": task_id,
            "status_value": value,
        });
        if let Some(color) = color {
            let digits = color.strip_prefix("0x").unwrap_or_default();
            if digits.len() != 8 || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
                return Err(invalid("the colour is not of the form 0xAARRGGBB"));
            }
            body["status_bg"] = json!(color);
        }
        self.oapi(&path("status_bar/update"), body, Effect::Write)
            .await
            .map(|_| ())
    }

    fn agent_id(&self) -> Result<i64, ApiError> {
        self.inner
            .credentials
            .agent_id
            .ok_or_else(|| ApiError::Denied {
                code: "client.agent-id".to_owned(),
                message: "work notices need the app's agent id, and none is configured".to_owned(),
            })
    }
}

/// Names recipients, at least one and at most so many people and departments.
fn name(
    body: &mut Value,
    recipients: &NamedRecipients,
    (people, departments): (usize, usize),
) -> Result<(), ApiError> {
    if recipients.users.is_empty() && recipients.departments.is_empty() {
        return Err(invalid("a notice needs at least one recipient"));
    }
    limit::at_most("people", recipients.users.len(), people)?;
    limit::at_most("departments", recipients.departments.len(), departments)?;
    if !recipients.users.is_empty() {
        body["userid_list"] = json!(comma_joined("user id", &recipients.users)?);
    }
    if !recipients.departments.is_empty() {
        body["dept_id_list"] = json!(comma_joined("department id", &recipients.departments)?);
    }
    Ok(())
}

fn path(name: &str) -> String {
    format!("/topapi/message/corpconversation/{name}")
}
