//! Starts a simulator and lets an SDK that others wrote talk to it (`check.py`).
//!
//! Not part of the usual tests, because it needs Python with `dingtalk-sdk`; `PYTHON` names the interpreter.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;

use simulator::{App, CallbackTarget, Options};

#[tokio::test]
async fn a_third_party_sdk_gets_on_with_the_simulator() {
    let port = free_port().await;
    let options = Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        apps: vec![App {
            name: "acme".to_owned(),
            corp_id: "dingcorp".to_owned(),
            app_key: "dingkey".to_owned(),
            app_secret: "acme-secret".to_owned(),
            agent_id: 1001,
            robot_code: "dingkey".to_owned(),
            callback: Some(CallbackTarget {
                url: format!("http://127.0.0.1:{port}/callback"),
                token: "token123".to_owned(),
                aes_key: "1234567890123456789012345678901234567890123".to_owned(),
                receive_id: "dingcorp".to_owned(),
            }),
            robot_url: None,
        }],
        ..Options::default()
    };
    let simulator = simulator::start(options).await.unwrap();
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = tokio::process::Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/third_party/check.py"
        ))
        .arg(format!("--base=http://{}", simulator.address()))
        .arg(format!("--callback-port={port}"))
        .args([
            "--app=acme",
            "--corp-id=dingcorp",
            "--app-key=dingkey",
            "--app-secret=acme-secret",
        ])
        .args([
            "--agent-id=1001",
            "--token=token123",
            "--receive-id=dingcorp",
        ])
        .arg("--aes-key=1234567890123456789012345678901234567890123")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    simulator.stop().await;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A port that was free a moment ago; the script's receiver binds it.
async fn free_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}
