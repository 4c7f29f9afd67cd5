//! Every guest of the zoo ends as it must, its neighbour goes on answering, and nothing of the machine is lost to it.

use std::collections::HashMap;

use belfry_tests::zoo::{ANIMALS, Animal, End, table};
use belfry_tests::{Bot, ONCALL, Plugin, Process, Stage, Web, components, wait_for, wait_until};
use serde_json::Value;

fn refused() -> impl Iterator<Item = &'static Animal> {
    ANIMALS.iter().filter(|animal| !animal.runs())
}

fn running() -> impl Iterator<Item = &'static Animal> {
    let has_time = |animal: &&Animal| !animal.is_slow() || !components::is_quick();
    ANIMALS
        .iter()
        .filter(|animal| animal.runs())
        .filter(has_time)
}

/// Somebody writes a word, and `echo` repeats it.
async fn neighbour_answers(stage: &Stage, word: &str) {
    let report = stage.dingtalk.say(ONCALL, "alice", word).await;
    assert_eq!(report["delivered"], true, "{word}: {report}");
    let echoed = format!("echo: {word}");
    wait_until("the neighbour answers", async || {
        let answers = stage.dingtalk.answers(ONCALL).await;
        answers.contains(&echoed)
    })
    .await;
}

/// Repeats what it is told behind a word of its own.
fn neighbour() -> Plugin {
    Plugin::naughty("echo", "reply", "prefix = \"echo: \"")
}

/// Why plugins were refused first, by their names.
fn reasons(log: &str) -> HashMap<String, String> {
    let mut reasons = HashMap::new();
    let lines = log.lines();
    for line in lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if let (Some(subject), Some(reason)) = (line["subject"].as_str(), line["reason"].as_str()) {
            let first = reasons.entry(subject.to_owned());
            first.or_insert_with(|| reason.to_owned());
        }
    }
    reasons
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_plugin_is_refused_by_name_while_the_neighbour_answers() {
    let bot = Bot::new().plugin(neighbour());
    let stage = Stage::new(&bot).await;
    let belfry = stage.serve(&[]).await;
    let web = Web::start().await;
    let mut with_zoo = bot;
    for animal in refused() {
        stage.replace_component(animal.name, &animal.component());
        with_zoo = with_zoo.plugin(animal.plugin(web.address));
    }
    stage.write(&with_zoo);
    let reload = belfry.doors.reload();
    neighbour_answers(&stage, "hello").await;
    let (status, report) = reload.await;
    assert_eq!(status, 422, "{report}");
    // The reload that came first says why, this one or the watch's: a slow compilation may have come to its end since.
    let reasons = wait_for("all are refused", async || {
        let reasons = reasons(&belfry.log());
        let all = refused().all(|animal| reasons.contains_key(animal.name));
        all.then_some(reasons)
    })
    .await;
    for animal in refused() {
        let End::Refused(expected) = animal.end else {
            continue;
        };
        let list = report["refused"].as_array().unwrap();
        let is_told = list.iter().any(|entry| entry["subject"] == animal.name);
        assert!(
            is_told || animal.name == "slow-to-compile",
            "{}: it was loaded",
            animal.name
        );
        let reason = &reasons[animal.name];
        assert!(reason.contains(expected), "{}: {reason}", animal.name);
        assert!(reason.len() < 2_000, "{}: {reason}", animal.name);
    }
    neighbour_answers(&stage, "still there?").await;
    belfry.terminate();
    assert_eq!(belfry.end().await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_guest_of_the_zoo_ends_as_named_and_leaves_the_machine_as_it_was() {
    let mut bot = Bot::new()
        .engine("max-concurrent = 8")
        .retry("max-attempts = 2")
        .retry("first-delay = \"20ms\"")
        .plugin(neighbour());
    let stage = Stage::new(&bot).await;
    bot = bot.plugin(Plugin::naughty("keeper", "keep", "").line("when = 'event.text == \"keep\"'"));
    let web = Web::start().await;
    for animal in running() {
        stage.replace_component(animal.name, &animal.component());
        bot = bot.plugin(animal.plugin(web.address));
    }
    // As many plugins as there are places, each of which takes one.
    for number in 0..8 {
        let name = format!("sleeper{number}");
        let sleeper = Plugin::naughty(&name, "sleep", "")
            .line("when = 'event.text == \"everybody sleeps\"'")
            .line("limits = { wall = \"60s\" }");
        bot = bot.plugin(sleeper);
    }
    stage.write(&bot);
    // Compiling the guests of large languages takes longer than anybody waits for a start; the cache has them afterwards.
    stage.host().await.stop().await;
    let belfry = stage.serve(&[]).await;
    neighbour_answers(&stage, "keep").await;
    let before = resident(&belfry);

    for animal in running() {
        neighbour_answers(&stage, animal.name).await;
    }
    for animal in running() {
        ends_as_named(&stage, &belfry, animal).await;
    }
    let echoed = belfry.doors.deliveries("echo").await;
    assert!(
        echoed
            .iter()
            .all(|delivery| delivery["state"] == "done" && delivery["attempts"] == 1)
    );

    // The server that some were granted heard nothing from the others. `request-flood` has two attempts of twenty calls, two
    // of which ask for its settings; the requests of its second attempt are answered from the records of the first.
    let asked = web.heads();
    let count = |path: &str| {
        let line = format!("GET {path} ");
        asked.iter().filter(|head| head.starts_with(&line)).count()
    };
    let granted = [count("/drip"), count("/silence"), count("/large")];
    assert_eq!(granted, [1; 3], "{asked:?}");
    assert_eq!((count("/hello"), asked.len()), (18, 21), "{asked:?}");

    let after = resident(&belfry);
    assert!(
        after < before + (128 << 20),
        "belfry took {} MiB before the zoo and {} MiB after it",
        before >> 20,
        after >> 20
    );
    let log = belfry.log();
    let longest = log.lines().map(str::len).max().unwrap_or(0);
    assert!(longest < 8_000, "a log line has {longest} bytes");

    let asleep = log.matches("falling asleep").count();
    stage
        .dingtalk
        .say(ONCALL, "alice", "everybody sleeps")
        .await;
    belfry.sleepers(asleep + 8).await;
}

async fn ends_as_named(stage: &Stage, belfry: &Process, animal: &Animal) {
    let name = animal.name;
    let delivery = belfry.doors.ended(name).await;
    match animal.end {
        End::Dead(expected) => {
            let reason = delivery["reason"].as_str().unwrap_or_default();
            assert_eq!(delivery["state"], "dead", "{name}: {delivery}");
            assert!(reason.starts_with(expected), "{name}: {reason}");
            assert!(reason.len() < 2_000, "{name}: {reason}");
            // Whoever can say why does so in its author's words, whatever the language.
            if name.starts_with("panic") || name.starts_with("exception") {
                assert!(reason.contains("on purpose"), "{name}: {reason}");
            }
        }
        End::Answers(expected) => {
            assert_eq!(delivery["state"], "done", "{name}: {delivery}");
            let answers = stage.dingtalk.answers(ONCALL).await;
            // All answer in one group, so those that answer alike are counted.
            let found = answers.iter().filter(|answer| *answer == expected).count();
            let alike = running()
                .filter(|animal| matches!(animal.end, End::Answers(answer) if answer == expected));
            assert!(found >= alike.count(), "{name}: {answers:?}");
        }
        End::Refused(_) => {}
    }
}

/// Bytes of memory that the process has.
fn resident(belfry: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", belfry.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn the_table_of_the_zoo_is_in_the_manual() {
    let manual = components::checkout().join("docs/security.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    assert!(manual.contains(&table()), "the table is:\n{}", table());
}
