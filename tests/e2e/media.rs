//! A plugin uploads files and fetches those that people sent to the robot.

use belfry_tests::{Bot, ONCALL, Plugin, Stage, wait_until};
use serde_json::{Value, json};

fn bot() -> Bot {
    Bot::new()
        .retry("first-delay = \"50ms\"")
        .plugin(Plugin::scripted().granted(""))
}

/// Somebody sends a file to the robot; answers with its download code.
async fn send(stage: &Stage, base64: &str) -> String {
    let file = json!({"app": "acme", "name": "a.txt", "base64": base64});
    let sent = stage.dingtalk.post("files", file).await;
    sent["downloadCode"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn files_go_up_and_come_down() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    let code = send(&stage, "aGVsbG8=").await;
    let script = format!("upload report.pdf the whole report; fetch {code}");
    stage.dingtalk.say(ONCALL, "alice", &script).await;
    wait_until("the answers are there", async || {
        stage.dingtalk.answers(ONCALL).await == ["uploaded", "hello"]
    })
    .await;
    let files = stage.dingtalk.get("files").await;
    assert_eq!(
        (&files[0]["name"], &files[0]["bytes"]),
        (&json!("report.pdf"), &json!(16))
    );
    // The record tells the file from others and does not hold it.
    let id = belfry.doors.events().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let event = belfry.doors.get(&format!("/api/events/{id}")).await;
    let arguments = event["deliveries"][0]["calls"][0]["arguments"].to_string();
    assert!(
        arguments.contains("sha256") && !arguments.contains("whole"),
        "{arguments}"
    );
    belfry.stop().await;
}

#[tokio::test]
async fn what_is_too_large_or_of_no_known_form_is_refused() {
    // 600 KiB of zeros, as text.
    let large = "A".repeat(800 << 10);
    for (script, code) in [
        ("upload report.exe x", "belfry.argument"),
        ("fetch CODE", "belfry.too-large"),
    ] {
        let stage = Stage::new(&bot()).await;
        let belfry = stage.host().await;
        let script = script.replace("CODE", &send(&stage, &large).await);
        stage.dingtalk.say(ONCALL, "alice", &script).await;
        let delivery: Value = belfry.doors.ended("scripted").await;
        assert_eq!(delivery["state"], "dead", "{delivery}");
        assert!(
            delivery["reason"].as_str().unwrap().contains(code),
            "{delivery}"
        );
        assert!(stage.dingtalk.answers(ONCALL).await.is_empty());
        belfry.stop().await;
    }
}
