//! No secret and no word that people wrote gets into the log, however much of it is asked for.

use belfry_tests::bot::{AES_KEY, APP_SECRET, CALLBACK_TOKEN};
use belfry_tests::{Bot, ONCALL, Plugin, Stage, wait_until};
use serde_json::{Value, json};

const HOOK_TOKEN: &str = "hook-token-55d1";

#[tokio::test]
async fn the_most_talkative_log_has_no_secret_and_no_message() {
    let bot = Bot::new()
        .retry("first-delay = \"20ms\"")
        .retry("max-attempts = 2")
        .plugin(Plugin::echo())
        .plugin(Plugin::approvals())
        .plugin(Plugin::alerts())
        .plugin(Plugin::naughty("guest", "retry", "times = 9"))
        // Conditions that fail on what somebody wrote.
        .plugin(
            Plugin::new("sum", "echo")
                .line("grant = { robot = true }")
                .line("when = 'event.text + 1 == 2'"),
        )
        .plugin(
            Plugin::new("number", "echo")
                .line("grant = { robot = true }")
                .line("when = 'int(event.text) > 2'"),
        )
        .plugin(
            Plugin::new("member", "echo")
                .line("grant = { robot = true }")
                .line("when = 'event.text.nothing == 2'"),
        )
        .plugin(
            Plugin::new("text", "echo")
                .line("grant = { robot = true }")
                .line("when = 'event.text'"),
        )
        .hook("any", "generic", &format!("token = {HOOK_TOKEN:?}"));
    let stage = Stage::new(&bot).await;
    let belfry = stage
        .serve(&[("BELFRY_LOG", "belfry=trace,dingtalk=trace")])
        .await;
    let alert = |title: &str| {
        let body = json!({"title": title, "labels": {"service": "db"}}).to_string();
        belfry
            .doors
            .post("/hooks/any")
            .bearer_auth(HOOK_TOKEN)
            .body(body)
    };

    stage.dingtalk.say(ONCALL, "alice", "geheim-chat").await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "@acme /leave 1d geheim-grund")
        .await;
    alert("geheim-alarm").send().await.unwrap();
    wait_until("everything is handled", async || {
        let events = belfry.doors.events().await;
        events.len() >= 3 && events.iter().all(|event| event["state"] != "pending")
    })
    .await;

    // The ways that fail log more.
    let wrong = belfry.doors.post("/hooks/any").bearer_auth("geheim-token");
    assert_eq!(wrong.body("{}").send().await.unwrap().status(), 401);
    for tamper in ["signature", "key", "receive-id", "length", "not-json"] {
        let event =
            json!({"EventType": "org_change", "CorpId": "dingcorp", "word": "geheim-event"});
        stage
            .dingtalk
            .push(event, json!({"tamper": tamper, "attempts": 1}))
            .await;
    }
    let not_json = belfry.doors.post("/hooks/any").bearer_auth(HOOK_TOKEN);
    not_json.body("geheim-rumpf").send().await.unwrap();
    stage.dingtalk.post("expire-tokens", json!({})).await;
    let faults = [
        json!({"path": "/chat/send", "times": 1, "html": true}),
        json!({"path": "/robot/sendBySession", "times": 1, "drop": true}),
        json!({"path": "/gettoken", "times": 1, "status": 502}),
    ];
    for fault in faults {
        stage.dingtalk.post("faults", fault).await;
    }
    alert("geheim-alarm-2").send().await.unwrap();
    stage.dingtalk.say(ONCALL, "alice", "geheim-chat-2").await;
    wait_until("everything is handled or given up", async || {
        let events = belfry.doors.events().await;
        events.len() >= 5 && events.iter().all(|event| event["state"] != "pending")
    })
    .await;

    let log = belfry.log();
    for line in [
        "event accepted",
        "condition cannot be evaluated",
        "delivery done",
        "request refused",
        "attempt failed, will retry",
        "dead letter",
    ] {
        assert!(log.contains(line), "the log lacks {line:?}:\n{log}");
    }
    let mut secrets: Vec<String> = [APP_SECRET, CALLBACK_TOKEN, AES_KEY, HOOK_TOKEN, "geheim"]
        .map(str::to_owned)
        .to_vec();
    let calls = stage.dingtalk.get("calls").await;
    let mut seen = (0, 0);
    for call in calls.as_array().unwrap() {
        if let Some(token) = call["response"]["access_token"].as_str() {
            secrets.push(token.to_owned());
            seen.0 += 1;
        }
        if let Some(session) = call["query"]["session"].as_str() {
            secrets.push(session.to_owned());
            seen.1 += 1;
        }
    }
    assert!(seen.0 > 0 && seen.1 > 0, "{seen:?}");
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "the log has {secret:?}");
    }
    let output = belfry.output();
    assert!(!output.contains("geheim") && !output.contains(APP_SECRET));
}

/// What the guest that snoops says it found, by what it looked at.
fn snooped(log: &str) -> Vec<(String, String)> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter_map(|line| {
            let line = line["line"].as_str()?.strip_prefix("snooped ")?.to_owned();
            let (what, found) = line.split_once(": ")?;
            Some((what.to_owned(), found.to_owned()))
        })
        .collect()
}

#[tokio::test]
async fn a_plugin_that_snoops_finds_no_secret_and_reaches_no_forged_id() {
    let snoop = Plugin::new("snoop", "snoop")
        .line("events = [\"chat-message\", \"other\"]")
        .line("grant = { chat = [\"chatdev\"], notice = [\"alice\"], approval = [\"PROC-LEAVE\"], robot = [], kv = true }")
        .line("config = { word = \"mine\", key = { env = \"SNOOP_SECRET\" } }");
    let bot = Bot::new().retry("max-attempts = 1").plugin(snoop).hook(
        "any",
        "generic",
        &format!("token = {HOOK_TOKEN:?}"),
    );
    let stage = Stage::new(&bot).await;
    let belfry = stage.serve(&[("SNOOP_SECRET", "geheim-variable")]).await;
    let rounds = |count| {
        let log = belfry.log();
        log.matches("snooped end").count() >= count
    };
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    wait_until("it has looked", async || rounds(1)).await;
    let ticket = json!({"EventType": "custom_event", "SuiteKey": "suite", "SuiteTicket": "geheim-ticket", "TimeStamp": 1});
    stage.dingtalk.push(ticket, json!({})).await;
    wait_until("it has looked again", async || rounds(2)).await;
    // What fails says more.
    stage.dingtalk.post("expire-tokens", json!({})).await;
    for fault in [
        json!({"path": "/gettoken", "times": 1, "status": 502}),
        json!({"path": "/asyncsend_v2", "times": 2, "html": true}),
        json!({"path": "/listids", "times": 2, "drop": true}),
        json!({"path": "/robot/sendBySession", "times": 1, "drop": true}),
    ] {
        stage.dingtalk.post("faults", fault).await;
    }
    stage.dingtalk.say(ONCALL, "alice", "hello again").await;
    wait_until("it has looked at failures", async || rounds(3)).await;

    let log = belfry.log();
    let found = snooped(&log);
    let of = |what: &str| {
        let mut found = found.iter().filter(|(looked, _)| looked == what);
        found.next().map(|(_, found)| found.as_str()).unwrap()
    };
    // It saw what is its own, and of a secret in its settings only where the secret is.
    let config: Value = serde_json::from_str(of("config")).unwrap();
    assert_eq!(
        config,
        json!({"word": "mine", "key": {"env": "SNOOP_SECRET"}})
    );
    let raw: Value = serde_json::from_str(of("raw")).unwrap();
    assert_eq!(raw["text"]["content"].as_str().unwrap().trim(), "hello");
    assert_eq!(raw["sessionWebhook"], Value::Null);
    assert_eq!(
        (of("variables"), of("arguments"), of("keys")),
        ("[]", "[]", "[]")
    );
    assert_eq!(of("notice.own"), "Ok(())");
    // Each call beyond the grant is denied, with the key that would have to change.
    for (what, key) in [
        ("chat.get", "chat"),
        ("chat.send", "chat"),
        ("notice.send", "notice"),
        ("notice.department", "notice"),
        ("notice.everyone", "notice"),
        ("notice.progress", "notice"),
        ("notice.recall", "notice"),
        ("approval.get", "approval"),
        ("approval.comment", "approval"),
        ("robot.send", "robot"),
    ] {
        let answer = of(what);
        assert!(
            answer.starts_with("Err(Error::Denied(")
                && answer.contains("belfry.grant")
                && answer.contains(&format!("`{key}`")),
            "{what}: {answer}"
        );
    }
    let mut secrets: Vec<String> = [APP_SECRET, CALLBACK_TOKEN, AES_KEY, HOOK_TOKEN, "geheim"]
        .map(str::to_owned)
        .to_vec();
    let calls = stage.dingtalk.get("calls").await;
    for call in calls.as_array().unwrap() {
        let tokens = [&call["response"]["access_token"], &call["query"]["session"]];
        secrets.extend(
            tokens
                .iter()
                .filter_map(|token| token.as_str())
                .map(str::to_owned),
        );
    }
    assert!(secrets.len() > 6, "{}", secrets.len());
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "the log has {secret:?}");
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_reported_without_its_secrets() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::echo())).await;
    let text = std::fs::read_to_string(stage.file("bot.toml")).unwrap();
    // A key that is too short, and an unknown one beside the secret.
    let text = text
        .replace(AES_KEY, "geheim-short-key")
        .replace("agent-id = 1001", "agent-id = \"geheim\"\nagent = 5");
    std::fs::write(stage.file("bot.toml"), text).unwrap();
    let config = stage.file("bot.toml");
    let checked = belfry_tests::run(&["check", "--config", config.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(1));
    assert!(checked.output.contains("aes"), "{}", checked.output);
    for secret in [APP_SECRET, CALLBACK_TOKEN, "geheim-short-key"] {
        assert!(!checked.output.contains(secret), "{}", checked.output);
        assert!(!checked.errors.contains(secret), "{}", checked.errors);
    }
}
