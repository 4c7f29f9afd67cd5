//! A person makes dead deliveries run again or takes them for done, beside a running belfry and without one.

use belfry_tests::{Bot, Finished, ONCALL, Plugin, Stage, run, wait_until};
use serde_json::Value;

/// A bot whose plugin is in this mode, with its operators' listener at a known address.
fn bot(mode: &str, admin: &str) -> Bot {
    Bot::new()
        .server(&format!("admin = {admin:?}"))
        .plugin(Plugin::naughty("naughty", mode, ""))
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn belfry(stage: &Stage, arguments: &[&str]) -> Finished {
    let config = stage.file("bot.toml");
    let mut arguments = arguments.to_vec();
    arguments.extend(["--config", config.to_str().unwrap()]);
    run(&arguments).await
}

async fn states(stage: &Stage) -> Vec<String> {
    let listed = belfry(stage, &["events", "list", "--output", "json"]).await;
    let events: Value = serde_json::from_str(&listed.output).unwrap();
    let events = events.as_array().unwrap().iter();
    events
        .map(|event| event["state"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn dead_deliveries_run_again_beside_a_running_belfry_and_without_one() {
    let admin = free_address();
    let stage = Stage::new(&bot("reject", &admin)).await;
    let process = stage.serve(&[]).await;
    for text in ["first", "second"] {
        stage.dingtalk.say(ONCALL, "alice", text).await;
    }
    wait_until("both are dead", async || {
        states(&stage).await == ["dead", "dead"]
    })
    .await;
    let refused = belfry(&stage, &["events", "retry"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.errors.contains("which deliveries are meant"),
        "{}",
        refused.errors
    );
    let counted = belfry(&stage, &["events", "retry", "--plugin", "naughty"]).await;
    assert!(
        counted
            .output
            .starts_with("2 deliveries would be run again"),
        "{counted:?}"
    );
    assert_eq!(states(&stage).await, ["dead", "dead"]);

    stage.write(&bot("reply", &admin));
    assert_eq!(process.doors.reload().await.0, 200);
    let wanted = [
        "events",
        "retry",
        "--reason",
        "DOES NOT WANT",
        "--since",
        "1h",
        "--yes",
    ];
    let done = belfry(&stage, &wanted).await;
    assert_eq!(done.output, "2 deliveries run again\n", "{done:?}");
    wait_until("they are answered in their order", async || {
        stage.dingtalk.answers(ONCALL).await == ["first", "second"]
    })
    .await;

    // Without a belfry the command has the store for itself.
    stage.write(&bot("reject", &admin));
    assert_eq!(process.doors.reload().await.0, 200);
    stage.dingtalk.say(ONCALL, "alice", "third").await;
    wait_until("it is dead", async || states(&stage).await[0] == "dead").await;
    process.kill().await;
    let done = belfry(&stage, &["events", "skip", "--state", "dead", "--yes"]).await;
    assert_eq!(done.output, "1 deliveries skipped\n", "{done:?}");
    assert_eq!(states(&stage).await, ["done", "done", "done"]);
    let sound = belfry(&stage, &["journal", "verify"]).await;
    assert_eq!(sound.code, Some(0), "{sound:?}");
    let copy = stage.file("copy.db");
    let copied = belfry(&stage, &["journal", "backup", copy.to_str().unwrap()]).await;
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let file = ["journal", "verify", "--file", copy.to_str().unwrap()];
    assert_eq!(belfry(&stage, &file).await.code, Some(0));
}
