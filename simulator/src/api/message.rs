//! Checks the message objects of `chat/send` and of work notices.

use serde_json::{Map, Value};

use super::call::Params;

/// The largest message, as JSON text.
pub(super) const MESSAGE_BYTES: usize = 2048;

/// What a message is, once it passed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checked {
    pub(super) msgtype: String,
    pub(super) content: Value,
}

/// What is wrong with a message; each API has its own codes for these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// No object, no content for the type, or a member missing or of the wrong kind.
    Broken(String),
    /// A type that there is not.
    Type,
    /// More than one type in one message.
    SeveralTypes,
    /// Too many bytes or characters.
    TooLong(&'static str),
}

const TYPES: [&str; 8] = [
    "text",
    "image",
    "voice",
    "file",
    "link",
    "oa",
    "markdown",
    "action_card",
];

/// Checks one message: exactly one known type, its members there, nothing too long.
pub(super) fn check(message: &Value) -> Result<Checked, Fault> {
    let Some(members) = message.as_object() else {
        return Err(Fault::Broken("msg is no object".to_owned()));
    };
    let Some(msgtype) = members.get("msgtype").and_then(Value::as_str) else {
        return Err(Fault::Type);
    };
    if !TYPES.contains(&msgtype) {
        return Err(Fault::Type);
    }
    if TYPES
        .iter()
        .any(|&kind| kind != msgtype && members.contains_key(kind))
    {
        return Err(Fault::SeveralTypes);
    }
    let Some(content) = members.get(msgtype).and_then(Value::as_object) else {
        return Err(Fault::Broken(format!("{msgtype} is missing")));
    };
    check_members(msgtype, content)?;
    if message.to_string().len() > MESSAGE_BYTES {
        return Err(Fault::TooLong("2048 bytes"));
    }
    Ok(Checked {
        msgtype: msgtype.to_owned(),
        content: Value::Object(content.clone()),
    })
}

fn check_members(msgtype: &str, content: &Map<String, Value>) -> Result<(), Fault> {
    let required: &[&str] = match msgtype {
        "text" => &["content"],
        "image" | "file" => &["media_id"],
        "voice" => &["media_id", "duration"],
        "link" => &["messageUrl", "picUrl", "title", "text"],
        "oa" => &["message_url"],
        "markdown" => &["title", "text"],
        _ => &["title", "markdown"],
    };
    let missing = required
        .iter()
        .find(|name| !content.get(**name).is_some_and(is_filled_text));
    if let Some(name) = missing {
        return Err(Fault::Broken(format!("{msgtype}.{name} must be text")));
    }
    match msgtype {
        "voice" => check_duration(content),
        "oa" => check_oa(content),
        "action_card" => check_card(content),
        "text" => at_most(content, "content", 5000),
        "markdown" => at_most(content, "text", 5000),
        _ => Ok(()),
    }
}

fn is_filled_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn at_most(content: &Map<String, Value>, name: &'static str, limit: usize) -> Result<(), Fault> {
    match content.get(name).and_then(Value::as_str) {
        Some(text) if text.chars().count() > limit => Err(Fault::TooLong(name)),
        _ => Ok(()),
    }
}

fn check_duration(content: &Map<String, Value>) -> Result<(), Fault> {
    let seconds = content
        .get("duration")
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<u32>().ok());
    match seconds {
        Some(1..60) => Ok(()),
        _ => Err(Fault::Broken(
            "voice.duration must be text of 1 to 59".to_owned(),
        )),
    }
}

fn check_oa(content: &Map<String, Value>) -> Result<(), Fault> {
    let head = content.get("head").unwrap_or(&Value::Null);
    let color = Params::of(head).text("bgcolor").unwrap_or_default();
    if color.len() != 8 || !color.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Fault::Broken(
            "oa.head.bgcolor must be 8 hex digits".to_owned(),
        ));
    }
    if Params::of(head)
        .get("text")
        .is_none_or(|text| !text.is_string())
    {
        return Err(Fault::Broken("oa.head.text must be text".to_owned()));
    }
    if !content.get("body").is_some_and(Value::is_object) {
        return Err(Fault::Broken("oa.body is missing".to_owned()));
    }
    Ok(())
}

/// Either one title with one address, or a list of buttons.
fn check_card(content: &Map<String, Value>) -> Result<(), Fault> {
    at_most(content, "title", 64)?;
    at_most(content, "markdown", 5000)?;
    at_most(content, "single_title", 20)?;
    at_most(content, "single_url", 500)?;
    let single =
        ["single_title", "single_url"].map(|name| content.get(name).is_some_and(is_filled_text));
    let Some(list) = content.get("btn_json_list") else {
        return match single {
            [true, true] => Ok(()),
            _ => Err(Fault::Broken(
                "action_card needs single_title and single_url, or btn_json_list".to_owned(),
            )),
        };
    };
    let whole = |button: &Value| {
        Params::of(button).text("title").is_some()
            && Params::of(button).text("action_url").is_some()
    };
    if !list
        .as_array()
        .is_some_and(|buttons| !buttons.is_empty() && buttons.iter().all(whole))
    {
        return Err(Fault::Broken(
            "btn_json_list must list title and action_url".to_owned(),
        ));
    }
    if list.to_string().chars().count() > 1000 {
        return Err(Fault::TooLong("btn_json_list"));
    }
    match content.get("btn_orientation").and_then(Value::as_str) {
        Some("0" | "1") => Ok(()),
        _ => Err(Fault::Broken(
            "btn_orientation must be \"0\" or \"1\"".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_messages_pass() {
        for message in [
            json!({"msgtype": "text", "text": {"content": "你好"}}),
            json!({"msgtype": "voice", "voice": {"media_id": "@a", "duration": "59"}}),
            json!({"msgtype": "link", "link": {"messageUrl": "u", "picUrl": "p", "title": "t", "text": "x"}}),
            json!({"msgtype": "markdown", "markdown": {"title": "t", "text": "# x"}}),
            json!({"msgtype": "oa", "oa": {"message_url": "u", "head": {"bgcolor": "FFBBBBBB", "text": ""},
                "body": {"title": "t"}}}),
            json!({"msgtype": "action_card", "action_card": {"title": "t", "markdown": "x",
                "single_title": "s", "single_url": "u"}}),
            json!({"msgtype": "action_card", "action_card": {"title": "t", "markdown": "x",
                "btn_orientation": "1", "btn_json_list": [{"title": "a", "action_url": "u"}]}}),
        ] {
            assert!(check(&message).is_ok(), "{message}");
        }
    }

    #[test]
    fn broken_messages_are_refused() {
        let broken = |message: Value| matches!(check(&message), Err(Fault::Broken(_)));
        assert!(broken(json!("text")));
        assert!(broken(json!({"msgtype": "text"})));
        assert!(broken(json!({"msgtype": "text", "text": {"content": 1}})));
        assert!(broken(
            json!({"msgtype": "voice", "voice": {"media_id": "@a", "duration": "60"}})
        ));
        assert!(broken(
            json!({"msgtype": "action_card", "action_card": {"title": "t", "markdown": "x"}})
        ));
        assert_eq!(check(&json!({"text": {"content": "x"}})), Err(Fault::Type));
        assert_eq!(
            check(&json!({"msgtype": "actionCard", "actionCard": {}})),
            Err(Fault::Type)
        );
        let both = json!({"msgtype": "text", "text": {"content": "x"}, "markdown": {"title": "t", "text": "x"}});
        assert_eq!(check(&both), Err(Fault::SeveralTypes));
    }

    #[test]
    fn a_message_of_2049_bytes_is_too_long() {
        let frame = json!({"msgtype": "text", "text": {"content": ""}})
            .to_string()
            .len();
        let message = |length| json!({"msgtype": "text", "text": {"content": "x".repeat(length)}});
        assert!(check(&message(MESSAGE_BYTES - frame)).is_ok());
        assert!(matches!(
            check(&message(MESSAGE_BYTES - frame + 1)),
            Err(Fault::TooLong(_))
        ));
    }
}
