//! Rules and plugins change while the bot runs, and what is bad changes nothing.

use std::time::{Duration, Instant};

use belfry_tests::{Bot, Doors, ONCALL, Plugin, Stage, components, wait_for, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use simulator::Options;

/// Echo, with what the guest needs as well, so that the one can take the other's place.
fn echo() -> Plugin {
    Plugin::new("echo", "echo")
        .line("grant = { robot = true, kv = true }")
        .line("config = { mode = \"reply\", prefix = \"new \" }")
}

/// The guest beside it, so that its compilation is in the cache.
fn bot() -> Bot {
    Bot::new()
        .plugin(echo())
        .plugin(Plugin::naughty("guest", "reply", "").line("when = 'false'"))
}

fn guest() -> Vec<u8> {
    std::fs::read(components::path("naughty")).unwrap()
}

async fn answered(stage: &Stage, text: &str) {
    wait_until("it is answered", async || {
        let answers = stage.dingtalk.answers(ONCALL).await;
        answers.last().is_some_and(|last| last == text)
    })
    .await;
}

/// Waits for a refusal and gives its subject and reason.
async fn refusal(doors: &Doors) -> (String, String) {
    let refusal = wait_for("something is refused", async || {
        let plugins = doors.get("/api/plugins").await;
        plugins["refused"].get(0).cloned()
    })
    .await;
    let text = |name: &str| refusal[name].as_str().unwrap().to_owned();
    (text("subject"), text("reason"))
}

/// The reasons of a reload that was asked for and refused.
async fn refused_reload(doors: &Doors) -> String {
    let (status, report) = doors.reload().await;
    assert!((400..500).contains(&status), "{status} {report}");
    let reasons: Vec<&str> = report["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refusal| refusal["reason"].as_str().unwrap())
        .collect();
    reasons.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_is_replaced_while_messages_flow_and_none_is_lost_or_doubled() {
    let options = Options {
        rate_limit: None,
        ..Options::default()
    };
    let stage = Stage::with(&bot(), options).await;
    let belfry = stage.host().await;
    let old = belfry.doors.digest("echo").await;
    let new = belfry.doors.digest("guest").await;
    assert_ne!(old, new);

    let mut replaced = None;
    let mut took = None;
    let mut sent = Vec::new();
    for number in 0.. {
        if number == 20 {
            stage.replace_component("echo", &guest());
            replaced = Some(Instant::now());
        }
        let text = format!("message {number}");
        let report = stage.dingtalk.say(ONCALL, "alice", &text).await;
        assert_eq!(report["delivered"], true, "{report}");
        sent.push(text);
        if let Some(replaced) = replaced {
            if took.is_none() && belfry.doors.digest("echo").await == new {
                took = Some(replaced.elapsed());
            }
            assert!(replaced.elapsed() < Duration::from_secs(10), "never live");
        }
        // Some more after the change.
        if took.is_some_and(|took| replaced.unwrap().elapsed() > took + Duration::from_millis(200))
        {
            break;
        }
    }
    let took = took.unwrap();
    assert!(took < Duration::from_secs(2), "live only after {took:?}");

    let answers = wait_for("everything is answered", async || {
        let answers = stage.dingtalk.answers(ONCALL).await;
        (answers.len() >= sent.len()).then_some(answers)
    })
    .await;
    let by_old = answers
        .iter()
        .take_while(|answer| !answer.starts_with("new "))
        .count();
    assert!(by_old >= 20 && by_old < sent.len(), "{by_old}");
    let expected: Vec<String> = sent
        .iter()
        .enumerate()
        .map(|(number, text)| {
            if number < by_old {
                text.clone()
            } else {
                format!("new {text}")
            }
        })
        .collect();
    assert_eq!(answers, expected);
    // An answer is out a moment before its attempt is counted.
    let deliveries = wait_for("everything is done", async || {
        let deliveries = belfry.doors.deliveries("echo").await;
        let all_done = deliveries
            .iter()
            .all(|delivery| delivery["state"] == "done");
        all_done.then_some(deliveries)
    })
    .await;
    assert!(deliveries.iter().all(|delivery| delivery["attempts"] == 1));
}

#[tokio::test]
async fn a_broken_component_is_refused_with_its_reason_and_the_old_one_goes_on() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    let old = belfry.doors.digest("echo").await;
    let whole = std::fs::read(components::path("echo")).unwrap();
    let wrong_abi = std::fs::read(components::path("wrong-abi")).unwrap();
    for (bytes, word) in [
        (&whole[..whole.len() / 2], "component"),
        (b"not wasm", "component"),
        (b"", "component"),
        (wrong_abi.as_slice(), "handler"),
    ] {
        stage.replace_component("echo", bytes);
        let reason = refused_reload(&belfry.doors).await;
        assert!(reason.contains(word), "{reason}");
        let (subject, listed) = refusal(&belfry.doors).await;
        assert_eq!((subject.as_str(), listed), ("echo", reason));
        assert_eq!(belfry.doors.digest("echo").await, old);
        stage.dingtalk.say(ONCALL, "alice", word).await;
        answered(&stage, word).await;
    }
    // A whole one is taken, and nothing is refused any more.
    stage.replace_component("echo", &guest());
    wait_until("the new one is active", async || {
        belfry.doors.digest("echo").await != old
    })
    .await;
    let plugins = belfry.doors.get("/api/plugins").await;
    assert_eq!(plugins["refused"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_broken_component_is_noticed_without_being_asked() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    stage.replace_component("echo", b"not wasm");
    let (subject, reason) = refusal(&belfry.doors).await;
    assert_eq!(subject, "echo");
    assert!(!reason.is_empty());
}

#[tokio::test]
async fn a_component_that_grows_a_need_is_refused_until_it_is_granted() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::echo())).await;
    let belfry = stage.host().await;
    stage.replace_component("echo", &guest());
    let reason = refused_reload(&belfry.doors).await;
    assert!(
        reason.contains("belfry:bot/kv") && reason.contains("grant = { robot = true, kv = true }"),
        "{reason}"
    );
    stage.write(&Bot::new().plugin(echo()));
    let (status, report) = belfry.doors.reload().await;
    assert_eq!(status, 200, "{report}");
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    answered(&stage, "new hello").await;
}

#[tokio::test]
async fn a_changed_rule_takes_effect_by_itself() {
    let quiet = Bot::new().plugin(Plugin::echo().line("when = 'event.text != \"hush\"'"));
    let stage = Stage::new(&quiet).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", "hush").await;
    let events = belfry.doors.events().await;
    assert_eq!(events[0]["deliveries"].as_array().unwrap().len(), 0);

    let generation = belfry.doors.get("/api/plugins").await["generation"].clone();
    stage.write(&Bot::new().plugin(Plugin::echo()));
    wait_until("the change is active", async || {
        belfry.doors.get("/api/plugins").await["generation"] != generation
    })
    .await;
    stage.dingtalk.say(ONCALL, "alice", "hush").await;
    answered(&stage, "hush").await;
}

#[tokio::test]
async fn a_new_plugin_and_a_new_hook_are_there_after_a_reload_and_gone_after_another() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::echo())).await;
    let belfry = stage.host().await;
    assert_eq!(belfry.doors.hook("any", "{}".to_owned()).await.0, 404);
    let more = Bot::new()
        .plugin(Plugin::echo())
        .plugin(Plugin::alerts())
        .hook("any", "generic", "");
    stage.write(&more);
    assert_eq!(belfry.doors.reload().await.0, 200);
    assert_eq!(belfry.doors.hook("any", "{}".to_owned()).await.0, 200);
    stage.write(&Bot::new());
    assert_eq!(belfry.doors.reload().await.0, 200);
    assert_eq!(belfry.doors.hook("any", "{}".to_owned()).await.0, 404);
    let plugins = belfry.doors.get("/api/plugins").await;
    assert_eq!(plugins["plugins"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_broken_configuration_is_refused_with_its_lines_and_the_old_one_goes_on() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::echo())).await;
    let belfry = stage.host().await;
    let right = std::fs::read_to_string(stage.file("bot.toml")).unwrap();
    for (wrong, word) in [
        (format!("{right}\n[["), "line "),
        (format!("lisen = 5\n{right}"), "line 1: lisen"),
        (String::new(), ""),
    ] {
        if wrong.is_empty() {
            std::fs::remove_file(stage.file("bot.toml")).unwrap();
        } else {
            std::fs::write(stage.file("bot.toml"), wrong).unwrap();
        }
        let reason = refused_reload(&belfry.doors).await;
        assert!(reason.contains(word), "{reason}");
        let (subject, listed) = refusal(&belfry.doors).await;
        assert_eq!(subject, "bot.toml");
        assert!(reason.starts_with(&listed), "{listed} and {reason}");
        let text = format!("after {word:?}");
        stage.dingtalk.say(ONCALL, "alice", &text).await;
        answered(&stage, &text).await;
    }
}

#[tokio::test]
async fn a_setting_that_needs_a_restart_says_so_while_the_rest_is_taken_over() {
    let stage = Stage::new(&Bot::new()).await;
    let belfry = stage.host().await;
    let moved = Bot::new()
        .server("listen = \"127.0.0.1:1\"")
        .plugin(Plugin::echo());
    stage.write(&moved);
    let reason = refused_reload(&belfry.doors).await;
    assert!(
        reason.contains("server.listen changed from") && reason.contains("restart"),
        "{reason}"
    );
    stage.dingtalk.say(ONCALL, "alice", "and the plugin?").await;
    answered(&stage, "and the plugin?").await;
}

#[tokio::test]
async fn an_event_of_a_plugin_that_was_taken_away_waits_for_a_person() {
    let held = Bot::new()
        .retry("first-delay = \"1s\"")
        .plugin(Plugin::naughty("guest", "retry", "times = 1"));
    let stage = Stage::new(&held).await;
    let belfry = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    wait_until("the first attempt failed", async || {
        belfry.doors.deliveries("guest").await[0]["attempts"] == 1
    })
    .await;
    stage.write(&Bot::new().retry("first-delay = \"1s\""));
    assert_eq!(belfry.doors.reload().await.0, 200);
    let delivery: Value = wait_for("it is parked", async || {
        let delivery = belfry.doors.deliveries("guest").await.pop()?;
        (delivery["state"] == "parked").then_some(delivery)
    })
    .await;
    assert_eq!(delivery["reason"], "no plugin of this name is loaded");
}

#[tokio::test]
async fn a_hangup_signal_looks_at_everything_at_once() {
    let stage = Stage::new(&Bot::new()).await;
    let belfry = stage.serve(&[]).await;
    let first = belfry.doors.get("/api/plugins").await["generation"].clone();
    let hangup = || kill_process(Pid::from_raw(belfry.id()).unwrap(), Signal::HUP).unwrap();
    // With nothing to find it finds nothing and goes on.
    hangup();
    wait_until("the signal was heard", async || {
        belfry
            .doors
            .metric("belfry_reloads_total{result=\"unchanged\"}")
            .await
            == 1.0
    })
    .await;
    assert_eq!(belfry.doors.get("/api/plugins").await["generation"], first);
    // A file that was changed before its folder is watched, and not touched again, is found by the signal.
    stage.write(&Bot::new().plugin(Plugin::echo()));
    hangup();
    wait_until("the plugin is there", async || {
        !belfry.doors.get("/api/plugins").await["plugins"]
            .as_array()
            .unwrap()
            .is_empty()
    })
    .await;
    assert!(
        belfry
            .doors
            .metric("belfry_reloads_total{result=\"changed\"}")
            .await
            >= 1.0
    );
}

#[tokio::test]
async fn a_refusal_says_who_why_and_since_when_until_it_is_made_good() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.serve(&[]).await;
    stage.replace_component("echo", b"not wasm");
    assert_eq!(belfry.doors.reload().await.0, 422);
    let first = belfry.doors.get("/api/plugins").await["refused"][0].clone();
    assert_eq!(first["subject"], "echo");
    assert_eq!(first["digest"].as_str().unwrap().len(), 64);
    // Asked again it is the same refusal, not a younger one.
    assert_eq!(belfry.doors.reload().await.0, 422);
    let plugins = belfry.doors.get("/api/plugins").await;
    assert_eq!(plugins["refused"][0], first);
    let entry = plugins["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["name"] == "echo")
        .unwrap();
    assert_eq!(entry["refused"], first);
    assert_eq!(entry["since_generation"], 1);
    assert_eq!(belfry.doors.metric("belfry_refused_changes").await, 1.0);
    assert_eq!(belfry.log().matches("change refused").count(), 1);

    stage.replace_component("echo", &guest());
    assert_eq!(belfry.doors.reload().await.0, 200);
    assert_eq!(belfry.doors.metric("belfry_refused_changes").await, 0.0);
    let plugins = belfry.doors.get("/api/plugins").await;
    let entry = plugins["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["name"] == "echo")
        .unwrap();
    assert_eq!(entry["since_generation"], plugins["generation"]);
}

#[tokio::test]
async fn an_attempt_under_way_ends_on_its_version_and_several_changes_are_one_snapshot() {
    let slow =
        Plugin::naughty("echo", "sleep", "sleep-ms = 1500").line("limits = { wall = \"60s\" }");
    let stage = Stage::new(&Bot::new().plugin(slow)).await;
    let belfry = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "early").await;
    belfry.sleepers(1).await;
    // Plugin, rule, limits, grants and a hook at once.
    let next = Plugin::naughty("echo", "reply", "prefix = \"new \"")
        .line("when = 'event.text != \"hush\"'");
    stage.write(
        &Bot::new()
            .plugin(Plugin::naughty("other", "reply", "").line("when = 'false'"))
            .plugin(next)
            .hook("any", "generic", ""),
    );
    assert_eq!(belfry.doors.reload().await.0, 200);
    let snapshot = belfry.doors.get("/api/snapshot").await;
    assert_eq!(snapshot["generation"], 2, "{snapshot}");
    assert_eq!(snapshot["hooks"][0], "any");
    assert_eq!(snapshot["draining"][0]["generation"], 1, "{snapshot}");
    answered(&stage, "early").await;
    stage.dingtalk.say(ONCALL, "alice", "late").await;
    answered(&stage, "new late").await;
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["early", "new late"]);
    wait_until("the old snapshot is gone", async || {
        let snapshot = belfry.doors.get("/api/snapshot").await;
        snapshot["draining"].as_array().unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_component_that_cannot_fit_its_memory_is_refused_when_it_is_loaded() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::echo())).await;
    let belfry = stage.host().await;
    let large = "(component (core module $m (memory 32)) (core instance (instantiate $m)))";
    stage.replace_component("echo", &wat::parse_str(large).unwrap());
    let small = Plugin::echo().line("limits = { memory = \"1MiB\" }");
    stage.write(&Bot::new().plugin(small));
    let (status, report) = belfry.doors.reload().await;
    let reason = report["refused"][0]["reason"].as_str().unwrap_or_default();
    assert_eq!(status, 422, "{report}");
    assert!(
        reason.contains("of memory, more than its limit"),
        "{reason}"
    );
    stage.dingtalk.say(ONCALL, "alice", "still there").await;
    answered(&stage, "still there").await;
}
