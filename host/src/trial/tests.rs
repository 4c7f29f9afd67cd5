#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::case::{Case, CaseError};
use super::report::{Made, Report, Run};
use super::script::Script;
use crate::call::{Arguments, Json};
use crate::effect::{Answers, Given};
use crate::event::Kind;
use crate::function::Function;

fn case(text: &str) -> Result<Case, CaseError> {
    Case::parse(text, Path::new(""))
}

fn error(text: &str) -> String {
    case(text).unwrap_err().to_string()
}

#[test]
fn a_chat_message_needs_nothing_but_its_words() {
    let case = case("[[event]]\ntext = \"/hello\"").unwrap();
    let raw = case.events[0].raw().unwrap();
    let message = dingtalk::RobotMessage::parse(&raw).unwrap();
    assert_eq!(
        (message.text.as_str(), message.sender_staff_id.as_deref()),
        ("/hello", Some("alice"))
    );
}

#[test]
fn what_is_wrong_with_a_case_is_said() {
    for (text, expected) in [
        ("", "missing field `event`"),
        ("event = []", "there is no [[event]]"),
        ("[[event]]", "event 1: must have one of text, file and json"),
        ("[[event]]\ntext = \"a\"\njson = {}", "must have one of"),
        ("[[event]]\njson = {}", "must say from where it comes"),
        (
            "[[event]]\ntext = \"a\"\nfrom = \"callback\"",
            "only a robot's message",
        ),
        (
            "[[event]]\ntext = \"a\"\nspeed = 1",
            "unknown field `speed`",
        ),
        (
            "plugin.when = \"true\"\n[[event]]\ntext = \"a\"",
            "plugin.when has no place",
        ),
        (
            "[[event]]\ntext = \"a\"\n[[answer]]\ncall = \"kv.get\"\nok = 1\nerr = 2",
            "answer 1: has both",
        ),
        (
            "[[event]]\nfrom = \"robot\"\nfile = \"missing.json\"",
            "cannot read \"missing.json\"",
        ),
    ] {
        let found = error(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn where_an_event_comes_from_must_exist() {
    let case = case("[[event]]\njson = {}\nfrom = \"pigeon\"").unwrap();
    assert!(case.events[0].origin().unwrap_err().contains("pigeon"));
}

fn script(text: &str) -> Script {
    let text = format!("{text}\n[[event]]\ntext = \"a\"");
    Script::new(&case(&text).unwrap().answers)
}

fn ask(script: &Script, function: Function) -> Given {
    script.answer(function, &Arguments::new("{}"))
}

#[test]
fn answers_are_given_in_order_by_function_and_then_the_usual_ones() {
    let script = script(
        "[[answer]]\ncall = \"chat.send\"\nok = \"first\"\n[[answer]]\ncall = \"chat.get\"\nerr = { Denied = 1 }\n[[answer]]\ncall = \"chat.send\"",
    );
    let answer = |text: &str| Given::Answer(Json::new(text));
    assert_eq!(
        ask(&script, Function::ChatSend),
        answer(r#"{"Ok":"first"}"#)
    );
    assert_eq!(
        ask(&script, Function::ChatSend),
        answer(r#"{"Ok":"message-1"}"#)
    );
    assert_eq!(
        ask(&script, Function::ChatGet),
        answer(r#"{"Err":{"Denied":1}}"#)
    );
    assert!(matches!(ask(&script, Function::ChatGet), Given::Nothing(_)));
    assert_eq!(ask(&script, Function::KvSet), Given::Make);
    assert!(script.unused().is_empty());
}

#[test]
fn an_answer_that_nobody_asked_for_is_told() {
    let script = script("[[answer]]\ncall = \"chat.sned\"");
    assert_eq!(
        ask(&script, Function::ChatSend),
        Given::Answer(Json::new(r#"{"Ok":"message-1"}"#))
    );
    assert_eq!(script.unused(), ["chat.sned"]);
}

#[test]
fn a_report_has_a_line_for_each_call() {
    let made = |answer: Option<&str>| Made {
        call: "kv.get",
        arguments: Some(Json::new(r#"{"key":"a"}"#)),
        answer: answer.map(Json::new),
    };
    let report = Report {
        runs: vec![Run {
            kind: Kind::ChatMessage,
            calls: vec![made(None), made(Some(r#"{"Ok":null}"#))],
            outcome: "done".to_owned(),
        }],
        unused: vec!["chat.get".to_owned()],
    };
    assert_eq!(
        report.to_string(),
        "event 1 chat-message\n  kv.get {\"key\":\"a\"}\n  kv.get {\"key\":\"a\"} -> {\"Ok\":null}\n  = done\nno call asked for the answer of chat.get\n"
    );
}
