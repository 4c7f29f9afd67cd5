//! Starts a simulator and lets clients that others wrote talk to it: PyPI `dingtalk-sdk` and `alibabacloud-dingtalk`, npm
//! `@alicloud/dingtalk`.
//!
//! `cargo xtask test` installs them below `target/third-party` and names that folder in `BELFRY_THIRD_PARTY`. Without it
//! these tests say that they were skipped.
#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "what was skipped must be seen")]

use std::path::PathBuf;
use std::process::Stdio;

use simulator::{App, CallbackTarget, Options, Simulator};
use tokio::process::Command;

const SECRET: &str = "acme-secret";

/// The folder with the clients, if they are installed.
fn clients(part: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("BELFRY_THIRD_PARTY").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.join(part).exists());
    if folder.is_none() {
        println!("SKIPPED: {part} is not installed; `cargo xtask test` does it");
    }
    folder
}

async fn start(callback_port: u16) -> Simulator {
    let options = Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        apps: vec![App {
            name: "acme".to_owned(),
            corp_id: "dingcorp".to_owned(),
            app_key: "dingkey".to_owned(),
            app_secret: SECRET.to_owned(),
            agent_id: 1001,
            robot_code: "dingkey".to_owned(),
            callback: Some(CallbackTarget {
                url: format!("http://127.0.0.1:{callback_port}/callback"),
                token: "token123".to_owned(),
                aes_key: "1234567890123456789012345678901234567890123".to_owned(),
                receive_id: "dingcorp".to_owned(),
            }),
            robot_url: None,
        }],
        ..Options::default()
    };
    simulator::start(options).await.unwrap()
}

/// A file beside this one.
fn script(name: &str) -> String {
    format!("{}/tests/third_party/{name}", env!("CARGO_MANIFEST_DIR"))
}

async fn passes(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{said}");
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("checks passed"), "{said}");
}

#[tokio::test]
async fn the_sdk_of_the_community_gets_on_with_the_simulator() {
    let Some(folder) = clients("venv") else {
        return;
    };
    let port = free_port().await;
    let simulator = start(port).await;
    let mut command = Command::new(folder.join("venv/bin/python"));
    command
        .arg(script("check.py"))
        .arg(format!("--base=http://{}", simulator.address()))
        .arg(format!("--callback-port={port}"))
        .args(["--app=acme", "--corp-id=dingcorp", "--app-key=dingkey"])
        .arg(format!("--app-secret={SECRET}"))
        .args([
            "--agent-id=1001",
            "--token=token123",
            "--receive-id=dingcorp",
            "--aes-key=1234567890123456789012345678901234567890123",
        ]);
    passes(&mut command).await;
    simulator.stop().await;
}

#[tokio::test]
async fn the_python_sdk_of_alibaba_gets_on_with_the_simulator() {
    let Some(folder) = clients("venv") else {
        return;
    };
    let simulator = start(1).await;
    let mut command = Command::new(folder.join("venv/bin/python"));
    command
        .arg(script("check_modern.py"))
        .arg(format!("--base=http://{}", simulator.address()))
        .arg("--app-key=dingkey")
        .arg(format!("--app-secret={SECRET}"));
    passes(&mut command).await;
    simulator.stop().await;
}

#[tokio::test]
async fn the_javascript_sdk_of_alibaba_gets_on_with_the_simulator() {
    let Some(folder) = clients("npm/node_modules") else {
        return;
    };
    let simulator = start(1).await;
    let mut command = Command::new("node");
    command
        .arg(script("check_modern.mjs"))
        .arg(format!("http://{}", simulator.address()))
        .args(["dingkey", SECRET])
        .arg(folder.join("npm"));
    passes(&mut command).await;
    simulator.stop().await;
}

/// A port that was free a moment ago; the script's receiver binds it.
async fn free_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}
