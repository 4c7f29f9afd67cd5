//! Answers which plugin would get an event that somebody shows us: a file, a body, or an event of the journal.

use serde_json::Value;

use crate::active::Active;
use crate::clock::UnixMs;
use crate::config::{Config, Hook};
use crate::event::{Content, ContentError, Facts, HookKind, Origin};
use crate::ids::AppName;
use crate::rules::{Explanation, Rules};

/// An event to ask about.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Its text: a decrypted callback, a robot message or the body of an alert.
    pub text: String,
    /// The way it came, where it is known; else the text tells.
    pub origin: Option<Origin>,
    /// The app; not needed where there is one only or the hook names it.
    pub app: Option<String>,
    /// The hook of an alert; not needed where only one can read the text.
    pub hook: Option<String>,
    /// When it came.
    pub at: UnixMs,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The text is not JSON or not an object.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// The text is an event of no kind.
    #[error("cannot read the event: {0}")]
    Content(#[from] ContentError),
    /// No hook can read the text.
    #[error(
        "the text is no callback (it has no \"EventType\"), no robot message (no \"msgtype\"), and no hook can read it"
    )]
    Unknown,
    /// The event is a timer, which no rule decides about.
    #[error("a timer goes to the plugin that set it, whatever the rules say")]
    Timer,
    /// The event says what became of a notice, which no rule decides about.
    #[error(
        "what became of a notice is told to the plugin that sent it, if it wants \"belfry.notice-result\""
    )]
    Notice,
    /// There is no such hook.
    #[error("there is no [[hook]] named {0:?}")]
    NoHook(String),
    /// Several hooks can read the text.
    #[error("several hooks can read the text, name one: {}", .0.join(", "))]
    WhichHook(Vec<String>),
    /// There is no such app.
    #[error("there is no [[app]] named {0:?}")]
    NoApp(String),
    /// Nothing says which app is meant.
    #[error("name the app: {}", .0.join(", "))]
    WhichApp(Vec<String>),
}

/// Asks the rules of a snapshot.
pub fn explain(active: &Active, question: &Question) -> Result<Explanation, ExplainError> {
    explain_with(&active.config, &active.rules, question)
}

/// Asks the rules of a configuration.
pub fn explain_with(
    config: &Config,
    rules: &Rules,
    question: &Question,
) -> Result<Explanation, ExplainError> {
    let origin = match &question.origin {
        Some(origin) => origin.clone(),
        None => origin_of(config, question)?,
    };
    match origin {
        Origin::Timer => return Err(ExplainError::Timer),
        Origin::Belfry => return Err(ExplainError::Notice),
        _ => {}
    }
    let app = app_of(config, &origin, question)?;
    let content = Content::parse(&origin, &question.text)?;
    Ok(rules.explain(&app, &Facts::of(&content), question.at))
}

/// The way a text must have come: the three forms have little in common.
fn origin_of(config: &Config, question: &Question) -> Result<Origin, ExplainError> {
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(&question.text) else {
        return Err(ExplainError::NotAnObject);
    };
    let of_hook = |hook: &Hook| Origin::Hook {
        name: hook.name.clone(),
        kind: hook.kind,
    };
    if let Some(name) = &question.hook {
        let hook = config.hooks.iter().find(|hook| hook.name == *name);
        return hook
            .map(of_hook)
            .ok_or_else(|| ExplainError::NoHook(name.clone()));
    }
    if object.contains_key("EventType") {
        return Ok(Origin::Callback);
    }
    if object.contains_key("msgtype") && object.contains_key("conversationId") {
        return Ok(Origin::Robot);
    }
    let mut readers: Vec<&Hook> = config
        .hooks
        .iter()
        .filter(|hook| Content::parse(&of_hook(hook), &question.text).is_ok())
        .collect();
    // A generic hook reads every object; one of a certain kind says more.
    let is_generic = |hook: &&Hook| hook.kind == HookKind::Generic;
    if !readers.iter().all(is_generic) {
        readers.retain(|hook| !is_generic(hook));
    }
    match readers.as_slice() {
        [] => Err(ExplainError::Unknown),
        [hook] => Ok(of_hook(hook)),
        several => Err(ExplainError::WhichHook(
            several.iter().map(|hook| hook.name.clone()).collect(),
        )),
    }
}

fn app_of(config: &Config, origin: &Origin, question: &Question) -> Result<AppName, ExplainError> {
    if let Some(name) = &question.app {
        let known = config.apps.iter().any(|app| app.name.as_str() == name);
        return known
            .then(|| name.as_str().into())
            .ok_or_else(|| ExplainError::NoApp(name.clone()));
    }
    if let Origin::Hook { name, .. } = origin
        && let Some(hook) = config.hooks.iter().find(|hook| hook.name == *name)
    {
        return Ok(hook.app.clone());
    }
    match config.apps.as_slice() {
        [app] => Ok(app.name.clone()),
        apps => Err(ExplainError::WhichApp(
            apps.iter().map(|app| app.name.to_string()).collect(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::active::rules_of;

    const CONFIG: &str = r#"
[[app]]
name = "acme"
corp-id = "c"
app-key = "k"
app-secret = "s"
[[plugin]]
name = "echo"
app = "acme"
component = "echo.wasm"
events = ["chat-message"]
[[plugin]]
name = "alerts"
app = "acme"
component = "alerts.wasm"
events = ["alert"]
when = 'event.status == "firing"'
[[hook]]
name = "ops"
kind = "alertmanager"
app = "acme"
[[hook]]
name = "any"
kind = "generic"
app = "acme"
"#;
    const ROBOT: &str = r#"{"msgtype":"text","text":{"content":"hi"},"msgId":"m","conversationId":"c","conversationType":"2","senderId":"s","senderNick":"n","senderStaffId":"alice","createAt":1,"sessionWebhook":"https://oapi.dingtalk.com/x","sessionWebhookExpiredTime":2,"robotCode":"k","chatbotUserId":"b"}"#;
    const ALERT: &str = r#"{"version":"4","groupKey":"g","status":"firing","commonLabels":{"alertname":"a"},"alerts":[{"status":"firing","labels":{"alertname":"a"},"startsAt":"2026-11-22T08:00:00Z"}]}"#;

    fn ask(text: &str, change: impl FnOnce(&mut Question)) -> Result<Explanation, ExplainError> {
        let config = Config::parse(CONFIG, Path::new(""), []).unwrap();
        let mut question = Question {
            text: text.to_owned(),
            ..Question::default()
        };
        change(&mut question);
        explain_with(&config, &rules_of(&config), &question)
    }

    #[test]
    fn the_form_of_a_text_tells_the_way_it_came() {
        for (text, kind, plugins) in [
            (ROBOT, "chat-message", vec!["echo"]),
            (ALERT, "alert", vec!["alerts"]),
            (r#"{"EventType":"check_in","TimeStamp":1}"#, "other", vec![]),
        ] {
            let explanation = ask(text, |_| {}).unwrap();
            let got: Vec<&str> = explanation
                .plugins
                .iter()
                .map(crate::ids::Name::as_str)
                .collect();
            assert_eq!((explanation.kind.as_str(), got), (kind, plugins), "{text}");
        }
        let generic = ask(r#"{"title":"x"}"#, |_| {}).unwrap();
        assert_eq!(generic.kind.as_str(), "alert");
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        let check = |text: &str, change: fn(&mut Question), expected: &str| {
            let error = ask(text, change).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("hello", |_| {}, "not a JSON object");
        check("[1]", |_| {}, "not a JSON object");
        check(
            ROBOT,
            |question| question.app = Some("x".to_owned()),
            "no [[app]] named",
        );
        check(
            ALERT,
            |question| question.hook = Some("x".to_owned()),
            "no [[hook]] named",
        );
        check(
            r#"{"msgtype":"text","conversationId":"c"}"#,
            |_| {},
            "cannot read the event",
        );
    }
}
