//! Greets and counts: the sample that is written in every language. README.md says what it does.

use belfry_plugin::approval::{Field, NewInstance};
use belfry_plugin::event::ChatMessage;
use belfry_plugin::prelude::*;

struct Hello;

impl Plugin for Hello {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::ChatMessage)
            .command("/hello", "/hello: greets and counts")
            .command("/hello leave", "/hello leave: asks for an approval")
    }

    fn handle(event: Event) -> Result<(), Failure> {
        let EventBody::ChatMessage(message) = event.body else {
            return Ok(());
        };
        match message.text.as_str() {
            "/hello" => greet(&message),
            "/hello leave" => ask_for_leave(message),
            _ => Ok(()),
        }
    }
}

fn greet(message: &ChatMessage) -> Result<(), Failure> {
    // Messages of one conversation come one after another, so nobody counts between these two calls.
    let key = format!("count/{}", message.conversation_id);
    let count = next(kv::get(&key).map_err(refused)?.as_deref());
    kv::set(&key, count.to_string().as_bytes()).map_err(refused)?;
    answer(&format!("hello, {}, number {count}", message.sender_nick))
}

/// The number after the one that is stored.
fn next(stored: Option<&[u8]>) -> u32 {
    let stored = stored.and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse::<u32>().ok());
    stored.unwrap_or(0).saturating_add(1)
}

fn ask_for_leave(message: ChatMessage) -> Result<(), Failure> {
    let process_code = config::require("process")?;
    let Some(originator) = message.sender_id else {
        let nick = message.sender_nick;
        return answer(&format!("hello, {nick}, I do not know your user id"));
    };
    let instance = approval::create(&NewInstance {
        process_code,
        originator,
        dept_id: "-1".to_owned(),
        fields: vec![Field {
            name: "事由".to_owned(),
            value: "hello".to_owned(),
        }],
        steps: Vec::new(),
        cc: Vec::new(),
    });
    let instance = instance.map_err(failed)?;
    answer(&format!("approval {instance} is on its way"))
}

fn answer(text: &str) -> Result<(), Failure> {
    reply_text(text).map_err(failed)
}

/// How the event ends when a call was refused, in the same words in every language; plugins in Rust alone use `?`.
fn failed(error: api::Error) -> Failure {
    let reason = |detail: &api::Detail| format!("{} ({})", detail.message, detail.code);
    match error {
        api::Error::RateLimited(limit) => Failure::retry_after(
            reason(&limit.detail),
            std::time::Duration::from_millis(limit.retry_after_ms.into()),
        ),
        api::Error::Unavailable(detail) => Failure::retry(reason(&detail)),
        api::Error::Denied(detail)
        | api::Error::Invalid(detail)
        | api::Error::NotFound(detail)
        | api::Error::OutcomeUnknown(detail) => Failure::permanent(reason(&detail)),
    }
}

fn refused(error: kv::Error) -> Failure {
    match error {
        kv::Error::Unavailable => Failure::retry("kv: unavailable"),
        kv::Error::InvalidKey => Failure::permanent("kv: invalid-key"),
        kv::Error::ValueTooLarge(_) => Failure::permanent("kv: value-too-large"),
        kv::Error::Full(_) => Failure::permanent("kv: full"),
    }
}

belfry_plugin::export!(Hello);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_goes_on_from_what_is_stored() {
        for (stored, expected) in [
            (None, 1),
            (Some("1"), 2),
            (Some("41"), 42),
            (Some("many"), 1),
            (Some("4294967295"), u32::MAX),
            (Some("4294967296"), 1),
        ] {
            assert_eq!(next(stored.map(str::as_bytes)), expected, "{stored:?}");
        }
    }

    #[test]
    fn a_refusal_of_the_store_keeps_its_name() {
        assert_eq!(refused(kv::Error::Full(5)), Failure::permanent("kv: full"));
        assert!(refused(kv::Error::Unavailable).is_retry());
    }
}
