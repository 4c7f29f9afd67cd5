//! Pages inside DingTalk: tickets and codes.

use std::time::Duration;

use dingtalk::{ApiError, ApiStyle, PageDigest, PageRequest, UnixMs};
use serde_json::json;

use crate::server::Server;

fn page(url: &str) -> PageRequest<'_> {
    PageRequest {
        url,
        nonce: "n",
        at: UnixMs(1),
        digest: PageDigest::Sha256,
    }
}

#[tokio::test]
async fn a_hundred_pages_share_one_ticket() {
    for (style, path, answer) in [
        (
            ApiStyle::Modern,
            "/v1.0/oauth2/jsapiTickets",
            json!({"jsapiTicket": "T", "expireIn": 7200}),
        ),
        (
            ApiStyle::Legacy,
            "/get_jsapi_ticket",
            json!({"errcode": 0, "ticket": "T", "expires_in": 7200}),
        ),
    ] {
        let server = Server::start().await;
        server.slow_tokens(Duration::from_millis(30));
        let client = server.client().styled(style);
        server.next_json(path, &answer);
        let pages: Vec<_> = (0..100)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.sign_page(&page("https://a/p")).await })
            })
            .collect();
        let mut signatures = Vec::new();
        for page in pages {
            signatures.push(page.await.unwrap().unwrap());
        }
        signatures.dedup();
        assert_eq!(signatures.len(), 1);
        assert_eq!(server.calls(path).len(), 1, "{style:?}");
    }
}

#[tokio::test]
async fn a_code_tells_who_opened_the_page() {
    let server = Server::start().await;
    let client = server.client();
    server.next_json(
        "/topapi/v2/user/getuserinfo",
        &json!({"errcode": 0, "result": {"userid": "alice", "unionid": "u", "name": "林爱丽", "sys": true}}),
    );
    let user = client.page_user("c1").await.unwrap();
    assert_eq!((user.user_id.as_str(), user.is_admin), ("alice", true));
    assert_eq!(
        server.calls("/topapi/v2/user/getuserinfo")[0].body,
        json!({"code": "c1"})
    );
    server.next_json(
        "/user/getuserinfo",
        &json!({"errcode": 0, "userid": "bob", "name": "b", "is_sys": false}),
    );
    let user = client
        .styled(ApiStyle::Legacy)
        .page_user("c2")
        .await
        .unwrap();
    assert_eq!((user.user_id.as_str(), user.union_id), ("bob", None));
    assert_eq!(server.calls("/user/getuserinfo")[0].query["code"], "c2");
    server.next_json(
        "/topapi/v2/user/getuserinfo",
        &json!({"errcode": 40078, "errmsg": "不存在的临时授权码"}),
    );
    let error = client.page_user("used").await.unwrap_err();
    assert!(matches!(error, ApiError::Invalid { .. }), "{error}");
}
