//! `belfry call` and shell completion.

use belfry_tests::{Bot, Finished, Stage, run};
use serde_json::{Value, json};

async fn call(stage: &Stage, arguments: &[&str]) -> Finished {
    let config = stage.file("bot.toml");
    let mut all = vec!["call"];
    all.extend(arguments);
    all.extend(["--config", config.to_str().unwrap()]);
    run(&all).await
}

#[tokio::test]
async fn an_administrator_calls_dingtalk_from_the_shell() {
    let stage = Stage::new(&Bot::new()).await;
    stage.push_to(stage.simulator());
    let message = json!({"chatid": "chatoncall", "msg": {"msgtype": "text", "text": {"content": "vom Terminal"}}});
    let sent = call(&stage, &["chat.send", "--json", &message.to_string()]).await;
    assert_eq!(sent.code, Some(0), "{}", sent.errors);
    let answer: Value = serde_json::from_str(&sent.output).unwrap();
    assert!(answer["messageId"].is_string());
    assert_eq!(answer.get("errcode"), None);
    let calls = stage.dingtalk.calls("/chat/send").await;
    assert_eq!(calls[0]["body"], message);

    let whole = call(
        &stage,
        &[
            "user.get",
            "--json",
            r#"{"userid":"alice"}"#,
            "--output",
            "json",
            "--app",
            "acme",
        ],
    )
    .await;
    let answer: Value = serde_json::from_str(&whole.output).unwrap();
    assert_eq!(
        (&answer["errcode"], &answer["result"]["userid"]),
        (&json!(0), &json!("alice"))
    );
    let older = call(
        &stage,
        &["user.get", "--json", r#"{"userid":"alice"}"#, "--legacy"],
    )
    .await;
    let answer: Value = serde_json::from_str(&older.output).unwrap();
    assert_eq!(answer["userid"], "alice");
}

#[tokio::test]
async fn what_cannot_be_called_is_said_and_not_sent() {
    let stage = Stage::new(&Bot::new()).await;
    stage.push_to(stage.simulator());
    for (arguments, says) in [
        (&["chat.send", "--json", "{}"][..], "chatid is missing"),
        (&["chat.send", "--json", "["], "--json is not JSON"),
        (&["chat.send", "--json", "[]"], "--json is not an object"),
        (&["chat.sned"], "chat.send"),
        (
            &["chat.get", "--json", "{\"chatid\":\"c\"}", "--app", "other"],
            "there is no app \"other\"",
        ),
        (
            &[
                "token.get",
                "--json",
                "{\"appKey\":\"k\",\"appSecret\":\"s\"}",
            ],
            "cannot be called with plain arguments",
        ),
        (&[], "API"),
    ] {
        let refused = call(&stage, arguments).await;
        assert_ne!(refused.code, Some(0), "{arguments:?}");
        assert!(
            refused.errors.contains(says),
            "{arguments:?}: {}",
            refused.errors
        );
    }
    assert_eq!(stage.dingtalk.get("calls").await, json!([]));
    let unknown = call(&stage, &["chat.get", "--json", "{\"chatid\":\"nosuch\"}"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown
            .errors
            .contains("dingtalk does not know what was named"),
        "{}",
        unknown.errors
    );
}

#[tokio::test]
async fn a_file_goes_along_where_a_call_takes_one() {
    let stage = Stage::new(&Bot::new()).await;
    stage.push_to(stage.simulator());
    let photo = stage.file("photo.png");
    std::fs::write(&photo, b"\x89PNG").unwrap();
    let file = format!("media={}", photo.display());
    let image = r#"{"type":"image"}"#;
    let sent = call(&stage, &["media.upload", "--json", image, "--file", &file]).await;
    assert_eq!(sent.code, Some(0), "{}", sent.errors);
    let answer: Value = serde_json::from_str(&sent.output).unwrap();
    assert!(
        answer["media_id"].as_str().unwrap().starts_with('@'),
        "{answer}"
    );
    let calls = stage.dingtalk.calls("/media/upload").await;
    assert_eq!(calls[0]["query"]["type"], "image");

    let missing = format!("media={}", stage.file("nosuch.png").display());
    for (arguments, says) in [
        (&["media.upload", "--json", image][..], "--file media=PATH"),
        (
            &["media.upload", "--json", image, "--file", "photo.png"],
            "--file media=PATH",
        ),
        (
            &["media.upload", "--json", image, "--file", "photo=photo.png"],
            "--file media=PATH",
        ),
        (
            &["media.upload", "--json", image, "--file", &missing],
            "cannot read",
        ),
        (&["media.upload", "--file", &file], "type is missing"),
        (
            &[
                "media.upload",
                "--json",
                r#"{"type":"gif"}"#,
                "--file",
                &file,
            ],
            "type must be one of image",
        ),
        (
            &["chat.get", "--json", r#"{"chatid":"c"}"#, "--file", &file],
            "chat.get takes no file",
        ),
    ] {
        let refused = call(&stage, arguments).await;
        assert_ne!(refused.code, Some(0), "{arguments:?}");
        assert!(
            refused.errors.contains(says),
            "{arguments:?}: {}",
            refused.errors
        );
    }
    assert_eq!(stage.dingtalk.calls("/media/upload").await.len(), 1);
    let listed = run(&["call", "media.upload", "--list"]).await;
    assert!(
        listed.output.contains("a file: --file media=PATH"),
        "{}",
        listed.output
    );
}

#[tokio::test]
async fn the_list_names_every_api_and_its_arguments() {
    let listed = run(&["call", "--list"]).await;
    assert_eq!(listed.code, Some(0));
    for line in ["chat.send ", "approval.create ", "isv.auth-info "] {
        assert!(listed.output.contains(line), "{line}");
    }
    let one = run(&["call", "chat.readers", "--list"]).await;
    assert!(
        one.output.contains("GET /chat/getReadList"),
        "{}",
        one.output
    );
    assert!(
        one.output.contains("a whole number between 1 and 100"),
        "{}",
        one.output
    );
    let json = run(&["call", "--list", "--output", "json"]).await;
    let rows: Value = serde_json::from_str(&json.output).unwrap();
    assert!(rows.as_array().unwrap().len() > 50);
}

#[tokio::test]
async fn shells_learn_commands_and_names_of_apis() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).await;
        assert_eq!(script.code, Some(0), "{shell}");
        for word in ["completions", "chat.send", "--modern", "isv.auth-info"] {
            // fish has no dashes before the names of options.
            let word = if shell == "fish" {
                word.trim_start_matches('-')
            } else {
                word
            };
            assert!(script.output.contains(word), "{shell} {word}");
        }
    }
}
