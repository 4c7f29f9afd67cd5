//! What DingTalk takes of a call's arguments; the errors name the limit.

use serde_json::Value;

use super::invalid;
use crate::ApiError;
use crate::catalog::LONGEST_ID;

/// What the pages of both calls that send messages state. They also let markdown have 5000 characters, so a larger
/// message is sent and DingTalk decides.
const MESSAGE_BYTES: usize = 2048;

/// The message's JSON, with a word in the log if DingTalk may refuse it for its size.
pub(super) fn message(path: &str, message: &crate::Message) -> Result<Value, ApiError> {
    message.check()?;
    let json = message.to_json();
    let bytes = json.to_string().len();
    if bytes > MESSAGE_BYTES {
        tracing::warn!(
            path,
            bytes,
            "a message is larger than the 2048 bytes that dingtalk documents"
        );
    }
    Ok(json)
}

/// At most so many pieces.
pub(super) fn at_most(what: &str, actual: usize, limit: usize) -> Result<(), ApiError> {
    if actual > limit {
        return Err(invalid(format!("{actual} {what}, dingtalk takes {limit}")));
    }
    Ok(())
}

/// At least one piece and at most so many.
pub(super) fn some(what: &str, actual: usize, limit: usize) -> Result<(), ApiError> {
    if actual == 0 {
        return Err(invalid(format!("no {what}, dingtalk takes 1 to {limit}")));
    }
    at_most(what, actual, limit)
}

/// A text of at most so many characters, which may be empty.
pub(super) fn short(what: &str, text: &str, limit: usize) -> Result<(), ApiError> {
    // A character has at least a byte, so most texts need no counting.
    if text.len() <= limit {
        return Ok(());
    }
    match text.chars().count() {
        actual if actual > limit => Err(invalid(format!(
            "{what} has {actual} characters, dingtalk takes {limit}"
        ))),
        _ => Ok(()),
    }
}

/// A text that is there and has at most so many characters.
pub(super) fn text(what: &str, text: &str, limit: usize) -> Result<(), ApiError> {
    given(what, text)?;
    short(what, text, limit)
}

/// An id that is there, and no longer than any.
pub(super) fn id(what: &str, id: &str) -> Result<(), ApiError> {
    text(what, id, LONGEST_ID)
}

/// A text that is there.
pub(super) fn given(what: &str, text: &str) -> Result<(), ApiError> {
    if text.is_empty() {
        return Err(invalid(format!("{what} is empty")));
    }
    Ok(())
}

/// A number of entries a page.
pub(super) fn page(size: u32, limit: u32) -> Result<(), ApiError> {
    if (1..=limit).contains(&size) {
        return Ok(());
    }
    Err(invalid(format!(
        "a page of {size}, dingtalk takes 1 to {limit}"
    )))
}
