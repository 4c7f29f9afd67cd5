//! `POST /api/events/retry` and `/api/events/skip`: what a person changes.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::post};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::clock::{self, UnixMs};
use crate::journal::{self, Change, Selection};

/// Which deliveries are meant. What is given must all apply; at least one thing must be given, or `all`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// Every parked and dead delivery.
    pub all: bool,
    /// The id of an event.
    pub event: Option<String>,
    /// The name of a plugin.
    pub plugin: Option<String>,
    /// `pending`, `parked`, `dead`.
    pub states: Vec<String>,
    /// A part of the reason.
    pub reason: Option<String>,
    /// Events that came then or later, RFC 3339.
    pub since: Option<jiff::Timestamp>,
    /// Events that came before, RFC 3339.
    pub until: Option<jiff::Timestamp>,
    /// Only counts.
    pub dry_run: bool,
}

impl Request {
    /// The selection, or what is wrong with it.
    pub fn selection(&self) -> Result<Selection, String> {
        let event = self.event.as_deref().map(str::parse).transpose();
        let states = self.states.iter().map(|text| {
            journal::State::from_text(text)
                .filter(|state| *state != journal::State::Done)
                .ok_or_else(|| format!("{text:?} is not one of pending, parked and dead"))
        });
        let at = |at: jiff::Timestamp| UnixMs(at.as_millisecond());
        let selection = Selection {
            event: event.map_err(|error: crate::ids::NotAnEventId| error.to_string())?,
            plugin: self.plugin.as_deref().map(Into::into),
            states: states.collect::<Result<_, _>>()?,
            reason: self.reason.clone(),
            since: self.since.map(at),
            until: self.until.map(at),
        };
        let is_narrow = selection.event.is_some()
            || selection.plugin.is_some()
            || !selection.states.is_empty()
            || selection.reason.is_some()
            || selection.since.is_some()
            || selection.until.is_some();
        if !is_narrow && !self.all {
            return Err("nothing says which deliveries are meant".to_owned());
        }
        Ok(selection)
    }
}

pub(super) fn routes() -> Router<Admin> {
    let retry = async |admin: State<Admin>, request| amend(admin, request, Change::Retry).await;
    let skip = async |admin: State<Admin>, request| amend(admin, request, Change::Skip).await;
    Router::new()
        .route("/api/events/retry", post(retry))
        .route("/api/events/skip", post(skip))
}

/// JSON only, which a page of somebody else cannot make a browser send without being asked first.
async fn amend(
    State(admin): State<Admin>,
    Json(request): Json<Request>,
    change: Change,
) -> Response {
    let selection = match request.selection() {
        Ok(selection) => selection,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let done = (!request.dry_run).then_some(change);
    match admin.journal.amend(&selection, done, clock::now()).await {
        Ok(amended) => {
            if done.is_some() {
                tracing::warn!(
                    ?change,
                    deliveries = amended.deliveries,
                    running = amended.running,
                    "deliveries changed by a person"
                );
                admin.waker.wake();
            }
            Json(amended).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
