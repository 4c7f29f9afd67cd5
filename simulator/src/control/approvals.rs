//! Starts, decides and withdraws approvals as people do it in DingTalk.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Refused, json_response, read, view};
use crate::approvals::{self, Decision, FormValue, Request, Verdict};
use crate::clock::now_ms;
use crate::state::Shared;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    app: Option<String>,
    process_code: String,
    originator: String,
    #[serde(default)]
    fields: Vec<FormValue>,
}

#[derive(Debug, Deserialize)]
struct Decide {
    userid: String,
    result: Decision,
    #[serde(default)]
    remark: String,
}

#[derive(Debug, Deserialize)]
struct Terminate {
    userid: String,
    #[serde(default)]
    remark: String,
}

pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    view(&shared, |world| {
        let approvals: Vec<Value> = world
            .approvals
            .list()
            .iter()
            .map(approvals::Approval::view)
            .collect();
        json!(approvals)
    })
}

pub(super) async fn start(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let start: Start = read(&body)?;
    shared.change(|world| {
        // All apps of the company see the same approvals, so the app is only checked for typing errors.
        if let Some(app) = start.app.filter(|app| world.app(app).is_none()) {
            return Err(Refused::unknown(format!("there is no app {app:?}")));
        }
        if world.company.template(&start.process_code).is_none() {
            return Err(Refused::unknown(format!(
                "there is no template {:?}",
                start.process_code
            )));
        }
        let Some(person) = world.company.person(&start.originator) else {
            return Err(Refused::unknown(format!(
                "there is no user {:?}",
                start.originator
            )));
        };
        let request = Request {
            process_code: start.process_code,
            department: person.departments.first().copied().unwrap_or(1),
            originator: start.originator,
            fields: start.fields,
            cc: Vec::new(),
            steps: Vec::new(),
        };
        Ok(json_response(
            &world.start_approval(request, now_ms()).view(),
        ))
    })
}

pub(super) async fn decide(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let decide: Decide = read(&body)?;
    let verdict = Verdict {
        decision: decide.result,
        remark: &decide.remark,
        files: &[],
        now: now_ms(),
    };
    let decided =
        shared.change(|world| world.decide_approval(&id, (&decide.userid, None), verdict));
    decided
        .map(|approval| json_response(&approval.view()))
        .map_err(refuse)
}

pub(super) async fn terminate(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let Terminate { userid, remark } = read(&body)?;
    shared.change(|world| {
        let approval = world
            .approvals
            .get(&id)
            .ok_or_else(|| refuse(approvals::Refused::Unknown))?;
        if approval.originator != userid {
            return Err(Refused::bad("only the originator may withdraw an approval"));
        }
        let ended = world
            .terminate_approval(&id, (&userid, &remark), now_ms())
            .map_err(refuse)?;
        Ok(json_response(&ended.view()))
    })
}

fn refuse(refused: approvals::Refused) -> Refused {
    let status = match refused {
        approvals::Refused::Unknown => StatusCode::NOT_FOUND,
        approvals::Refused::Over => StatusCode::CONFLICT,
        approvals::Refused::NoTask => StatusCode::BAD_REQUEST,
    };
    Refused::new(status, refused.to_string())
}
