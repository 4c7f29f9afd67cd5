//! What a plugin did is not done again, whatever ended its attempt, and what is in doubt goes by its policy.

use belfry_tests::{Bot, ONCALL, Plugin, Process, Stage, Web, bots_texts, wait_for, wait_until};
use serde_json::{Value, json};

const REPLY: &str = "/robot/sendBySession";
const SEND: &str = "/chat/send";
const CREATE: &str = "/v1.0/workflow/processInstances";

fn bot(plugin: Plugin) -> Bot {
    Bot::new().retry("first-delay = \"50ms\"").plugin(plugin)
}

/// The guest that does what the message says.
fn scripted() -> Bot {
    bot(Plugin::scripted().granted(""))
}

/// The calls of the only delivery, as `function fate`.
async fn calls(doors: &belfry_tests::Doors) -> Vec<String> {
    let id = doors.events().await[0]["id"].as_str().unwrap().to_owned();
    let event = doors.get(&format!("/api/events/{id}")).await;
    let calls = event["deliveries"][0]["calls"].as_array().unwrap().clone();
    let word = |value: &Value| value.as_str().unwrap_or("begun").to_owned();
    calls
        .iter()
        .map(|call| format!("{} {}", word(&call["function"]), word(&call["fate"])))
        .collect()
}

/// Says it, waits until DingTalk has got the request and holds its answer back, and kills belfry.
async fn kill_in_the_middle(stage: &Stage, path: &str, text: &str) {
    let belfry = stage.serve(&[]).await;
    let late = json!({"path": path, "times": 1, "delay_ms": 60_000});
    stage.dingtalk.post("faults", late).await;
    stage.dingtalk.say(ONCALL, "alice", text).await;
    wait_until("the request arrived", async || {
        stage.dingtalk.calls(path).await.len() == 1
    })
    .await;
    belfry.kill().await;
}

async fn after_the_kill(stage: &Stage) -> (Process, Value) {
    let belfry = stage.serve(&[]).await;
    let delivery = belfry.doors.ended("scripted").await;
    (belfry, delivery)
}

#[tokio::test]
async fn a_message_sent_before_a_kill_is_not_sent_again_after_it() {
    let stage = Stage::new(&scripted()).await;
    let belfry = stage.serve(&[]).await;
    let script = "count n; say chatoncall one; reply two; sleep 1500; reply three; show n";
    stage.dingtalk.say(ONCALL, "alice", script).await;
    belfry.sleepers(1).await;
    belfry.kill().await;
    let (belfry, delivery) = after_the_kill(&stage).await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    assert_eq!(
        stage.dingtalk.answers(ONCALL).await,
        ["one", "two", "three", "1"]
    );
    assert_eq!(stage.dingtalk.calls(SEND).await.len(), 1);
    assert_eq!(stage.dingtalk.calls(REPLY).await.len(), 3);
    let expected = [
        "kv.get done",
        "kv.set done",
        "chat.send done",
        "robot.reply done",
        "robot.reply done",
        "kv.get done",
        "robot.reply done",
    ];
    assert_eq!(calls(&belfry.doors).await, expected);
    for (function, outcome, count) in [
        ("kv.set", "replayed", 1.0),
        ("chat.send", "replayed", 1.0),
        ("robot.reply", "replayed", 1.0),
        ("robot.reply", "done", 2.0),
        ("kv.get", "done", 1.0),
        ("kv.set", "done", 0.0),
    ] {
        let labels = format!("function=\"{function}\",outcome=\"{outcome}\"");
        let series = format!("belfry_host_calls_total{{{labels}}}");
        assert_eq!(belfry.doors.metric(&series).await, count, "{series}");
    }
}

#[tokio::test]
async fn a_reply_in_doubt_is_sent_again_with_its_key_and_appears_once() {
    let stage = Stage::new(&scripted()).await;
    kill_in_the_middle(&stage, REPLY, "reply hello").await;
    let (_belfry, delivery) = after_the_kill(&stage).await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["hello"]);
    let calls = stage.dingtalk.calls(REPLY).await;
    assert_eq!(calls.len(), 2);
    let key = &calls[0]["body"]["msgUuid"];
    assert_eq!(key.as_str().map(str::len), Some(32), "{}", calls[0]);
    assert_eq!(*key, calls[1]["body"]["msgUuid"]);
}

#[tokio::test]
async fn a_group_message_in_doubt_is_not_sent_again_and_the_plugin_hears_it() {
    let stage = Stage::new(&scripted()).await;
    kill_in_the_middle(&stage, SEND, "say chatoncall hello").await;
    let (belfry, delivery) = after_the_kill(&stage).await;
    assert_eq!(delivery["state"], "dead", "{delivery}");
    let reason = delivery["reason"].as_str().unwrap();
    assert!(reason.contains("belfry.outcome"), "{reason}");
    assert_eq!(stage.dingtalk.calls(SEND).await.len(), 1);
    assert_eq!(calls(&belfry.doors).await, ["chat.send unknown"]);
    let series = "belfry_host_calls_total{function=\"chat.send\",outcome=\"unknown\"}";
    assert_eq!(belfry.doors.metric(series).await, 1.0);
}

#[tokio::test]
async fn a_grant_can_have_it_sent_again() {
    let policy = "ambiguous = { \"chat.send\" = \"resend\", \"robot.reply\" = \"unknown\" }";
    let stage = Stage::new(&bot(Plugin::scripted().granted(policy))).await;
    kill_in_the_middle(&stage, SEND, "say chatoncall hello").await;
    let (belfry, delivery) = after_the_kill(&stage).await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    assert_eq!(stage.dingtalk.calls(SEND).await.len(), 2);
    assert_eq!(calls(&belfry.doors).await, ["chat.send done"]);
    drop(belfry);

    let stage = Stage::new(&bot(Plugin::scripted().granted(policy))).await;
    kill_in_the_middle(&stage, REPLY, "reply hello").await;
    let (_belfry, delivery) = after_the_kill(&stage).await;
    assert_eq!(delivery["state"], "dead", "{delivery}");
    assert_eq!(stage.dingtalk.calls(REPLY).await.len(), 1);
}

#[tokio::test]
async fn an_approval_in_doubt_is_looked_for() {
    // It was started: the next attempt finds it.
    let stage = Stage::new(&scripted()).await;
    kill_in_the_middle(&stage, CREATE, "ask alice moving; reply asked").await;
    let (_belfry, delivery) = after_the_kill(&stage).await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    let mut calls = stage.dingtalk.calls(CREATE).await;
    // Reading an instance is another method of the same path.
    calls.retain(|call| call["method"] == "POST");
    assert_eq!(calls.len(), 1);
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["asked"]);
}

#[tokio::test]
async fn an_approval_that_was_not_started_is_started_once() {
    let stage = Stage::new(&scripted()).await;
    let belfry = stage.serve(&[]).await;
    // The connection breaks before anything happens. The first one is there, equal, and is not taken for the second.
    stage
        .dingtalk
        .say(
            ONCALL,
            "alice",
            "ask alice moving; sleep 10; ask alice moving",
        )
        .await;
    belfry.sleepers(1).await;
    let delivery = belfry.doors.ended("scripted").await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    let approvals = stage.dingtalk.get("approvals").await;
    assert_eq!(approvals.as_array().unwrap().len(), 2);

    let lost = json!({"path": CREATE, "times": 1, "drop": true, "before": true});
    stage.dingtalk.post("faults", lost).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "ask bob visiting; ask bob visiting")
        .await;
    wait_until("both are done", async || {
        let deliveries = belfry.doors.deliveries("scripted").await;
        deliveries.len() == 2
            && deliveries
                .iter()
                .all(|delivery| delivery["state"] == "done")
    })
    .await;
    let approvals = stage.dingtalk.get("approvals").await;
    assert_eq!(approvals.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn an_answer_that_was_lost_goes_by_the_same_policy() {
    let stage = Stage::new(&scripted()).await;
    let belfry = stage.host().await;
    let lost = json!({"path": REPLY, "times": 1, "drop": true});
    stage.dingtalk.post("faults", lost).await;
    stage.dingtalk.say(ONCALL, "alice", "reply hello").await;
    let delivery = belfry.doors.ended("scripted").await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"done".into(), &1.into()),
        "{delivery}"
    );
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["hello"]);
    assert_eq!(stage.dingtalk.calls(REPLY).await.len(), 2);
}

#[tokio::test]
async fn a_plugin_that_traps_after_a_message_has_sent_it_once() {
    let stage = Stage::new(&scripted().retry("max-attempts = 3")).await;
    let belfry = stage.host().await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "count n; reply hello; panic")
        .await;
    let delivery = belfry.doors.ended("scripted").await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"dead".into(), &3.into()),
        "{delivery}"
    );
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["hello"]);
    assert_eq!(stage.dingtalk.calls(REPLY).await.len(), 1);
    assert_eq!(
        calls(&belfry.doors).await,
        ["kv.get done", "kv.set done", "robot.reply done"]
    );
}

#[tokio::test]
async fn a_plugin_that_traps_on_a_refusal_is_not_told_the_same_refusal_for_ever() {
    let stage = Stage::new(&scripted()).await;
    let belfry = stage.host().await;
    let busy = json!({"path": SEND, "times": 1, "errcode": -1, "errmsg": "系统繁忙"});
    stage.dingtalk.post("faults", busy).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "reply first; !say chatoncall second")
        .await;
    let delivery = belfry.doors.ended("scripted").await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"done".into(), &2.into()),
        "{delivery}"
    );
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["first", "second"]);
}

#[tokio::test]
async fn a_retry_that_was_asked_for_sends_nothing_twice_and_sees_its_own_values() {
    let stage = Stage::new(&scripted()).await;
    let belfry = stage.host().await;
    let busy = json!({"path": SEND, "times": 2, "errcode": -1, "errmsg": "系统繁忙"});
    stage.dingtalk.post("faults", busy).await;
    // Two equal replies are two replies, and no more than two however often it runs.
    let script = "reply same; count n; reply same; say chatoncall group; until m 4; show n";
    stage.dingtalk.say(ONCALL, "alice", script).await;
    let delivery = belfry.doors.ended("scripted").await;
    // Two for the refusals, three for the count, and the one that is done; each counted once more.
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"done".into(), &6.into()),
        "{delivery}"
    );
    assert_eq!(
        stage.dingtalk.answers(ONCALL).await,
        ["same", "same", "group", "6"]
    );
    assert_eq!(stage.dingtalk.calls(REPLY).await.len(), 3);
    assert_eq!(stage.dingtalk.calls(SEND).await.len(), 3);
}

#[tokio::test]
async fn a_plugin_that_goes_another_way_is_parked_before_it_does_anything() {
    let script = |second: &str| {
        let script = format!("reply first; {second}; sleep 1500; reply last");
        bot(Plugin::scripted_with(&script).granted(""))
    };
    let stage = Stage::new(&script("say chatoncall secret-one")).await;
    let belfry = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "go").await;
    belfry.sleepers(1).await;
    belfry.kill().await;
    // Only its settings changed, so it is the same version.
    stage.write(&script("say chatoncall secret-two"));
    let (belfry, delivery) = after_the_kill(&stage).await;
    assert_eq!(delivery["state"], "parked", "{delivery}");
    assert_eq!(
        delivery["reason"],
        "the plugin did something else than before: call 2 of run 0 was chat.send, and now its message.Text differs"
    );
    assert_eq!(
        stage.dingtalk.answers(ONCALL).await,
        ["first", "secret-one"]
    );
    assert!(!belfry.log().contains("secret-"), "{}", belfry.log());
    // Whoever asks sees both sides.
    let id = belfry.doors.events().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let config = stage.file("bot.toml");
    let shown =
        belfry_tests::run(&["events", "show", &id, "--config", config.to_str().unwrap()]).await;
    assert!(
        shown.output.contains("secret-one") && shown.output.contains("secret-two"),
        "{}",
        shown.output
    );
}

#[tokio::test]
async fn a_plugin_that_leaves_a_write_out_is_parked() {
    let script = |script: &str| bot(Plugin::scripted_with(script).granted(""));
    let stage = Stage::new(&script("reply first; say chatoncall second; sleep 1500")).await;
    let belfry = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "go").await;
    belfry.sleepers(1).await;
    belfry.kill().await;
    stage.write(&script("reply first"));
    let (_belfry, delivery) = after_the_kill(&stage).await;
    assert_eq!(delivery["state"], "parked", "{delivery}");
    assert_eq!(
        delivery["reason"],
        "the plugin did something else than before: call 2 of run 0 was chat.send, and now it ended without that"
    );
}

#[tokio::test]
async fn a_request_outlives_its_plugin_and_its_end_is_recorded() {
    let limits = "limits = { wall = \"300ms\" }";
    let stage = Stage::new(&bot(Plugin::scripted().granted("").line(limits))).await;
    let belfry = stage.host().await;
    let late = json!({"path": SEND, "times": 1, "delay_ms": 1_000});
    stage.dingtalk.post("faults", late).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "say chatoncall hello; reply done")
        .await;
    let delivery = belfry.doors.ended("scripted").await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&"done".into(), &2.into()),
        "{delivery}"
    );
    assert_eq!(stage.dingtalk.calls(SEND).await.len(), 1);
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["hello", "done"]);
    assert_eq!(
        calls(&belfry.doors).await,
        ["chat.send done", "robot.reply done"]
    );
}

#[tokio::test]
async fn a_delivery_that_wrote_stays_with_its_version_and_is_parked_when_that_is_gone() {
    let waiting = |delay: &str| {
        Bot::new()
            .retry(&format!("first-delay = {delay:?}"))
            .plugin(Plugin::scripted().granted(""))
            .plugin(Plugin::naughty("other", "reply", "").line("when = 'false'"))
    };
    let stage = Stage::new(&waiting("1s")).await;
    let belfry = stage.serve(&[]).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "reply one; until n 2; reply two")
        .await;
    wait_until("the first attempt failed", async || {
        belfry.doors.deliveries("scripted").await[0]["attempts"] == 1
    })
    .await;
    let old = belfry.doors.digest("scripted").await;
    // Another component in its place, which would only repeat what it is told.
    stage.replace_component(
        "scripted",
        &std::fs::read(belfry_tests::components::path("echo")).unwrap(),
    );
    wait_until("the new version is active", async || {
        belfry.doors.digest("scripted").await != old
    })
    .await;
    let delivery = belfry.doors.ended("scripted").await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["one", "two"]);

    // After a restart the old version is not there any more, if somebody removed what was kept of it.
    stage.replace_component(
        "scripted",
        &std::fs::read(belfry_tests::components::path("scripted")).unwrap(),
    );
    wait_until("the old version is active", async || {
        belfry.doors.digest("scripted").await == old
    })
    .await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "reply three; until m 2; reply four")
        .await;
    wait_until("the first attempt failed", async || {
        let events = belfry.doors.events().await;
        events
            .iter()
            .any(|event| event["state"] == "pending" && event["deliveries"][0]["attempts"] == 1)
    })
    .await;
    belfry.kill().await;
    stage.replace_component(
        "scripted",
        &std::fs::read(belfry_tests::components::path("echo")).unwrap(),
    );
    std::fs::remove_dir_all(stage.file("belfry.versions")).unwrap();
    let belfry = stage.serve(&[]).await;
    let parked = wait_for("it is parked", async || {
        belfry
            .doors
            .get("/api/events?state=parked")
            .await
            .get(0)
            .cloned()
    })
    .await;
    let reason = parked["deliveries"][0]["reason"].as_str().unwrap();
    assert!(reason.contains(&old[..12]), "{reason}");
    assert_eq!(
        bots_texts(
            &stage
                .dingtalk
                .groups()
                .await
                .into_iter()
                .find(|group| group["id"] == ONCALL)
                .unwrap()
        ),
        ["one", "two", "three"]
    );
}

/// Requests of the guest `web`, of which the last is under way when belfry is killed.
async fn kill_while_it_posts(policy: &str) -> (Stage, Web, Process, Value) {
    let server = Web::start().await;
    let address = server.address;
    let grant = format!(
        "grant = {{ robot = true, http = [{{ host = \"http://{address}\", private = true }}], {policy} }}"
    );
    let plugin = Plugin::new("web", "web")
        .line(&grant)
        .line("limits = { wall = \"30s\" }");
    let stage = Stage::new(&bot(plugin)).await;
    let belfry = stage.serve(&[]).await;
    let requests = format!(
        "GET http://{address}/hello\nPOST http://{address}/size first\nPOST http://{address}/late second"
    );
    stage.dingtalk.say(ONCALL, "alice", &requests).await;
    wait_until("the last request arrived", async || {
        server.heads().len() == 3
    })
    .await;
    belfry.kill().await;
    let belfry = stage.serve(&[]).await;
    let delivery = belfry.doors.ended("web").await;
    (stage, server, belfry, delivery)
}

#[tokio::test]
async fn requests_to_other_hosts_are_not_made_again_and_the_one_in_doubt_is_told() {
    let (stage, server, belfry, delivery) = kill_while_it_posts("").await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    let answers = stage.dingtalk.answers(ONCALL).await;
    assert!(
        answers.len() == 1 && answers[0].starts_with("Error::OutcomeUnknown("),
        "{answers:?}"
    );
    assert_eq!(server.heads().len(), 3);
    let expected = [
        "http.read done",
        "http.handle done",
        "http.handle unknown",
        "robot.reply done",
    ];
    assert_eq!(calls(&belfry.doors).await, expected);
}

#[tokio::test]
async fn a_grant_can_have_a_request_in_doubt_made_again() {
    let policy = "ambiguous = { \"http.handle\" = \"resend\" }";
    let (stage, server, belfry, delivery) = kill_while_it_posts(policy).await;
    assert_eq!(delivery["state"], "done", "{delivery}");
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["200 4 late"]);
    let heads = server.heads();
    let paths: Vec<&str> = heads
        .iter()
        .filter_map(|head| head.split(' ').nth(1))
        .collect();
    assert_eq!(paths, ["/hello", "/size", "/late", "/late"]);
    let expected = [
        "http.read done",
        "http.handle done",
        "http.handle done",
        "robot.reply done",
    ];
    assert_eq!(calls(&belfry.doors).await, expected);
}
