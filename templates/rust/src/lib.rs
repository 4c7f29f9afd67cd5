//! Answers the chat command `/{{name}}`.

// Only a component calls what is exported; tests run natively.
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]

use bindings::belfry::bot::api::Error;
use bindings::belfry::bot::event::{Event, EventBody, EventKind};
use bindings::belfry::bot::message::{Mentions, RobotMessage};
use bindings::belfry::bot::robot;
use bindings::exports::belfry::bot::handler::{Command, Description, Failure, Guest, Retry};

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "plugin", generate_all });
}

struct Plugin;

impl Guest for Plugin {
    /// Says what the plugin is. Runs when it is loaded.
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            subscriptions: vec![EventKind::ChatMessage],
            commands: vec![Command {
                name: "/{{name}}".to_owned(),
                usage: "/{{name}}: says hello".to_owned(),
            }],
            config_schema: None,
        }
    }

    /// Handles one event, each in a fresh instance.
    fn handle(event: Event) -> Result<(), Failure> {
        let EventBody::ChatMessage(message) = event.body else {
            return Ok(());
        };
        let Some(answer) = answer(&message.text, &message.sender_nick) else {
            return Ok(());
        };
        let nobody = Mentions {
            user_ids: Vec::new(),
            mobiles: Vec::new(),
            all: false,
        };
        robot::reply(&RobotMessage::Text(answer), &nobody).map_err(failure)
    }
}

/// What to answer, if anything.
fn answer(text: &str, nick: &str) -> Option<String> {
    (text.trim() == "/{{name}}").then(|| format!("Hello, {nick}!"))
}

/// How the event ends when a call was refused: what was not done and may work later is tried again.
fn failure(error: Error) -> Failure {
    match error {
        Error::RateLimited(limit) => Failure::Retry(Retry {
            reason: limit.detail.message,
            after_ms: Some(limit.retry_after_ms),
        }),
        Error::Unavailable(detail) => Failure::Retry(Retry {
            reason: detail.message,
            after_ms: None,
        }),
        Error::Denied(detail)
        | Error::Invalid(detail)
        | Error::NotFound(detail)
        | Error::OutcomeUnknown(detail) => {
            Failure::Permanent(format!("{} ({})", detail.message, detail.code))
        }
    }
}

#[cfg(target_arch = "wasm32")]
bindings::export!(Plugin with_types_in bindings);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_answered_and_nothing_else() {
        assert_eq!(
            answer("/{{name}}", "Alice").as_deref(),
            Some("Hello, Alice!")
        );
        assert_eq!(answer("good morning", "Alice"), None);
    }
}
