//! Components that were compiled for an earlier belfry load and work in this one.

use std::path::{Path, PathBuf};

use belfry_tests::components::is_quick;
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
            let text = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            let name = text(&file).split('.').next().unwrap().to_owned();
            kept.push((text(&folder), name, file));
        }
    }
    kept.sort();
    kept
}

/// The component itself; large ones are kept compressed.
fn component(file: &Path) -> Vec<u8> {
    let bytes = std::fs::read(file).unwrap();
    if file.extension().is_some_and(|extension| extension == "zst") {
        zstd::decode_all(bytes.as_slice()).unwrap()
    } else {
        bytes
    }
}

#[tokio::test]
async fn what_was_compiled_for_an_earlier_version_loads_and_answers() {
    let kept = kept();
    assert!(kept.len() >= 8, "{kept:?}");
    for (version, name, file) in kept {
        if name == "hello-py" && is_quick() {
            continue;
        }
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
        stage.replace_component("echo", &component(&file));
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
