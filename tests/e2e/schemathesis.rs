//! schemathesis tries the gateway with what its OpenAPI document allows and with what it forbids: the one must be taken,
//! the other refused, and every answer must be as it is described.
//!
//! `cargo xtask test` installs it and names its folder in `BELFRY_THIRD_PARTY`; without it this story says that it was
//! skipped.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use belfry_tests::{Bot, Stage};
use simulator::Options;

const KEY: &str = "schemathesis-key-0123";
/// It takes a quarter of a minute.
const MOST: Duration = Duration::from_secs(120);

#[tokio::test]
async fn the_gateway_is_as_its_document_says() {
    let folder = std::env::var_os("BELFRY_THIRD_PARTY").map(PathBuf::from);
    let program = folder.map(|folder| folder.join("schemathesis/bin/schemathesis"));
    let Some(program) = program.filter(|program| program.exists()) else {
        println!("SKIPPED: schemathesis is not installed; `cargo xtask test` does it");
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
        .args(["--checks", "all", "--continue-on-failure"])
        .args(["--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--max-examples", "10", "--seed", "1"])
        .args(["--generation-database", "none", "--warnings", "off"])
        .args(["--no-color", "--workers", "1"])
        .current_dir(stage.file(""))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(MOST, output).await;
    let output = output.expect("schemathesis ends in time").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    // It succeeds as well where it found nothing to try.
    let paths = dingtalk::catalog::apis().filter(|api| api.gateway.is_some());
    let selected = said.split("Selected: ").nth(1).unwrap_or_default();
    let selected: usize = selected
        .split('/')
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or_default();
    assert!(selected > paths.count(), "{said}");
    belfry.stop().await;
}
