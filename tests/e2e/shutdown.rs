//! SIGTERM: no more events, running attempts end or run again later, exit code 0.

use belfry_tests::{Bot, DEV, ONCALL, Plugin, Stage, run, wait_until};
use serde_json::{Value, json};

/// The journal of a belfry that does not run.
async fn journal(stage: &Stage) -> Vec<Value> {
    let config = stage.file("bot.toml");
    let config = config.to_str().unwrap();
    let listed = run(&["events", "list", "--output", "json", "--config", config]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.errors);
    let events: Value = serde_json::from_str(&listed.output).unwrap();
    events.as_array().unwrap().clone()
}

/// A plugin whose attempts take so long, and how long belfry waits for them.
fn slow(sleep_ms: u32, drain: &str) -> Bot {
    let plugin = Plugin::naughty("naughty", "sleep", &format!("sleep-ms = {sleep_ms}"))
        .line("limits = { wall = \"300s\" }");
    Bot::new()
        .server(&format!("drain = {drain:?}"))
        .plugin(plugin)
}

#[tokio::test]
async fn running_attempts_are_finished_before_the_end() {
    let stage = Stage::new(&slow(1500, "20s")).await;
    let belfry = stage.serve(&[]).await;
    for conversation in [ONCALL, DEV] {
        stage.dingtalk.say(conversation, "alice", "hello").await;
    }
    belfry.sleepers(2).await;
    let doors = belfry.doors.clone();
    belfry.terminate();
    wait_until("it is not ready any more", async || {
        doors.readiness().await != 200
    })
    .await;
    // Not ready before the work is done: the answers are still to come.
    assert!(stage.dingtalk.answers(DEV).await.is_empty());
    let (code, log) = belfry.end().await;
    assert_eq!(code, Some(0), "{log}");

    for event in journal(&stage).await {
        assert_eq!(event["state"], "done", "{event}");
        assert_eq!(event["deliveries"][0]["attempts"], 1, "{event}");
    }
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["hello"]);
    assert_eq!(stage.dingtalk.answers(DEV).await, ["hello"]);
}

#[tokio::test]
async fn what_does_not_end_in_time_runs_again_after_the_next_start() {
    let stage = Stage::new(&slow(200_000, "200ms")).await;
    let belfry = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    // It waits behind the first one.
    stage.dingtalk.say(ONCALL, "alice", "still there?").await;
    belfry.sleepers(1).await;
    belfry.terminate();
    let (code, log) = belfry.end().await;
    assert_eq!(code, Some(0), "{log}");
    let events = journal(&stage).await;
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event["state"] == "pending"));

    stage.write(&Bot::new().plugin(Plugin::naughty("naughty", "reply", "")));
    let _belfry = stage.serve(&[]).await;
    wait_until("they are answered", async || {
        stage.dingtalk.answers(ONCALL).await == ["hello", "still there?"]
    })
    .await;
}

#[tokio::test]
async fn nothing_comes_in_while_it_drains_and_the_log_is_in_the_file_at_the_end() {
    let stage = Stage::new(&slow(1500, "20s").hook("any", "generic", "")).await;
    let belfry = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    belfry.sleepers(1).await;
    let doors = belfry.doors.clone();
    belfry.terminate();
    wait_until("it is not ready any more", async || {
        doors.readiness().await == 503
    })
    .await;
    wait_until("its door is closed", async || {
        let alert = doors
            .post("/hooks/any")
            .body(json!({"title": "disk"}).to_string());
        alert.send().await.is_err()
    })
    .await;
    // The operators still see it, and the attempt still runs.
    assert_eq!(doors.readiness().await, 503);
    assert!(stage.dingtalk.answers(ONCALL).await.is_empty());
    let (code, log) = belfry.end().await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["hello"]);
    assert!(!stage.file("belfry.db-wal").exists());
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_the_drain_and_loses_nothing() {
    let stage = Stage::new(&slow(200_000, "60s")).await;
    let belfry = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    belfry.sleepers(1).await;
    let doors = belfry.doors.clone();
    belfry.terminate();
    wait_until("it drains", async || doors.readiness().await != 200).await;
    let second = std::time::Instant::now();
    belfry.terminate();
    let (code, log) = belfry.end().await;
    assert_eq!(code, Some(130), "{log}");
    let took = second.elapsed();
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");

    stage.write(&Bot::new().plugin(Plugin::naughty("naughty", "reply", "")));
    let _belfry = stage.serve(&[]).await;
    wait_until("it is answered", async || {
        stage.dingtalk.answers(ONCALL).await == ["hello"]
    })
    .await;
}

#[tokio::test]
async fn with_nothing_to_do_it_ends_at_once() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::echo())).await;
    let belfry = stage.serve(&[]).await;
    let started = std::time::Instant::now();
    belfry.terminate();
    let (code, log) = belfry.end().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn a_port_that_is_taken_ends_the_start_with_a_reason() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let stage = Stage::new(&Bot::new().server(&format!("listen = \"{address}\""))).await;
    let config = stage.file("bot.toml");
    let ended = run(&["serve", "--config", config.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(1));
    let reason = format!("cannot listen on {address} (server.listen in bot.toml)");
    assert!(ended.errors.contains(&reason), "{}", ended.errors);
}
