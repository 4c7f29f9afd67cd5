//! What is acknowledged is on disk, and what is not on disk is not acknowledged.

use std::time::Duration;

use belfry_tests::{Bot, DEV, ONCALL, Plugin, Process, Stage, components, wait_until};
use serde_json::json;

/// A child that may be told that its disk is full: the signal that comes with the limit is ignored, so writing fails
/// with an error, as it does on a full disk.
#[cfg(target_os = "linux")]
async fn serve_with_limit(stage: &Stage) -> Process {
    let mut command = tokio::process::Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" serve --config \"$1\""])
        .arg(components::belfry())
        .arg(stage.file("bot.toml"));
    let process = Process::start(command, &[]).await;
    stage.push_to(process.doors.public);
    process
}

#[cfg(target_os = "linux")]
fn limit_files(process: &Process, bytes: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(Pid::from_raw(process.id()), Resource::Fsize, limit).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_takes_no_writes_means_503_until_it_does() {
    let bot = Bot::new().plugin(Plugin::echo()).hook("any", "generic", "");
    let options = simulator::Options {
        push_retries: vec![Duration::from_millis(10)],
        ..Default::default()
    };
    let stage = Stage::with(&bot, options).await;
    let mut belfry = serve_with_limit(&stage).await;
    let doors = belfry.doors.clone();
    stage.dingtalk.say(ONCALL, "alice", "before").await;
    wait_until("it is answered", async || {
        stage.dingtalk.answers(ONCALL).await == ["before"]
    })
    .await;
    wait_until("its end is recorded", async || {
        doors.events().await[0]["state"] == "done"
    })
    .await;

    limit_files(&belfry, Some(0));
    assert_eq!(doors.readiness().await, 503);
    let event = json!({"EventType": "org_change", "CorpId": "dingcorp", "eventId": "e-1"});
    let report = stage.dingtalk.push(event.clone(), json!({})).await;
    assert_eq!(report["delivered"], false, "{report}");
    for attempt in report["attempts"].as_array().unwrap() {
        assert_eq!(attempt["status"], 503, "{report}");
    }
    let message = json!({"app": "acme", "conversationId": ONCALL, "senderStaffId": "alice", "text": "during", "msgId": "msg-2"});
    let report = stage.dingtalk.post("messages", message.clone()).await;
    assert_eq!(report["attempts"][0]["status"], 503, "{report}");
    let alert = json!({"title": "disk"}).to_string();
    assert_eq!(doors.hook("any", alert.clone()).await.0, 503);
    assert!(belfry.is_running());
    assert_eq!(doors.events().await.len(), 1);

    limit_files(&belfry, None);
    wait_until("belfry is ready again", async || {
        doors.readiness().await == 200
    })
    .await;
    // What was not acknowledged is not known, so the same pushes are new now.
    let report = stage.dingtalk.push(event, json!({})).await;
    assert_eq!(report["delivered"], true, "{report}");
    let report = stage.dingtalk.post("messages", message).await;
    assert_eq!(report["delivered"], true, "{report}");
    assert_eq!(doors.hook("any", alert).await.0, 200);
    wait_until("everything is done", async || {
        let events = doors.events().await;
        events.len() == 4 && events.iter().all(|event| event["state"] == "done")
    })
    .await;
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["before", "during"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_cannot_be_recorded_first_is_not_sent_until_it_can() {
    let bot = Bot::new()
        .retry("first-delay = \"50ms\"")
        .plugin(Plugin::naughty("naughty", "sleep", "sleep-ms = 500"));
    let stage = Stage::new(&bot).await;
    let belfry = serve_with_limit(&stage).await;
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    belfry.sleepers(1).await;
    limit_files(&belfry, Some(0));
    wait_until("its end cannot be recorded", async || {
        belfry.log().contains("cannot record the end")
    })
    .await;
    assert!(stage.dingtalk.answers(ONCALL).await.is_empty());
    limit_files(&belfry, None);
    wait_until("it is done", async || {
        belfry.doors.events().await[0]["state"] == "done"
    })
    .await;
    let deliveries = belfry.doors.deliveries("naughty").await;
    assert_eq!(deliveries[0]["attempts"], 2);
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["hello"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_attempt_that_ends_while_nothing_can_be_written_is_recorded_later_and_not_repeated() {
    let bot = Bot::new().plugin(Plugin::naughty("naughty", "reply", ""));
    let stage = Stage::new(&bot).await;
    let belfry = serve_with_limit(&stage).await;
    // The message is there at once, and DingTalk's answer comes later.
    let late = json!({"path": "/robot/sendBySession", "times": 1, "delay_ms": 1000});
    stage.dingtalk.post("faults", late).await;
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    wait_until("it is answered", async || {
        stage.dingtalk.answers(ONCALL).await == ["hello"]
    })
    .await;
    limit_files(&belfry, Some(0));
    wait_until("its end cannot be recorded", async || {
        belfry.log().contains("cannot record the end")
    })
    .await;
    limit_files(&belfry, None);
    wait_until("its end is recorded", async || {
        belfry.doors.events().await[0]["state"] == "done"
    })
    .await;
    let deliveries = belfry.doors.deliveries("naughty").await;
    assert_eq!(deliveries[0]["attempts"], 1);
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["hello"]);
    assert_eq!(stage.dingtalk.calls("/robot/sendBySession").await.len(), 1);
}

#[tokio::test]
async fn what_was_accepted_before_a_kill_is_done_after_it() {
    let slow = Bot::new().plugin(
        Plugin::naughty("naughty", "sleep", "sleep-ms = 200000")
            .line("limits = { wall = \"300s\" }"),
    );
    let stage = Stage::new(&slow).await;
    let belfry = stage.serve(&[]).await;
    for (conversation, text) in [(ONCALL, "one"), (ONCALL, "two"), (DEV, "three")] {
        let report = stage.dingtalk.say(conversation, "alice", text).await;
        assert_eq!(report["delivered"], true, "{report}");
    }
    // One of each conversation runs, and one waits.
    belfry.sleepers(2).await;
    let events = belfry.doors.events().await;
    assert!(events.iter().all(|event| event["state"] == "pending"));
    belfry.kill().await;

    stage.write(&Bot::new().plugin(Plugin::naughty("naughty", "reply", "")));
    let belfry = stage.serve(&[]).await;
    wait_until("everything is done", async || {
        let events = belfry.doors.events().await;
        events.len() == 3 && events.iter().all(|event| event["state"] == "done")
    })
    .await;
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["one", "two"]);
    assert_eq!(stage.dingtalk.answers(DEV).await, ["three"]);
}

#[tokio::test]
async fn a_retry_that_was_planned_before_a_kill_comes_after_it() {
    let bot = Bot::new()
        .retry("first-delay = \"500ms\"")
        .plugin(Plugin::naughty("naughty", "retry", "times = 1"));
    let stage = Stage::new(&bot).await;
    let belfry = stage.serve(&[]).await;
    stage.dingtalk.say(ONCALL, "alice", "hello").await;
    wait_until("the first attempt failed", async || {
        belfry.doors.deliveries("naughty").await[0]["attempts"] == 1
    })
    .await;
    belfry.kill().await;
    let belfry = stage.serve(&[]).await;
    wait_until("the second attempt is done", async || {
        let delivery = belfry.doors.deliveries("naughty").await.pop().unwrap();
        delivery["state"] == "done" && delivery["attempts"] == 2
    })
    .await;
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["hello"]);
}

#[tokio::test]
async fn every_acknowledged_event_of_a_busy_moment_survives_a_kill() {
    let bot = Bot::new().hook("any", "generic", "");
    let stage = Stage::new(&bot).await;
    let belfry = stage.serve(&[]).await;
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let doors = belfry.doors.clone();
            tokio::spawn(async move {
                let mut acknowledged = 0;
                for number in 0.. {
                    let alert = json!({"title": format!("alert {number} of {sender}")});
                    let answer = doors.post("/hooks/any").body(alert.to_string());
                    match answer.send().await {
                        Ok(answer) if answer.status() == 200 => acknowledged += 1,
                        _ => break,
                    }
                }
                acknowledged
            })
        })
        .collect();
    wait_until("some have arrived", async || {
        belfry.doors.events().await.len() >= 100
    })
    .await;
    belfry.kill().await;
    let mut acknowledged = 0;
    for sender in senders {
        acknowledged += sender.await.unwrap();
    }
    let belfry = stage.serve(&[]).await;
    let kept = belfry.doors.events().await.len();
    // Of each sender one more may be on disk whose acknowledgement the kill cut off.
    assert!(
        (acknowledged..=acknowledged + 8).contains(&kept),
        "{kept} kept of {acknowledged} acknowledged"
    );
}
