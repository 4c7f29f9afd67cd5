//! Rules decide by kind, condition, hours and switch; they can be asked, and what happens is counted.

use belfry_tests::{Bot, Finished, ONCALL, Plugin, Stage, run, wait_until};
use serde_json::{Value, json};

fn bot() -> Bot {
    Bot::new()
        .plugin(Plugin::echo())
        .plugin(
            Plugin::naughty("picky", "reply", "")
                .line("when = 'event.text.startsWith(\"urgent\")'"),
        )
        .plugin(
            Plugin::naughty("early", "reply", "prefix = \"early \"")
                .line("order = -1")
                .line("when = 'event.text == \"order\"'"),
        )
        .plugin(Plugin::naughty("off", "reply", "").line("enabled = false"))
        // At no time of any week but one minute, which is not that of the story.
        .plugin(Plugin::naughty("never", "reply", "").line(
            "active = { days = \"sun\", hours = \"03:00-03:01\", zone = \"Pacific/Kiritimati\" }",
        ))
        .plugin(Plugin::alerts())
        .hook("ops", "alertmanager", "")
}

/// A Saturday.
const AT: &str = "2026-11-21T12:00:00+08:00";

fn message(text: &str) -> Value {
    json!({
        "msgtype": "text", "text": {"content": text}, "msgId": "m1", "conversationId": "cid", "conversationType": "2",
        "senderId": "$:x", "senderNick": "Alice", "senderStaffId": "alice", "createAt": 1, "robotCode": "dingkey",
        "chatbotUserId": "$:b", "sessionWebhook": "https://oapi.dingtalk.com/robot/sendBySession?session=1",
        "sessionWebhookExpiredTime": 2,
    })
}

async fn explain(stage: &Stage, arguments: &[&str]) -> Finished {
    let config = stage.file("bot.toml");
    let mut all = vec!["rules", "explain"];
    all.extend(arguments);
    all.extend(["--config", config.to_str().unwrap()]);
    run(&all).await
}

#[tokio::test]
async fn the_rules_explain_who_gets_an_event_and_why_others_do_not() {
    let stage = Stage::new(&bot()).await;
    let file = stage.file("event.json");
    std::fs::write(&file, message("hello").to_string()).unwrap();
    let file = file.to_str().unwrap();
    let told = explain(&stage, &[file, "--at", AT]).await;
    assert_eq!(told.code, Some(0), "{}", told.errors);
    insta::assert_snapshot!(told.output);

    let told = explain(&stage, &[file, "--at", AT, "--output", "json"]).await;
    let told: Value = serde_json::from_str(&told.output).unwrap();
    assert_eq!(told["plugins"], json!(["echo"]));

    let told = explain(&stage, &[file, "--app", "nobody"]).await;
    assert_eq!(told.code, Some(1));
    assert!(told.errors.contains("no [[app]] named"), "{}", told.errors);
    std::fs::write(stage.file("event.json"), "[]").unwrap();
    assert_eq!(explain(&stage, &[file]).await.code, Some(1));
}

#[tokio::test]
async fn a_running_belfry_decides_as_it_explains_and_counts_what_it_does() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.serve(&[]).await;
    for text in ["hello", "urgent: fire", "order"] {
        stage.dingtalk.say(ONCALL, "alice", text).await;
    }
    wait_until("all is done", async || {
        belfry
            .doors
            .metric("belfry_deliveries_total{plugin=\"echo\",state=\"done\"}")
            .await
            == 3.0
    })
    .await;
    let events = belfry.doors.events().await;
    let got: Vec<Vec<&str>> = events
        .iter()
        .rev()
        .map(|event| {
            let deliveries = event["deliveries"].as_array().unwrap();
            deliveries
                .iter()
                .map(|delivery| delivery["plugin"].as_str().unwrap())
                .collect()
        })
        .collect();
    assert_eq!(
        got,
        [vec!["echo"], vec!["echo", "picky"], vec!["early", "echo"]]
    );

    // The same rules, asked about the same events.
    for (event, plugins) in events.iter().rev().zip(&got) {
        let told = belfry
            .doors
            .ask("/api/rules/explain", &json!({ "id": event["id"] }))
            .await;
        assert_eq!(told.0, 200, "{}", told.1);
        assert_eq!(told.1["plugins"], json!(plugins));
        let id = event["id"].as_str().unwrap();
        let told = explain(&stage, &["--event", id, "--output", "json"]).await;
        let told: Value = serde_json::from_str(&told.output).unwrap();
        assert_eq!(told["plugins"], json!(plugins));
    }
    let shown = json!({ "event": message("urgent"), "at": AT });
    let (status, told) = belfry.doors.ask("/api/rules/explain", &shown).await;
    assert_eq!((status, &told["plugins"]), (200, &json!(["echo", "picky"])));
    for (body, status) in [
        (json!({}), 400),
        (json!({ "event": [] }), 422),
        (json!({ "id": "x" }), 422),
    ] {
        let (found, _) = belfry.doors.ask("/api/rules/explain", &body).await;
        assert_eq!(found, status, "{body}");
    }

    let rules = belfry.doors.get("/api/rules").await;
    let rules = rules["rules"].as_array().unwrap();
    assert_eq!(rules[0]["plugin"], "early");
    let off = rules.iter().find(|rule| rule["plugin"] == "off").unwrap();
    assert_eq!(off["state"], "disabled");
    assert_eq!(
        belfry.doors.get("/api/plugins").await["disabled"],
        json!(["off"])
    );

    belfry.doors.hook("nothing", "{}".to_owned()).await;
    for (series, value) in [
        (
            "belfry_events_received_total{app=\"acme\",kind=\"chat-message\",source=\"robot\"}",
            3.0,
        ),
        (
            "belfry_events_appended_total{app=\"acme\",kind=\"chat-message\",source=\"robot\"}",
            3.0,
        ),
        (
            "belfry_attempts_total{plugin=\"echo\",outcome=\"done\"}",
            3.0,
        ),
        (
            "belfry_attempt_duration_seconds_count{plugin=\"echo\"}",
            3.0,
        ),
        (
            "belfry_requests_refused_total{source=\"hook\",reason=\"unknown-hook\"}",
            1.0,
        ),
        ("belfry_deliveries_open{state=\"pending\"}", 0.0),
        ("belfry_snapshot_generation", 1.0),
        ("belfry_plugins", 5.0),
    ] {
        assert_eq!(belfry.doors.metric(series).await, value, "{series}");
    }
    assert!(
        belfry
            .doors
            .metric("belfry_store_commit_duration_seconds_count{result=\"ok\"}")
            .await
            > 3.0
    );
    let sent = "dingtalk_requests_total{path=\"/robot/sendBySession\",status=\"200\"}";
    assert!(belfry.doors.metric(sent).await >= 3.0);
}
