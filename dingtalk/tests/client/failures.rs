//! What goes wrong between here and DingTalk.

use std::time::Duration;

use dingtalk::{ApiError, Client, Credentials, Endpoints, Mentions, Message, RobotOut, Timeouts};

use crate::server::{Reply, Server};

/// How often a read that fails for a moment is made.
const READS: usize = 3;

/// A write and a read against the same reply, each error as `kind code`.
async fn both(reply: Reply) -> (String, String) {
    let server = Server::start().await;
    server.next("/chat/send", reply.clone());
    for _ in 0..READS {
        server.next("/chat/get", reply.clone());
    }
    let short = Timeouts {
        total: Duration::from_millis(300),
        ..Timeouts::default()
    };
    // Each with a client of its own: what one hears of the rate holds the same one up.
    let write = server
        .client_within(short)
        .chat_send("chat1", &Message::Text("hi".into()))
        .await
        .unwrap_err();
    let read = server.client_within(short).chat_get("chat1").await;
    let read = read.unwrap_err();
    assert_eq!(
        server.calls("/chat/send").len(),
        1,
        "writes are not repeated"
    );
    (shown(&write), shown(&read))
}

fn shown(error: &ApiError) -> String {
    let kind = match error {
        ApiError::Denied { .. } => "denied",
        ApiError::RateLimited { .. } => "rate-limited",
        ApiError::Invalid { .. } => "invalid",
        ApiError::NotFound { .. } => "not-found",
        ApiError::Unavailable { .. } => "unavailable",
        ApiError::OutcomeUnknown { .. } => "outcome-unknown",
        _ => "other",
    };
    format!("{kind} {}", error.code())
}

#[tokio::test]
async fn a_write_that_came_to_nothing_is_unknown_and_a_read_unavailable() {
    let large = vec![b' '; 1024 * 1024 + 1];
    for (reply, code) in [
        (Reply::Never, "client.timeout"),
        (Reply::Broken(br#"{"errcode":0,"#.to_vec()), "client.broken"),
        (
            Reply::With(200, b"<html>too fast</html>".to_vec()),
            "client.html",
        ),
        (
            Reply::With(200, br#"{"errcode":0,"mess"#.to_vec()),
            "client.truncated",
        ),
        (Reply::With(200, Vec::new()), "client.empty"),
        (Reply::With(200, b"[1]".to_vec()), "client.content"),
        (
            Reply::With(200, br#"{"errcode":0}"#.to_vec()),
            "client.content",
        ),
        (Reply::With(200, large), "client.too-large"),
        (Reply::With(500, Vec::new()), "client.http-500"),
        (Reply::With(502, b"<html>".to_vec()), "client.http-502"),
        (Reply::With(504, Vec::new()), "client.http-504"),
        (
            Reply::With(200, br#"{"errcode":400001}"#.to_vec()),
            "400001",
        ),
    ] {
        let (write, read) = both(reply).await;
        assert_eq!(write, format!("outcome-unknown {code}"));
        assert_eq!(read, format!("unavailable {code}"));
    }
}

#[tokio::test]
async fn an_answer_that_says_not_done_is_believed() {
    for (reply, expected) in [
        (
            Reply::With(200, br#"{"errcode":-1}"#.to_vec()),
            "unavailable -1",
        ),
        (
            Reply::With(503, br#"{"errcode":"-1"}"#.to_vec()),
            "unavailable -1",
        ),
        (
            Reply::With(200, br#"{"errcode":90018}"#.to_vec()),
            "rate-limited 90018",
        ),
        (
            Reply::With(500, br#"{"errcode":90002}"#.to_vec()),
            "rate-limited 90002",
        ),
        (
            Reply::With(200, br#"{"status":1111,"wait":5,"punish":"deny"}"#.to_vec()),
            "rate-limited client.throttled",
        ),
        (
            Reply::With(200, br#"{"errcode":88,"sub_code":"60011"}"#.to_vec()),
            "denied 60011",
        ),
        (
            Reply::With(200, br#"{"errcode":40035}"#.to_vec()),
            "invalid 40035",
        ),
        (
            Reply::With(200, br#"{"errcode":34001}"#.to_vec()),
            "not-found 34001",
        ),
        (Reply::With(302, Vec::new()), "invalid client.http-302"),
    ] {
        let (write, read) = both(reply).await;
        assert_eq!((write.as_str(), read.as_str()), (expected, expected));
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_done() {
    let server = Server::start().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let client = Client::new(
        server.client().credentials().clone(),
        Endpoints {
            oapi: server.base.clone(),
            api: address.parse().unwrap(),
        },
    )
    .unwrap();
    let error = client
        .robot_send_group("cid", &RobotOut::Text("hi".into()))
        .await
        .unwrap_err();
    assert_eq!(shown(&error), "unavailable client.connect");

    let client = Client::new(
        client.credentials().clone(),
        Endpoints {
            oapi: address.parse().unwrap(),
            api: server.base.clone(),
        },
    )
    .unwrap();
    let webhook = format!("{address}/robot/sendBySession?session=x");
    let sent = client
        .robot_reply(
            &webhook,
            &RobotOut::Text("hi".into()),
            &Mentions::default(),
            None,
        )
        .await;
    assert_eq!(shown(&sent.unwrap_err()), "unavailable client.connect");
}

#[tokio::test]
async fn no_error_text_holds_a_secret() {
    let server = Server::start().await;
    for reply in [
        Reply::Never,
        Reply::With(502, Vec::new()),
        Reply::Broken(Vec::new()),
    ] {
        server.next("/gettoken", reply);
        let short = Timeouts {
            total: Duration::from_millis(200),
            ..Timeouts::default()
        };
        let client = server.client_within(short);
        let error = client.chat_get("chat1").await.unwrap_err();
        let shown = format!("{error} {error:?} {client:?}");
        assert!(!shown.contains("hush"), "{shown}");
    }
    let client = server.client();
    server.next("/chat/get", Reply::With(502, Vec::new()));
    let error = client.chat_get("chat1").await.unwrap_err();
    let shown = format!("{error} {error:?} {client:?}");
    assert!(!shown.contains("token1"), "{shown}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = Server::start().await;
    let elsewhere = Server::start().await;
    server.next("/chat/get", Reply::Redirect(elsewhere.base.clone()));
    let error = server.client().chat_get("chat1").await.unwrap_err();
    assert_eq!(shown(&error), "invalid client.http-307");
    assert!(elsewhere.calls("/").is_empty());
}

#[test]
fn a_base_that_is_not_http_is_refused() {
    let credentials = || Credentials {
        app_key: String::new(),
        app_secret: "".into(),
        agent_id: None,
        robot_code: String::new(),
    };
    let endpoints = Endpoints {
        api: "ftp://api.dingtalk.com".parse().unwrap(),
        ..Endpoints::default()
    };
    let error = Client::new(credentials(), endpoints).unwrap_err();
    assert_eq!(
        error.to_string(),
        "api base is not an http or https address"
    );
    assert!(Client::new(credentials(), Endpoints::default()).is_ok());
}
