//! Input that nobody should send: a status and a short reason, nothing appended, nothing told.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belfry_tests::bot::{AES_KEY, APP_SECRET, CALLBACK_TOKEN};
use belfry_tests::{Bot, Hosted, Plugin, Relay, Stage};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HOOK_TOKEN: &str = "hook-token-55d1";
const WRITTEN: &str = "geheim-4711";

async fn start() -> (Stage, Hosted) {
    let token = format!("token = {HOOK_TOKEN:?}");
    let bot = Bot::new()
        .plugin(Plugin::echo())
        .hook("open", "generic", "")
        .hook("ops", "alertmanager", &token);
    let stage = Stage::new(&bot).await;
    let belfry = stage.host().await;
    (stage, belfry)
}

/// After whatever came, the journal is empty and belfry goes on.
async fn nothing_happened(stage: &Stage, belfry: &Hosted) {
    assert_eq!(belfry.doors.events().await.len(), 0);
    assert_eq!(belfry.doors.readiness().await, 200);
    assert_eq!(
        stage.dingtalk.get("calls").await,
        json!([]),
        "nothing was asked of DingTalk"
    );
}

fn tells_nothing(answer: &str) {
    for secret in [APP_SECRET, CALLBACK_TOKEN, AES_KEY, HOOK_TOKEN, WRITTEN] {
        assert!(!answer.contains(secret), "{answer} has {secret}");
    }
    assert!(answer.len() < 600, "a short reason, not {answer}");
}

#[tokio::test]
async fn a_callback_that_is_broken_in_any_one_way_is_refused_and_not_kept() {
    let (stage, belfry) = start().await;
    let relay = Relay::to(belfry.doors.public).await;
    stage.push_to(relay.address);
    for (tamper, reason) in [
        ("signature", "signature"),
        ("key", ""),
        ("receive-id", "receive id"),
        ("base64", "base64"),
        ("padding", "padding"),
        ("length", "length"),
        ("not-json", "json"),
    ] {
        let event = json!({"EventType": "org_change", "CorpId": "dingcorp", "secretWord": WRITTEN});
        let report = stage
            .dingtalk
            .push(event, json!({"tamper": tamper, "attempts": 1}))
            .await;
        assert_eq!(report["delivered"], false, "{tamper}");
        assert_eq!(report["attempts"][0]["status"], 400, "{tamper}");
        let answer = relay.take_answers();
        tells_nothing(&answer);
        assert!(
            answer.to_lowercase().contains(reason),
            "{tamper}: {answer} does not speak of the {reason}"
        );
    }
    nothing_happened(&stage, &belfry).await;

    // The same push unbroken goes through, so it was the tampering that was refused.
    let event = json!({"EventType": "org_change", "CorpId": "dingcorp"});
    let report = stage.dingtalk.push(event, json!({"attempts": 1})).await;
    assert_eq!(report["delivered"], true, "{report}");
    assert_eq!(belfry.doors.events().await.len(), 1);
}

#[tokio::test]
async fn requests_to_nobody_without_sense_or_without_right_are_refused() {
    let (stage, belfry) = start().await;
    let signed =
        "?signature=0123456789012345678901234567890123456789&timestamp=1700000000000&nonce=n";
    let alert = json!({"version": "4", "groupKey": WRITTEN, "status": "firing", "alerts": []});
    let alert = alert.to_string();
    let generic = json!({"title": WRITTEN}).to_string();
    for (path, authorization, body, status) in [
        ("/callback/nobody", None, "{}", 404),
        ("/robot/nobody", None, "{}", 404),
        ("/hooks/nobody", None, generic.as_str(), 404),
        ("/nowhere", None, "{}", 404),
        ("/callback/acme", None, "", 400),
        ("/callback/acme?signature=x", None, "{}", 400),
        ("/callback/acme+", None, "", 400),
        ("/callback/acme+", None, "{", 400),
        ("/callback/acme+", None, "[]", 400),
        ("/callback/acme+", None, r#"{"encrypt": 7}"#, 400),
        (
            "/callback/acme+",
            None,
            r#"{"encrypt": "geheim-4711"}"#,
            400,
        ),
        ("/robot/acme", None, "", 400),
        ("/hooks/ops", None, alert.as_str(), 401),
        ("/hooks/ops", Some("Bearer wrong"), alert.as_str(), 401),
        ("/hooks/ops", Some("Basic !!!"), alert.as_str(), 401),
        ("/hooks/ops", Some("Bearer hook-token-55d1"), "", 400),
        (
            "/hooks/ops",
            Some("Bearer hook-token-55d1"),
            "geheim-4711",
            400,
        ),
        (
            "/hooks/ops",
            Some("Bearer hook-token-55d1"),
            r#"{"alerts": "geheim-4711"}"#,
            400,
        ),
        ("/hooks/open", None, r#"["geheim-4711"]"#, 400),
        ("/hooks/open", None, "\u{0}", 400),
    ] {
        let path = path.replace('+', signed);
        let mut request = belfry.doors.post(&path).body(body.to_owned());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{path} {authorization:?} {body}");
        tells_nothing(&answer.text().await.unwrap());
    }
    nothing_happened(&stage, &belfry).await;

    // With the token it is let in.
    let answer = belfry.doors.post("/hooks/ops").bearer_auth(HOOK_TOKEN);
    assert_eq!(answer.body(alert).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_robot_message_needs_a_fresh_and_right_signature() {
    let (stage, belfry) = start().await;
    let sign = |secret: &str, timestamp: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{timestamp}\n{secret}").as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let (fresh, old) = (now.to_string(), (now - 2 * 3_600_000).to_string());
    let message = json!({
        "msgtype": "text", "text": {"content": WRITTEN}, "msgId": "msg1", "conversationId": "cidOncall==",
        "conversationType": "2", "senderId": "$:LWCP_v1:$x", "senderStaffId": "alice", "senderNick": "林爱丽",
        "senderCorpId": "dingcorp", "chatbotCorpId": "dingcorp", "chatbotUserId": "$:LWCP_v1:$y", "robotCode": "dingkey",
        "createAt": 1_700_000_000_000_i64, "sessionWebhook": "http://127.0.0.1:9/", "sessionWebhookExpiredTime": 1_700_000_000_000_i64,
    })
    .to_string();
    let send = async |timestamp: &str, sign: &str, body: &str| {
        let request = belfry
            .doors
            .post("/robot/acme")
            .header("timestamp", timestamp)
            .header("sign", sign)
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        tells_nothing(&text);
        status
    };
    assert_eq!(send(&fresh, "", &message).await, 400);
    assert_eq!(send("", &sign(APP_SECRET, &fresh), &message).await, 400);
    assert_eq!(send("soon", &sign(APP_SECRET, "soon"), &message).await, 400);
    assert_eq!(send(&fresh, &sign("other", &fresh), &message).await, 400);
    assert_eq!(send(&old, &sign(APP_SECRET, &old), &message).await, 400);
    assert_eq!(send(&fresh, &sign(APP_SECRET, &old), &message).await, 400);
    for body in ["", "{", "[]", "7", r#"{"msgtype":"text"}"#] {
        assert_eq!(
            send(&fresh, &sign(APP_SECRET, &fresh), body).await,
            400,
            "{body}"
        );
    }
    nothing_happened(&stage, &belfry).await;

    assert_eq!(send(&fresh, &sign(APP_SECRET, &fresh), &message).await, 200);
    assert_eq!(belfry.doors.events().await.len(), 1);
}

#[tokio::test]
async fn ten_mebibytes_are_too_much_for_every_door() {
    let (stage, belfry) = start().await;
    let large = "x".repeat(10 << 20);
    for path in [
        "/hooks/open",
        "/callback/acme?signature=s&timestamp=1&nonce=n",
    ] {
        let answer = belfry.doors.post(path).body(large.clone());
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 413, "{path}");
        tells_nothing(&answer.text().await.unwrap());
    }
    // Nothing is read for whoever cannot sign.
    let refused = belfry.doors.post("/robot/acme").body(large).send().await;
    assert!(refused.map_or(true, |answer| answer.status().is_client_error()));

    // A body that does not say how long it is gets no further.
    let mut stream = TcpStream::connect(belfry.doors.public).await.unwrap();
    let head = "POST /hooks/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    let mut answer = Vec::new();
    for _ in 0..10 {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    // The connection may be reset under an answer that nobody read in time.
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    nothing_happened(&stage, &belfry).await;
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let (stage, belfry) = start().await;
    let mut request = belfry.doors.post("/hooks/open").body("{}");
    for number in 0..200 {
        request = request.header(format!("x-{number}"), "x");
    }
    assert!(
        request
            .send()
            .await
            .map_or(true, |answer| answer.status().is_client_error())
    );
    nothing_happened(&stage, &belfry).await;
}

/// Sends `head` at once and then a byte now and then, until belfry answers or hangs up.
async fn dribble(address: SocketAddr, head: &str) -> (String, Duration) {
    let started = Instant::now();
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    to.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut beat = tokio::time::interval(Duration::from_millis(250));
    loop {
        let mut buffer = [0; 1024];
        tokio::select! {
            read = from.read(&mut buffer) => match read {
                Ok(count @ 1..) => answer.extend_from_slice(&buffer[..count]),
                _ => break,
            },
            _ = beat.tick() => if to.write_all(b"x").await.is_err() {
                break;
            },
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "belfry listens for ever"
        );
    }
    (
        String::from_utf8_lossy(&answer).into_owned(),
        started.elapsed(),
    )
}

#[tokio::test]
async fn a_body_that_dribbles_in_is_given_up_and_delays_nobody() {
    let (stage, belfry) = start().await;
    let head = "POST /hooks/open HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n";
    let slow = tokio::spawn(dribble(belfry.doors.public, head));
    let started = Instant::now();
    assert_eq!(belfry.doors.hook("nobody", String::new()).await.0, 404);
    assert!(started.elapsed() < Duration::from_secs(2));
    let (answer, _) = slow.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    tells_nothing(&answer);
    nothing_happened(&stage, &belfry).await;
}

#[tokio::test]
async fn a_head_that_dribbles_in_is_hung_up_on() {
    let (stage, belfry) = start().await;
    let head = "POST /hooks/open HTTP/1.1\r\nx-slow: ";
    let (answer, after) = dribble(belfry.doors.public, head).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
    assert!(after < Duration::from_secs(20), "{after:?}");
    nothing_happened(&stage, &belfry).await;
}

#[tokio::test]
async fn a_sender_that_says_nothing_is_hung_up_on() {
    let (stage, belfry) = start().await;
    let mut stream = TcpStream::connect(belfry.doors.public).await.unwrap();
    let mut answer = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    let _ = end.await.expect("belfry hangs up");
    nothing_happened(&stage, &belfry).await;
}
