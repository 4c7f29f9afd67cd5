#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::{ButtonRow, FeedLink, Link, Markdown};

fn card(orientation: Orientation, count: usize) -> RobotOut {
    let buttons = (1..=count)
        .map(|n| Button {
            title: format!("b{n}"),
            url: format!("https://{n}"),
        })
        .collect();
    RobotOut::ActionCard(ActionCard {
        title: "t".into(),
        markdown: "m".into(),
        buttons: CardButtons::Several(ButtonRow {
            orientation,
            buttons,
        }),
    })
}

fn single() -> RobotOut {
    RobotOut::ActionCard(ActionCard {
        title: "t".into(),
        markdown: "m".into(),
        buttons: CardButtons::Single(Button {
            title: "go".into(),
            url: "https://a".into(),
        }),
    })
}

fn link() -> RobotOut {
    RobotOut::Link(Link {
        title: "t".into(),
        text: "x".into(),
        message_url: "https://a".into(),
        pic_url: "https://p".into(),
    })
}

#[test]
fn every_kind_has_the_webhook_shape() {
    let check = |message: RobotOut, expected: Value| {
        assert_eq!(message.to_webhook(&Mentions::default()).unwrap(), expected);
    };
    check(
        RobotOut::Text("hi".into()),
        json!({"msgtype": "text", "text": {"content": "hi"}}),
    );
    check(
        RobotOut::Markdown(Markdown {
            title: "t".into(),
            text: "x".into(),
        }),
        json!({"msgtype": "markdown", "markdown": {"title": "t", "text": "x"}}),
    );
    check(
        link(),
        json!({"msgtype": "link", "link":
            {"title": "t", "text": "x", "messageUrl": "https://a", "picUrl": "https://p"}}),
    );
    check(
        single(),
        json!({"msgtype": "actionCard", "actionCard":
            {"title": "t", "text": "m", "singleTitle": "go", "singleURL": "https://a", "btnOrientation": "0"}}),
    );
    check(
        card(Orientation::Horizontal, 1),
        json!({"msgtype": "actionCard", "actionCard":
            {"title": "t", "text": "m", "btnOrientation": "1", "btns": [{"title": "b1", "actionURL": "https://1"}]}}),
    );
    let feed = FeedLink {
        title: "t".into(),
        message_url: "https://a".into(),
        pic_url: "https://p".into(),
    };
    check(
        RobotOut::FeedCard(vec![feed]),
        json!({"msgtype": "feedCard", "feedCard": {"links":
            [{"title": "t", "messageURL": "https://a", "picURL": "https://p"}]}}),
    );
}

#[test]
fn mentions_go_along_where_dingtalk_takes_them() {
    let mentions = Mentions {
        user_ids: vec!["u".into()],
        mobiles: vec!["180".into()],
        all: false,
    };
    let body = RobotOut::Text("@u".into()).to_webhook(&mentions).unwrap();
    assert_eq!(
        body["at"],
        json!({"atUserIds": ["u"], "atMobiles": ["180"], "isAtAll": false})
    );
    assert_eq!(link().to_webhook(&mentions).unwrap().get("at"), None);
    let everybody = Mentions {
        all: true,
        ..Mentions::default()
    };
    assert_eq!(
        single().to_webhook(&everybody).unwrap()["at"]["isAtAll"],
        true
    );
    let crowd = Mentions {
        user_ids: vec!["u".into(); 51],
        ..Mentions::default()
    };
    assert_eq!(single().to_webhook(&crowd), Err(MessageError::Mentions(51)));
}

#[test]
fn every_kind_has_its_template() {
    let check = |message: RobotOut, key: &str, param: Value| {
        let template = message.to_template().unwrap();
        assert_eq!(template.msg_key, key);
        assert_eq!(
            serde_json::from_str::<Value>(&template.msg_param).unwrap(),
            param
        );
    };
    check(
        RobotOut::Text("hi".into()),
        "sampleText",
        json!({"content": "hi"}),
    );
    check(
        RobotOut::Markdown(Markdown {
            title: "t".into(),
            text: "x".into(),
        }),
        "sampleMarkdown",
        json!({"title": "t", "text": "x"}),
    );
    check(
        link(),
        "sampleLink",
        json!({"title": "t", "text": "x", "messageUrl": "https://a", "picUrl": "https://p"}),
    );
    let one = json!({"title": "t", "text": "m", "singleTitle": "go", "singleURL": "https://a"});
    check(single(), "sampleActionCard", one);
    check(
        card(Orientation::Horizontal, 1),
        "sampleActionCard",
        json!({"title": "t", "text": "m", "singleTitle": "b1", "singleURL": "https://1"}),
    );
    check(
        card(Orientation::Horizontal, 2),
        "sampleActionCard6",
        json!({"title": "t", "text": "m", "buttonTitle1": "b1", "buttonUrl1": "https://1",
            "buttonTitle2": "b2", "buttonUrl2": "https://2"}),
    );
    check(
        card(Orientation::Vertical, 2),
        "sampleActionCard2",
        json!({"title": "t", "text": "m", "actionTitle1": "b1", "actionURL1": "https://1",
            "actionTitle2": "b2", "actionURL2": "https://2"}),
    );
    for count in 3..=5 {
        let template = card(Orientation::Horizontal, count).to_template().unwrap();
        assert_eq!(template.msg_key, format!("sampleActionCard{count}"));
    }
}

#[test]
fn what_dingtalk_surely_refuses_is_found_beforehand() {
    let template = |message: RobotOut| message.to_template().unwrap_err();
    assert_eq!(
        template(card(Orientation::Vertical, 0)),
        MessageError::Empty("list of buttons")
    );
    assert_eq!(
        template(card(Orientation::Vertical, 6)),
        MessageError::Buttons(6)
    );
    let feed = FeedLink {
        title: "t".into(),
        message_url: "m".into(),
        pic_url: "p".into(),
    };
    assert_eq!(
        template(RobotOut::FeedCard(vec![feed])),
        MessageError::FeedCard
    );
    assert_eq!(
        template(RobotOut::Text(String::new())),
        MessageError::Empty("text")
    );
    assert_eq!(
        template(RobotOut::Text("x".repeat(15_000))),
        MessageError::TooLarge {
            actual: 15_014,
            limit: 15_000
        }
    );
    let large = RobotOut::Text("x".repeat(20_000))
        .to_webhook(&Mentions::default())
        .unwrap_err();
    assert!(matches!(
        large,
        MessageError::TooLarge { limit: 20_000, .. }
    ));
}

#[test]
fn debug_output_names_the_form_and_hides_the_words() {
    let message = RobotOut::Text("hush".into());
    let shown = format!("{message:?} {:?}", message.to_template().unwrap());
    assert_eq!(
        shown,
        "text { .. } Template { msg_key: \"sampleText\", .. }"
    );
}
