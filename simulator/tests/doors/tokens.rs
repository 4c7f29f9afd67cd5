//! Tokens, and what a call without a good one is told.

use serde_json::json;
use simulator::Options;

use crate::stage::{SECRET, Stage};

#[tokio::test]
async fn a_living_token_is_given_again() {
    let stage = Stage::new().await;
    let first = stage
        .get(&format!("/gettoken?appkey=dingkey&appsecret={SECRET}"))
        .await;
    assert_eq!(
        (&first["errcode"], &first["expires_in"]),
        (&json!(0), &json!(7200))
    );
    let again = stage
        .get(&format!("/gettoken?corpid=dingcorp&corpsecret={SECRET}"))
        .await;
    assert_eq!(again["access_token"], first["access_token"]);
    let modern = json!({"appKey": "dingkey", "appSecret": SECRET});
    let modern = stage.post("/v1.0/oauth2/accessToken", modern).await;
    assert_eq!(
        modern,
        json!({"accessToken": first["access_token"], "expireIn": 7200})
    );
}

#[tokio::test]
async fn bad_credentials_have_their_codes() {
    let stage = Stage::new().await;
    for (query, code) in [
        ("", 40035),
        ("?appkey=dingkey&appsecret=wrong", 40096),
        ("?appkey=nobody&appsecret=wrong", 40096),
        ("?corpid=dingcorp&corpsecret=wrong", 40089),
    ] {
        assert_eq!(
            stage.get(&format!("/gettoken{query}")).await["errcode"],
            code,
            "{query}"
        );
    }
    let wrong = json!({"appKey": "dingkey", "appSecret": "wrong"});
    let (status, body) = stage.post_status("/v1.0/oauth2/accessToken", wrong).await;
    assert_eq!(
        (status, &body["code"]),
        (400, &json!("invalidClientIdOrSecret"))
    );
    assert_eq!(stage.post("/gettoken", json!({})).await["errcode"], 43001);
}

#[tokio::test]
async fn each_family_refuses_a_bad_token_in_its_own_words() {
    let stage = Stage::new().await;
    let top = stage
        .post("/topapi/processinstance/get?access_token=x", json!({}))
        .await;
    assert_eq!(
        (&top["errcode"], &top["sub_code"]),
        (&json!(88), &json!("40014"))
    );
    assert!(top["request_id"].is_string());
    let top = stage.post("/topapi/processinstance/get", json!({})).await;
    assert_eq!(
        (&top["errcode"], &top["sub_code"]),
        (&json!(88), &json!("40000"))
    );
    assert_eq!(
        stage
            .get("/chat/get?access_token=x&chatid=chatoncall")
            .await["errcode"],
        40014
    );
    assert_eq!(
        stage.get("/chat/get?chatid=chatoncall").await["errcode"],
        41001
    );
    let (status, body) = stage
        .post_status("/v1.0/robot/groupMessages/send", json!({}))
        .await;
    assert_eq!(
        (status, &body["code"]),
        (400, &json!("InvalidAuthentication"))
    );
}

#[tokio::test]
async fn an_expired_token_stops_working_and_a_new_one_is_given() {
    let stage = Stage::new().await;
    let old = stage.token().await;
    stage.post("/_sim/expire-tokens", json!({})).await;
    let path = format!("/chat/get?access_token={old}&chatid=chatoncall");
    assert_eq!(stage.get(&path).await["errcode"], 40014);
    assert_ne!(stage.token().await, old);
    assert_eq!(
        stage.ask("/chat/get", "chatid=chatoncall").await["errcode"],
        0
    );
}

#[tokio::test]
async fn the_twenty_first_call_of_a_second_is_refused() {
    let stage = Stage::new().await;
    let token = stage.token().await;
    let mut codes = Vec::new();
    for _ in 0..21 {
        let answer = stage
            .get(&format!("/chat/get?access_token={token}&chatid=chatoncall"))
            .await;
        codes.push(answer["errcode"].as_i64().unwrap());
    }
    let calls = stage.get("/_sim/calls?path=/chat/get").await;
    let calls = calls.as_array().unwrap();
    let took = calls[20]["at"].as_i64().unwrap() - calls[0]["at"].as_i64().unwrap();
    // On a machine too slow for 21 calls in a second there is nothing to limit.
    assert!(codes[20] == 90018 || took >= 1000, "{codes:?} in {took} ms");
    assert!(codes[..20].iter().all(|code| *code == 0), "{codes:?}");
}

#[tokio::test]
async fn the_limit_can_be_lifted_and_has_a_newer_form() {
    let stage = Stage::with(Options {
        rate_limit: None,
        ..Options::default()
    })
    .await;
    let token = stage.token().await;
    for _ in 0..60 {
        let answer = stage
            .get(&format!("/chat/get?access_token={token}&chatid=chatoncall"))
            .await;
        assert_eq!(answer["errcode"], 0);
    }
    let stage = Stage::with(Options {
        rate_limit: Some(0),
        ..Options::default()
    })
    .await;
    let (status, body) = stage
        .call_v1("/v1.0/robot/groupMessages/send", json!({}))
        .await;
    let code = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi";
    assert_eq!((status, &body["code"]), (403, &json!(code)));
}

#[tokio::test]
async fn unknown_paths_are_told_apart() {
    let stage = Stage::new().await;
    assert_eq!(
        stage.call("/topapi/no/such", json!({})).await["errcode"],
        22
    );
    assert_eq!(stage.call("/no/such", json!({})).await["errcode"], 404);
    assert_eq!(stage.post_status("/v1.0/no/such", json!({})).await.0, 404);
    assert_eq!(stage.call("/chat/get", json!({})).await["errcode"], 43001);
    assert_eq!(stage.ask("/chat/send", "").await["errcode"], 43002);
}

#[tokio::test]
async fn a_body_of_another_content_type_is_refused() {
    let stage = Stage::new().await;
    let url = stage.url(&format!("/chat/send?access_token={}", stage.token().await));
    let sent = stage
        .http
        .post(&url)
        .header("content-type", "text/plain")
        .body("{}")
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = sent.json().await.unwrap();
    assert_eq!(answer["errcode"], 43004);
    let sent = stage
        .http
        .post(&url)
        .header("content-type", "application/json")
        .body("{")
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = sent.json().await.unwrap();
    assert_eq!(answer["errcode"], 34014);
}

#[tokio::test]
async fn topapi_reads_forms() {
    let stage = Stage::new().await;
    let url = stage.url(&format!(
        "/topapi/v2/user/get?access_token={}",
        stage.token().await
    ));
    let request = stage
        .http
        .post(&url)
        .header("content-type", "application/x-www-form-urlencoded");
    let answer: serde_json::Value = request
        .body("userid=alice")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer["result"]["name"], "林爱丽");
}
