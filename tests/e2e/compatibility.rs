//! Components that were compiled for an earlier belfry load and work in this one.

use std::path::PathBuf;

use belfry_tests::{Bot, ONCALL, Plugin, Stage, components, wait_until};

/// Every kept component: the version of its contract, its name, its file.
fn kept() -> Vec<(String, String, PathBuf)> {
    let versions = components::checkout().join("tests").join("fixtures");
    let folders = std::fs::read_dir(versions)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut kept = Vec::new();
    for folder in folders.filter(|path| path.is_dir()) {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let file = entry.unwrap().path();
            let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
            let version = folder.file_name().unwrap().to_str().unwrap().to_owned();
            kept.push((version, name(&file), file));
        }
    }
    kept.sort();
    kept
}

#[tokio::test]
async fn what_was_compiled_for_an_earlier_version_loads_and_answers() {
    let kept = kept();
    assert!(kept.len() >= 7, "{kept:?}");
    for (version, name, file) in kept {
        let (word, answer) = match name.as_str() {
            "echo" => ("good morning", Some("good morning")),
            _ if name.starts_with("hello") => ("/hello", None),
            // Loading tells whether their imports and exports still fit; what they do is told by other stories.
            _ => ("nothing", Some("")),
        };
        let plugin = Plugin::new("kept", "echo")
            .line("events = [\"chat-message\"]")
            .line(
                "grant = { chat = true, notice = true, approval = true, robot = true, kv = true }",
            )
            .line("config = { process = \"PROC-LEAVE\" }");
        let stage = Stage::new(&Bot::new()).await;
        stage.write(&Bot::new().plugin(plugin));
        stage.replace_component("echo", &std::fs::read(&file).unwrap());
        let belfry = stage.host().await;
        if answer == Some("") {
            continue;
        }
        stage.dingtalk.say(ONCALL, "alice", word).await;
        wait_until(&format!("{name} of {version} answers"), async || {
            let answers = stage.dingtalk.answers(ONCALL).await;
            answers
                .last()
                .is_some_and(|last| answer.is_none_or(|answer| last == answer))
        })
        .await;
        belfry.stop().await;
    }
}
