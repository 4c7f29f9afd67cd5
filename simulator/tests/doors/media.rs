//! Uploads and the files that people send to robots.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::stage::Stage;

async fn upload(stage: &Stage, kind: &str, name: &str, bytes: Vec<u8>) -> Value {
    let token = stage.token().await;
    let part = Part::bytes(bytes).file_name(name.to_owned());
    let url = stage.url(&format!("/media/upload?access_token={token}&type={kind}"));
    let form = Form::new().part("media", part);
    let request = stage.http.post(url).multipart(form);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_file_is_uploaded_and_gets_an_id() {
    let stage = Stage::new().await;
    let answer = upload(&stage, "image", "图.png", vec![7; 3_000_000]).await;
    assert_eq!(
        (&answer["errcode"], &answer["type"]),
        (&json!(0), &json!("image"))
    );
    let id = answer["media_id"].as_str().unwrap();
    assert!(id.starts_with('@'), "{id}");
    let files = stage.get("/_sim/files").await;
    assert_eq!(
        (&files[0]["mediaId"], &files[0]["bytes"]),
        (&json!(id), &json!(3_000_000))
    );
    let calls = stage.get("/_sim/calls?path=/media/upload").await;
    assert_eq!(
        calls[0]["body"][0],
        json!({"name": "media", "fileName": "图.png", "bytes": 3_000_000})
    );
}

#[tokio::test]
async fn uploads_that_are_wrong_are_refused() {
    let stage = Stage::new().await;
    let large = vec![0; 2 * 1024 * 1024 + 1];
    for (kind, name, bytes, code) in [
        ("picture", "a.png", vec![1], 40004),
        ("image", "a.exe", vec![1], 40005),
        ("voice", "a.mp3", large, 40006),
        ("image", "a.png", vec![], 44001),
    ] {
        let answer = upload(&stage, kind, name, bytes).await;
        assert_eq!(answer["errcode"], code, "{kind} {name}: {answer}");
    }
    let answer = stage.call("/media/upload", json!({"type": "image"})).await;
    assert_eq!(answer["errcode"], 43008);
}

#[tokio::test]
async fn a_file_for_the_robot_is_fetched_at_the_address_its_code_gives() {
    let stage = Stage::new().await;
    let sent = json!({"app": "acme", "name": "a.txt", "base64": "aGVsbG8="});
    let code = stage.post("/_sim/files", sent).await["downloadCode"].clone();
    let token = stage.token().await;
    let ask = |body: Value, token: String| {
        let request = stage
            .http
            .post(stage.url("/v1.0/robot/messageFiles/download"));
        let request = request
            .header("x-acs-dingtalk-access-token", token)
            .json(&body);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let answer = ask(
        json!({"downloadCode": code, "robotCode": "dingkey"}),
        token.clone(),
    )
    .await;
    let url = answer["downloadUrl"].as_str().unwrap();
    assert_eq!(
        stage
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "hello"
    );
    for (body, refusal) in [
        (
            json!({"downloadCode": "x", "robotCode": "dingkey"}),
            "invalidParameter.downloadCode.invalid",
        ),
        (
            json!({"downloadCode": code, "robotCode": "x"}),
            "invalidParameter.robotCode.notExsit",
        ),
    ] {
        assert_eq!(ask(body, token.clone()).await["code"], refusal);
    }
    let other = stage.other_token().await;
    let answer = ask(
        json!({"downloadCode": code, "robotCode": "otherrobot"}),
        other,
    )
    .await;
    assert_eq!(answer["code"], "invalidParameter.downloadCode.invalid");
}
