//! Tickets that sign pages, and codes that tell who opened one.

use serde_json::json;

use crate::stage::{SECRET, Stage};

#[tokio::test]
async fn both_hosts_give_the_same_ticket() {
    let stage = Stage::new().await;
    let token = stage
        .get(&format!("/gettoken?appkey=dingkey&appsecret={SECRET}"))
        .await;
    let token = token["access_token"].as_str().unwrap();
    let first = stage
        .get(&format!("/get_jsapi_ticket?access_token={token}"))
        .await;
    assert_eq!(
        (&first["errcode"], &first["expires_in"]),
        (&json!(0), &json!(7200))
    );
    let again = stage
        .get(&format!("/get_jsapi_ticket?access_token={token}"))
        .await;
    assert_eq!(again["ticket"], first["ticket"]);
    let none = stage.get("/get_jsapi_ticket").await;
    assert_eq!(none["errcode"], 41001);
}

#[tokio::test]
async fn a_code_is_good_once() {
    let stage = Stage::new().await;
    let token = stage
        .get(&format!("/gettoken?appkey=dingkey&appsecret={SECRET}"))
        .await;
    let token = token["access_token"].as_str().unwrap();
    let code = async || {
        let made = stage
            .post("/_sim/codes", json!({"app": "acme", "userid": "alice"}))
            .await;
        made["code"].as_str().unwrap().to_owned()
    };
    let path = format!("/topapi/v2/user/getuserinfo?access_token={token}");
    let asked = json!({"code": code().await});
    let user = stage.post(&path, asked.clone()).await;
    assert_eq!(user["result"]["userid"], "alice", "{user}");
    assert_eq!(stage.post(&path, asked).await["errcode"], 40078);
    assert_eq!(stage.post(&path, json!({})).await["errcode"], 40035);
    let path = format!(
        "/user/getuserinfo?access_token={token}&code={}",
        code().await
    );
    assert_eq!(stage.get(&path).await["userid"], "alice");
    assert_eq!(stage.get(&path).await["errcode"], 40078);
    for (body, status) in [
        (json!({"app": "nobody", "userid": "alice"}), 404),
        (json!({"app": "acme", "userid": "nobody"}), 404),
        (json!({"app": "acme"}), 400),
    ] {
        let (got, _) = stage.post_status("/_sim/codes", body.clone()).await;
        assert_eq!(got, status, "{body}");
    }
}
