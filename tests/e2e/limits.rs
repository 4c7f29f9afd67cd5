//! A plugin that misbehaves ends with a named reason, and nobody else notices.

use belfry_tests::{Bot, ONCALL, Plugin, Stage, wait_until};
use serde_json::{Value, json};

/// The guest in one mode, for messages of that word.
fn naughty(mode: &str, limits: &str) -> Plugin {
    Plugin::naughty(mode, mode, "")
        .line(&format!("when = 'event.text == {mode:?}'"))
        .line(&format!("limits = {{ {limits} }}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_misbehaviour_ends_with_its_reason_while_the_neighbour_answers() {
    let bot = Bot::new()
        .retry("max-attempts = 2")
        .retry("first-delay = \"20ms\"")
        .plugin(Plugin::echo())
        .plugin(naughty("spin", "cpu = \"200ms\""))
        .plugin(naughty("swell", "memory = \"16MiB\", cpu = \"5s\""))
        .plugin(naughty("flood", "calls = 50"))
        .plugin(naughty("panic", ""))
        .plugin(naughty("sleep", "wall = \"300ms\""))
        .plugin(naughty("reject", ""));
    let stage = Stage::new(&bot).await;
    let belfry = stage.host().await;
    let modes = [
        ("spin", 2, "out of time: limits.cpu = 200ms"),
        ("swell", 2, "out of memory: limits.memory = 16MiB"),
        ("flood", 2, "too many host calls: limits.calls = 50"),
        ("panic", 2, "trap: thread '<unnamed>' "),
        ("sleep", 2, "out of time: limits.wall = 300ms"),
        (
            "reject",
            1,
            "plugin rejected the event: does not want this one",
        ),
    ];
    for (mode, _, _) in modes {
        let report = stage.dingtalk.say(ONCALL, "alice", mode).await;
        assert_eq!(report["delivered"], true);
        // The neighbour answers the same message, and belfry takes work.
        wait_until("echo answers", async || {
            let answers = stage.dingtalk.answers(ONCALL).await;
            answers.iter().any(|text| text == mode)
        })
        .await;
        assert_eq!(belfry.doors.readiness().await, 200);
    }
    for (mode, attempts, reason) in modes {
        let delivery = belfry.doors.ended(mode).await;
        assert_eq!(delivery["state"], "dead", "{mode}: {delivery}");
        assert_eq!(delivery["attempts"], attempts, "{mode}: {delivery}");
        let told = delivery["reason"].as_str().unwrap();
        if mode == "panic" {
            assert!(told.contains("on purpose"), "{told}");
        }
        if reason.ends_with(' ') {
            assert!(told.starts_with(reason), "{mode}: {told}");
        } else {
            assert_eq!(told, reason, "{mode}");
        }
    }
    let echoed = belfry.doors.deliveries("echo").await;
    assert!(
        echoed
            .iter()
            .all(|delivery| delivery["state"] == "done" && delivery["attempts"] == 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_that_a_plugin_waits_is_not_computing() {
    // Each of them is longer than a tick of the clock that counts computing, and there are more than the budget has ticks.
    let script = format!("{}reply awake", "sleep 20; ".repeat(16));
    let plugin = Plugin::scripted_with(&script)
        .granted("")
        .line("limits = { cpu = \"100ms\" }");
    let stage = Stage::new(&Bot::new().retry("max-attempts = 1").plugin(plugin)).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", "good night").await;
    let delivery = belfry.doors.ended("scripted").await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["awake"]);
}

#[tokio::test]
async fn a_plugin_that_logs_without_end_is_cut_short_but_not_failed() {
    let bot = Bot::new().plugin(naughty("log", ""));
    let stage = Stage::new(&bot).await;
    let belfry = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "log").await;
    wait_until("it is done", async || {
        belfry.doors.deliveries("log").await[0]["state"] == "done"
    })
    .await;
    let log = belfry.log();
    assert_eq!(log.matches(&"x".repeat(100)).count(), 256);
    assert!(log.contains("the plugin may log no more"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_endless_loops_does_not_silence_the_neighbour() {
    let bot = Bot::new()
        .engine("max-concurrent = 8")
        .retry("max-attempts = 1")
        .plugin(Plugin::echo().line("when = '!event.text.startsWith(\"spin\")'"))
        .plugin(
            Plugin::naughty("spin", "spin", "")
                .line("when = 'event.text.startsWith(\"spin\")'")
                .line("limits = { cpu = \"1s\" }"),
        );
    let stage = Stage::new(&bot).await;
    let belfry = stage.host().await;
    // Private chats, so that each has a key of its own.
    for sender in ["alice", "bob", "carol", "dave"] {
        let message = json!({"app": "acme", "senderStaffId": sender, "text": "spin"});
        stage.dingtalk.post("messages", message).await;
    }
    let report = stage.dingtalk.say(ONCALL, "alice", "anybody there?").await;
    assert_eq!(report["delivered"], true, "{report}");
    wait_until("echo answers", async || {
        stage.dingtalk.answers(ONCALL).await == ["anybody there?"]
    })
    .await;
    let spinning: Vec<Value> = belfry.doors.deliveries("spin").await;
    assert_eq!(spinning.len(), 4);
    wait_until("the loops end", async || {
        let spinning = belfry.doors.deliveries("spin").await;
        spinning
            .iter()
            .all(|delivery| delivery["reason"] == "out of time: limits.cpu = 1s")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_whose_attempts_only_wait_does_not_take_every_place() {
    let bot = Bot::new()
        .engine("max-concurrent = 4")
        .retry("max-attempts = 1")
        .plugin(Plugin::echo().line("when = '!event.text.startsWith(\"sleep\")'"))
        .plugin(
            Plugin::naughty("sleep", "sleep", "")
                .line("when = 'event.text.startsWith(\"sleep\")'")
                .line("limits = { wall = \"60s\" }"),
        );
    let stage = Stage::new(&bot).await;
    let _belfry = stage.host().await;
    for sender in ["alice", "bob", "carol", "dave", "zhangsan"] {
        let message = json!({"app": "acme", "senderStaffId": sender, "text": "sleep"});
        stage.dingtalk.post("messages", message).await;
    }
    stage.dingtalk.say(ONCALL, "alice", "anybody there?").await;
    wait_until("echo answers", async || {
        stage.dingtalk.answers(ONCALL).await == ["anybody there?"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_has_as_many_attempts_at_one_time_as_it_may_and_the_others_wait() {
    let bot = Bot::new()
        .plugin(Plugin::echo().line("when = '!event.text.startsWith(\"sleep\")'"))
        .plugin(
            Plugin::naughty("sleep", "sleep", "sleep-ms = 1500")
                .line("when = 'event.text.startsWith(\"sleep\")'")
                .line("limits = { concurrent = 2, wall = \"60s\" }"),
        );
    let stage = Stage::new(&bot).await;
    let belfry = stage.serve(&[]).await;
    for sender in ["alice", "bob", "carol", "dave"] {
        let message = json!({"app": "acme", "senderStaffId": sender, "text": "sleep"});
        stage.dingtalk.post("messages", message).await;
    }
    belfry.sleepers(2).await;
    // Whoever comes later overtakes those that wait for a place of their own plugin.
    stage.dingtalk.say(ONCALL, "alice", "anybody there?").await;
    wait_until("echo answers", async || {
        stage.dingtalk.answers(ONCALL).await == ["anybody there?"]
    })
    .await;
    let ended = async || {
        let deliveries = belfry.doors.deliveries("sleep").await;
        let done = deliveries
            .iter()
            .filter(|delivery| delivery["state"] == "done");
        done.count()
    };
    assert_eq!(ended().await, 0, "the machine is too slow for this story");
    assert_eq!(belfry.log().matches("falling asleep").count(), 2);
    wait_until("all had their turn", async || ended().await == 4).await;
}

#[tokio::test]
async fn what_a_plugin_logs_and_prints_is_cut_at_its_own_limits() {
    let plugin = naughty("log", "log-lines = 7");
    let bytes = Plugin::naughty("bytes", "log", "")
        .line("when = 'event.text == \"bytes\"'")
        .line("limits = { log-bytes = \"1KiB\" }");
    let printed = Plugin::naughty("printed", "print-flood", "")
        .line("when = 'event.text == \"printed\"'")
        .line("limits = { printed-bytes = \"1KiB\", cpu = \"50ms\" }");
    let bot = Bot::new()
        .retry("max-attempts = 1")
        .plugin(plugin)
        .plugin(bytes)
        .plugin(printed);
    let stage = Stage::new(&bot).await;
    let belfry = stage.serve(&[("BELFRY_LOG", "debug")]).await;
    let lines = |of: &str| belfry.log().matches(of).count();
    let line = "x".repeat(100);
    for (name, state, of, count) in [
        ("log", "done", line.as_str(), 7),
        // Ten lines of a hundred bytes are below a kibibyte.
        ("bytes", "done", line.as_str(), 7 + 10),
        // Sixteen bytes a line.
        ("printed", "dead", "plugin printed", 64),
    ] {
        stage.dingtalk.say(ONCALL, "alice", name).await;
        wait_until("it ends", async || {
            belfry.doors.deliveries(name).await[0]["state"] == state
        })
        .await;
        assert_eq!(lines(of), count, "{name}");
    }
}
