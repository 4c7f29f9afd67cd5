#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::{ButtonRow, Link, Markdown, OaFigure, OaRow, Voice};

fn button(title: &str, url: &str) -> Button {
    Button {
        title: title.into(),
        url: url.into(),
    }
}

fn card(buttons: CardButtons) -> Message {
    Message::ActionCard(ActionCard {
        title: "t".into(),
        markdown: "m".into(),
        buttons,
    })
}

#[test]
fn every_kind_has_the_shape_dingtalk_documents() {
    let check = |message: Message, expected: Value| {
        assert_eq!(serde_json::to_value(&message).unwrap(), expected);
        assert_eq!(message.check(), Ok(()));
    };
    check(
        Message::Text("hi".into()),
        json!({"msgtype": "text", "text": {"content": "hi"}}),
    );
    check(
        Message::Markdown(Markdown {
            title: "t".into(),
            text: "# x".into(),
        }),
        json!({"msgtype": "markdown", "markdown": {"title": "t", "text": "# x"}}),
    );
    check(
        Message::Link(Link {
            title: "t".into(),
            text: "x".into(),
            message_url: "https://a".into(),
            pic_url: "@p".into(),
        }),
        json!({"msgtype": "link", "link": {"title": "t", "text": "x", "messageUrl": "https://a", "picUrl": "@p"}}),
    );
    check(
        Message::Image("@i".into()),
        json!({"msgtype": "image", "image": {"media_id": "@i"}}),
    );
    check(
        Message::File("@f".into()),
        json!({"msgtype": "file", "file": {"media_id": "@f"}}),
    );
    check(
        Message::Voice(Voice {
            media_id: "@v".into(),
            duration_s: 10,
        }),
        json!({"msgtype": "voice", "voice": {"media_id": "@v", "duration": "10"}}),
    );
    check(
        card(CardButtons::Single(button("go", "https://a"))),
        json!({"msgtype": "action_card", "action_card":
            {"title": "t", "markdown": "m", "single_title": "go", "single_url": "https://a"}}),
    );
    check(
        card(CardButtons::Several(ButtonRow {
            orientation: Orientation::Horizontal,
            buttons: vec![button("a", "https://a"), button("b", "https://b")],
        })),
        json!({"msgtype": "action_card", "action_card":
            {"title": "t", "markdown": "m", "btn_orientation": "1", "btn_json_list": [
                {"title": "a", "action_url": "https://a"}, {"title": "b", "action_url": "https://b"}]}}),
    );
}

#[test]
fn an_oa_message_leaves_out_what_is_absent() {
    let mut oa = Oa {
        message_url: "https://a".into(),
        pc_message_url: None,
        head_bgcolor: "FFBBBBBB".into(),
        head_text: "head".into(),
        body: OaBody::default(),
    };
    assert_eq!(
        Message::Oa(oa.clone()).to_json(),
        json!({"msgtype": "oa", "oa": {"message_url": "https://a", "head": {"bgcolor": "FFBBBBBB", "text": "head"}, "body": {}}})
    );
    oa.pc_message_url = Some("https://pc".into());
    oa.body = OaBody {
        title: Some("t".into()),
        form: vec![OaRow {
            key: "k".into(),
            value: "v".into(),
        }],
        rich: Some(OaFigure {
            num: "15.6".into(),
            unit: "元".into(),
        }),
        content: Some("c".into()),
        image: Some("@i".into()),
        file_count: Some(3),
        author: Some("a".into()),
    };
    assert_eq!(
        Message::Oa(oa).to_json()["oa"],
        json!({"message_url": "https://a", "pc_message_url": "https://pc", "head": {"bgcolor": "FFBBBBBB", "text": "head"},
            "body": {"title": "t", "form": [{"key": "k", "value": "v"}], "rich": {"num": "15.6", "unit": "元"},
                "content": "c", "image": "@i", "file_count": "3", "author": "a"}})
    );
}

#[test]
fn what_dingtalk_surely_refuses_is_found_beforehand() {
    let error = |message: Message| message.check().unwrap_err().to_string();
    assert_eq!(Message::Text("中".repeat(5000)).check(), Ok(()));
    assert_eq!(
        error(Message::Text("中".repeat(5001))),
        "text has 5001 characters, dingtalk takes 5000"
    );
    assert_eq!(error(Message::Text(String::new())), "text is empty");
    let voice = |duration_s| {
        Message::Voice(Voice {
            media_id: "@v".into(),
            duration_s,
        })
    };
    assert_eq!(
        error(voice(0)),
        "a voice message lasts 0 seconds, dingtalk takes 1 to 59"
    );
    assert_eq!(
        error(voice(60)),
        "a voice message lasts 60 seconds, dingtalk takes 1 to 59"
    );
    let long = "x".repeat(501);
    assert_eq!(
        error(card(CardButtons::Single(button("go", &long)))),
        "button url has 501 characters, dingtalk takes 500"
    );
    let row = |buttons| {
        card(CardButtons::Several(ButtonRow {
            orientation: Orientation::Vertical,
            buttons,
        }))
    };
    assert_eq!(error(row(vec![])), "list of buttons is empty");
    let link = |title: &str, url: &str| {
        Message::Link(Link {
            title: title.into(),
            text: "x".into(),
            message_url: url.into(),
            pic_url: "@p".into(),
        })
    };
    assert_eq!(
        error(link(&"x".repeat(101), "https://a")),
        "link title has 101 characters, dingtalk takes 100"
    );
    assert_eq!(error(link("t", "")), "link url is empty");
    let untitled = Markdown {
        title: String::new(),
        text: "x".into(),
    };
    assert_eq!(
        error(Message::Markdown(untitled)),
        "markdown title is empty"
    );
    assert!(
        error(row(vec![button("a", &long), button("b", &long)])).starts_with("list of buttons has")
    );
}

#[test]
fn debug_output_names_the_form_and_hides_the_words() {
    let shown = format!(
        "{:?} {:?}",
        Message::Text("hush".into()),
        card(CardButtons::Single(button("hush", "hush")))
    );
    assert_eq!(shown, "text { .. } action_card { .. }");
}
