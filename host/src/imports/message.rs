//! Messages on their way from a guest to DingTalk.

use super::bindings::belfry::bot::message::{
    ActionCard, Button, CardButtons, Link, Markdown, Mentions, Message, Oa, Orientation,
    RobotMessage,
};

impl From<Message> for dingtalk::Message {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text),
            Message::Markdown(markdown) => Self::Markdown(markdown.into()),
            Message::Link(link) => Self::Link(link.into()),
            Message::ActionCard(card) => Self::ActionCard(card.into()),
            Message::Image(media_id) => Self::Image(media_id),
            Message::Voice(voice) => Self::Voice(dingtalk::Voice {
                media_id: voice.media_id,
                duration_s: voice.duration_s,
            }),
            Message::File(media_id) => Self::File(media_id),
            Message::Oa(oa) => Self::Oa(oa.into()),
        }
    }
}

impl From<RobotMessage> for dingtalk::RobotOut {
    fn from(message: RobotMessage) -> Self {
        match message {
            RobotMessage::Text(text) => Self::Text(text),
            RobotMessage::Markdown(markdown) => Self::Markdown(markdown.into()),
            RobotMessage::Link(link) => Self::Link(link.into()),
            RobotMessage::ActionCard(card) => Self::ActionCard(card.into()),
            RobotMessage::FeedCard(links) => Self::FeedCard(
                links
                    .into_iter()
                    .map(|link| dingtalk::FeedLink {
                        title: link.title,
                        message_url: link.message_url,
                        pic_url: link.pic_url,
                    })
                    .collect(),
            ),
        }
    }
}

impl From<Mentions> for dingtalk::Mentions {
    fn from(mentions: Mentions) -> Self {
        Self {
            user_ids: mentions.user_ids,
            mobiles: mentions.mobiles,
            all: mentions.all,
        }
    }
}

impl From<Markdown> for dingtalk::Markdown {
    fn from(markdown: Markdown) -> Self {
        Self {
            title: markdown.title,
            text: markdown.text,
        }
    }
}

impl From<Link> for dingtalk::Link {
    fn from(link: Link) -> Self {
        Self {
            title: link.title,
            text: link.text,
            message_url: link.message_url,
            pic_url: link.pic_url,
        }
    }
}

impl From<Button> for dingtalk::Button {
    fn from(button: Button) -> Self {
        Self {
            title: button.title,
            url: button.url,
        }
    }
}

impl From<ActionCard> for dingtalk::ActionCard {
    fn from(card: ActionCard) -> Self {
        let buttons = match card.buttons {
            CardButtons::Single(button) => dingtalk::CardButtons::Single(button.into()),
            CardButtons::Several(row) => dingtalk::CardButtons::Several(dingtalk::ButtonRow {
                orientation: match row.orientation {
                    Orientation::Vertical => dingtalk::Orientation::Vertical,
                    Orientation::Horizontal => dingtalk::Orientation::Horizontal,
                },
                buttons: row.buttons.into_iter().map(Into::into).collect(),
            }),
        };
        Self {
            title: card.title,
            markdown: card.markdown,
            buttons,
        }
    }
}

impl From<Oa> for dingtalk::Oa {
    fn from(oa: Oa) -> Self {
        let body = oa.body;
        Self {
            message_url: oa.message_url,
            pc_message_url: oa.pc_message_url,
            head_bgcolor: oa.head_bgcolor,
            head_text: oa.head_text,
            body: dingtalk::OaBody {
                title: body.title,
                form: body
                    .form
                    .into_iter()
                    .map(|row| dingtalk::OaRow {
                        key: row.key,
                        value: row.value,
                    })
                    .collect(),
                rich: body.rich.map(|figure| dingtalk::OaFigure {
                    num: figure.num,
                    unit: figure.unit,
                }),
                content: body.content,
                image: body.image,
                file_count: body.file_count,
                author: body.author,
            },
        }
    }
}
