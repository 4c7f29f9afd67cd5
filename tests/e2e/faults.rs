//! A disk that is full, read-only or broken: nothing is acknowledged, belfry stays up, and goes on when the disk does.

#[cfg(target_os = "linux")]
use belfry_tests::disk::{BrokenDisk, FAILED, FULL, READ_ONLY, SmallDisk};
use belfry_tests::{Bot, DEV, Doors, Finished, ONCALL, Plugin, Process, Stage, run, wait_until};
use serde_json::{Value, json};
use simulator::Options;

fn bot() -> Bot {
    Bot::new().plugin(Plugin::echo()).hook("any", "generic", "")
}

/// A stage whose pushes come once.
async fn stage() -> Stage {
    let options = Options {
        push_retries: Vec::new(),
        ..Options::default()
    };
    Stage::with(&bot(), options).await
}

/// The same event over each way, and the status that its sender reads.
async fn push_everything(stage: &Stage, doors: &Doors, name: &str) -> [u64; 3] {
    let message = json!({"app": "acme", "conversationId": ONCALL, "senderStaffId": "alice", "text": name, "msgId": name});
    let event = json!({"EventType": "org_change", "CorpId": "dingcorp", "eventId": name});
    let status = |report: Value| report["attempts"][0]["status"].as_u64().unwrap();
    let alert = json!({"title": name}).to_string();
    [
        status(stage.dingtalk.post("messages", message).await),
        status(stage.dingtalk.push(event, json!({})).await),
        doors.hook("any", alert).await.0.into(),
    ]
}

/// What is true of every fault of the disk between `break_it` and `mend_it`.
async fn is_survived(
    stage: &Stage,
    belfry: &mut Process,
    name: &str,
    break_it: impl FnOnce(),
    mend_it: impl FnOnce(),
) {
    let doors = belfry.doors.clone();
    let before = doors.events().await.len();
    break_it();
    assert_eq!(doors.readiness().await, 503, "{name}");
    assert_eq!(
        push_everything(stage, &doors, name).await,
        [503; 3],
        "{name}"
    );
    assert!(belfry.is_running(), "{name}:\n{}", belfry.log());
    assert_eq!(doors.events().await.len(), before, "{name}");

    mend_it();
    wait_until(&format!("it is ready after {name}"), async || {
        doors.readiness().await == 200
    })
    .await;
    // What was not acknowledged is not known, so the same events are new now; and when they come again they are known.
    assert_eq!(
        push_everything(stage, &doors, name).await,
        [200; 3],
        "{name}"
    );
    assert_eq!(
        push_everything(stage, &doors, name).await,
        [200; 3],
        "{name}"
    );
    wait_until(&format!("everything is done after {name}"), async || {
        let events = doors.events().await;
        events.len() == before + 3 && events.iter().all(|event| event["state"] == "done")
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn whatever_error_the_disk_gives_nothing_is_acknowledged_until_it_works_again() {
    let stage = stage().await;
    let disk = BrokenDisk::new(&stage);
    let mut belfry = disk.serve(&stage).await;
    type Break<'a> = Box<dyn FnOnce() + 'a>;
    let faults: [(&str, Break<'_>); 4] = [
        ("full", Box::new(|| disk.refuses_writes(FULL))),
        ("read-only", Box::new(|| disk.refuses_writes(READ_ONLY))),
        ("write-error", Box::new(|| disk.refuses_writes(FAILED))),
        ("sync-error", Box::new(|| disk.refuses_syncs(FAILED))),
    ];
    let mut names = Vec::new();
    for (name, break_it) in faults {
        is_survived(&stage, &mut belfry, name, break_it, || disk.is_mended()).await;
        names.push(name);
    }
    assert_eq!(stage.dingtalk.answers(ONCALL).await, names);
    // And all of it is on disk: a kill takes nothing away.
    belfry.kill().await;
    let belfry = stage.serve(&[]).await;
    assert_eq!(belfry.doors.events().await.len(), 3 * names.len());
    assert_eq!(
        push_everything(&stage, &belfry.doors, "full").await,
        [200; 3]
    );
    assert_eq!(belfry.doors.events().await.len(), 3 * names.len());
}

#[tokio::test]
async fn a_commit_that_fails_acknowledges_nothing() {
    let stage = stage().await;
    let broken = stage.file("broken");
    let failpoint = format!("before-commit:fails-while={}", broken.display());
    let mut belfry = stage.serve(&[("BELFRY_FAILPOINTS", &failpoint)]).await;
    is_survived(
        &stage,
        &mut belfry,
        "commit",
        || std::fs::write(&broken, "").unwrap(),
        || std::fs::remove_file(&broken).unwrap(),
    )
    .await;
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["commit"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_system_without_room_is_survived() {
    let stage = stage().await;
    let Some(disk) = SmallDisk::mount(&stage) else {
        eprintln!(
            "SKIPPED: nobody may mount a file system here; the story above injects the same error"
        );
        return;
    };
    let mut belfry = disk.serve(&stage).await;
    let (fill, empty) = (|| disk.fill(), || disk.empty());
    is_survived(&stage, &mut belfry, "no-room", fill, empty).await;
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["no-room"]);
}

/// A start that the disk does not let happen: it ends, says why, and takes nothing away.
fn is_refused(ended: &Finished, reason: &str) {
    assert_eq!(ended.code, Some(1), "{reason}: {ended:?}");
    let errors = &ended.errors;
    assert!(
        errors.contains("cannot open the store"),
        "{reason}: {errors}"
    );
    assert!(errors.contains(reason), "{reason}: {errors}");
}

/// One event over each way, done, and a kill that leaves a log.
async fn die_with_events(stage: &Stage, mut belfry: Process) {
    assert_eq!(
        push_everything(stage, &belfry.doors, "early").await,
        [200; 3]
    );
    wait_until("everything is done", async || {
        let events = belfry.doors.events().await;
        events.len() == 3 && events.iter().all(|event| event["state"] == "done")
    })
    .await;
    assert!(belfry.is_running());
    belfry.kill().await;
}

/// Everything is there, and known when it comes again.
async fn has_everything(stage: &Stage, belfry: &Process) {
    assert_eq!(belfry.doors.readiness().await, 200);
    assert_eq!(
        push_everything(stage, &belfry.doors, "early").await,
        [200; 3]
    );
    let events = belfry.doors.events().await;
    assert_eq!(events.len(), 3);
    assert!(
        events.iter().all(|event| event["state"] == "done"),
        "{events:?}"
    );
    assert_eq!(stage.dingtalk.answers(ONCALL).await, ["early"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_start_on_a_bad_disk_ends_with_the_reason_and_a_later_one_has_everything() {
    let stage = stage().await;
    let disk = BrokenDisk::new(&stage);
    let refused = async || {
        disk.refuses_writes(FULL);
        // In a store that is there SQLite stumbles over another file.
        is_refused(&disk.refuse(&stage).await, "full");
        disk.refuses_writes(FAILED);
        is_refused(&disk.refuse(&stage).await, "disk I/O error");
        disk.refuses_opens(READ_ONLY);
        is_refused(&disk.refuse(&stage).await, "Read-only file system");
        disk.is_mended();
    };
    // There is no store yet.
    refused().await;
    die_with_events(&stage, disk.serve(&stage).await).await;
    // There is one, with a log that a crash left.
    refused().await;
    has_everything(&stage, &stage.serve(&[]).await).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_start_on_a_full_or_read_only_file_system_is_survived() {
    let stage = stage().await;
    let Some(mut disk) = SmallDisk::mount(&stage) else {
        eprintln!(
            "SKIPPED: nobody may mount a file system here; the story above injects the same errors"
        );
        return;
    };
    disk.fill();
    is_refused(&disk.refuse(&stage).await, "disk is full");
    disk.empty();
    die_with_events(&stage, disk.serve(&stage).await).await;
    disk.fill();
    is_refused(&disk.refuse(&stage).await, "disk is full");
    disk.empty();
    disk.remount("ro");
    is_refused(&disk.refuse(&stage).await, "Read-only file system");
    disk.remount("rw");
    has_everything(&stage, &disk.serve(&stage).await).await;
}

#[tokio::test]
async fn what_decayed_is_reported_and_the_rest_is_served() {
    let slow = Plugin::naughty("naughty", "sleep", "sleep-ms = 200000")
        .line("limits = { wall = \"300s\" }");
    let slow = Bot::new().server("drain = \"200ms\"").plugin(slow);
    let stage = Stage::new(&slow).await;
    let belfry = stage.serve(&[]).await;
    for (conversation, text) in [(ONCALL, "first word"), (DEV, "other word")] {
        let report = stage.dingtalk.say(conversation, "alice", text).await;
        assert_eq!(report["delivered"], true, "{report}");
    }
    belfry.sleepers(2).await;
    belfry.terminate();
    let (code, log) = belfry.end().await;
    assert_eq!(code, Some(0), "{log}");
    // The text of one event decays where it lies.
    let store = stage.file("belfry.db");
    let mut bytes = std::fs::read(&store).unwrap();
    let decayed = b"first word";
    let places = bytes.windows(decayed.len()).enumerate();
    let places: Vec<usize> = places
        .filter(|(_, window)| window == decayed)
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place] ^= 0x20;
    }
    std::fs::write(&store, bytes).unwrap();

    let config = stage.file("bot.toml");
    let config = config.to_str().unwrap();
    let verified = run(&["journal", "verify", "--config", config]).await;
    assert_eq!(verified.code, Some(1), "{verified:?}");
    stage.write(&Bot::new().plugin(Plugin::naughty("naughty", "reply", "")));
    let belfry = stage.serve(&[]).await;
    wait_until("the sound one is answered", async || {
        stage.dingtalk.answers(DEV).await == ["other word"]
    })
    .await;
    wait_until("the other one is parked", async || {
        let deliveries = belfry.doors.deliveries("naughty").await;
        deliveries.iter().any(|delivery| {
            delivery["state"] == "parked" && delivery["reason"] == "it is damaged on disk"
        })
    })
    .await;
    assert!(
        belfry.log().contains("is damaged and parked"),
        "{}",
        belfry.log()
    );
    // Nothing was made of it.
    assert!(stage.dingtalk.answers(ONCALL).await.is_empty());
}

#[tokio::test]
async fn a_file_that_is_no_store_stops_the_start_with_a_reason_and_stays_as_it_is() {
    let stage = Stage::new(&bot()).await;
    let store = stage.file("belfry.db");
    let rubbish = "this was a database once\n".repeat(1000);
    std::fs::write(&store, &rubbish).unwrap();
    let config = stage.file("bot.toml");
    let ended = run(&["serve", "--config", config.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.errors.contains("cannot open the store"), "{ended:?}");
    assert!(ended.errors.contains("not a database"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&store).unwrap(), rubbish);
}
