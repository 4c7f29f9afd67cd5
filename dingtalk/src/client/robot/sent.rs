//! What became of a robot's messages, and taking them back. Only the newer API has these calls.

use serde_json::{Value, json};

use crate::client::answer::Answer;
use crate::client::limit;
use crate::error::Effect;
use crate::{ApiError, Client, RobotOut};

/// People that one message can be sent to.
const PEOPLE: usize = 20;
/// Messages that one call takes back.
const KEYS: usize = 20;

/// A message sent to people, each in the single chat with the robot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentToPeople {
    /// By which it can be queried and recalled.
    pub key: String,
    /// User ids that do not exist.
    pub invalid: Vec<String>,
    /// People who got too many messages and did not get this one.
    pub flow_controlled: Vec<String>,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendState {
    /// On its way.
    Processing,
    /// Delivered.
    Sent,
    /// Taken back.
    Recalled,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentState {
    /// Where it stands.
    pub state: SendState,
    /// Who has read it.
    pub readers: Vec<String>,
    /// Where the list of readers goes on; absent on the last page.
    pub next_token: Option<String>,
}

/// What became of taking messages back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Those that are gone.
    pub recalled: Vec<String>,
    /// Those that are not, each with the reason.
    pub failed: Vec<(String, String)>,
}

impl Client {
    /// Sends to 1 to 20 people (`robot/oToMessages/batchSend`). Success says that DingTalk took it; the answer names those
    /// it does not reach.
    pub async fn robot_send_people(
        &self,
        users: &[String],
        message: &RobotOut,
    ) -> Result<SentToPeople, ApiError> {
        limit::some("people", users.len(), PEOPLE)?;
        let template = message.to_template()?;
        let body = json!({
            "robotCode": self.inner.credentials.robot_code,
            "userIds": users,
            "msgKey": template.msg_key,
            "msgParam": template.msg_param,
        });
        let path = "/v1.0/robot/oToMessages/batchSend";
        let answer = self.api(path, &body, Effect::Write).await?;
        let members = answer.members();
        Ok(SentToPeople {
            key: answer.text("processQueryKey")?,
            invalid: members.texts("invalidStaffIdList"),
            flow_controlled: members.texts("flowControlledStaffIdList"),
        })
    }

    /// What became of a message to a group (`robot/groupMessages/query`), with 1 to 200 readers a page.
    pub async fn robot_group_state(
        &self,
        open_conversation_id: &str,
        key: &str,
        next_token: Option<&str>,
        size: u32,
    ) -> Result<SentState, ApiError> {
        limit::given("the conversation id", open_conversation_id)?;
        limit::given("the message's key", key)?;
        limit::page(size, 200)?;
        let mut body = json!({
            "robotCode": self.inner.credentials.robot_code,
            "openConversationId": open_conversation_id,
            "processQueryKey": key,
            "maxResults": size,
        });
        if let Some(token) = next_token {
            body["nextToken"] = json!(token);
        }
        let path = "/v1.0/robot/groupMessages/query";
        let answer = self.api(path, &body, Effect::Read).await?;
        let members = answer.members();
        let has_more = members.flag("hasMore").unwrap_or(false);
        Ok(SentState {
            state: state(&answer)?,
            readers: members.texts("readUserIds"),
            next_token: members.text("nextToken").filter(|_| has_more),
        })
    }

    /// What became of a message to people (`robot/oToMessages/readStatus`), for 24 hours.
    pub async fn robot_people_state(&self, key: &str) -> Result<SentState, ApiError> {
        limit::given("the message's key", key)?;
        let query = [
            ("robotCode", self.inner.credentials.robot_code.as_str()),
            ("processQueryKey", key),
        ];
        let path = "/v1.0/robot/oToMessages/readStatus";
        let answer = self.api_get(path, &query).await?;
        let people = answer.members();
        let readers = people
            .objects("messageReadInfoList")
            .filter(|person| person.text("readStatus").as_deref() == Some("READ"))
            .filter_map(|person| person.text("userId"));
        Ok(SentState {
            state: state(&answer)?,
            readers: readers.collect(),
            next_token: None,
        })
    }

    /// Takes messages to a group back (`robot/groupMessages/recall`), 1 to 20.
    pub async fn robot_recall_group(
        &self,
        open_conversation_id: &str,
        keys: &[String],
    ) -> Result<Recalled, ApiError> {
        limit::given("the conversation id", open_conversation_id)?;
        let body = json!({
            "robotCode": self.inner.credentials.robot_code,
            "openConversationId": open_conversation_id,
            "processQueryKeys": keys,
        });
        self.robot_recall("groupMessages/recall", keys, body).await
    }

    /// Takes messages to people back (`robot/otoMessages/batchRecall`), 1 to 20, within 24 hours.
    pub async fn robot_recall_people(&self, keys: &[String]) -> Result<Recalled, ApiError> {
        let body = json!({
            "robotCode": self.inner.credentials.robot_code,
            "processQueryKeys": keys,
        });
        // The small t is DingTalk's.
        self.robot_recall("otoMessages/batchRecall", keys, body)
            .await
    }

    async fn robot_recall(
        &self,
        action: &str,
        keys: &[String],
        body: Value,
    ) -> Result<Recalled, ApiError> {
        limit::some("messages", keys.len(), KEYS)?;
        let path = format!("/v1.0/robot/{action}");
        let answer = self.api(&path, &body, Effect::Write).await?;
        let members = answer.members();
        let failed = members.get("failedResult").and_then(Value::as_object);
        let failed = failed.into_iter().flatten().map(|(key, reason)| {
            let reason = reason
                .as_str()
                .map_or_else(|| reason.to_string(), str::to_owned);
            (key.clone(), reason)
        });
        Ok(Recalled {
            recalled: members.texts("successResult"),
            failed: failed.collect(),
        })
    }
}

fn state(answer: &Answer) -> Result<SendState, ApiError> {
    match answer.members().text("sendStatus").as_deref() {
        Some("SUCCESS") => Ok(SendState::Sent),
        Some("RECALLED") => Ok(SendState::Recalled),
        Some("PROCESSING") => Ok(SendState::Processing),
        _ => Err(answer.lacks("sendStatus")),
    }
}
