//! A time that a plugin asked for, as an event.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;

/// A timer that fired. Its JSON is the text of the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    /// The plugin that set it.
    pub plugin: String,
    /// The name the plugin gave it.
    pub name: String,
    /// When it was due, in Unix milliseconds.
    due_at: i64,
    /// What the plugin put with it.
    pub payload: String,
}

/// The text is no timer.
#[derive(Debug, thiserror::Error)]
#[error("it is no timer: {0}")]
pub struct TimerError(String);

impl Timer {
    /// A timer of a plugin that was due at that time.
    pub fn new(plugin: &str, name: &str, due_at: UnixMs, payload: &str) -> Self {
        Self {
            plugin: plugin.to_owned(),
            name: name.to_owned(),
            due_at: due_at.0,
            payload: payload.to_owned(),
        }
    }

    /// When it was due.
    pub fn due_at(&self) -> UnixMs {
        UnixMs(self.due_at)
    }

    /// The text of the event.
    pub fn to_raw(&self) -> String {
        serde_json::to_string(self).expect("texts and a number make JSON")
    }

    pub(super) fn parse(raw: &str) -> Result<Self, TimerError> {
        // What a damaged text says must not get into the error.
        serde_json::from_str(raw).map_err(|error| TimerError(format!("line {}", error.line())))
    }

    /// Firings of one timer stay in order.
    pub(super) fn key(&self) -> String {
        format!("timer:{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let timer = Timer::new(
            "reminder",
            "站会 \"9:30\"",
            UnixMs(1_700_000_000_000),
            "{\n}",
        );
        assert_eq!(Timer::parse(&timer.to_raw()).unwrap(), timer);
        assert!(Timer::parse("{}").is_err());
    }
}
