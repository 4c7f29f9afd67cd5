//! Groups made from a template (场景群).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::CreatedChat;
use crate::client::{comma_joined, invalid, limit};
use crate::error::Effect;
use crate::{ApiError, ApiStyle, Client};

/// Characters of a title.
const TITLE_CHARS: usize = 30;
/// People that one call names; DingTalk documents none, and this is what it takes for other groups.
const PEOPLE: usize = 40;

/// A group to make from a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewScene {
    /// 1 to 30 characters.
    pub title: String,
    /// The template, made in DingTalk's developer console.
    pub template_id: String,
    /// The owner.
    pub owner: String,
    /// People beside the owner, at most 40.
    pub members: Vec<String>,
    /// A word of the caller's; DingTalk makes only one group for it.
    pub key: Option<String>,
}

/// What to change of such a group; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SceneChanges {
    /// A new title.
    pub title: Option<String>,
    /// A new owner.
    pub owner: Option<String>,
}

/// People that one message can mention.
const MENTIONED: usize = 50;

/// A message of a template to such a group. It is the only call to a group that mentions people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SceneMessage {
    /// The group's robot; the app's own when absent.
    pub robot_code: Option<String>,
    /// The template, such as `inner_app_template_markdown`.
    pub template_id: String,
    /// Values for its places.
    pub values: BTreeMap<String, String>,
    /// Media ids for its pictures; no place may be in both.
    pub media: BTreeMap<String, String>,
    /// Whom it calls by name, at most 50 people.
    pub mentions: Vec<String>,
    /// Whether it calls everybody.
    pub mention_all: bool,
    /// Who alone sees it; empty for all members.
    pub receivers: Vec<String>,
}

/// Members of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPage {
    /// Their user ids.
    pub members: Vec<String>,
    /// Absent on the last page.
    pub next_cursor: Option<String>,
}

impl Client {
    /// Makes a group from a template.
    pub async fn scene_create(&self, scene: &NewScene) -> Result<CreatedChat, ApiError> {
        limit::text("the group's title", &scene.title, TITLE_CHARS)?;
        limit::given("the template id", &scene.template_id)?;
        limit::given("the group's owner", &scene.owner)?;
        limit::at_most("members of a new group", scene.members.len(), PEOPLE)?;
        let mut body = json!({
            "title": scene.title,
            "template_id": scene.template_id,
            "owner_user_id": scene.owner,
        });
        if let Some(key) = &scene.key {
            body["uuid"] = json!(key);
        }
        if !scene.members.is_empty() {
            body["user_ids"] = self.people(&scene.members)?;
        }
        let answer = self.scene_call("create", body).await?;
        // The older answer has them in `result`.
        let inner = answer.members().object("result");
        let members = inner.unwrap_or_else(|| answer.members());
        Ok(CreatedChat {
            chat_id: members
                .text("chat_id")
                .ok_or_else(|| answer.lacks("chat_id"))?,
            conversation_id: members.text("open_conversation_id"),
        })
    }

    /// Changes such a group.
    pub async fn scene_update(
        &self,
        conversation_id: &str,
        changes: &SceneChanges,
    ) -> Result<(), ApiError> {
        limit::given("the conversation id", conversation_id)?;
        let mut body = json!({"open_conversation_id": conversation_id});
        if let Some(title) = &changes.title {
            limit::text("the group's title", title, TITLE_CHARS)?;
            body["title"] = json!(title);
        }
        if let Some(owner) = &changes.owner {
            limit::given("the group's owner", owner)?;
            body["owner_user_id"] = json!(owner);
        }
        self.scene_call("update", body).await?.accepted()
    }

    /// Adds people to such a group, 1 to 40.
    pub async fn scene_add(&self, conversation_id: &str, users: &[String]) -> Result<(), ApiError> {
        self.scene_members("member/add", conversation_id, users)
            .await
    }

    /// Removes people from such a group, 1 to 40.
    pub async fn scene_remove(
        &self,
        conversation_id: &str,
        users: &[String],
    ) -> Result<(), ApiError> {
        self.scene_members("member/delete", conversation_id, users)
            .await
    }

    /// Sends a message of a template to such a group and answers with the key by which
    /// [`Client::robot_group_state`] knows it. Only the older API has the call.
    pub async fn scene_send(
        &self,
        conversation_id: &str,
        message: &SceneMessage,
    ) -> Result<String, ApiError> {
        limit::given("the conversation id", conversation_id)?;
        limit::given("the template id", &message.template_id)?;
        limit::at_most("people to mention", message.mentions.len(), MENTIONED)?;
        for name in message.values.keys().chain(message.media.keys()) {
            limit::given("the name of a place of the template", name)?;
        }
        if let Some(name) = message
            .values
            .keys()
            .find(|name| message.media.contains_key(*name))
        {
            return Err(invalid(format!(
                "the place {name:?} has a value and a media id"
            )));
        }
        let robot = match &message.robot_code {
            Some(code) => {
                limit::given("the robot code", code)?;
                code
            }
            None => &self.inner.credentials.robot_code,
        };
        let mut body = json!({
            "robot_code": robot,
            "target_open_conversation_id": conversation_id,
            "msg_template_id": message.template_id,
            "msg_param_map": json!(message.values).to_string(),
            "is_at_all": message.mention_all,
        });
        if !message.media.is_empty() {
            body["msg_media_id_param_map"] = json!(json!(message.media).to_string());
        }
        for (name, people) in [
            ("at_users", &message.mentions),
            ("receiver_user_ids", &message.receivers),
        ] {
            if !people.is_empty() {
                body[name] = json!(comma_joined("user id", people)?);
            }
        }
        // The spelling is DingTalk's.
        let path = "/topapi/im/chat/scencegroup/message/send_v2";
        let answer = self.oapi(path, body, Effect::Write).await?;
        answer.text("open_msg_id")
    }

    /// Lists the members of such a group, 1 to 100 a page. Only the newer API has the call.
    pub async fn scene_list_members(
        &self,
        conversation_id: &str,
        cursor: Option<&str>,
        size: u32,
    ) -> Result<MemberPage, ApiError> {
        limit::given("the conversation id", conversation_id)?;
        limit::page(size, 100)?;
        let body = json!({
            "openConversationId": conversation_id,
            "cursor": cursor.unwrap_or("0"),
            "size": size,
        });
        let path = "/v1.0/im/sceneGroups/members/query";
        let answer = self.api(path, &body, Effect::Read).await?;
        answer.accepted()?;
        let page = answer.members();
        let has_more = page.flag("hasMore").unwrap_or(false);
        Ok(MemberPage {
            members: page.texts("memberUserIds"),
            next_cursor: page.text("nextCursor").filter(|_| has_more),
        })
    }

    async fn scene_members(
        &self,
        action: &str,
        conversation_id: &str,
        users: &[String],
    ) -> Result<(), ApiError> {
        limit::given("the conversation id", conversation_id)?;
        limit::some("people", users.len(), PEOPLE)?;
        let body = json!({
            "open_conversation_id": conversation_id,
            "user_ids": self.people(users)?,
        });
        self.scene_call(action, body).await?.accepted()
    }

    /// People as the style writes them: a list, or text with commas.
    fn people(&self, users: &[String]) -> Result<Value, ApiError> {
        match self.style {
            ApiStyle::Modern if users.iter().any(String::is_empty) => {
                Err(invalid("a user id is empty"))
            }
            ApiStyle::Modern => Ok(json!(users)),
            ApiStyle::Legacy => Ok(json!(comma_joined("user id", users)?)),
        }
    }

    /// Both styles have the same names of members and differ in the path.
    async fn scene_call(
        &self,
        action: &str,
        body: Value,
    ) -> Result<crate::client::answer::Answer, ApiError> {
        match self.style {
            ApiStyle::Modern => {
                let path = format!("/v1.0/im/sceneGroup/{action}");
                self.api(&path, &body, Effect::Write).await
            }
            ApiStyle::Legacy => {
                let path = format!("/topapi/im/chat/scenegroup/{action}");
                self.oapi(&path, body, Effect::Write).await
            }
        }
    }
}
