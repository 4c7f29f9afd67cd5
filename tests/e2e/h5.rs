//! Pages inside DingTalk get signatures and learn who opened them, if they are the app's.

use belfry_tests::{Bot, Doors, Stage};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

async fn config(
    doors: &Doors,
    query: &[(&str, &str)],
    origin: Option<&str>,
) -> (u16, Option<String>, Value) {
    let mut request = doors
        .http
        .get(format!("http://{}/h5/config", doors.public))
        .query(query);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let allowed = answer.headers().get("access-control-allow-origin");
    let allowed = allowed.map(|origin| origin.to_str().unwrap().to_owned());
    (status, allowed, answer.json().await.unwrap())
}

#[tokio::test]
async fn a_page_gets_a_signature_that_the_ticket_makes() {
    let stage = Stage::new(&Bot::new()).await;
    let belfry = stage.host().await;
    let url = "http://127.0.0.1/page?x=%E5%80%BC#part";
    let (status, _, told) = config(&belfry.doors, &[("url", url), ("app", "acme")], None).await;
    assert_eq!(status, 200, "{told}");
    let calls = stage.dingtalk.calls("/v1.0/oauth2/jsapiTickets").await;
    let ticket = calls[0]["response"]["jsapiTicket"].as_str().unwrap();
    let plain = format!(
        "jsapi_ticket={ticket}&noncestr={}&timestamp={}&url=http://127.0.0.1/page?x=值",
        told["nonceStr"].as_str().unwrap(),
        told["timeStamp"].as_str().unwrap()
    );
    let digest: String = Sha256::digest(plain)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(told["signature"], digest);
    assert_eq!(
        (&told["agentId"], &told["corpId"]),
        (&json!(1001), &json!("dingcorp"))
    );
    for _ in 0..3 {
        config(&belfry.doors, &[("url", url), ("app", "acme")], None).await;
    }
    assert_eq!(
        stage
            .dingtalk
            .calls("/v1.0/oauth2/jsapiTickets")
            .await
            .len(),
        1
    );
    for (query, status) in [
        (&[("app", "acme")][..], 400),
        (&[("url", ""), ("app", "acme")], 400),
        (&[("url", "no address"), ("app", "acme")], 403),
        (&[("url", "javascript:alert(1)"), ("app", "acme")], 403),
        (&[("url", url), ("app", "other")], 404),
    ] {
        let (got, _, told) = config(&belfry.doors, query, None).await;
        assert_eq!(
            (got, &told["success"]),
            (status, &json!(false)),
            "{query:?}"
        );
    }
    belfry.stop().await;
}

#[tokio::test]
async fn pages_from_elsewhere_get_neither_signature_nor_answer() {
    let bot = Bot::new()
        .app("h5 = { pages = [\"https://pages.example.com/app/\"], signature = \"sha1\" }");
    let stage = Stage::new(&bot).await;
    let belfry = stage.host().await;
    let doors = &belfry.doors;
    let ours = [("url", "https://pages.example.com/app/x"), ("app", "acme")];
    let home = "https://pages.example.com";
    let (status, allowed, told) = config(doors, &ours, Some(home)).await;
    assert_eq!((status, allowed.as_deref()), (200, Some(home)), "{told}");
    assert_eq!(told["signature"].as_str().unwrap().len(), 40);
    let (status, allowed, _) = config(doors, &ours, Some("https://evil.example")).await;
    assert_eq!((status, allowed), (403, None));
    let foreign = [("url", "https://evil.example/app/"), ("app", "acme")];
    assert_eq!(config(doors, &foreign, None).await.0, 403);

    let ask = |origin: &str| {
        let url = format!("http://{}/h5/login", doors.public);
        doors
            .http
            .request(reqwest::Method::OPTIONS, url)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .send()
    };
    let preflight = ask(home).await.unwrap();
    assert_eq!(preflight.headers()["access-control-allow-origin"], home);
    let preflight = ask("https://evil.example").await.unwrap();
    assert_eq!(preflight.headers().get("access-control-allow-origin"), None);
    let login = doors
        .post("/h5/login")
        .header("origin", "https://evil.example")
        .json(&json!({"code": "c", "app": "acme"}));
    assert_eq!(login.send().await.unwrap().status(), 403);
    assert!(
        stage
            .dingtalk
            .calls("/topapi/v2/user/getuserinfo")
            .await
            .is_empty()
    );
    belfry.stop().await;
}

#[tokio::test]
async fn a_code_becomes_a_user_once() {
    let stage = Stage::new(&Bot::new()).await;
    let belfry = stage.host().await;
    let code = stage
        .dingtalk
        .post("codes", json!({"app": "acme", "userid": "alice"}))
        .await;
    let code = code["code"].as_str().unwrap().to_owned();
    let login = async |body: Value| {
        let answer = belfry
            .doors
            .post("/h5/login")
            .json(&body)
            .send()
            .await
            .unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    let (status, user) = login(json!({"code": code, "app": "acme"})).await;
    assert_eq!((status, &user["userid"]), (200, &json!("alice")), "{user}");
    let (status, used) = login(json!({"code": code, "app": "acme"})).await;
    assert_eq!((status, &used["errcode"]), (409, &json!(40078)), "{used}");
    assert_eq!(login(json!({"app": "acme"})).await.0, 400);
    assert_eq!(login(json!("x")).await.0, 400);
    belfry.stop().await;
}
