//! The newer API host: HTTP statuses and dotted codes in place of `errcode`.

use axum::http::Method;
use serde_json::{Value, json};

use super::call::{ApiCall, CallBody};
use super::{Reply, media, robot, suite, token};
use crate::crypto::random_text;
use crate::options::App;
use crate::state::World;

/// What a row answers: the body, or a refusal with HTTP status 400.
pub(super) type Outcome = Result<Value, Refusal>;

/// A refusal by its code; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) text: &'static str,
}

enum Door {
    Open(fn(&mut World, &ApiCall) -> Outcome),
    Token(fn(&mut World, &App, &ApiCall) -> Outcome),
}

/// Answers one call of a `/v1.0/` path.
pub(super) fn answer(world: &mut World, call: &ApiCall) -> Reply {
    let door = match call.path.as_str() {
        "/v1.0/oauth2/corpAccessToken" => Door::Open(suite::corp_access_token),
        "/v1.0/oauth2/accessToken" => Door::Open(token::access_token),
        "/v1.0/robot/groupMessages/send" => Door::Token(robot::send_to_group),
        "/v1.0/robot/messageFiles/download" => Door::Token(media::download),
        _ => return not_found(),
    };
    if call.method != Method::POST {
        return not_found();
    }
    if !matches!(call.body, CallBody::Json(_)) {
        return refusal(400, "Missingbody", "body is mandatory for this action");
    }
    let outcome = match door {
        Door::Open(answer) => answer(world, call),
        Door::Token(answer) => {
            let token = call.header_token.as_deref().unwrap_or_default();
            let Some(app) = world.app_of_token(token, call.now) else {
                return refusal(400, "InvalidAuthentication", "不合法的access_token");
            };
            if !world.admits(&app, call) {
                return refusal(
                    403,
                    "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
                    "应用调用该接口的频率超过限制",
                );
            }
            answer(world, &app, call)
        }
    };
    match outcome {
        Ok(body) => Reply::json(200, body),
        Err(refused) => refusal(400, refused.code, refused.text),
    }
}

/// The error envelope, its keys all lower case as on the wire.
pub(super) fn refusal(status: u16, code: &str, text: &str) -> Reply {
    let request = random_text(32).to_uppercase();
    Reply::json(
        status,
        json!({"code": code, "requestid": request, "message": text}),
    )
}

fn not_found() -> Reply {
    refusal(
        404,
        "InvalidAction.NotFound",
        "Specified api is not found, please check your url and method.",
    )
}
