//! Messages of the app as `chat/send` and `asyncsend_v2` want them.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{
    ActionCard, Button, CardButtons, Message, MessageError, Oa, OaBody, Orientation, check_length,
    check_text,
};

impl Message {
    /// DingTalk's name of the form, such as `action_card`.
    pub fn msgtype(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Markdown(_) => "markdown",
            Self::Link(_) => "link",
            Self::ActionCard(_) => "action_card",
            Self::Image(_) => "image",
            Self::Voice(_) => "voice",
            Self::File(_) => "file",
            Self::Oa(_) => "oa",
        }
    }

    /// Finds what DingTalk surely refuses. The documented 2048 bytes are not checked: markdown of 5000 characters is
    /// documented too, and passes.
    pub fn check(&self) -> Result<(), MessageError> {
        match self {
            Self::Text(content) => check_text("text", content, 5000),
            Self::Markdown(markdown) => {
                check_text("markdown title", &markdown.title, usize::MAX)?;
                check_text("markdown text", &markdown.text, 5000)
            }
            Self::ActionCard(card) => check_card(card),
            Self::Image(media_id) | Self::File(media_id) => {
                check_text("media id", media_id, usize::MAX)
            }
            Self::Voice(voice) if !(1..=59).contains(&voice.duration_s) => {
                Err(MessageError::Duration(voice.duration_s))
            }
            Self::Voice(voice) => check_text("media id", &voice.media_id, usize::MAX),
            Self::Link(link) => {
                check_text("link title", &link.title, 100)?;
                check_text("link text", &link.text, 500)?;
                check_text("link url", &link.message_url, usize::MAX)?;
                check_text("link picture", &link.pic_url, usize::MAX)
            }
            Self::Oa(oa) => {
                check_text("oa url", &oa.message_url, usize::MAX)?;
                let colour = &oa.head_bgcolor;
                if colour.len() != 8 || !colour.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(MessageError::Colour);
                }
                check_length("oa title", oa.body.title.as_deref().unwrap_or_default(), 50)
            }
        }
    }

    /// The `msg` object.
    pub fn to_json(&self) -> Value {
        let content = match self {
            Self::Text(content) => json!({"content": content}),
            Self::Markdown(markdown) => json!({"title": markdown.title, "text": markdown.text}),
            Self::Link(link) => json!({
                "messageUrl": link.message_url,
                "picUrl": link.pic_url,
                "title": link.title,
                "text": link.text,
            }),
            Self::ActionCard(card) => card_json(card),
            Self::Image(media_id) | Self::File(media_id) => json!({"media_id": media_id}),
            Self::Voice(voice) => {
                json!({"media_id": voice.media_id, "duration": voice.duration_s.to_string()})
            }
            Self::Oa(oa) => oa_json(oa),
        };
        let msgtype = self.msgtype();
        json!({"msgtype": msgtype, msgtype: content})
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn check_card(card: &ActionCard) -> Result<(), MessageError> {
    check_text("card title", &card.title, 64)?;
    check_text("card text", &card.markdown, 5000)?;
    match &card.buttons {
        CardButtons::Single(button) => {
            check_text("button title", &button.title, 20)?;
            check_text("button url", &button.url, 500)
        }
        CardButtons::Several(row) if row.buttons.is_empty() => {
            Err(MessageError::Empty("list of buttons"))
        }
        CardButtons::Several(row) => {
            for button in &row.buttons {
                check_text("button title", &button.title, 20)?;
                check_text("button url", &button.url, 700)?;
            }
            check_length(
                "list of buttons",
                &buttons_json(&row.buttons).to_string(),
                1000,
            )
        }
    }
}

fn card_json(card: &ActionCard) -> Value {
    match &card.buttons {
        CardButtons::Single(button) => json!({
            "title": card.title,
            "markdown": card.markdown,
            "single_title": button.title,
            "single_url": button.url,
        }),
        CardButtons::Several(row) => json!({
            "title": card.title,
            "markdown": card.markdown,
            "btn_orientation": match row.orientation {
                Orientation::Vertical => "0",
                Orientation::Horizontal => "1",
            },
            "btn_json_list": buttons_json(&row.buttons),
        }),
    }
}

fn buttons_json(buttons: &[Button]) -> Value {
    buttons
        .iter()
        .map(|button| json!({"title": button.title, "action_url": button.url}))
        .collect()
}

fn oa_json(oa: &Oa) -> Value {
    let mut json = json!({
        "message_url": oa.message_url,
        "head": {"bgcolor": oa.head_bgcolor, "text": oa.head_text},
        "body": oa_body_json(&oa.body),
    });
    if let Some(url) = &oa.pc_message_url {
        json["pc_message_url"] = json!(url);
    }
    json
}

fn oa_body_json(body: &OaBody) -> Map<String, Value> {
    let mut json = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            json.insert(name.to_owned(), value);
        }
    };
    let form = body
        .form
        .iter()
        .map(|row| json!({"key": row.key, "value": row.value}));
    put("title", body.title.as_deref().map(Value::from));
    put("form", (!body.form.is_empty()).then(|| form.collect()));
    put(
        "rich",
        body.rich
            .as_ref()
            .map(|figure| json!({"num": figure.num, "unit": figure.unit})),
    );
    put("content", body.content.as_deref().map(Value::from));
    put("image", body.image.as_deref().map(Value::from));
    put(
        "file_count",
        body.file_count.map(|count| count.to_string().into()),
    );
    put("author", body.author.as_deref().map(Value::from));
    json
}

#[cfg(test)]
mod tests;
