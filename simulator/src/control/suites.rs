//! Turns the wheels of third-party apps: tickets come, companies authorise and leave.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Refused, json_response, read};
use crate::clock::now_ms;
use crate::options::Suite;
use crate::push::{self, Report};
use crate::state::Shared;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    suite: String,
    /// `ticket`, `authorize` or `relieve`.
    what: What,
    /// The company, for the latter two.
    corp: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Ticket,
    Authorize,
    Relieve,
}

/// Changes a suite and pushes what DingTalk pushes then; answers with how the push went.
pub(super) async fn change(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let request: Request = read(&body)?;
    let (suite, event) = shared.change(|world| {
        let name = &request.suite;
        let suite = world
            .suites
            .named(name)
            .ok_or_else(|| Refused::unknown(format!("there is no suite {name:?}")))?;
        let corp = || {
            let corp = request.corp.clone();
            corp.filter(|corp| suite.corps.contains(corp))
                .ok_or_else(|| Refused::bad("corp must be one of the suite's"))
        };
        let (event_type, mut event) = match request.what {
            What::Ticket => {
                let ticket = world.suites.standing(&suite).new_ticket();
                ("suite_ticket", json!({"SuiteTicket": ticket}))
            }
            What::Authorize => {
                let corp = corp()?;
                let code = world.suites.standing(&suite).new_code(&corp);
                (
                    "tmp_auth_code",
                    json!({"AuthCode": code, "AuthCorpId": corp}),
                )
            }
            What::Relieve => {
                let corp = corp()?;
                world.suites.standing(&suite).relieve(&corp);
                world.renew_suite_apps();
                ("suite_relieve", json!({"AuthCorpId": corp}))
            }
        };
        event["EventType"] = json!(event_type);
        event["SuiteKey"] = json!(suite.suite_key);
        event["TimeStamp"] = json!(now_ms());
        Ok((suite, event))
    })?;
    Ok(json_response(&json!(send(&shared, &suite, &event).await?)))
}

async fn send(shared: &Arc<Shared>, suite: &Suite, event: &Value) -> Result<Report, Refused> {
    let target = suite
        .callback
        .as_ref()
        .ok_or_else(|| Refused::bad("the suite has no callback address"))?;
    let started = tokio::time::Instant::now();
    let sent = push::send_event(&shared.client, target, event, None).await;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(push::report_one(sent, ms))
}
