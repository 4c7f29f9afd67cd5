//! What the commands print, and how they end.

use std::fs;
use std::net::SocketAddr;

use belfry_tests::{
    Bot, Dingtalk, Finished, ONCALL, Plugin, Process, Stage, components, run, run_with, wait_until,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

async fn belfry(stage: &Stage, arguments: &[&str]) -> Finished {
    let config = stage.file("bot.toml");
    let mut all = arguments.to_vec();
    all.extend(["--config", config.to_str().unwrap()]);
    run(&all).await
}

/// The text without what differs from run to run.
fn redacted(stage: &Stage, text: &str) -> String {
    let folder = stage.file("");
    text.replace(folder.to_str().unwrap(), "…/")
}

#[tokio::test]
async fn check_names_every_mistake_with_its_key_and_line() {
    let stage = Stage::new(&Bot::new()).await;
    let text = r#"[server]
listen = "everywhere"
max-connection = 5

[[app]]
name = "acme"
corp-id = "dingcorp"
app-key = "dingkey"
app-secret = { env = "BELFRY_TEST_NO_SUCH_SECRET" }
receive = ["robot", "pigeon"]

[[plugin]]
name = "echo"
component = "plugins/echo.wasm"
app = "amce"
events = ["chat-mesage"]
when = 'event.text =='
limits = { memory = "64MB" }
"#;
    fs::write(stage.file("bot.toml"), text).unwrap();
    let checked = belfry(&stage, &["check"]).await;
    assert_eq!(checked.code, Some(1));
    insta::assert_snapshot!(redacted(&stage, &checked.output), @"");

    let checked = belfry(&stage, &["check", "--output", "json"]).await;
    assert_eq!(checked.code, Some(1));
    let answer: Value = serde_json::from_str(&checked.output).unwrap();
    assert_eq!(answer["ok"], false);
    assert!(answer["problems"].as_array().unwrap().len() >= 5);
}

#[tokio::test]
async fn check_names_plugins_that_cannot_be_used() {
    let bot = Bot::new()
        .plugin(Plugin::new("ungranted", "alerts"))
        .plugin(Plugin::new("half-granted", "approvals").line("grant = { chat = true }"))
        .plugin(Plugin::new("wrong-abi", "wrong-abi"))
        .plugin(Plugin::echo());
    let stage = Stage::new(&bot).await;
    stage.replace_component("echo", b"not wasm");
    let checked = belfry(&stage, &["check"]).await;
    assert_eq!(checked.code, Some(1));
    insta::assert_snapshot!(redacted(&stage, &checked.output), @"");

    // Nor does belfry start with them.
    let served = belfry(&stage, &["serve"]).await;
    assert_eq!(served.code, Some(1));
    for name in ["ungranted", "half-granted", "wrong-abi", "echo"] {
        assert!(served.errors.contains(name), "{}", served.errors);
    }
}

#[tokio::test]
async fn check_of_a_sound_configuration_lists_the_plugins() {
    let bot = Bot::new().plugin(Plugin::echo()).plugin(Plugin::alerts());
    let stage = Stage::new(&bot).await;
    let checked = belfry(&stage, &["check", "--output", "json"]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.output);
    let answer: Value = serde_json::from_str(&checked.output).unwrap();
    assert_eq!(answer["ok"], true);
    assert_eq!(answer["plugins"][1]["name"], "echo");
    assert_eq!(answer["plugins"][1]["capabilities"][0], "robot");
    let digest = answer["plugins"][1]["digest"].as_str().unwrap();
    assert_eq!(digest.len(), 64);
}

#[tokio::test]
async fn the_shipped_configuration_is_in_order() {
    let config = components::checkout().join("bot.toml");
    // The store beside it is nobody's business here.
    let cache = components::cache();
    let environment = [("BELFRY_ENGINE__CACHE", cache.to_str().unwrap())];
    let checked = run_with(
        &["check", "--config", config.to_str().unwrap()],
        &environment,
    )
    .await;
    assert_eq!(checked.code, Some(0), "{}", checked.output);
    for plugin in ["echo", "approvals", "alerts"] {
        assert!(checked.output.contains(plugin), "{}", checked.output);
    }
}

#[tokio::test]
async fn events_are_listed_and_shown_as_the_contract_says() {
    let bot = Bot::new()
        .plugin(Plugin::echo())
        .plugin(Plugin::naughty("grumpy", "reject", ""));
    let stage = Stage::new(&bot).await;
    let hosted = stage.host().await;
    for text in ["one", "two"] {
        stage.dingtalk.say(ONCALL, "alice", text).await;
    }
    wait_until("everything ended", async || {
        let events = hosted.doors.events().await;
        events.len() == 2 && events.iter().all(|event| event["state"] != "pending")
    })
    .await;

    // Beside the running host.
    let listed = belfry(&stage, &["events", "list", "--output", "json"]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.errors);
    let events: Value = serde_json::from_str(&listed.output).unwrap();
    assert_eq!(events, Value::from(hosted.doors.events().await));
    let event = &events[0];
    assert_eq!(
        (&event["app"], &event["kind"], &event["state"]),
        (&"acme".into(), &"chat-message".into(), &"dead".into())
    );
    let id = event["id"].as_str().unwrap();
    assert!(event["received_at"].as_str().unwrap().ends_with('Z'));
    let deliveries = event["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 2);
    assert_eq!(
        (&deliveries[0]["plugin"], &deliveries[0]["state"]),
        (&"echo".into(), &"done".into())
    );
    assert_eq!(
        (&deliveries[0]["attempts"], &deliveries[0]["reason"]),
        (&1.into(), &Value::Null)
    );
    assert_eq!(
        (&deliveries[1]["plugin"], &deliveries[1]["state"]),
        (&"grumpy".into(), &"dead".into())
    );
    assert_eq!(
        deliveries[1]["reason"],
        "plugin rejected the event: does not want this one"
    );
    assert!(event["raw"].is_null(), "lists have no message text");

    let limited = belfry(
        &stage,
        &["events", "list", "--limit", "1", "--output", "json"],
    )
    .await;
    let limited: Value = serde_json::from_str(&limited.output).unwrap();
    assert_eq!(limited.as_array().unwrap().len(), 1);

    let table = belfry(&stage, &["events", "list", "--all"]).await.output;
    let received = event["received_at"].as_str().unwrap();
    let other = (
        events[1]["id"].as_str().unwrap(),
        events[1]["received_at"].as_str().unwrap(),
    );
    let table = table
        .replace(id, &"i".repeat(36))
        .replace(other.0, &"i".repeat(36));
    let time = |at: &str| format!("{:.3}", at.parse::<Time>().unwrap().0);
    let table = table
        .replace(&time(received), &"t".repeat(24))
        .replace(&time(other.1), &"t".repeat(24));
    insta::assert_snapshot!(table, @"");

    let shown = belfry(&stage, &["events", "show", id]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.errors);
    for part in [id, "two", "grumpy", "does not want this one"] {
        assert!(shown.output.contains(part), "{}", shown.output);
    }
    let nobody = belfry(
        &stage,
        &["events", "show", "01900000-0000-7000-8000-000000000000"],
    )
    .await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.errors.contains("there is no event"));
}

/// An RFC 3339 time as tables print it: cut to milliseconds.
struct Time(String);

impl std::str::FromStr for Time {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seconds, fraction) = text
            .trim_end_matches('Z')
            .split_once('.')
            .unwrap_or((text.trim_end_matches('Z'), ""));
        Ok(Self(format!("{seconds}.{fraction:0<3}Z")))
    }
}

#[tokio::test]
async fn a_journal_that_is_not_there_is_said_to_be_missing() {
    let stage = Stage::new(&Bot::new()).await;
    let listed = belfry(&stage, &["events", "list"]).await;
    assert_eq!(listed.code, Some(1));
    insta::assert_snapshot!(redacted(&stage, &listed.errors), @"");
    assert!(!stage.file("belfry.db").exists());
}

#[tokio::test]
async fn dev_runs_host_and_simulator_and_names_their_addresses() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let simulator: SocketAddr = free.local_addr().unwrap();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let bot = Bot::new()
        .plugin(Plugin::echo())
        .hook("any", "generic", "");
    bot.write(folder.path(), simulator);
    let mut command = tokio::process::Command::new(components::belfry());
    command
        .args(["dev", "--simulator", &simulator.to_string(), "--config"])
        .arg(folder.path().join("bot.toml"));
    let dev = Process::start(command).await;
    let (public, admin) = (dev.doors.public, dev.doors.admin);
    for address in [
        format!("http://{simulator}/"),
        format!("http://{public}/hooks/any"),
        format!("http://{admin}/"),
    ] {
        wait_until("the addresses are printed", async || {
            dev.output().contains(&address)
        })
        .await;
    }
    let dingtalk = Dingtalk::new(simulator);
    // The simulator learns where belfry listens just after belfry does.
    wait_until("the simulator knows the app's address", async || {
        let apps = dingtalk.get("apps").await;
        apps[0]["robotUrl"] == format!("http://{public}/robot/acme")
    })
    .await;
    dingtalk.say(ONCALL, "alice", "hello").await;
    wait_until("echo answers", async || {
        dingtalk.answers(ONCALL).await == ["hello"]
    })
    .await;
    let page = dev.doors.http.get(format!("http://{simulator}/"));
    assert_eq!(page.send().await.unwrap().status(), 200);
    kill_process(Pid::from_raw(dev.id()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(dev.end().await.0, Some(0));
}
