//! Takes every API call: reads it, applies faults, answers it and records it.

mod approval;
mod call;
mod callback;
mod chat;
mod contacts;
mod media;
mod message;
mod notice;
mod oapi;
mod permission;
mod robot;
mod scene;
mod suite;
mod token;
mod v1;
mod workflow;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::calls::CallRecord;
use crate::faults::{Fault, FaultKind};
use crate::server::HangUp;
use crate::state::{Shared, World};

use call::ApiCall;

pub(crate) use robot::show_reply;

/// The largest body that is read.
pub(crate) const BODY_LIMIT: usize = 25 * 1024 * 1024;

/// What DingTalk's edge shows when it throttles or fails.
const HTML_PAGE: &str = "<!DOCTYPE html><html><head><title>访问受限</title></head><body><h1>您的访问出错了</h1></body></html>";

/// An answer before it is written to the socket.
#[derive(Debug, Clone)]
struct Reply {
    status: u16,
    body: Content,
}

/// Machines get JSON; faults may give them something else.
#[derive(Debug, Clone)]
enum Content {
    Json(Value),
    Html(&'static str),
    Text(&'static str),
}

/// Serves all paths that are neither the page nor the control door.
pub(crate) async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut call = ApiCall::read(&parts, bytes).await;
    let fault = shared.change(|world| world.faults.take_call(&call.path));
    if let Some(Fault {
        kind: FaultKind::Delay(ms),
        before: true,
        ..
    }) = fault
    {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    if !fault.as_ref().is_some_and(decides_answer) {
        call.handshake = callback::shake_hands(&shared, &call).await;
    }
    let reply = shared.change(|world| {
        let reply = match &fault {
            Some(fault) if decides_answer(fault) => faulty_reply(&fault.kind, &call),
            _ => answer(world, &call),
        };
        record(world, &call, &reply, fault.as_ref());
        reply
    });
    match fault {
        Some(Fault {
            kind: FaultKind::Drop,
            ..
        }) => hang_up(),
        Some(Fault {
            kind: FaultKind::Delay(ms),
            before: false,
            ..
        }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            reply.into_response()
        }
        _ => reply.into_response(),
    }
}

fn answer(world: &mut World, call: &ApiCall) -> Reply {
    if call.path.starts_with("/v1.0/") {
        v1::answer(world, call)
    } else {
        oapi::answer(world, call)
    }
}

/// Whether the call itself is not to happen.
fn decides_answer(fault: &Fault) -> bool {
    match fault.kind {
        FaultKind::Delay(_) => false,
        FaultKind::Drop => fault.before,
        _ => true,
    }
}

fn faulty_reply(kind: &FaultKind, call: &ApiCall) -> Reply {
    match kind {
        FaultKind::Errcode {
            errcode,
            errmsg,
            sub_code,
        } => {
            let text = errmsg.as_deref().unwrap_or("a fault that was asked for");
            if call.path.starts_with("/v1.0/") {
                let code = sub_code.clone().unwrap_or_else(|| errcode.to_string());
                return v1::refusal(400, &code, text);
            }
            oapi::fault(*errcode, text, sub_code.as_deref())
        }
        FaultKind::Status(status) => Reply {
            status: *status,
            body: Content::Text("a fault that was asked for"),
        },
        FaultKind::Html => Reply {
            status: 200,
            body: Content::Html(HTML_PAGE),
        },
        // Only a drop comes here, and nobody reads its answer.
        _ => Reply {
            status: 0,
            body: Content::Json(Value::Null),
        },
    }
}

fn record(world: &mut World, call: &ApiCall, reply: &Reply, fault: Option<&Fault>) {
    let record = world.calls.append(CallRecord {
        seq: 0,
        method: call.method.to_string(),
        path: call.path.clone(),
        query: call.query.clone(),
        body: call.body_as_read(),
        status: reply.status,
        response: match &reply.body {
            Content::Json(value) => value.clone(),
            Content::Html(text) | Content::Text(text) => json!(text),
        },
        at: call.now,
        fault: fault.map(|fault| fault.kind.name()),
    });
    let update = world.is_watched.then(|| json!(record));
    if let Some(update) = update {
        world.update("call", update);
    }
}

fn hang_up() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(HangUp);
    response
}

impl Reply {
    fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Content::Json(body),
        }
    }

    fn into_response(self) -> Response {
        let (kind, body) = match self.body {
            Content::Json(value) => (
                "application/json;charset=utf-8",
                Body::from(value.to_string()),
            ),
            Content::Html(text) => ("text/html;charset=utf-8", Body::from(text)),
            Content::Text(text) => ("text/plain;charset=utf-8", Body::from(text)),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}
