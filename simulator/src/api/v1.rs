//! The newer API host: HTTP statuses and dotted codes in place of `errcode`.

use std::borrow::Cow;

use axum::http::Method;
use serde_json::{Value, json};

use super::call::{ApiCall, CallBody};
use super::{Reply, media, permission, robot, scene, suite, token, workflow};
use crate::crypto::random_text;
use crate::options::App;
use crate::state::World;

/// What a row answers: the body, or a refusal with HTTP status 400.
pub(super) type Outcome = Result<Value, Refusal>;

/// A refusal by its code; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) text: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn new(code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// A parameter that is missing or of the wrong kind.
    pub(super) fn parameter(name: &str) -> Self {
        Self::new("invalidParameter", format!("参数不合法: {name}"))
    }
}

enum Door {
    Open(fn(&mut World, &ApiCall) -> Outcome),
    Token(fn(&mut World, &App, &ApiCall) -> Outcome),
}

/// Who answers a path; some paths are two calls.
fn door(method: &str, path: &str) -> Option<Door> {
    let token = |answer| Some(Door::Token(answer));
    match (method, path) {
        ("POST", "/v1.0/oauth2/corpAccessToken") => Some(Door::Open(suite::corp_access_token)),
        ("POST", "/v1.0/oauth2/accessToken") => Some(Door::Open(token::access_token)),
        ("POST", "/v1.0/robot/groupMessages/send") => token(robot::send_to_group),
        ("POST", "/v1.0/robot/groupMessages/query") => token(robot::group_state),
        ("POST", "/v1.0/robot/groupMessages/recall") => token(robot::recall_group),
        ("POST", "/v1.0/robot/oToMessages/batchSend") => token(robot::send_to_people),
        ("GET", "/v1.0/robot/oToMessages/readStatus") => token(robot::people_state),
        ("POST", "/v1.0/robot/otoMessages/batchRecall") => token(robot::recall_people),
        ("POST", "/v1.0/robot/messageFiles/download") => token(media::download),
        ("POST", "/v1.0/im/sceneGroup/create") => token(scene::create),
        ("POST", "/v1.0/im/sceneGroup/update") => token(scene::update),
        ("POST", "/v1.0/im/sceneGroup/member/add") => token(scene::add),
        ("POST", "/v1.0/im/sceneGroup/member/delete") => token(scene::remove),
        ("POST", "/v1.0/im/sceneGroups/members/query") => token(scene::list_members),
        _ => workflow::door(method, path).map(Door::Token),
    }
}

/// Answers one call of a `/v1.0/` path.
pub(super) fn answer(world: &mut World, call: &ApiCall) -> Reply {
    let Some(door) = door(call.method.as_str(), &call.path) else {
        return not_found();
    };
    if call.method == Method::POST && !matches!(call.body, CallBody::Json(_)) {
        return refusal(400, "Missingbody", "body is mandatory for this action");
    }
    let outcome = match door {
        Door::Open(answer) => answer(world, call),
        Door::Token(answer) => {
            let token = call.header_token.as_deref().unwrap_or_default();
            let Some(app) = world.app_of_token(token, call.now) else {
                return refusal(400, "InvalidAuthentication", "不合法的access_token");
            };
            if let Some(point) = permission::missing(world, &app, call) {
                return denied(point);
            }
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
        Err(refused) => refusal(400, refused.code, &refused.text),
    }
}

/// The app lacks a permission, which the answer names.
fn denied(point: &str) -> Reply {
    let request = random_text(32).to_uppercase();
    Reply::json(
        403,
        json!({
            "code": "Forbidden.AccessDenied.AccessTokenPermissionDenied",
            "requestid": request,
            "message": format!("没有调用该接口的权限: {point}"),
            "accessdenieddetail": {"requiredScopes": [point]},
        }),
    )
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
