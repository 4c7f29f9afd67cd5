//! An event on today's version of a plugin: as a dry run that sends nothing, and as a repair that sends only what is new.

use belfry_tests::{
    Bot, Doors, Finished, ONCALL, Plugin, Stage, components, run, wait_for, wait_until,
};
use serde_json::{Value, json};

const REPLY: &str = "/robot/sendBySession";
const SEND: &str = "/chat/send";

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A bot whose plugin does what the script says, whatever it is told, with its operators' listener at a known address.
fn bot(script: &str, admin: &str) -> Bot {
    Bot::new()
        .server(&format!("admin = {admin:?}"))
        .retry("first-delay = \"50ms\"")
        .plugin(Plugin::scripted_with(script).granted(""))
}

async fn belfry(stage: &Stage, arguments: &[&str]) -> Finished {
    let config = stage.file("bot.toml");
    let mut arguments = arguments.to_vec();
    arguments.extend(["--config", config.to_str().unwrap()]);
    run(&arguments).await
}

/// The id of the latest event and its delivery to the plugin, once that has ended.
async fn ended(doors: &Doors, plugin: &str) -> (String, Value) {
    wait_for("the delivery ends", async || {
        let event = doors.events().await.into_iter().next()?;
        let deliveries = event["deliveries"].as_array()?;
        let delivery = deliveries.iter().find(|of| of["plugin"] == plugin)?;
        let id = event["id"].as_str()?.to_owned();
        (delivery["state"] != "pending").then(|| (id, delivery.clone()))
    })
    .await
}

/// `difference function` of every call of the only replay.
fn shown(replays: &Value) -> Vec<String> {
    let calls = replays["replays"][0]["calls"].as_array();
    let calls = calls.unwrap_or_else(|| panic!("{replays}"));
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    calls
        .iter()
        .map(|call| format!("{} {}", word(&call["difference"]), word(&call["function"])))
        .collect()
}

async fn dry_run(stage: &Stage, id: &str) -> Value {
    let done = belfry(stage, &["events", "replay", id, "--output", "json"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    serde_json::from_str(&done.output).unwrap()
}

#[tokio::test]
async fn a_dry_run_shows_what_differs_and_sends_nothing_with_and_without_a_belfry() {
    let admin = free_address();
    let stage = Stage::new(&bot(
        "count n; reply one; say chatoncall two; show n",
        &admin,
    ))
    .await;
    let process = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "go").await;
    let (id, delivery) = ended(&process.doors, "scripted").await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    // The same version does the same, also where it counts.
    let same = [
        "same kv.get",
        "same kv.set",
        "same robot.reply",
        "same chat.send",
        "same kv.get",
        "same robot.reply",
    ];
    assert_eq!(shown(&dry_run(&stage, &id).await), same);

    stage.write(&bot(
        "reply one; say chatoncall 2; tell alice three",
        &admin,
    ));
    assert_eq!(process.doors.reload().await.0, 200);
    let differs = [
        "missing kv.get",
        "missing kv.set",
        "same robot.reply",
        "changed chat.send",
        "new notice.send",
        "missing kv.get",
        "missing robot.reply",
    ];
    let replays = dry_run(&stage, &id).await;
    assert_eq!(shown(&replays), differs);
    let report = &replays["replays"][0];
    assert_eq!(report["outcome"], "done", "{report}");
    let changed = &report["calls"][3];
    assert_eq!(changed["field"], "message.Text");
    assert_eq!(changed["arguments"]["message"]["Text"], "2");
    assert_eq!(changed["recorded"]["arguments"]["message"]["Text"], "two");
    assert_eq!(changed["from"], "made-up");
    // The routes say the same.
    let asked = json!({ "event": id });
    let (status, answer) = process.doors.ask("/api/events/replay", &asked).await;
    assert_eq!((status, &answer), (200, &replays));
    process.kill().await;
    assert_eq!(dry_run(&stage, &id).await, replays);
    let text = belfry(&stage, &["events", "replay", &id]).await;
    let expected = "calls     1 same, 1 changed, 1 new, 4 missing";
    assert!(text.output.contains(expected), "{}", text.output);
    assert!(
        text.output.contains("differs   message.Text"),
        "{}",
        text.output
    );

    assert_eq!(stage.dingtalk.calls(SEND).await.len(), 1);
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["one", "two", "1"]);
    // Nothing was changed either: the event is done, and the value is what it was.
    let listed = belfry(&stage, &["events", "list", "--output", "json"]).await;
    assert!(listed.output.contains("\"done\""), "{}", listed.output);
}

#[tokio::test]
async fn a_dry_run_hears_of_grants_and_of_nothing_else_that_is_not_recorded() {
    let admin = free_address();
    let stage = Stage::new(&bot("reply one", &admin)).await;
    let process = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "go").await;
    let (id, _) = ended(&process.doors, "scripted").await;
    let granted = Plugin::scripted_with("?say chatoncall a; count n; count n; show n")
        .line("grant = { robot = true, chat = [\"chatother\"], notice = true, approval = true, kv = true, contacts = true, media = true }");
    let narrow = Bot::new()
        .server(&format!("admin = {admin:?}"))
        .retry("first-delay = \"50ms\"")
        .plugin(granted);
    stage.write(&narrow);
    assert_eq!(process.doors.reload().await.0, 200);
    let replays = dry_run(&stage, &id).await;
    let calls = &replays["replays"][0]["calls"];
    assert_eq!(calls[0]["from"], "grant", "{calls}");
    assert!(calls[0]["answer"]["Err"]["Denied"].is_object(), "{calls}");
    // It sees what it wrote itself.
    let mut made = calls.as_array().unwrap().iter();
    let reply = made.rfind(|call| call["function"] == "robot.reply");
    assert!(
        reply.unwrap()["arguments"].to_string().contains("\"2\""),
        "{calls}"
    );
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["one"]);
}

#[tokio::test]
async fn a_repair_sends_what_is_new_and_nothing_again() {
    let admin = free_address();
    let stage = Stage::new(&bot("reply one; reply two", &admin)).await;
    let process = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "go").await;
    let (id, delivery) = ended(&process.doors, "scripted").await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    stage.write(&bot("reply one; reply 2; reply two; reply three", &admin));
    assert_eq!(process.doors.reload().await.0, 200);
    let done = belfry(&stage, &["events", "replay", &id, "--repair"]).await;
    assert_eq!(
        done.output, "1 deliveries run again on the present version\n",
        "{done:?}"
    );
    wait_until("what is new is sent", async || {
        stage.dingtalk.answers(ONCALL).await == ["one", "two", "2", "three"]
    })
    .await;
    let (_, delivery) = ended(&process.doors, "scripted").await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"done".into(), &1.into()),
        "{delivery}"
    );
    // It is recorded like any other attempt, so that another repair does nothing.
    let done = belfry(&stage, &["events", "replay", &id, "--repair"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let calls = wait_for("it is done again", async || {
        let event = process.doors.get(&format!("/api/events/{id}")).await;
        let calls = event["deliveries"][0]["calls"].as_array()?.clone();
        (calls.len() == 10 && event["state"] == "done").then_some(calls)
    })
    .await;
    assert!(calls.iter().all(|call| call["fate"] == "done"), "{calls:?}");
    assert_eq!(stage.dingtalk.calls(REPLY).await.len(), 4);

    // Without a belfry it waits for the next start.
    process.kill().await;
    stage.write(&bot("reply one; reply four", &admin));
    let done = belfry(&stage, &["events", "replay", &id, "--repair"]).await;
    assert_eq!(
        done.output, "1 deliveries run again when belfry starts\n",
        "{done:?}"
    );
    let _process = stage.serve(&[]).await;
    wait_until("it has run", async || {
        stage
            .dingtalk
            .answers(ONCALL)
            .await
            .last()
            .map(String::as_str)
            == Some("four")
    })
    .await;
    assert_eq!(stage.dingtalk.calls(REPLY).await.len(), 5);
}

#[tokio::test]
async fn a_plugin_that_did_not_get_an_event_can_be_given_it() {
    let admin = free_address();
    let late = |when: &str| {
        bot("reply one", &admin).plugin(
            Plugin::new("late", "scripted")
                .line("config = { script = \"reply late\" }")
                .line(when)
                .granted(""),
        )
    };
    let stage = Stage::new(&late("when = 'false'")).await;
    let process = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "go").await;
    let (id, _) = ended(&process.doors, "scripted").await;
    let arguments = [
        "events", "replay", &id, "--plugin", "late", "--output", "json",
    ];
    let tried = belfry(&stage, &arguments).await;
    let replays: Value = serde_json::from_str(&tried.output).unwrap();
    assert_eq!(shown(&replays), ["new robot.reply"]);
    assert_eq!(replays["replays"][0]["recorded"], Value::Null);
    let given = belfry(
        &stage,
        &["events", "replay", &id, "--plugin", "late", "--repair"],
    )
    .await;
    assert_eq!(given.code, Some(0), "{given:?}");
    let (_, delivery) = ended(&process.doors, "late").await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["one", "late"]);
    let nobody = belfry(
        &stage,
        &["events", "replay", &id, "--plugin", "x", "--repair"],
    )
    .await;
    assert!(
        nobody.errors.contains("there is no plugin \"x\""),
        "{nobody:?}"
    );
    process.kill().await;
    let sound = belfry(&stage, &["journal", "verify"]).await;
    assert_eq!(sound.code, Some(0), "{sound:?}");
}

#[tokio::test]
async fn what_is_dead_is_repaired_in_bulk_after_it_was_counted() {
    let admin = free_address();
    let stage = Stage::new(&bot("reply one; knows-no-such-step", &admin)).await;
    let process = stage.serve(&[]).await;
    for text in ["a", "b"] {
        stage.dingtalk.say(ONCALL, "alice", text).await;
    }
    let all = async |state: &str| {
        let deliveries = process.doors.deliveries("scripted").await;
        deliveries.len() == 2 && deliveries.iter().all(|of| of["state"] == state)
    };
    wait_until("both are dead", async || all("dead").await).await;
    stage.write(&bot("reply one; reply two", &admin));
    assert_eq!(process.doors.reload().await.0, 200);
    let bulk = [
        "events", "replay", "--repair", "--reason", "no step", "--since", "1h",
    ];
    let counted = belfry(&stage, &bulk).await;
    assert_eq!(
        counted.output, "2 deliveries would be repaired; add --yes\n",
        "{counted:?}"
    );
    let nothing = belfry(&stage, &["events", "replay", "--repair"]).await;
    assert!(
        nothing.errors.contains("which deliveries are meant"),
        "{nothing:?}"
    );
    assert!(all("dead").await);
    let done = belfry(&stage, &[&bulk[..], &["--yes"]].concat()).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    wait_until("both are done", async || all("done").await).await;
    assert_eq!(
        stage.dingtalk.answers(ONCALL).await,
        ["one", "one", "two", "two"]
    );
    // What is done is meant only where that is said.
    let others = ["events", "replay", "--repair", "--plugin", "scripted"];
    let counted = belfry(&stage, &others).await;
    assert!(counted.output.starts_with("0 deliveries"), "{counted:?}");
    let counted = belfry(&stage, &[&others[..], &["--state", "done"]].concat()).await;
    assert!(counted.output.starts_with("2 deliveries"), "{counted:?}");
}

/// How many of the replays are `[same, changed, failed]`, and all of them.
fn summed(replays: &Value) -> ([u64; 3], usize) {
    let words = ["same", "changed", "failed"];
    let all = replays["replays"].as_array().unwrap();
    let counted = words.map(|word| {
        let of_it = all
            .iter()
            .filter(|replay| replay["verdict"] == word)
            .count();
        assert_eq!(replays["summary"][word], of_it, "{replays}");
        u64::try_from(of_it).unwrap()
    });
    (counted, all.len())
}

#[tokio::test]
async fn very_many_are_tried_piece_by_piece_and_counted() {
    const EVENTS: usize = 22;
    let admin = free_address();
    let scripts = |scripts: &[(&str, &str)]| {
        let bot = Bot::new().server(&format!("admin = {admin:?}"));
        scripts.iter().fold(bot, |bot, (name, script)| {
            let config = format!("config = {{ script = {script:?} }}");
            bot.plugin(Plugin::new(name, "scripted").line(&config).granted(""))
        })
    };
    let names = ["steady", "turned", "broken", "gone"];
    let stage = Stage::new(&scripts(&names.map(|name| (name, "count n")))).await;
    let process = stage.serve(&[]).await;
    for number in 0..EVENTS {
        stage
            .dingtalk
            .say(ONCALL, "alice", &number.to_string())
            .await;
    }
    for name in names {
        wait_until("all of them are done", async || {
            let deliveries = process.doors.deliveries(name).await;
            deliveries.len() == EVENTS && deliveries.iter().all(|of| of["state"] == "done")
        })
        .await;
    }
    stage.write(&scripts(&[
        ("steady", "count n"),
        ("turned", "count n; count m"),
        ("broken", "count n; knows-no-such-step"),
    ]));
    assert_eq!(process.doors.reload().await.0, 200);

    let bulk = ["events", "replay", "--state", "done", "--since", "1h"];
    let json = [&bulk[..], &["--output", "json"]].concat();
    let tried = belfry(&stage, &json).await;
    assert_eq!(tried.code, Some(0), "{tried:?}");
    let beside: Value = serde_json::from_str(&tried.output).unwrap();
    assert_eq!(summed(&beside), ([22, 22, 44], 4 * EVENTS));
    let find = |plugin: &str| {
        let all = beside["replays"].as_array().unwrap();
        all.iter()
            .find(|replay| replay["plugin"] == plugin)
            .unwrap()
    };
    assert_eq!(find("turned")["calls"][2]["difference"], "new");
    assert_eq!(find("broken")["outcome"], "rejected");
    assert_eq!(find("gone")["outcome"], "not-run");
    assert_eq!(find("gone")["outcome_text"], "no plugin \"gone\" is loaded");

    // The route gives a piece for an answer, and where the next one begins.
    let mut asked = json!({"states": ["done"]});
    let mut pieces = Vec::new();
    while pieces.len() < 9 {
        let (status, piece) = process.doors.ask("/api/events/replay", &asked).await;
        assert_eq!(status, 200, "{piece}");
        asked["after"] = piece["next"].clone();
        pieces.push(piece);
        if asked["after"].is_null() {
            break;
        }
    }
    assert!(pieces.len() >= 2);
    let all: Vec<&Value> = pieces
        .iter()
        .flat_map(|piece| {
            let (_, count) = summed(piece);
            assert!(count <= 64);
            piece["replays"].as_array().unwrap()
        })
        .collect();
    assert_eq!(
        all,
        beside["replays"]
            .as_array()
            .unwrap()
            .iter()
            .collect::<Vec<_>>()
    );
    let (status, _) = process.doors.ask("/api/events/replay", &json!({})).await;
    assert_eq!(status, 400);
    let nothing = belfry(&stage, &["events", "replay"]).await;
    assert!(
        nothing.errors.contains("which deliveries are meant"),
        "{nothing:?}"
    );

    // By reason: one that died of what the new version does.
    stage.dingtalk.say(ONCALL, "alice", "one more").await;
    wait_until("it is dead", async || {
        let deliveries = process.doors.deliveries("broken").await;
        deliveries.iter().any(|of| of["state"] == "dead")
    })
    .await;
    let by_reason = ["events", "replay", "--reason", "NO STEP"];
    let dead = belfry(&stage, &by_reason).await;
    let line = "\n1 deliveries: 0 same, 0 changed, 1 failed\n";
    assert!(dead.output.contains(line), "{dead:?}");

    // Without a belfry the command does it itself, and says the same.
    process.kill().await;
    let until = ["--plugin", "turned", "--state", "done"];
    let alone = belfry(&stage, &[&["events", "replay"], &until[..]].concat()).await;
    let line = "\n23 deliveries: 1 same, 22 changed, 0 failed\n";
    assert!(alone.output.contains(line), "{alone:?}");
    assert!(
        alone.output.contains("a dry run: nothing was sent"),
        "{alone:?}"
    );
    let gone = belfry(
        &stage,
        &["events", "replay", "--plugin", "gone", "--state", "done"],
    )
    .await;
    let line = "\n22 deliveries: 0 same, 0 changed, 22 failed\n";
    assert!(gone.output.contains(line), "{gone:?}");
    assert!(
        gone.output.contains("there is no plugin \"gone\""),
        "{gone:?}"
    );
    // Nothing was done again: a value is counted once for each event.
    let verified = belfry(&stage, &["journal", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let dead = belfry(
        &stage,
        &["events", "list", "--state", "dead", "--output", "json"],
    )
    .await;
    let dead: Value = serde_json::from_str(&dead.output).unwrap();
    assert_eq!(dead.as_array().map(Vec::len), Some(1));
}

/// Another version of a component, which does the same: with a section that nothing reads.
fn another_version(component: &str, note: u8) -> Vec<u8> {
    let mut bytes = std::fs::read(components::path(component)).unwrap();
    bytes.extend([0, 6, 4, b'n', b'o', b't', b'e', note]);
    bytes
}

#[tokio::test]
async fn a_delivery_goes_on_with_its_version_after_a_kill_and_a_new_file() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::scripted().granted(""))).await;
    let belfry = stage.serve(&[]).await;
    let old = belfry.doors.digest("scripted").await;
    stage
        .dingtalk
        .say(
            ONCALL,
            "alice",
            "reply one; say chatoncall two; sleep 1500; reply three",
        )
        .await;
    belfry.sleepers(1).await;
    belfry.kill().await;
    // Something else altogether, which would repeat what it was told.
    stage.replace_component(
        "scripted",
        &std::fs::read(components::path("echo")).unwrap(),
    );
    let belfry = stage.serve(&[]).await;
    assert_ne!(belfry.doors.digest("scripted").await, old);
    let (id, delivery) = ended(&belfry.doors, "scripted").await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    assert_eq!(
        stage.dingtalk.answers(ONCALL).await,
        ["one", "two", "three"]
    );
    assert_eq!(stage.dingtalk.calls(SEND).await.len(), 1);
    let event = belfry.doors.get(&format!("/api/events/{id}")).await;
    let calls = event["deliveries"][0]["calls"].as_array().unwrap().clone();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call["digest"] == *old), "{calls:?}");
    // New events go to the new version.
    stage.dingtalk.say(ONCALL, "alice", "reply four").await;
    wait_until("the new version answers", async || {
        stage.dingtalk.answers(ONCALL).await.len() == 4
    })
    .await;
    assert_ne!(stage.dingtalk.answers(ONCALL).await[3], "four");
}

#[tokio::test]
async fn the_last_two_versions_are_kept_and_a_damaged_one_is_not_run() {
    let stage = Stage::new(
        &Bot::new()
            .retry("first-delay = \"1h\"")
            .retry("max-delay = \"1h\"")
            .plugin(Plugin::scripted().granted("")),
    )
    .await;
    let belfry = stage.serve(&[]).await;
    let mut digests = vec![belfry.doors.digest("scripted").await];
    stage
        .dingtalk
        .say(ONCALL, "alice", "reply one; retry")
        .await;
    wait_until("the first attempt ended", async || {
        let deliveries = belfry.doors.deliveries("scripted").await;
        deliveries.first().is_some_and(|of| of["attempts"] == 1)
    })
    .await;
    for note in 1..=3 {
        let before = digests.last().unwrap().clone();
        stage.replace_component("scripted", &another_version("scripted", note));
        let now = wait_for("the new version is active", async || {
            let now = belfry.doors.digest("scripted").await;
            (now != before).then_some(now)
        })
        .await;
        digests.push(now);
    }
    let kept = |stage: &Stage| -> Vec<bool> {
        let file = |digest: &String| stage.file(&format!("belfry.versions/{digest}.wasm"));
        digests.iter().map(|digest| file(digest).exists()).collect()
    };
    wait_until("the oldest is removed", async || {
        kept(&stage) == [false, true, true, true]
    })
    .await;
    drop(belfry);

    // A file that is not what it was is not run.
    let stage = Stage::new(&Bot::new().plugin(Plugin::scripted().granted(""))).await;
    let belfry = stage.serve(&[]).await;
    let old = belfry.doors.digest("scripted").await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "reply one; sleep 1500; reply two")
        .await;
    belfry.sleepers(1).await;
    belfry.kill().await;
    stage.replace_component("scripted", &another_version("scripted", 9));
    let file = stage.file(&format!("belfry.versions/{old}.wasm"));
    std::fs::write(file, another_version("scripted", 8)).unwrap();
    let belfry = stage.serve(&[]).await;
    let (_, delivery) = ended(&belfry.doors, "scripted").await;
    assert_eq!(delivery["state"], "parked", "{delivery}");
    let reason = delivery["reason"].as_str().unwrap();
    assert!(
        reason.contains(&old[..12]) && reason.contains("damaged"),
        "{reason}"
    );
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["one"]);
}
