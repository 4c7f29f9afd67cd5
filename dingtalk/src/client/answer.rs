//! Tells what an HTTP answer means.

use serde_json::{Map, Value};

use crate::error::{ApiError, Effect, Failure, classify};
use crate::members::Members;

/// An object that DingTalk answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    object: Map<String, Value>,
    effect: Effect,
}

impl Answer {
    /// Its members.
    pub(crate) fn members(&self) -> Members<'_> {
        Members(&self.object)
    }

    /// A text without which the answer is of no use.
    pub(crate) fn text(&self, name: &'static str) -> Result<String, ApiError> {
        self.members().text(name).ok_or_else(|| self.lacks(name))
    }

    /// An inner object without which the answer is of no use.
    pub(crate) fn object(&self, name: &'static str) -> Result<Members<'_>, ApiError> {
        self.members().object(name).ok_or_else(|| self.lacks(name))
    }

    /// Some calls answer `errcode` 0 and yet `result: false`.
    pub(crate) fn accepted(&self) -> Result<(), ApiError> {
        let says_no = |name| self.members().flag(name) == Some(false);
        if says_no("result") || says_no("success") {
            return Err(ApiError::Invalid {
                code: "client.refused".to_owned(),
                message: "the answer says it was not done and not why".to_owned(),
            });
        }
        Ok(())
    }

    /// The error for an answer that says success and lacks what it should bring.
    pub(crate) fn lacks(&self, name: &str) -> ApiError {
        self.effect
            .uncertain("client.content", format!("the answer has no usable {name}"))
    }
}

/// What an answer of the older API means: `errcode` decides, and the status where there is none.
pub(crate) fn oapi(status: u16, body: &[u8], effect: Effect) -> Result<Answer, Failure> {
    let object = object(status, body, effect)?;
    let members = Members(&object);
    let Some(errcode) = members.text("errcode") else {
        return Err(foreign(status, members, effect));
    };
    if errcode == "0" && status < 300 {
        return Ok(Answer { object, effect });
    }
    // 88 wraps the code that matters; its number is a string there.
    let code = members
        .first_text(&["sub_code", "subCode"])
        .unwrap_or(errcode);
    let message = members
        .first_text(&["sub_msg", "subMsg", "errmsg"])
        .unwrap_or_default();
    Err(trusted(
        status,
        classify::oapi(&code, &short(&message), effect),
        effect,
    ))
}

/// What an answer of the v1.0 API means: the status decides, and `code` says what kind of failure it is.
pub(crate) fn api(status: u16, body: &[u8], effect: Effect) -> Result<Answer, Failure> {
    let object = object(status, body, effect)?;
    let members = Members(&object);
    if (200..300).contains(&status) && !is_throttled(members) {
        return Ok(Answer { object, effect });
    }
    Err(foreign(status, members, effect))
}

/// The object in the body, or what it means that there is none.
fn object(status: u16, body: &[u8], effect: Effect) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => return Ok(object),
        Ok(_) => {}
        Err(_) if status >= 300 => {}
        Err(_) => return Err(unreadable(body, effect).into()),
    }
    let (code, message) = if status < 300 {
        (
            "client.content".to_owned(),
            "the answer is not a json object".to_owned(),
        )
    } else {
        (
            format!("client.http-{status}"),
            format!("http status {status} without a readable body"),
        )
    };
    Err(classify::status(status, &code, &message, effect))
}

/// What the status of an answer that is no file means.
pub(crate) fn foreign_status(status: u16) -> ApiError {
    let code = format!("client.http-{status}");
    let message = format!("http status {status} in place of the file");
    classify::status(status, &code, &message, Effect::Read).last()
}

fn unreadable(body: &[u8], effect: Effect) -> ApiError {
    let start = body.trim_ascii_start();
    let (code, message) = if start.is_empty() {
        ("client.empty", "the answer is empty")
    } else if start.starts_with(b"<") {
        (
            "client.html",
            "the answer is a web page, which dingtalk sends to throttled addresses",
        )
    } else if start.starts_with(b"{") {
        ("client.truncated", "the answer is cut short")
    } else {
        ("client.content", "the answer is not json")
    };
    effect.uncertain(code, message)
}

/// An object without `errcode`: the v1.0 envelope, the throttle, or something else altogether.
fn foreign(status: u16, members: Members<'_>, effect: Effect) -> Failure {
    if is_throttled(members) {
        // Too many calls from this address: it is blocked for five minutes.
        return Failure::Other(ApiError::RateLimited {
            code: "client.throttled".to_owned(),
            message: "dingtalk blocks this address for too many calls".to_owned(),
            retry_after: std::time::Duration::from_secs(300),
        });
    }
    if status < 300 {
        return effect
            .uncertain("client.content", "the answer has no errcode")
            .into();
    }
    match members.text("code") {
        Some(code) => {
            let message = short(&members.text("message").unwrap_or_default());
            trusted(
                status,
                classify::api(status, &code, &message, effect),
                effect,
            )
        }
        None => classify::status(
            status,
            &format!("client.http-{status}"),
            &format!("http status {status} with a body of another kind"),
            effect,
        ),
    }
}

fn is_throttled(members: Members<'_>) -> bool {
    members.text("punish").is_some() || members.integer("status") == Some(1111)
}

/// Behind a 5xx only codes that certainly mean "not done" are believed.
fn trusted(status: u16, failure: Failure, effect: Effect) -> Failure {
    if status < 500 {
        return failure;
    }
    match failure {
        Failure::TokenRefused { .. }
        | Failure::Other(ApiError::RateLimited { .. } | ApiError::Unavailable { .. }) => failure,
        Failure::Other(other) => effect.uncertain(other.code(), other.message()).into(),
    }
}

/// DingTalk's texts are short; anything longer is not one.
fn short(message: &str) -> String {
    message.chars().take(300).collect()
}

#[cfg(test)]
mod tests;
