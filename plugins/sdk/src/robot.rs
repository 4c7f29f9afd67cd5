//! What the app's robot says.

use crate::api::Error;
pub use crate::bindings::belfry::bot::robot::{
    NotRecalled, Recalled, SendState, SentState, SentToPeople, people_state, recall, recall_people,
    reply, send, send_people, state,
};
use crate::message::{Markdown, Mentions, RobotMessage};

/// Answers the chat message that is being handled with plain text, mentioning nobody.
///
/// # Errors
///
/// As [`reply`].
pub fn reply_text(text: &str) -> Result<(), Error> {
    reply(&RobotMessage::Text(text.to_owned()), &Mentions::default())
}

/// Answers the chat message that is being handled with Markdown, mentioning nobody. The title is what the list of
/// conversations shows; put values from outside through [`crate::markdown::escape`].
///
/// # Errors
///
/// As [`reply`].
pub fn reply_markdown(title: &str, text: &str) -> Result<(), Error> {
    let markdown = Markdown {
        title: title.to_owned(),
        text: text.to_owned(),
    };
    reply(&RobotMessage::Markdown(markdown), &Mentions::default())
}

/// Nobody is mentioned.
impl Default for Mentions {
    fn default() -> Self {
        Self {
            user_ids: Vec::new(),
            mobiles: Vec::new(),
            all: false,
        }
    }
}
