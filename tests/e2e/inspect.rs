//! What `belfry plugin inspect` shows.

use belfry_tests::{Bot, Finished, Plugin, Stage, components, run};
use serde_json::Value;

async fn inspect(stage: &Stage, what: &str, more: &[&str]) -> Finished {
    let config = stage.file("bot.toml");
    let mut arguments = vec![
        "plugin",
        "inspect",
        what,
        "--config",
        config.to_str().unwrap(),
    ];
    arguments.extend(more);
    run(&arguments).await
}

/// The text without what differs from build to build.
fn redacted(stage: &Stage, text: &str) -> String {
    let folder = stage.file("");
    let text = text.replace(folder.to_str().unwrap(), "…/");
    let lines = text
        .lines()
        .map(|line| match line.split_at(line.len().min(10)) {
            (title @ ("size      " | "sha256    " | "compiled  "), _) => format!("{title}…"),
            // The toolchain decides which of WASI its standard library asks for.
            (title, import) if import.starts_with("wasi:") => {
                let (interface, version) = import.split_once('@').unwrap();
                let key = version.split_once(' ').map_or("", |(_, key)| key);
                format!("{title}{interface}@… {key}").trim_end().to_owned()
            }
            _ => line.to_owned(),
        });
    let lines: Vec<String> = lines
        .filter(|line| !line.starts_with("ambient   wasi:"))
        .collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_plugin_is_shown_with_what_it_asks_for_and_gets() {
    let bot = Bot::new()
        .plugin(Plugin::new("web", "web").line("grant = { robot = true }"))
        .plugin(Plugin::alerts());
    let stage = Stage::new(&bot).await;
    let shown = inspect(&stage, "web", &[]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.errors);
    insta::assert_snapshot!(redacted(&stage, &shown.output));
    let shown = inspect(&stage, "alerts", &[]).await;
    insta::assert_snapshot!(redacted(&stage, &shown.output));
}

#[tokio::test]
async fn a_file_needs_no_configuration() {
    let stage = Stage::new(&Bot::new()).await;
    let file = components::path("approvals");
    let none = stage.file("none.toml");
    let arguments = ["plugin", "inspect", file.to_str().unwrap(), "--config"];
    let shown = run(&[&arguments[..], &[none.to_str().unwrap()]].concat()).await;
    assert_eq!(shown.code, Some(0), "{}", shown.errors);
    let line = "grant = { chat = true, approval = [\"PROC-…\"], robot = true, notice = true }";
    assert!(shown.output.contains(line), "{}", shown.output);
}

#[tokio::test]
async fn json_has_the_same_for_scripts() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::echo())).await;
    let file = stage.file("plugins/echo.wasm");
    let shown = inspect(&stage, file.to_str().unwrap(), &["--output", "json"]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.errors);
    let json: Value = serde_json::from_str(&shown.output).unwrap();
    assert_eq!(json["plugin"], "echo");
    assert_eq!(json["size"], std::fs::metadata(&file).unwrap().len());
    assert_eq!(json["description"]["name"], "echo");
    assert_eq!(json["needs"], Value::Null);
    let imports = json["imports"].as_array().unwrap();
    let robot = imports.iter().find(|import| import["grant"] == "robot");
    assert_eq!(robot.unwrap()["status"], "granted");
    let digest = json["digest"].as_str().unwrap();
    let belfry = stage.host().await;
    assert_eq!(belfry.doors.digest("echo").await, digest);
}

#[tokio::test]
async fn what_cannot_be_loaded_is_told_and_fails() {
    let stage = Stage::new(&Bot::new()).await;
    let shown = inspect(&stage, "nobody", &[]).await;
    assert_eq!(shown.code, Some(1));
    assert!(shown.errors.contains("nobody"), "{}", shown.errors);
    let wrong = components::path("wrong-abi");
    let shown = inspect(&stage, wrong.to_str().unwrap(), &[]).await;
    assert_eq!(shown.code, Some(1));
    let told = "belfry cannot load it: it does not fit the world";
    assert!(shown.output.contains(told), "{}", shown.output);
}
