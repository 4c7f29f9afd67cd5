//! Third-party apps: tickets, authorisations, and a token for each organisation.

use dingtalk::{ApiError, Endpoints, Options, Suite, UnixMs};
use serde_json::json;

use crate::server::Server;

const NOW: UnixMs = UnixMs(1_700_000_000_000);
/// Of that time, the secret `suite-secret` and the ticket `TestSuiteTicket`, made with Python's `hmac`.
const SIGNATURE: &str = "Ejlyhh8sYFyu7390dpl9eoaOcW/4gjvDg2QlT0sareg=";

fn suite(server: &Server) -> Suite {
    let endpoints = Endpoints {
        oapi: server.base.clone(),
        api: server.base.clone(),
    };
    Suite::new(
        "suitekey",
        "suite-secret".into(),
        endpoints,
        Options::default(),
    )
    .unwrap()
}

fn with_ticket(server: &Server) -> Suite {
    let suite = suite(server);
    suite.set_ticket("TestSuiteTicket".into(), NOW);
    suite
}

fn next_suite_token(server: &Server, token: &str) {
    let answer = json!({"errcode": 0, "suite_access_token": token, "expires_in": 7200});
    server.next_json("/service/get_suite_token", &answer);
}

#[tokio::test]
async fn an_organisation_is_taken_in_with_the_token_of_the_suite() {
    let server = Server::start().await;
    let suite = with_ticket(&server);
    next_suite_token(&server, "s1");
    server.next_json(
        "/service/get_permanent_code",
        &json!({"errcode": 0, "permanent_code": "perm", "auth_corp_info": {"corpid": "c1", "corp_name": "示例"}}),
    );
    let permanent = suite.permanent_code(&"tmp".into()).await.unwrap();
    assert_eq!(
        (permanent.corp_id.as_str(), permanent.corp_name.as_str()),
        ("c1", "示例")
    );
    let asked = server.calls("/service/get_suite_token").pop().unwrap();
    assert_eq!(
        asked.body,
        json!({"suite_key": "suitekey", "suite_secret": "suite-secret", "suite_ticket": "TestSuiteTicket"})
    );
    let asked = server.calls("/service/get_permanent_code").pop().unwrap();
    assert_eq!(asked.query["suite_access_token"], "s1");
    assert_eq!(asked.body, json!({"tmp_auth_code": "tmp"}));

    // A token that has expired meanwhile is fetched once more.
    let expired = json!({"errcode": 42009, "errmsg": "套件访问令牌已过期"});
    server.next_json("/service/activate_suite", &expired);
    next_suite_token(&server, "s2");
    suite.activate("c1", &permanent.code).await.unwrap();
    let asked = server.calls("/service/activate_suite");
    let tokens: Vec<&str> = asked
        .iter()
        .map(|call| call.query["suite_access_token"].as_str())
        .collect();
    assert_eq!(tokens, ["s1", "s2"]);
    assert_eq!(
        asked[1].body,
        json!({"suite_key": "suitekey", "auth_corpid": "c1", "permanent_code": "perm"})
    );

    let used = json!({"errcode": 40102, "errmsg": "临时授权码已使用"});
    server.next_json("/service/get_permanent_code", &used);
    let error = suite.permanent_code(&"tmp".into()).await.unwrap_err();
    assert!(matches!(error, ApiError::Invalid { .. }), "{error:?}");
}

#[tokio::test]
async fn how_an_organisation_authorised_is_asked_with_a_signature() {
    let server = Server::start().await;
    let suite = with_ticket(&server);
    server.next_json(
        "/service/get_auth_info",
        &json!({"errcode": 0, "auth_corp_info": {"corpid": "c1", "corp_name": "示例"}, "auth_user_info": {"userId": "u1"},
            "auth_info": {"agent": [{"agentid": 7}, {"agentid": "8"}]}}),
    );
    let info = suite.auth_info("c1", NOW).await.unwrap();
    assert_eq!(info.agent_ids, [7, 8]);
    assert_eq!(info.authorized_by.as_deref(), Some("u1"));
    let asked = server.calls("/service/get_auth_info").pop().unwrap();
    for (name, value) in [
        ("accessKey", "suitekey"),
        ("timestamp", "1700000000000"),
        ("suiteTicket", "TestSuiteTicket"),
        ("signature", SIGNATURE),
    ] {
        assert_eq!(asked.query[name], value);
    }
    assert_eq!(
        asked.body,
        json!({"auth_corpid": "c1", "suite_key": "suitekey"})
    );
    let error = suite
        .raw_auth_info("c2", NOW)
        .await
        .map(|raw| raw["errcode"].clone());
    assert_eq!(error.unwrap(), 0, "the answer is DingTalk's own");
}

#[tokio::test]
async fn every_organisation_has_tokens_of_its_own_in_both_styles() {
    let server = Server::start().await;
    let suite = with_ticket(&server);
    for corp in ["c1", "c2"] {
        suite.add_corp(corp, Some(2001));
        let token =
            json!({"errcode": 0, "access_token": format!("old-{corp}"), "expires_in": 7200});
        server.next_json("/service/get_corp_token", &token);
        let token = json!({"accessToken": format!("new-{corp}"), "expireIn": 7200});
        server.next_json("/v1.0/oauth2/corpAccessToken", &token);
        let client = suite.client(corp);
        for _ in 0..2 {
            client.notice_recall(1).await.unwrap();
        }
        let todo = "/v1.0/workflow/processes/todoTasks/numbers";
        server.next_json(todo, &json!({"result": 0}));
        client.approval_count_pending("u1").await.unwrap();
        let call = server.calls(todo).pop().unwrap();
        assert_eq!(call.header_token, Some(format!("new-{corp}")));
    }
    let path = "/topapi/message/corpconversation/recall";
    let tokens: Vec<String> = server
        .calls(path)
        .iter()
        .map(|call| call.query["access_token"].clone())
        .collect();
    assert_eq!(tokens, ["old-c1", "old-c1", "old-c2", "old-c2"]);
    let asked = server.calls("/v1.0/oauth2/corpAccessToken");
    assert_eq!(
        asked[1].body,
        json!({"suiteKey": "suitekey", "suiteSecret": "suite-secret", "authCorpId": "c2", "suiteTicket": "TestSuiteTicket"})
    );
}

#[tokio::test]
async fn nothing_is_sent_without_a_ticket_or_an_organisation() {
    let server = Server::start().await;
    let suite = suite(&server);
    let error = suite.auth_info("c1", NOW).await.unwrap_err();
    assert_eq!(error.code(), "client.no-suite-ticket");
    let error = suite.client("c1").notice_progress(1).await.unwrap_err();
    assert_eq!(error.code(), "client.agent-id");
    suite.add_corp("c1", Some(7));
    let error = suite.client("c1").notice_progress(1).await.unwrap_err();
    assert_eq!(error.code(), "client.no-suite-ticket");
    suite.set_ticket("t".into(), NOW);
    let error = suite.client("").contacts_scope().await.unwrap_err();
    assert_eq!(error.code(), "client.no-corp");
    for path in ["/service/get_corp_token", "/service/get_auth_info"] {
        assert!(server.calls(path).is_empty());
    }
}
