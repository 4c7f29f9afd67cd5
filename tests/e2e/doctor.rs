//! Registering a callback, and finding out what does not hold.

use std::fs;

use belfry_tests::{Bot, Finished, Plugin, Stage, run};
use serde_json::{Value, json};

async fn belfry(stage: &Stage, arguments: &[&str]) -> Finished {
    let config = stage.file("bot.toml");
    let mut all = arguments.to_vec();
    all.extend(["--config", config.to_str().unwrap()]);
    run(&all).await
}

fn bot() -> Bot {
    Bot::new().plugin(Plugin::approvals())
}

async fn findings(stage: &Stage) -> (Option<i32>, Value) {
    let done = belfry(stage, &["doctor", "--output", "json"]).await;
    let found = serde_json::from_str(&done.output)
        .unwrap_or_else(|_| panic!("{} {}", done.output, done.errors));
    (done.code, found)
}

/// Verdict and text of an area.
fn of(found: &Value, area: &str) -> (String, String) {
    let list = found["findings"].as_array().unwrap();
    let finding = list.iter().find(|finding| finding["area"] == area);
    let finding = finding.unwrap_or_else(|| panic!("nothing about {area} in {found}"));
    let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    (
        text("verdict"),
        format!("{} {}", text("text"), text("advice")),
    )
}

#[tokio::test]
async fn a_callback_is_registered_shown_replaced_and_removed() {
    let stage = Stage::new(&bot()).await;
    let serving = stage.host().await;
    let url = format!("http://{}/callback/acme", serving.doors.public);
    let show = ["callback", "show", "--app", "acme"];
    let none = belfry(&stage, &show).await;
    assert!(
        none.output.contains("no callback is registered"),
        "{}",
        none.output
    );

    let register = ["callback", "register", "--app", "acme", "--url", &url];
    let done = belfry(&stage, &register).await;
    assert_eq!(done.code, Some(0), "{}", done.errors);
    assert!(done.output.contains(&url), "{}", done.output);
    assert!(
        done.output.contains("bpms_instance_change"),
        "{}",
        done.output
    );
    // What is pushed now is sealed for the corp id, and belfry takes it.
    let event = json!({"EventType": "bpms_instance_change", "CorpId": "dingcorp", "processInstanceId": "i", "type": "start"});
    assert_eq!(
        stage.dingtalk.push(event, json!({})).await["delivered"],
        true
    );

    let mut again = register.to_vec();
    again.extend(["--event", "check_in", "--output", "json"]);
    let done = belfry(&stage, &again).await;
    let shown: Value = serde_json::from_str(&done.output).unwrap();
    assert_eq!(shown["registered"]["events"], json!(["check_in"]));
    assert!(
        shown["drift"][0]
            .as_str()
            .unwrap()
            .contains("bpms_instance_change"),
        "{shown}"
    );

    let delete = ["callback", "delete", "--app", "acme"];
    assert!(belfry(&stage, &delete).await.output.contains("removed"));
    assert!(
        belfry(&stage, &delete)
            .await
            .output
            .contains("no callback was registered")
    );
    serving.stop().await;
}

#[tokio::test]
async fn registering_without_a_belfry_says_that_it_must_serve() {
    let stage = Stage::new(&bot()).await;
    // The app is known to the simulator, and nobody is there any more.
    let serving = stage.host().await;
    let url = format!("http://{}/callback/acme", serving.doors.public);
    serving.stop().await;
    let register = ["callback", "register", "--app", "acme", "--url", &url];
    let refused = belfry(&stage, &register).await;
    assert_eq!(refused.code, Some(1));
    for part in ["71012", "nobody answers there", "`belfry serve` must run"] {
        assert!(refused.errors.contains(part), "{}", refused.errors);
    }
}

#[tokio::test]
async fn doctor_finds_nothing_wrong_with_a_bot_that_works() {
    let stage = Stage::new(&bot()).await;
    let serving = stage.host().await;
    let url = format!("http://{}/callback/acme", serving.doors.public);
    let register = ["callback", "register", "--app", "acme", "--url", &url];
    assert_eq!(belfry(&stage, &register).await.code, Some(0));
    let (code, found) = findings(&stage).await;
    assert_eq!(code, Some(0), "{found}");
    for area in [
        "clock",
        "credentials",
        "permission.chat",
        "permission.approval",
        "permission.notice",
        "callback",
        "consumer",
    ] {
        assert_eq!(of(&found, area).0, "ok", "{found}");
    }
    let text = belfry(&stage, &["doctor"]).await;
    assert!(text.output.contains("0 failed"), "{}", text.output);
    serving.stop().await;
}

#[tokio::test]
async fn doctor_names_what_does_not_hold_and_what_to_do() {
    let stage = Stage::new(&bot()).await;
    let serving = stage.host().await;
    let url = format!("http://{}/callback/acme", serving.doors.public);
    let register = [
        "callback", "register", "--app", "acme", "--url", &url, "--event", "check_in",
    ];
    assert_eq!(belfry(&stage, &register).await.code, Some(0));
    serving.stop().await;
    // Another token, a plugin's event that is not registered, and a permission that is missing.
    let denied = json!({"path": "/v1.0/workflow/processInstances", "times": 1, "errcode": 88, "sub_code": "Forbidden.AccessDenied.AccessTokenPermissionDenied"});
    stage.dingtalk.post("faults", denied).await;
    let file = stage.file("bot.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("callback-token-7f3a", "another-token")).unwrap();
    let (code, found) = findings(&stage).await;
    assert_eq!(code, Some(1), "{found}");
    let (verdict, text) = of(&found, "callback");
    assert_eq!(verdict, "failed");
    for part in [
        "its token is another one",
        "bpms_instance_change",
        "belfry callback register --app acme",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let (verdict, text) = of(&found, "permission.approval");
    assert_eq!(verdict, "failed");
    assert!(
        text.contains("AccessTokenPermissionDenied") && text.contains("权限管理"),
        "{text}"
    );
    assert_eq!(of(&found, "consumer").0, "unknown");
    for secret in ["callback-token-7f3a", "another-token"] {
        assert!(!found.to_string().contains(secret), "{found}");
    }
}

#[tokio::test]
async fn doctor_tells_wrong_credentials_and_a_foreign_consumer() {
    let stage = Stage::new(&bot()).await;
    let serving = stage.host().await;
    // Somebody else answers at the registered address: it leads to a path that knows nothing of callbacks.
    let url = format!("http://{}/callback/acme", serving.doors.public);
    let register = ["callback", "register", "--app", "acme", "--url", &url];
    assert_eq!(belfry(&stage, &register).await.code, Some(0));
    let file = stage.file("bot.toml");
    let text = fs::read_to_string(&file).unwrap();
    let other = text.replace("callback-token-7f3a", "another-token");
    fs::write(&file, other).unwrap();
    let (_, found) = findings(&stage).await;
    let (verdict, told) = of(&found, "consumer");
    assert_eq!(verdict, "failed", "{told}");
    serving.stop().await;

    fs::write(&file, text.replace("Qm9-app-secret-of-acme", "wrong")).unwrap();
    let (code, found) = findings(&stage).await;
    assert_eq!(code, Some(1));
    let (verdict, told) = of(&found, "credentials");
    assert_eq!(verdict, "failed");
    assert!(
        told.contains("40096") && told.contains("app-secret"),
        "{told}"
    );
}
