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
    insta::assert_snapshot!(redacted(&stage, &checked.output), @r#"
    …/bot.toml has 8 problem(s):
      bot.toml: line 2: server.listen: must be an address such as "127.0.0.1:8700", not "everywhere"
      bot.toml: line 3: server.max-connection: is not a key belfry knows
      bot.toml: line 9: app.acme.app-secret: the environment variable BELFRY_TEST_NO_SUCH_SECRET is not set
      bot.toml: line 10: app.acme.receive: must be of "callback", "robot", "stream", not "pigeon"
      bot.toml: line 15: plugin.echo.app: there is no [[app]] named "amce"
      bot.toml: line 16: plugin.echo.events: "chat-mesage" is neither a kind of event (chat-message, approval-instance, approval-task, contacts-change, chat-change, alert, timer, card-action, other) nor a DingTalk EventType such as "check_in"
      bot.toml: line 17: plugin.echo.when: is not a CEL expression: 1:14: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}
      bot.toml: line 18: plugin.echo.limits.memory: must be a size such as "512KiB" or "64MiB", not "64MB"
    "#);

    let checked = belfry(&stage, &["check", "--output", "json"]).await;
    assert_eq!(checked.code, Some(1));
    let answer: Value = serde_json::from_str(&checked.output).unwrap();
    assert_eq!(answer["ok"], false);
    assert!(answer["problems"].as_array().unwrap().len() >= 5);
}

#[tokio::test]
async fn check_names_plugins_that_cannot_be_used() {
    let bot = Bot::new()
        .plugin(Plugin::new("ungranted", "echo"))
        .plugin(Plugin::new("half-granted", "alerts").line("grant = { kv = true }"))
        .plugin(Plugin::new("wrong-abi", "wrong-abi"))
        .plugin(Plugin::new("broken", "naughty"));
    let stage = Stage::new(&bot).await;
    stage.replace_component("naughty", b"not wasm");
    let checked = belfry(&stage, &["check"]).await;
    assert_eq!(checked.code, Some(1));
    insta::assert_snapshot!(redacted(&stage, &checked.output), @"
    …/bot.toml has 4 problem(s):
      ungranted: it imports belfry:bot/robot without a grant; to allow it, its [[plugin]] in bot.toml needs: grant = { robot = true }
      half-granted: it imports belfry:bot/chat without a grant; to allow it, its [[plugin]] in bot.toml needs: grant = { chat = true, kv = true }
      wrong-abi: it does not fit the world belfry:bot/plugin@0.1.0: no exported instance named `belfry:bot/handler@0.1.0`
      broken: not a usable WebAssembly component: the file does not begin as WebAssembly does
    ");

    // Nor does belfry start with them.
    let served = belfry(&stage, &["serve"]).await;
    assert_eq!(served.code, Some(1));
    for name in ["ungranted", "half-granted", "wrong-abi", "broken"] {
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
async fn a_cache_folder_that_others_can_write_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;

    let stage = Stage::new(&Bot::new().plugin(Plugin::echo())).await;
    let (config, cache) = (stage.file("bot.toml"), stage.file("compiled"));
    let text = std::fs::read_to_string(&config).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("cache = "))
        .unwrap();
    std::fs::write(&config, text.replace(line, &format!("cache = {cache:?}"))).unwrap();
    let check = async || run(&["check", "--config", config.to_str().unwrap()]).await;

    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = check().await;
    assert_eq!(refused.code, Some(1), "{}", refused.output);
    let told = refused.output + &refused.errors;
    assert!(
        told.contains("can be written by others (mode 777)") && told.contains("engine.cache"),
        "{told}"
    );
    std::fs::remove_dir(&cache).unwrap();
    let made = check().await;
    assert_eq!(made.code, Some(0), "{}{}", made.output, made.errors);
    let mode = std::fs::metadata(&cache).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
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

    let other = &events[1];
    let steady = |text: &str| {
        let mut text = text.to_owned();
        for event in [event, other] {
            let (id, received) = (
                event["id"].as_str().unwrap(),
                event["received_at"].as_str().unwrap(),
            );
            text = text
                .replace(id, &"i".repeat(36))
                .replace(&in_milliseconds(received), &"t".repeat(24));
        }
        text
    };
    let table = belfry(&stage, &["events", "list", "--all"]).await.output;
    insta::assert_snapshot!(steady(&table), @"
    id                                    received                  app           kind                state     deliveries
    iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii  tttttttttttttttttttttttt  acme          chat-message        dead      echo done, grumpy dead after 1 (plugin rejected the event: does not want this one)
    iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii  tttttttttttttttttttttttt  acme          chat-message        dead      echo done, grumpy dead after 1 (plugin rejected the event: does not want this one)
    ");

    let shown = belfry(&stage, &["events", "show", id]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.errors);
    let (head, body) = shown.output.split_once("\n{").unwrap();
    insta::assert_snapshot!(steady(head), @r#"
    event     iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii
    app       acme
    kind      chat-message
    way       robot
    received  tttttttttttttttttttttttt
    state     dead

    plugin    echo
    state     done
    attempts  1
    key       cidOncall==
    call      0.1 robot.reply: done
      asked       {"message":{"Text":"two"},"mentions":{"user_ids":[],"mobiles":[],"all":false}}
      answered    {"Ok":null}

    plugin    grumpy
    state     dead
    attempts  1
    key       cidOncall==
    reason    plugin rejected the event: does not want this one
    "#);
    assert!(body.contains("\"content\": \" two\""), "{body}");
    let nobody = belfry(
        &stage,
        &["events", "show", "01900000-0000-7000-8000-000000000000"],
    )
    .await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.errors.contains("there is no event"));
}

/// An RFC 3339 time as tables print it; JSON leaves zeros at its end out.
fn in_milliseconds(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}.{fraction:0<3}Z")
}

#[tokio::test]
async fn a_journal_that_is_not_there_is_said_to_be_missing() {
    let stage = Stage::new(&Bot::new()).await;
    let listed = belfry(&stage, &["events", "list"]).await;
    assert_eq!(listed.code, Some(1));
    insta::assert_snapshot!(
        redacted(&stage, &listed.errors),
        @r#"belfry: there is no journal at "…/belfry.db" yet; `belfry serve` creates it"#
    );
    assert!(!stage.file("belfry.db").exists());
}

#[tokio::test]
async fn dev_runs_host_and_simulator_and_names_their_addresses() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let simulator: SocketAddr = free.local_addr().unwrap();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let bot = Bot::new().plugin(Plugin::echo()).hook("any", "generic", "");
    bot.write(folder.path(), simulator);
    let dev = Process::dev(&folder.path().join("bot.toml"), simulator, &[]).await;
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
    let steady = dev
        .output()
        .replace(folder.path().to_str().unwrap(), "…")
        .replace(&simulator.to_string(), "SIMULATOR")
        .replace(&public.to_string(), "PUBLIC")
        .replace(&admin.to_string(), "ADMIN");
    insta::assert_snapshot!(steady, @"

      group chat (simulator)   http://SIMULATOR/
      belfry, public           http://PUBLIC/
      belfry, operators        http://ADMIN/api/plugins
      alerts                   curl -d @alert.json http://PUBLIC/hooks/any

      Edit a plugin or …/bot.toml and it is taken over at once. Ctrl-C stops.
    ");
    kill_process(Pid::from_raw(dev.id()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(dev.end().await.0, Some(0));
}
