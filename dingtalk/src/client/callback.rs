//! Where DingTalk pushes events to, and the list of those it could not deliver (`call_back/*`).

use serde_json::{Map, Value, json};

use super::invalid;
use crate::error::Effect;
use crate::members::{Members, flip_first};
use crate::{ApiError, Client, Secret};

/// Members under which the failed list hides what a push has at its top.
const WRAPPERS: [&str; 3] = ["bpmsCallBackData", "roleLabelChange", "callbackData"];

/// Members that the failed list writes in small letters, as pushes write them.
const PUSHED_NAMES: [&str; 12] = [
    "UserId",
    "DeptId",
    "ChatId",
    "OptStaffId",
    "UserIdList",
    "LabelIdList",
    "PreLabelList",
    "PostLabelList",
    "OpenConversationId",
    "StaffId",
    "TimeStamp",
    "DataList",
];

/// A registered callback. One app has at most one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The event types that are pushed, such as `bpms_instance_change`.
    pub tags: Vec<String>,
    /// The token that signs: letters and digits, 6 to 63 of them.
    pub token: Secret,
    /// The key that encrypts: 43 letters and digits.
    pub aes_key: Secret,
    /// Where pushes go; DingTalk must reach it.
    pub url: String,
}

/// An event of the failed list, in the form of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedPush {
    /// The `EventType`.
    pub event_type: String,
    /// The text that [`crate::Event::parse`] reads. Members that the list leaves out are missing: it names no operator
    /// of a change of contacts, and in every entry seen so far neither `eventId` nor `BizId`.
    pub json: String,
}

/// A piece of the failed list. **DingTalk has removed from the list what is in it.**
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedPushes {
    /// At most 200, in DingTalk's order.
    pub pushes: Vec<FailedPush>,
    /// Whether there are more to ask for.
    pub has_more: bool,
}

impl Client {
    /// Registers a callback (`call_back/register_call_back`). DingTalk pushes `check_url` to the address and answers only
    /// after it heard `success`; an app that has a callback already is refused with code 71006.
    pub async fn callback_register(&self, registration: &Registration) -> Result<(), ApiError> {
        self.callback_write("register_call_back", registration)
            .await
    }

    /// Replaces a callback (`call_back/update_call_back`), with the same check; code 71007 when there is none.
    pub async fn callback_update(&self, registration: &Registration) -> Result<(), ApiError> {
        self.callback_write("update_call_back", registration).await
    }

    /// Reads the callback (`call_back/get_call_back`), keys included; `None` when there is none.
    pub async fn callback_get(&self) -> Result<Option<Registration>, ApiError> {
        let answer = match self.oapi_get("/call_back/get_call_back", &[]).await {
            Err(error) if is_unregistered(&error) => return Ok(None),
            answer => answer?,
        };
        let members = answer.members();
        let secret = |name| Secret::new(members.text(name).unwrap_or_default());
        Ok(Some(Registration {
            tags: members.texts("call_back_tag"),
            token: secret("token"),
            aes_key: secret("aes_key"),
            url: answer.text("url")?,
        }))
    }

    /// Removes the callback (`call_back/delete_call_back`); says whether there was one.
    pub async fn callback_delete(&self) -> Result<bool, ApiError> {
        let path = "/call_back/delete_call_back";
        match self.oapi_get_as(path, &[], Effect::Write).await {
            Err(error) if is_unregistered(&error) => Ok(false),
            answer => answer.map(|_| true),
        }
    }

    /// Takes a piece of the failed list (`call_back/get_call_back_failed_result`): events that got no `success` after all
    /// tries, some minutes after the last. What is read is gone from the list, so keep it before asking again, and take
    /// [`ApiError::OutcomeUnknown`] for a piece that may be lost.
    pub async fn callback_failed(&self) -> Result<FailedPushes, ApiError> {
        let path = "/call_back/get_call_back_failed_result";
        let answer = self.oapi_get_as(path, &[], Effect::Write).await?;
        let members = answer.members();
        let entries = members.get("failed_list").and_then(Value::as_array);
        Ok(FailedPushes {
            pushes: entries.into_iter().flatten().map(push_of).collect(),
            has_more: ["has_more", "hasMore"]
                .iter()
                .any(|name| members.flag(name) == Some(true)),
        })
    }

    async fn callback_write(
        &self,
        call: &str,
        registration: &Registration,
    ) -> Result<(), ApiError> {
        let Registration {
            tags,
            token,
            aes_key,
            url,
        } = registration;
        if tags.is_empty() {
            return Err(invalid("no event type is named"));
        }
        if !(6..64).contains(&token.expose().len()) {
            return Err(invalid(
                "the token of a registered callback has 6 to 63 characters",
            ));
        }
        let body = json!({
            "call_back_tag": tags,
            "token": token.expose(),
            "aes_key": aes_key.expose(),
            "url": url,
        });
        self.oapi(&format!("/call_back/{call}"), body, Effect::Write)
            .await
            .map(|_| ())
    }
}

/// 71007 of the older table, 400040 of the newer.
fn is_unregistered(error: &ApiError) -> bool {
    ["71007", "400040"].contains(&error.code())
}

/// An entry of the failed list in the form of a push. Nothing is left out: an entry that is of another form than the
/// documented ones becomes an event that carries it whole.
fn push_of(entry: &Value) -> FailedPush {
    push_of_known(entry).unwrap_or_else(|| {
        let event_type = Members::of(entry)
            .and_then(|entry| entry.text("call_back_tag"))
            .unwrap_or_else(|| "unreadable_failed_push".to_owned());
        FailedPush {
            json: json!({"EventType": event_type, "entry": entry}).to_string(),
            event_type,
        }
    })
}

fn push_of_known(entry: &Value) -> Option<FailedPush> {
    let entry = Members::of(entry)?;
    let tag = entry.text("call_back_tag");
    // The tag is said to be the name of the member as well.
    let (name, inner) = match &tag {
        Some(tag) => (tag.clone(), object(entry.get(tag)?)?),
        None => {
            let mut named = entry.0.iter();
            named.find_map(|(name, value)| Some((name.clone(), object(value)?)))?
        }
    };
    let wrapped = WRAPPERS
        .iter()
        .find_map(|wrapper| inner.get(*wrapper).and_then(object));
    let mut event: Map<String, Value> = wrapped
        .unwrap_or_else(|| inner.clone())
        .into_iter()
        .map(|(name, value)| (pushed_name(name), value))
        .collect();
    if Members(&event).text("EventType").is_none() {
        event.insert("EventType".to_owned(), json!(name));
    }
    if Members(&event).first_text(&["CorpId", "corpid"]).is_none()
        && let Some(corp) = Members(&inner).first_text(&["corpid", "corpId"])
    {
        event.insert("CorpId".to_owned(), json!(corp));
    }
    let has_time = ["EventTime", "TimeStamp", "finishTime", "createTime"]
        .iter()
        .any(|name| Members(&event).time(name).is_some());
    if !has_time && let Some(at) = entry.time("event_time") {
        event.insert("EventTime".to_owned(), json!(at.0));
    }
    Some(FailedPush {
        event_type: Members(&event).text("EventType")?,
        json: Value::Object(event).to_string(),
    })
}

/// An object, also one that is written as a text.
fn object(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

/// `userid` is found by nobody who looks for `UserId` or `userId`.
fn pushed_name(name: String) -> String {
    let known = PUSHED_NAMES.iter().find(|known| {
        known.eq_ignore_ascii_case(&name) && **known != name && flip_first(known) != name
    });
    known.map_or(name, |known| (*known).to_owned())
}

#[cfg(test)]
mod tests;
