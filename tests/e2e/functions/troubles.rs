//! Calls that DingTalk does not do: no permission, too many calls, a web page in place of an answer, a token that expires,
//! an id that nobody has.

use belfry::function::{Class, Function};
use belfry_tests::Stage;
use dingtalk::{ApiStyle, catalog};
use serde_json::{Value, json};

use super::declared::{self, Declared};
use super::{bot, made, make, told, word};
use crate::coverage::TYPED;

/// The functions that ask DingTalk for something, with the call that they make.
fn calling(style: ApiStyle) -> Vec<(Declared, &'static str)> {
    let path = |function: &str| {
        if function == "robot.reply" {
            return Some("/robot/sendBySession");
        }
        let typed = TYPED.iter().find(|typed| typed.host.contains(&function))?;
        let api = catalog::find(typed.api).unwrap();
        Some(api.calls(style).next().unwrap().path)
    };
    declared::all()
        .into_iter()
        .filter_map(|function| path(&function.name).map(|path| (function, path)))
        .collect()
}

#[test]
fn no_function_is_forgotten() {
    let calling: Vec<String> = calling(ApiStyle::Modern)
        .into_iter()
        .map(|(function, _)| function.name)
        .collect();
    for function in Function::all().map(Function::name) {
        let (interface, _) = function.split_once('.').unwrap();
        // They do not leave belfry, or go to a host of the plugin's own.
        let stays = ["kv", "schedule", "config", "delivery", "http"].contains(&interface)
            || function == "approval.encode";
        assert_ne!(
            calling.iter().any(|name| name == function),
            stays,
            "{function}"
        );
    }
}

/// What goes wrong at DingTalk, as an older and as a newer call says it, and the kind of error that the plugin hears: of a
/// read, of a write.
const TROUBLES: [(&str, &str, &str, &str); 3] = [
    (
        r#"{"errcode": 60011}"#,
        r#"{"errcode": 403, "sub_code": "Forbidden.AccessDenied.AccessTokenPermissionDenied"}"#,
        "Denied",
        "Denied",
    ),
    (
        r#"{"errcode": 90018}"#,
        r#"{"errcode": 403, "sub_code": "Forbidden.AccessDenied.QpsLimitForApi"}"#,
        "RateLimited",
        "RateLimited",
    ),
    (
        r#"{"html": true}"#,
        r#"{"html": true}"#,
        "Unavailable",
        "OutcomeUnknown",
    ),
];

#[tokio::test]
async fn trouble_at_dingtalk_is_told_by_its_kind() {
    for style in [ApiStyle::Modern, ApiStyle::Legacy] {
        for (older, newer, of_read, of_write) in TROUBLES {
            let stage = Stage::new(&bot().app(&format!("api = {:?}", word(style)))).await;
            let belfry = stage.host().await;
            for (_, path) in calling(style) {
                let fault = if path.starts_with("/v1.0/") {
                    newer
                } else {
                    older
                };
                let mut fault: Value = serde_json::from_str(fault).unwrap();
                fault["path"] = json!(path);
                fault["times"] = json!(1000);
                stage.dingtalk.post("faults", fault).await;
            }
            for (function, _) in calling(style) {
                make(&stage, &belfry, &function.name, vec![function.sample()]).await;
            }
            for (function, path) in calling(style) {
                let answer = told(&belfry, &function.name).await.pop().unwrap();
                let expected = match Function::from_name(&function.name).unwrap().class() {
                    Class::Read => of_read,
                    _ => of_write,
                };
                let name = &function.name;
                let error = &answer["Err"];
                let detail = match expected {
                    "RateLimited" => &error[expected]["detail"],
                    _ => &error[expected],
                };
                // What another function heard on the same way may keep this one from being sent.
                let waits = error["RateLimited"]["detail"]["code"] == "belfry.pace"
                    && calling(style).iter().filter(|(_, of)| *of == path).count() > 1;
                assert!(
                    detail["message"].is_string() || waits,
                    "{name} {path}: {answer}"
                );
            }
            belfry.stop().await;
        }
    }
}

#[tokio::test]
async fn a_token_that_expires_on_the_way_costs_no_call() {
    for style in [ApiStyle::Modern, ApiStyle::Legacy] {
        let stage = Stage::new(&bot().app(&format!("api = {:?}", word(style)))).await;
        let belfry = stage.host().await;
        let tokens = async || {
            let older = stage.dingtalk.calls("/gettoken").await.len();
            older + stage.dingtalk.calls("/v1.0/oauth2/accessToken").await.len()
        };
        for (function, path) in calling(style) {
            let name = &function.name;
            if name == "robot.reply" {
                // Its address is its permission.
                continue;
            }
            let calls = stage.dingtalk.calls(path).await.len();
            let mut refused = json!({"path": path, "times": 1, "errcode": 40014});
            if path.starts_with("/v1.0/") {
                refused["sub_code"] = json!("InvalidAuthentication");
            }
            stage.dingtalk.post("faults", refused).await;
            let before = tokens().await;
            let answer = made(&stage, &belfry, name, vec![function.sample()]).await;
            let calls = &stage.dingtalk.calls(path).await[calls..];
            let refusals = calls
                .iter()
                .filter(|call| call["fault"].is_string())
                .count();
            assert_eq!((refusals, calls.len() > 1), (1, true), "{name}: {calls:?}");
            assert!(tokens().await > before, "{name}");
            let told = answer[0].to_string();
            assert!(
                !told.contains("40014") && !told.contains("InvalidAuthentication"),
                "{name}: {told}"
            );
        }
        belfry.stop().await;
    }
}

/// Those that name nothing which could be unknown, and those whose answer, or DingTalk later, tells whom it does not know.
const TELL_OTHERWISE: [&str; 7] = [
    "contacts.count-users",
    "contacts.get-scope",
    "media.upload",
    "robot.reply",
    "notice.send",
    "robot.send-people",
    "robot.recall-people",
];

#[tokio::test]
async fn an_id_that_nobody_has_is_unknown_to_dingtalk() {
    let stage = Stage::new(&bot()).await;
    let belfry = stage.host().await;
    for (function, _) in calling(ApiStyle::Modern) {
        let name = function.name.as_str();
        let answer = made(&stage, &belfry, name, vec![function.unknown()]).await;
        let error = ["NotFound", "Invalid", "Denied"]
            .into_iter()
            .find_map(|kind| answer[0]["Err"].get(kind));
        let told = error.is_some_and(|error| {
            let is_dingtalks = !error["code"].as_str().unwrap().starts_with("belfry.");
            is_dingtalks && !error["message"].as_str().unwrap().is_empty()
        });
        assert_ne!(
            told,
            TELL_OTHERWISE.contains(&name),
            "{name}: {}",
            answer[0]
        );
    }
    belfry.stop().await;
}
