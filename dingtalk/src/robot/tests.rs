#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const GROUP: &str = r#"{"conversationId":"cid1==","atUsers":[{"dingtalkId":"$:LWCP_v1:$robot"},
    {"dingtalkId":"$:LWCP_v1:$a","staffId":"user1"},{"dingtalkId":"$:LWCP_v1:$out"}],
    "chatbotCorpId":"dingc","chatbotUserId":"$:LWCP_v1:$robot","msgId":"msg1","senderNick":"张三","isAdmin":true,
    "senderStaffId":"user123","sessionWebhookExpiredTime":1613635652738,"createAt":1613630252678,
    "senderCorpId":"dingc","conversationType":"2","senderId":"$:LWCP_v1:$x","conversationTitle":"值班群",
    "isInAtList":true,"sessionWebhook":"https://oapi.dingtalk.com/robot/sendBySession?session=hush",
    "text":{"content":" 你好 @李四 "},"robotCode":"dingrobot","msgtype":"text"}"#;

fn of_kind(body: &str) -> RobotMessage {
    RobotMessage::parse(&format!(
        r#"{{"msgId":"m","conversationId":"c","conversationType":"1",{body}}}"#
    ))
    .unwrap()
}

#[test]
fn a_group_message_is_read_whole() {
    let message = RobotMessage::parse(GROUP).unwrap();
    assert_eq!(message.msg_id, "msg1");
    assert_eq!(message.conversation_id, "cid1==");
    assert_eq!(message.conversation_kind, ConversationKind::Group);
    assert_eq!(message.conversation_title.as_deref(), Some("值班群"));
    assert_eq!(message.sender_staff_id.as_deref(), Some("user123"));
    assert_eq!(message.sender_nick, "张三");
    assert_eq!(message.sender_corp_id.as_deref(), Some("dingc"));
    assert!(message.is_admin);
    assert_eq!(message.kind, MessageKind::Text);
    assert_eq!(message.text, "你好 @李四");
    assert_eq!(message.mentions, ["user1"]);
    assert_eq!(message.robot_code.as_deref(), Some("dingrobot"));
    assert_eq!(message.created_at, Some(UnixMs(1_613_630_252_678)));
    let webhook = message.session_webhook.unwrap();
    assert_eq!(
        webhook.url.expose(),
        "https://oapi.dingtalk.com/robot/sendBySession?session=hush"
    );
    assert_eq!(webhook.expires_at, Some(UnixMs(1_613_635_652_738)));
}

#[test]
fn debug_output_shows_neither_text_nor_webhook() {
    let message = RobotMessage::parse(GROUP).unwrap();
    let shown = format!("{message:?} {:?}", message.session_webhook);
    for secret in ["hush", "你好", "张三", "值班群"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn every_body_gives_its_kind_and_text() {
    let check = |body: &str, kind: MessageKind, text: &str| {
        let message = of_kind(body);
        assert_eq!(
            (message.kind, message.text.as_str()),
            (kind, text),
            "{body}"
        );
    };
    check(
        r#""msgtype":"text","text":{"content":" 你好"}"#,
        MessageKind::Text,
        "你好",
    );
    check(
        r#""msgtype":"text","content":" 你好""#,
        MessageKind::Text,
        "你好",
    );
    check(
        r#""msgtype":"text","content":{"content":" 你好"}"#,
        MessageKind::Text,
        "你好",
    );
    check(r#""msgtype":"text""#, MessageKind::Text, "");
    check(
        r#""msgtype":"richText","content":{"richText":[{"text":" 你"},{"type":"picture","downloadCode":"d"},{"text":"好"}]}"#,
        MessageKind::RichText,
        "你好",
    );
    check(
        r#""msgtype":"picture","content":{"downloadCode":"d"}"#,
        MessageKind::Picture,
        "",
    );
    check(
        r#""msgtype":"audio","content":{"duration":4000,"downloadCode":"d","recognition":"识别文本"}"#,
        MessageKind::Audio,
        "识别文本",
    );
    check(
        r#""msgtype":"video","content":{"duration":"4000","videoType":"mp4"}"#,
        MessageKind::Video,
        "",
    );
    check(
        r#""msgtype":"file","content":{"fileName":"a.pdf"}"#,
        MessageKind::File,
        "",
    );
    check(
        r#""msgtype":"hologram","content":{"unknownMsgType":"x"}"#,
        MessageKind::Unknown,
        "",
    );
    check(r#""x":1"#, MessageKind::Unknown, "");
}

#[test]
fn all_but_the_indispensable_may_be_missing() {
    let message = of_kind(r#""msgtype":"text","senderStaffId":"","createAt":"1613630252678""#);
    assert_eq!(message.conversation_kind, ConversationKind::Single);
    assert_eq!(message.sender_staff_id, None);
    assert_eq!(message.sender_nick, "");
    assert!(!message.is_admin);
    assert!(message.mentions.is_empty() && message.session_webhook.is_none());
    assert_eq!(message.created_at, Some(UnixMs(1_613_630_252_678)));
    assert_eq!(message.platform_error, None);
}

#[test]
fn a_spent_quota_comes_with_its_text() {
    let message = of_kind(r#""msgtype":"text","errMsg":"quota""#);
    assert_eq!(message.platform_error.as_deref(), Some("quota"));
    assert_eq!(message.text, "");
}

#[test]
fn what_is_no_robot_message_is_refused() {
    let error = |json: &str| RobotMessage::parse(json).unwrap_err().to_string();
    assert_eq!(error("x"), "robot message is not json");
    assert_eq!(error("[]"), "robot message is not a json object");
    assert_eq!(
        error(r#"{"conversationId":"c","conversationType":"1"}"#),
        "robot message has no usable msgId"
    );
    assert_eq!(
        error(r#"{"msgId":"m","conversationType":"1"}"#),
        "robot message has no usable conversationId"
    );
    assert_eq!(
        error(r#"{"msgId":"m","conversationId":"c","conversationType":"3"}"#),
        "robot message has no usable conversationType"
    );
}

const STAMP: &str = "1577262236757";
const SIGN: &str = "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA=";
const SECRET: &str = "this is a secret";

#[test]
fn published_signatures_are_accepted() {
    assert_eq!(
        verify_sign(SECRET, STAMP, SIGN, UnixMs(1_577_262_236_757)),
        Ok(())
    );
    let sign = "jcUpW0QmtKduN03n4JqQ0PBosVjqnM8gU7fIIvsDmCM=";
    assert_eq!(
        verify_sign("SECabc", "1700000000000", sign, UnixMs(1_700_000_000_000)),
        Ok(())
    );
}

#[test]
fn a_signature_is_good_for_an_hour_either_way() {
    let at = |offset: i64| verify_sign(SECRET, STAMP, SIGN, UnixMs(1_577_262_236_757 + offset));
    assert_eq!(at(3_600_000), Ok(()));
    assert_eq!(at(-3_600_000), Ok(()));
    assert_eq!(at(3_600_001), Err(SignError::Expired));
    assert_eq!(at(-3_600_001), Err(SignError::Expired));
}

#[test]
fn wrong_signatures_and_timestamps_are_refused() {
    let now = UnixMs(1_577_262_236_757);
    let check = |secret: &str, stamp: &str, sign: &str, expected: SignError| {
        assert_eq!(verify_sign(secret, stamp, sign, now), Err(expected));
    };
    check("another secret", STAMP, SIGN, SignError::Mismatch);
    check(SECRET, STAMP, "", SignError::Mismatch);
    check(SECRET, STAMP, &SIGN[1..], SignError::Mismatch);
    check(SECRET, "1577262236758", SIGN, SignError::Mismatch);
    check(SECRET, "soon", SIGN, SignError::Timestamp);
    check(SECRET, "", SIGN, SignError::Timestamp);
    check(SECRET, &i64::MIN.to_string(), SIGN, SignError::Expired);
}

proptest! {
    #[test]
    fn reading_any_text_never_panics(text: String, stamp: String, sign: String, now: i64) {
        let _ = RobotMessage::parse(&text);
        let _ = verify_sign("secret", &stamp, &sign, UnixMs(now));
    }
}
