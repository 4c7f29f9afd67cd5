//! The control door under `/_sim/`: tests and the page look in and turn the wheels here.

mod approvals;
mod callbacks;
mod pushes;
mod suites;
mod updates;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::BODY_LIMIT;
use crate::calls::CallFilter;
use crate::company::Scope;
use crate::files::Sent;
use crate::state::{Shared, World};

/// The routes, to be nested under `/_sim`.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/calls", get(list_calls))
        .route("/apps", get(async |State(shared)| view(&shared, list_apps)))
        .route(
            "/users",
            get(async |State(shared)| view(&shared, list_users)),
        )
        .route(
            "/groups",
            get(async |State(shared)| view(&shared, |world| json!(world.groups.list()))),
        )
        .route(
            "/notices",
            get(async |State(shared)| view(&shared, |world| json!(world.notices.list()))),
        )
        .route(
            "/templates",
            get(async |State(shared)| view(&shared, list_templates)),
        )
        .route("/approvals", get(approvals::list).post(approvals::start))
        .route("/approvals/{id}/decide", post(approvals::decide))
        .route("/approvals/{id}/terminate", post(approvals::terminate))
        .route(
            "/callbacks",
            get(async |State(shared)| view(&shared, callbacks::list)).post(callbacks::change),
        )
        .route(
            "/suites",
            get(async |State(shared)| view(&shared, |world| world.suites.show()))
                .post(suites::change),
        )
        .route("/events", post(pushes::event))
        .route("/messages", post(pushes::message))
        .route(
            "/faults",
            get(async |State(shared)| view(&shared, list_faults)).post(ask_fault),
        )
        .route(
            "/files",
            get(async |State(shared)| view(&shared, |world| json!(world.files.uploads())))
                .post(send_file),
        )
        .route("/files/{address}", get(file))
        .route("/scopes", post(set_scope))
        .route("/reset", post(reset))
        .route("/expire-tokens", post(expire_tokens))
        .route("/expire-sessions", post(expire_sessions))
        .route("/updates", get(updates::stream))
        .fallback(async || Refused::new(StatusCode::NOT_FOUND, "there is no such door"))
        .method_not_allowed_fallback(async || {
            Refused::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this door is opened with another method",
            )
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

/// Why a request of the control door was refused.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    why: String,
}

impl Refused {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self {
            status,
            why: why.into(),
        }
    }

    fn bad(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }

    fn unknown(why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, why)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, json_response(&json!({"error": self.why}))).into_response()
    }
}

/// The answer of a door: JSON, or a refusal.
type Answer = Result<Response, Refused>;

fn json_response(value: &Value) -> Response {
    (
        [(CONTENT_TYPE, "application/json;charset=utf-8")],
        value.to_string(),
    )
        .into_response()
}

/// Reads a body as JSON whatever its content type, for curl's sake.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body)
        .map_err(|error| Refused::bad(format!("cannot read the body: {error}")))
}

fn view(shared: &Arc<Shared>, look: impl FnOnce(&World) -> Value) -> Response {
    json_response(&shared.change(|world| look(world)))
}

async fn list_calls(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer {
    let mut filter = CallFilter::default();
    for (name, value) in query {
        match name.as_str() {
            "path" => filter.path = Some(value),
            "since" => {
                let since = value
                    .parse()
                    .map_err(|_| Refused::bad("since is no number"))?;
                filter.since = Some(since);
            }
            _ => return Err(Refused::bad(format!("unknown filter {name:?}"))),
        }
    }
    let calls = shared.change(|world| world.calls.list(&filter));
    Ok(json_response(&json!(calls)))
}

fn list_apps(world: &World) -> Value {
    let apps = world.apps.iter().map(|app| {
        json!({
            "name": app.name,
            "corpId": app.corp_id,
            "appKey": app.app_key,
            "agentId": app.agent_id,
            "callbackUrl": app.callback.as_ref().map(|target| &target.url),
            "robotUrl": app.robot_url,
        })
    });
    apps.collect()
}

fn list_users(world: &World) -> Value {
    let people = world.company.people.iter().map(|person| {
        json!({
            "userid": person.userid,
            "name": person.name,
            "title": person.title,
            "avatarColor": person.avatar_color,
            "admin": person.admin,
            "deptIds": person.departments,
        })
    });
    people.collect()
}

fn list_templates(world: &World) -> Value {
    let templates = world.company.templates.iter().map(|template| {
        let fields = template.fields.iter();
        let fields: Value = fields
            .map(|field| {
                let mut view = json!({"name": field.name, "componentType": field.component_type});
                if field.required {
                    view["required"] = json!(true);
                }
                if !field.options.is_empty() {
                    view["options"] = json!(field.options);
                }
                view
            })
            .collect();
        json!({
            "processCode": template.process_code,
            "name": template.name,
            "fields": fields,
            "approvers": template.approvers,
        })
    });
    templates.collect()
}

fn list_faults(world: &World) -> Value {
    json!(world.faults.list())
}

async fn ask_fault(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let body: Value = read(&body)?;
    shared
        .change(|world| world.faults.ask(body))
        .map_err(Refused::bad)?;
    Ok(view(&shared, list_faults))
}

/// A file that somebody sends to the robot of an app.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentFile {
    app: String,
    name: String,
    base64: String,
}

async fn send_file(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let SentFile { app, name, base64 } = read(&body)?;
    let bytes = STANDARD
        .decode(base64)
        .map_err(|_| Refused::bad("base64 is none"))?;
    let code = shared.change(|world| {
        world.app(&app)?;
        Some(world.files.send(Sent { app, name, bytes }))
    });
    let code = code.ok_or_else(|| Refused::unknown("there is no such app"))?;
    Ok(json_response(&json!({"downloadCode": code})))
}

async fn file(State(shared): State<Arc<Shared>>, Path(address): Path<String>) -> Answer {
    let sent = shared.change(|world| world.files.at(&address).cloned());
    let sent = sent.ok_or_else(|| Refused::unknown("there is no such file"))?;
    tracing::debug!(name = sent.name, "file fetched");
    let kind = (CONTENT_TYPE, "application/octet-stream");
    Ok(([kind], sent.bytes).into_response())
}

async fn set_scope(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let scope: Scope = read(&body)?;
    // An app may be named before it is there.
    shared.change(|world| world.contacts.set_scope(scope));
    Ok(json_response(&json!({"set": true})))
}

async fn reset(State(shared): State<Arc<Shared>>) -> Response {
    let stop = shared.stop.clone();
    shared.change(|world| world.reset(&stop));
    json_response(&json!({"reset": true}))
}

async fn expire_tokens(State(shared): State<Arc<Shared>>) -> Response {
    shared.change(|world| world.tokens.expire_all());
    json_response(&json!({"expired": true}))
}

async fn expire_sessions(State(shared): State<Arc<Shared>>) -> Response {
    shared.change(|world| world.sessions.expire_all());
    json_response(&json!({"expired": true}))
}
