#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// The error as `kind code`, or `token code`.
fn shown(result: Result<Answer, Failure>) -> String {
    let kind = |error: &ApiError| match error {
        ApiError::Denied { .. } => "denied",
        ApiError::RateLimited { .. } => "rate-limited",
        ApiError::Invalid { .. } => "invalid",
        ApiError::NotFound { .. } => "not-found",
        ApiError::Unavailable { .. } => "unavailable",
        ApiError::OutcomeUnknown { .. } => "outcome-unknown",
        ApiError::Credentials { .. } => "credentials",
    };
    match result {
        Ok(_) => "ok".to_owned(),
        Err(Failure::TokenRefused { code, .. }) => format!("token {code}"),
        Err(Failure::Other(error)) => format!("{} {}", kind(&error), error.code()),
    }
}

#[test]
fn errcodes_are_read_as_numbers_and_as_text_and_sub_codes_win() {
    let check = |body: &str, expected: &str| {
        assert_eq!(
            shown(oapi(200, body.as_bytes(), Effect::Write)),
            expected,
            "{body}"
        );
    };
    check(r#"{"errcode":0,"errmsg":"ok"}"#, "ok");
    check(r#"{"errcode":"0"}"#, "ok");
    check(r#"{"errcode":40035,"errmsg":"bad"}"#, "invalid 40035");
    check(r#"{"errcode":"60011","errmsg":"no"}"#, "denied 60011");
    check(r#"{"errcode":40014}"#, "token 40014");
    check(r#"{"errcode":"42001"}"#, "token 42001");
    check(r#"{"errcode":33001}"#, "token 33001");
    check(r#"{"errcode":40001}"#, "token 40001");
    check(
        r#"{"errcode":88,"sub_code":"40014","sub_msg":"不合法的access_token"}"#,
        "token 40014",
    );
    check(r#"{"errcode":88,"sub_code":42001}"#, "token 42001");
    check(r#"{"errcode":88,"subCode":"60011"}"#, "denied 60011");
    check(r#"{"errcode":88,"sub_code":"","errmsg":"x"}"#, "denied 88");
    check(r#"{"errcode":-1,"errmsg":"busy"}"#, "unavailable -1");
    check(r#"{"errcode":90018}"#, "rate-limited 90018");
    check(r#"{"errcode":400001}"#, "outcome-unknown 400001");
}

#[test]
fn the_text_of_an_error_is_dingtalks_own() {
    let body = r#"{"errcode":88,"sub_code":"60011","sub_msg":"inner","errmsg":"outer"}"#;
    let Err(Failure::Other(error)) = oapi(200, body.as_bytes(), Effect::Read) else {
        panic!()
    };
    assert_eq!(error.to_string(), "dingtalk denied the call: inner (60011)");
    let long = format!(r#"{{"errcode":40035,"errmsg":"{}"}}"#, "长".repeat(5000));
    let Err(Failure::Other(error)) = oapi(200, long.as_bytes(), Effect::Read) else {
        panic!()
    };
    assert_eq!(error.message().chars().count(), 300);
}

#[test]
fn what_is_not_dingtalks_envelope_is_an_error_that_says_so() {
    let check = |status: u16, body: &str, read: &str, write: &str| {
        assert_eq!(
            shown(oapi(status, body.as_bytes(), Effect::Read)),
            read,
            "{status} {body}"
        );
        assert_eq!(
            shown(oapi(status, body.as_bytes(), Effect::Write)),
            write,
            "{status} {body}"
        );
    };
    check(
        200,
        "",
        "unavailable client.empty",
        "outcome-unknown client.empty",
    );
    check(
        200,
        " <html>",
        "unavailable client.html",
        "outcome-unknown client.html",
    );
    check(
        200,
        r#"{"errcode":0"#,
        "unavailable client.truncated",
        "outcome-unknown client.truncated",
    );
    check(
        200,
        "ok",
        "unavailable client.content",
        "outcome-unknown client.content",
    );
    check(
        200,
        "[]",
        "unavailable client.content",
        "outcome-unknown client.content",
    );
    check(
        200,
        r#"{"x":1}"#,
        "unavailable client.content",
        "outcome-unknown client.content",
    );
    let throttled = r#"{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"u"}"#;
    check(
        200,
        throttled,
        "rate-limited client.throttled",
        "rate-limited client.throttled",
    );
    check(
        403,
        "<html>",
        "denied client.http-403",
        "denied client.http-403",
    );
    check(
        404,
        "",
        "not-found client.http-404",
        "not-found client.http-404",
    );
    check(
        429,
        "",
        "rate-limited client.http-429",
        "rate-limited client.http-429",
    );
    check(
        302,
        "",
        "invalid client.http-302",
        "invalid client.http-302",
    );
    check(
        502,
        "<html>",
        "unavailable client.http-502",
        "outcome-unknown client.http-502",
    );
    check(
        504,
        "",
        "unavailable client.http-504",
        "outcome-unknown client.http-504",
    );
    check(
        500,
        "{}",
        "unavailable client.http-500",
        "outcome-unknown client.http-500",
    );
}

#[test]
fn behind_a_5xx_only_codes_that_mean_not_done_are_believed() {
    let check = |body: &str, expected: &str| {
        assert_eq!(
            shown(oapi(503, body.as_bytes(), Effect::Write)),
            expected,
            "{body}"
        );
    };
    check(r#"{"errcode":-1}"#, "unavailable -1");
    check(r#"{"errcode":90002}"#, "rate-limited 90002");
    check(r#"{"errcode":90018}"#, "rate-limited 90018");
    check(r#"{"errcode":88,"sub_code":"40014"}"#, "token 40014");
    check(r#"{"errcode":40035}"#, "outcome-unknown 40035");
    check(r#"{"errcode":0}"#, "outcome-unknown 0");
    check(
        r#"{"code":"system.error","message":"m"}"#,
        "outcome-unknown system.error",
    );
}

#[test]
fn answers_of_the_newer_api_go_by_status_and_code() {
    let check = |status: u16, body: &str, expected: &str| {
        assert_eq!(
            shown(api(status, body.as_bytes(), Effect::Write)),
            expected,
            "{status} {body}"
        );
    };
    check(200, r#"{"processQueryKey":"k"}"#, "ok");
    check(200, "", "outcome-unknown client.empty");
    check(
        400,
        r#"{"code":"InvalidAuthentication","message":"m","requestid":"r"}"#,
        "token InvalidAuthentication",
    );
    check(
        400,
        r#"{"code":"invalidParameter.msgKey.invalid"}"#,
        "invalid invalidParameter.msgKey.invalid",
    );
    check(
        400,
        r#"{"code":"send.too.fast"}"#,
        "rate-limited send.too.fast",
    );
    check(400, r#"{"message":"m"}"#, "invalid client.http-400");
    check(
        500,
        r#"{"code":"system.error"}"#,
        "outcome-unknown system.error",
    );
    check(
        200,
        r#"{"status":1111,"punish":"deny"}"#,
        "rate-limited client.throttled",
    );
}

#[test]
fn a_throttled_address_waits_five_minutes() {
    let Err(Failure::Other(ApiError::RateLimited { retry_after, .. })) =
        oapi(200, br#"{"punish":"deny"}"#, Effect::Write)
    else {
        panic!()
    };
    assert_eq!(retry_after, Duration::from_secs(300));
}

#[test]
fn an_answer_that_lacks_what_it_should_bring_is_uncertain() {
    let answer = |effect| oapi(200, br#"{"errcode":0,"result":false}"#, effect).unwrap();
    assert!(matches!(
        answer(Effect::Write).text("chatid"),
        Err(ApiError::OutcomeUnknown { .. })
    ));
    assert!(matches!(
        answer(Effect::Read).text("chatid"),
        Err(ApiError::Unavailable { .. })
    ));
    assert!(matches!(
        answer(Effect::Write).accepted(),
        Err(ApiError::Invalid { .. })
    ));
}

proptest! {
    #[test]
    fn reading_any_answer_never_panics(status in 100u16..1000, body: Vec<u8>, text: String) {
        let _ = oapi(status, &body, Effect::Write);
        let _ = api(status, text.as_bytes(), Effect::Read);
        let _ = oapi(status, format!(r#"{{"errcode":{text}}}"#).as_bytes(), Effect::Read);
    }
}
