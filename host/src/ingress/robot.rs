//! `POST /robot/{app}`: messages to the robot over HTTP (document "机器人接收消息").

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use dingtalk::{RobotMessage, verify_sign};
use http::HeaderMap;

use super::body::read_body;
use super::{Arrived, Ingress, MAX_BODY, Refused, receiving};
use crate::clock;
use crate::config::Receive;
use crate::event::{Content, Origin};
use crate::journal::Dedupe;

pub(super) async fn receive(
    State(ingress): State<Ingress>,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match handle(&ingress, &app, &headers, body).await {
        // Plugins answer later through the API; this tells DingTalk that the response carries no message.
        Ok(()) => Json(serde_json::json!({ "msgtype": "empty" })).into_response(),
        Err(refused) => refused.answer("robot", &app),
    }
}

async fn handle(
    ingress: &Ingress,
    name: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), Refused> {
    let active = ingress.snapshot.load();
    let app = receiving(&active, name, Receive::Robot)?;
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    verify_sign(
        app.settings.app_secret.expose(),
        header("timestamp"),
        header("sign"),
        clock::now(),
    )
    .map_err(|error| Refused::Malformed(error.to_string()))?;
    let raw = read_body(headers, body, MAX_BODY).await?;
    let message =
        RobotMessage::parse(&raw).map_err(|error| Refused::Malformed(error.to_string()))?;
    let dedupe = Dedupe {
        key: format!("msg:{}", message.msg_id),
        window: None,
    };
    let arrived = Arrived {
        app: app.settings.name.clone(),
        origin: Origin::Robot,
        content: Content::Chat(message),
        raw,
        dedupe: Some(dedupe),
    };
    ingress.accept(&active, arrived).await?;
    Ok(())
}
