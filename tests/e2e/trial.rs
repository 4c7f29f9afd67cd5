//! `belfry plugin test`: cases, their snapshots and what is said when they differ.

use std::path::{Path, PathBuf};

use belfry_tests::{Finished, components, run};

async fn test(plugin: &Path, more: &[&str]) -> Finished {
    let mut arguments = vec!["plugin", "test", plugin.to_str().unwrap()];
    arguments.extend(more);
    run(&arguments).await
}

/// A case in a folder of its own, with this text.
fn case(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let file = folder.path().join("case.toml");
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
async fn the_samples_do_what_their_cases_keep() {
    for sample in ["echo", "approvals", "alerts"] {
        let folder = components::checkout().join("plugins").join(sample);
        let tested = test(&folder, &[]).await;
        assert_eq!(tested.code, Some(0), "{}{}", tested.output, tested.errors);
        assert!(
            tested.output.contains(", 0 not as kept"),
            "{}",
            tested.output
        );
    }
}

#[tokio::test]
async fn a_case_is_new_then_kept_then_the_same_then_different() {
    let folder = tempfile::tempdir().unwrap();
    let file = case(&folder, "[[event]]\ntext = \"hello\"");
    let one = ["--case", file.to_str().unwrap()];
    let echo = components::path("echo");

    let new = test(&echo, &one).await;
    assert_eq!(new.code, Some(1));
    assert!(new.output.starts_with("new "), "{}", new.output);
    let kept = test(&echo, &[&one[..], &["--update"]].concat()).await;
    assert_eq!(kept.code, Some(0), "{}", kept.errors);
    let same = test(&echo, &one).await;
    assert_eq!(
        (same.code, same.output.starts_with("same ")),
        (Some(0), true)
    );

    case(&folder, "[[event]]\ntext = \"goodbye\"");
    let different = test(&echo, &one).await;
    assert_eq!(different.code, Some(1));
    assert!(
        different
            .output
            .contains("-  robot.reply {\"message\":{\"Text\":\"hello\"}")
            && different
                .output
                .contains("+  robot.reply {\"message\":{\"Text\":\"goodbye\"}"),
        "{}",
        different.output
    );
}

#[tokio::test]
async fn refusals_are_scripted_and_a_read_without_an_answer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"
        [plugin]
        config = { process-code = "PROC-1", chat = "chat1" }
        [[event]]
        text = "/leave 1d rest"
        [[answer]]
        call = "approval.create"
        err = { Invalid = { code = "830001", message = "no such template" } }
        [[answer]]
        call = "chat.get"
    "#;
    let file = case(&folder, text);
    let arguments = ["--case", file.to_str().unwrap(), "--output", "json"];
    let tested = test(&components::path("approvals"), &arguments).await;
    let results: serde_json::Value = serde_json::from_str(&tested.output).unwrap();
    let report = &results[0]["report"];
    assert_eq!(results[0]["verdict"], "new");
    assert_eq!(report["unused"][0], "chat.get");
    let reply = report["runs"][0]["calls"][1]["arguments"]["message"]["Text"].as_str();
    assert!(reply.unwrap().contains("no such template"), "{report}");
}

#[tokio::test]
async fn what_cannot_be_tried_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let echo = components::path("echo");
    for (text, expected) in [
        ("[[event]]\ntxt = 1", "unknown field `txt`"),
        (
            "[plugin]\nlimits = { memory = 5 }\n[[event]]\ntext = \"a\"",
            "limits.memory",
        ),
        (
            "[plugin]\ngrant = { kv = true }\n[[event]]\ntext = \"a\"",
            "without a grant",
        ),
        (
            "[[event]]\nfrom = \"callback\"\njson = []",
            "event 1 cannot be read",
        ),
    ] {
        let file = case(&folder, text);
        let tested = test(&echo, &["--case", file.to_str().unwrap()]).await;
        assert_eq!(tested.code, Some(1), "{text}");
        assert!(
            tested.output.contains(expected),
            "{text}: {}",
            tested.output
        );
    }
    let missing = test(folder.path(), &[]).await;
    assert!(
        missing.errors.contains("belfry plugin build"),
        "{}",
        missing.errors
    );
}
