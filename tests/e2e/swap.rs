//! Plugins are swapped under a steady load: nothing is dropped, nothing runs twice, each event meets one version.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use belfry_tests::{Bot, DEV, ONCALL, Plugin, Stage, components, wait_for};
use simulator::Options;
use tokio::task::JoinSet;

/// Time between two messages.
const PAUSE: Duration = Duration::from_millis(10);
/// Time between two swaps.
const REST: Duration = Duration::from_millis(800);

/// Which version an answer is from: the guest of the stories puts a word in front.
fn version(answer: &str) -> (&str, &'static str) {
    match answer.strip_prefix("new ") {
        Some(text) => (text, "guest"),
        None => (answer, "echo"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_is_swapped_many_times_under_load_and_each_event_meets_one_version() {
    let options = Options {
        rate_limit: None,
        ..Options::default()
    };
    let echo = Plugin::new("echo", "echo")
        .line("grant = { robot = true, kv = true }")
        .line("config = { mode = \"reply\", prefix = \"new \" }");
    // The second plugin brings the guest's compilation into the cache.
    let bot = Bot::new()
        .plugin(echo)
        .plugin(Plugin::naughty("guest", "reply", "").line("when = 'false'"));
    let stage = Stage::with(&bot, options).await;
    let belfry = stage
        .serve(&[("BELFRY_LOG", "error,belfry::app=info")])
        .await;
    let bytes = |name: &str| std::fs::read(components::path(name)).unwrap();
    let (first, second) = (bytes("echo"), bytes("naughty"));
    let swaps: [(&[u8], bool); 6] = [
        (&second, true),
        (b"not wasm", false),
        (&first, true),
        (&bytes("wrong-abi"), false),
        (&second, true),
        (&first, true),
    ];

    let mut sending = JoinSet::new();
    let mut sent = 0;
    let mut tick = tokio::time::interval(PAUSE);
    let mut swaps = swaps.into_iter().peekable();
    let mut good = 1;
    let mut next = Instant::now() + REST;
    while swaps.peek().is_some() || Instant::now() < next {
        tick.tick().await;
        if Instant::now() >= next
            && let Some((bytes, is_good)) = swaps.next()
        {
            stage.replace_component("echo", bytes);
            good += u64::from(is_good);
            next = Instant::now() + REST;
        }
        let (dingtalk, number) = (stage.dingtalk.clone(), sent);
        sent += 1;
        sending.spawn(async move {
            let conversation = if number % 2 == 0 { ONCALL } else { DEV };
            let text = format!("message {number}");
            dingtalk.say(conversation, "alice", &text).await
        });
    }
    while let Some(report) = sending.join_next().await {
        let report = report.unwrap();
        assert_eq!(report["delivered"], true, "{report}");
    }

    let answers = wait_for("everything is answered", async || {
        let mut answers = stage.dingtalk.answers(ONCALL).await;
        answers.extend(stage.dingtalk.answers(DEV).await);
        (answers.len() >= sent).then_some(answers)
    })
    .await;
    let mut by_text: HashMap<&str, Vec<&str>> = HashMap::new();
    for answer in &answers {
        let (text, version) = version(answer);
        by_text.entry(text).or_default().push(version);
    }
    for number in 0..sent {
        let text = format!("message {number}");
        let versions = by_text.get(text.as_str()).cloned().unwrap_or_default();
        assert_eq!(versions.len(), 1, "{text} was answered by {versions:?}");
    }
    assert_eq!(answers.len(), sent);
    let of_guest = answers
        .iter()
        .filter(|answer| version(answer).1 == "guest")
        .count();
    assert!(
        of_guest > 0 && of_guest < sent,
        "{of_guest} of {sent} by the guest"
    );

    let deliveries = belfry.doors.deliveries("echo").await;
    assert_eq!(deliveries.len(), sent);
    for delivery in deliveries {
        assert_eq!(
            (&delivery["state"], &delivery["attempts"]),
            (&"done".into(), &1.into()),
            "{delivery}"
        );
    }
    let snapshot = wait_for("the last version is active", async || {
        let snapshot = belfry.doors.get("/api/snapshot").await;
        (snapshot["generation"] == good).then_some(snapshot)
    })
    .await;
    assert!(snapshot["refused"].as_array().unwrap().is_empty());
    // Twice something bad was there, and it was noticed.
    let log = belfry.log();
    assert_eq!(log.matches("change refused").count(), 2, "{log}");
}
