//! Uploads and the files that people sent to the robot.

use dingtalk::{ApiError, MediaKind, Upload};
use serde_json::json;

use crate::server::{Reply, Server};

fn upload(name: &str, bytes: &[u8]) -> Upload {
    Upload {
        kind: MediaKind::Image,
        file_name: name.to_owned(),
        bytes: bytes.to_vec(),
    }
}

#[tokio::test]
async fn a_file_is_uploaded_as_a_form_also_when_the_token_has_expired() {
    let server = Server::start().await;
    let client = server.client();
    client.notice_recall(1).await.unwrap();
    server.expire_tokens();
    server.next_json("/media/upload", &json!({"errcode": 0, "media_id": "@m1"}));
    let id = client.media_upload(upload("图.png", b"\x89PNG")).await;
    assert_eq!(id, Ok("@m1".to_owned()));
    let calls = server.calls("/media/upload");
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert_eq!(call.query["type"], "image");
        let text = String::from_utf8_lossy(&call.raw).into_owned();
        assert!(text.contains("name=\"media\""), "{text}");
        assert!(text.contains("filename") && text.contains("PNG"), "{text}");
    }
}

#[tokio::test]
async fn a_file_that_dingtalk_must_refuse_is_not_sent() {
    let server = Server::start().await;
    let large = vec![0; MediaKind::Image.max_bytes() + 1];
    for (name, bytes) in [
        ("a.png", &b""[..]),
        ("", b"x"),
        ("../a.png", b"x"),
        ("a\n.png", b"x"),
        ("a.png", &large),
    ] {
        let error = server.client().media_upload(upload(name, bytes)).await;
        assert!(matches!(error, Err(ApiError::Invalid { .. })), "{name:?}");
    }
    assert!(server.calls("/gettoken").is_empty());
}

#[tokio::test]
async fn a_file_sent_to_the_robot_is_fetched_within_its_limit() {
    let path = "/v1.0/robot/messageFiles/download";
    let server = Server::start().await;
    let address = server.base.join("/files/a").unwrap();
    let answer = json!({"downloadUrl": address.as_str()});
    for _ in 0..3 {
        server.next_json(path, &answer);
    }
    server.next("/files/a", Reply::With(200, b"hello".to_vec()));
    server.next("/files/a", Reply::With(200, b"hello".to_vec()));
    server.next("/files/a", Reply::With(404, Vec::new()));
    let client = server.client();
    assert_eq!(client.robot_file("code", 5).await.unwrap(), b"hello");
    let call = &server.calls(path)[0];
    assert_eq!(
        call.body,
        json!({"downloadCode": "code", "robotCode": "dingrobot"})
    );
    assert!(server.calls("/files/a")[0].header_token.is_none());
    let error = client.robot_file("code", 4).await.unwrap_err();
    assert_eq!(error.code(), "client.too-large");
    let error = client.robot_file("code", 5).await.unwrap_err();
    assert!(matches!(error, ApiError::NotFound { .. }), "{error}");
    // An address that is none of the web's is not followed.
    server.next_json(path, &json!({"downloadUrl": "file:///etc/passwd"}));
    let error = client.robot_file("code", 5).await.unwrap_err();
    assert_eq!(error.code(), "client.content");
}
