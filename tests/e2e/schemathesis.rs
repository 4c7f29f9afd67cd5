//! schemathesis tries the gateway with what its OpenAPI document allows and forbids.
//!
//! Run by hand, with `BELFRY_SCHEMATHESIS` naming the program: it still finds differences between the document and what
//! the gateway takes, so it is no part of the usual tests.

use std::path::PathBuf;
use std::process::Stdio;

use belfry_tests::{Bot, Stage};
use simulator::Options;

const KEY: &str = "schemathesis-key-0123";

#[tokio::test]
async fn schemathesis_tries_the_gateway() {
    let Some(program) = std::env::var_os("BELFRY_SCHEMATHESIS").map(PathBuf::from) else {
        println!("SKIPPED: BELFRY_SCHEMATHESIS names no program");
        return;
    };
    let gateway = format!(
        "[gateway]\napp = \"acme\"\n[[gateway.key]]\nname = \"all\"\nkey = {KEY:?}\nrate = 100000\n\
             scopes = [\"chat\", \"notice\", \"contacts\", \"approval\", \"callback\", \"isv\"]\n"
    );
    let bot = Bot::new().app("pace = { calls = 0 }").table(&gateway, &[]);
    let options = Options {
        rate_limit: None,
        ..Options::default()
    };
    let stage = Stage::with(&bot, options).await;
    let belfry = stage.host().await;
    let output = tokio::process::Command::new(program)
        .arg("run")
        .arg(format!("http://{}/api/openapi.json", belfry.doors.public))
        .args(["--header", &format!("Authorization: Bearer {KEY}")])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args([
            "--max-examples",
            "5",
            "--seed",
            "1",
            "--no-color",
            "--workers",
            "1",
        ])
        .current_dir(stage.file(""))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    belfry.stop().await;
}
