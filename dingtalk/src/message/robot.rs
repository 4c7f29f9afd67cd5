//! Messages of the robot in both shapes: for webhooks and for the v1.0 API.

use serde_json::{Value, json};

use super::{
    ActionCard, Button, CardButtons, Mentions, MessageError, Orientation, RobotOut, check_text,
};

const WEBHOOK_BYTES: usize = 20_000;
const TEMPLATE_BYTES: usize = 15_000;

/// A robot's message as the v1.0 API wants it. `Debug` does not show its words.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    /// Such as `sampleMarkdown`.
    pub msg_key: &'static str,
    /// The parameters, a JSON object as text.
    pub msg_param: String,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template")
            .field("msg_key", &self.msg_key)
            .finish_non_exhaustive()
    }
}

impl RobotOut {
    /// The `msgtype` of the webhook shape, such as `actionCard`.
    pub fn msgtype(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Markdown(_) => "markdown",
            Self::Link(_) => "link",
            Self::ActionCard(_) => "actionCard",
            Self::FeedCard(_) => "feedCard",
        }
    }

    /// The body for a webhook. Links and feed cards cannot mention anybody: for them `mentions` is left out.
    pub fn to_webhook(&self, mentions: &Mentions) -> Result<Value, MessageError> {
        self.check_not_empty()?;
        let content = match self {
            Self::Text(content) => json!({"content": content}),
            Self::Markdown(markdown) => json!({"title": markdown.title, "text": markdown.text}),
            Self::Link(link) => json!({
                "title": link.title,
                "text": link.text,
                "messageUrl": link.message_url,
                "picUrl": link.pic_url,
            }),
            Self::ActionCard(card) => webhook_card(card)?,
            Self::FeedCard(links) => {
                let links: Value = links
                    .iter()
                    .map(|link| {
                        json!({"title": link.title, "messageURL": link.message_url, "picURL": link.pic_url})
                    })
                    .collect();
                json!({"links": links})
            }
        };
        let msgtype = self.msgtype();
        let mut body = json!({"msgtype": msgtype, msgtype: content});
        if !matches!(self, Self::Link(_) | Self::FeedCard(_))
            && let Some(at) = at(mentions)?
        {
            body["at"] = at;
        }
        check_size(body.to_string().len(), WEBHOOK_BYTES)?;
        Ok(body)
    }

    /// The key and the parameters for the v1.0 API. A row of three to five buttons is always vertical there.
    pub fn to_template(&self) -> Result<Template, MessageError> {
        self.check_not_empty()?;
        let (msg_key, param) = match self {
            Self::Text(content) => ("sampleText", json!({"content": content})),
            Self::Markdown(markdown) => (
                "sampleMarkdown",
                json!({"title": markdown.title, "text": markdown.text}),
            ),
            Self::Link(link) => {
                given("link picture", &link.pic_url)?;
                let param = json!({
                    "title": link.title,
                    "text": link.text,
                    "messageUrl": link.message_url,
                    "picUrl": link.pic_url,
                });
                ("sampleLink", param)
            }
            Self::ActionCard(card) => template_card(card)?,
            Self::FeedCard(_) => return Err(MessageError::FeedCard),
        };
        let msg_param = param.to_string();
        check_size(msg_param.len(), TEMPLATE_BYTES)?;
        Ok(Template { msg_key, msg_param })
    }

    fn check_not_empty(&self) -> Result<(), MessageError> {
        match self {
            Self::Text(content) => given("text", content),
            Self::Markdown(markdown) => {
                given("markdown text", &markdown.text)?;
                given("markdown title", &markdown.title)
            }
            Self::Link(link) => {
                given("link title", &link.title)?;
                given("link text", &link.text)?;
                given("link url", &link.message_url)
            }
            Self::ActionCard(card) => {
                given("card title", &card.title)?;
                given("card text", &card.markdown)?;
                let buttons = match &card.buttons {
                    CardButtons::Single(button) => std::slice::from_ref(button),
                    CardButtons::Several(row) => &row.buttons,
                };
                for button in buttons {
                    given("button title", &button.title)?;
                    given("button url", &button.url)?;
                }
                Ok(())
            }
            Self::FeedCard(links) if links.is_empty() => Err(MessageError::Empty("list of links")),
            Self::FeedCard(links) => {
                for link in links {
                    given("link title", &link.title)?;
                    given("link url", &link.message_url)?;
                }
                Ok(())
            }
        }
    }
}

fn given(part: &'static str, text: &str) -> Result<(), MessageError> {
    check_text(part, text, usize::MAX)
}

fn check_size(actual: usize, limit: usize) -> Result<(), MessageError> {
    if actual > limit {
        Err(MessageError::TooLarge { actual, limit })
    } else {
        Ok(())
    }
}

fn at(mentions: &Mentions) -> Result<Option<Value>, MessageError> {
    let people = mentions.user_ids.len() + mentions.mobiles.len();
    if people > 50 {
        return Err(MessageError::Mentions(people));
    }
    if people == 0 && !mentions.all {
        return Ok(None);
    }
    for id in mentions.user_ids.iter().chain(&mentions.mobiles) {
        given("mentioned id", id)?;
    }
    Ok(Some(json!({
        "atUserIds": mentions.user_ids,
        "atMobiles": mentions.mobiles,
        "isAtAll": mentions.all,
    })))
}

fn webhook_card(card: &ActionCard) -> Result<Value, MessageError> {
    match &card.buttons {
        CardButtons::Single(button) => Ok(json!({
            "title": card.title,
            "text": card.markdown,
            "singleTitle": button.title,
            "singleURL": button.url,
            "btnOrientation": "0",
        })),
        CardButtons::Several(row) if row.buttons.is_empty() => {
            Err(MessageError::Empty("list of buttons"))
        }
        CardButtons::Several(row) => {
            let buttons: Value = row
                .buttons
                .iter()
                .map(|button| json!({"title": button.title, "actionURL": button.url}))
                .collect();
            Ok(json!({
                "title": card.title,
                "text": card.markdown,
                "btnOrientation": match row.orientation {
                    Orientation::Vertical => "0",
                    Orientation::Horizontal => "1",
                },
                "btns": buttons,
            }))
        }
    }
}

fn template_card(card: &ActionCard) -> Result<(&'static str, Value), MessageError> {
    let single = |button: &Button| {
        json!({
            "title": card.title,
            "text": card.markdown,
            "singleTitle": button.title,
            "singleURL": button.url,
        })
    };
    let row = match &card.buttons {
        CardButtons::Single(button) => return Ok(("sampleActionCard", single(button))),
        CardButtons::Several(row) => row,
    };
    let msg_key = match (row.buttons.as_slice(), row.orientation) {
        ([], _) => return Err(MessageError::Empty("list of buttons")),
        ([button], _) => return Ok(("sampleActionCard", single(button))),
        ([left, right], Orientation::Horizontal) => {
            let param = json!({
                "title": card.title,
                "text": card.markdown,
                "buttonTitle1": left.title,
                "buttonUrl1": left.url,
                "buttonTitle2": right.title,
                "buttonUrl2": right.url,
            });
            return Ok(("sampleActionCard6", param));
        }
        ([_, _], _) => "sampleActionCard2",
        ([_, _, _], _) => "sampleActionCard3",
        ([_, _, _, _], _) => "sampleActionCard4",
        ([_, _, _, _, _], _) => "sampleActionCard5",
        (more, _) => return Err(MessageError::Buttons(more.len())),
    };
    let mut param = json!({"title": card.title, "text": card.markdown});
    for (number, button) in (1..).zip(&row.buttons) {
        param[format!("actionTitle{number}")] = json!(button.title);
        param[format!("actionURL{number}")] = json!(button.url);
    }
    Ok((msg_key, param))
}

#[cfg(test)]
mod tests;
