//! The operators' listener: health, readiness, metrics, what is active, events and reload.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::active::Snapshot;
use crate::clock;
use crate::journal::{self, Filter, Journal};
use crate::kv::Kv;
use crate::meter::Meter;
use crate::reload::Reloads;
use crate::wake::Waker;

pub use self::amend::Request as AmendRequest;
pub use self::replay::{Refused, Request as ReplayRequest, find, repair};

mod amend;
pub mod metrics;
mod replay;
mod snapshot;

/// What the routes work with.
#[derive(Clone)]
pub struct Admin {
    /// Plugins.
    pub snapshot: Snapshot,
    /// Events.
    pub journal: Arc<dyn Journal>,
    /// What plugins keep.
    pub kv: Arc<dyn Kv>,
    /// Held by the dry run that is under way.
    pub rehearsals: Arc<tokio::sync::Mutex<()>>,
    /// Reloads.
    pub reloads: Reloads,
    /// Wakes the dispatcher.
    pub waker: Waker,
    /// What was counted.
    pub meter: Meter,
    /// Cancelled as soon as belfry stops taking events.
    pub stopping: CancellationToken,
}

/// The operators' routes.
pub fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/-/reload", post(reload))
        .route("/api/plugins/{name}/resume", post(resume))
        .route("/metrics", get(metrics::metrics))
        .route("/api/plugins", get(snapshot::plugins))
        .route("/api/rules", get(snapshot::rules))
        .route("/api/rules/explain", post(snapshot::explain_event))
        .route("/api/snapshot", get(snapshot::snapshot))
        .route("/api/events", get(events))
        .route("/api/events/{id}", get(event))
        .merge(amend::routes())
        .merge(replay::routes())
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match admin.journal.probe(clock::now()).await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn reload(State(admin): State<Admin>) -> Response {
    match admin.reloads.reload().await {
        Some(report) if report.refused.is_empty() => Json(report).into_response(),
        Some(report) => (StatusCode::UNPROCESSABLE_ENTITY, Json(report)).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
    }
}

/// Answer of `/api/plugins/{name}/resume`.
#[derive(Serialize)]
struct Resumed {
    /// Whether the plugin was parked.
    resumed: bool,
}

async fn resume(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    let active = admin.snapshot.load();
    let Some(plugin) = active.plugins.get(&name.as_str().into()) else {
        return (StatusCode::NOT_FOUND, "there is no such plugin\n").into_response();
    };
    let resumed = plugin.resume();
    admin.waker.wake();
    Json(Resumed { resumed }).into_response()
}

#[derive(Deserialize)]
struct EventsQuery {
    limit: Option<u32>,
    state: Option<String>,
}

async fn events(State(admin): State<Admin>, Query(query): Query<EventsQuery>) -> Response {
    let state = match query
        .state
        .as_deref()
        .map(|text| journal::State::from_text(text).ok_or(text))
    {
        None => None,
        Some(Ok(state)) => Some(state),
        Some(Err(text)) => {
            return (StatusCode::BAD_REQUEST, format!("{text:?} is no state\n")).into_response();
        }
    };
    let filter = Filter {
        limit: Some(query.limit.unwrap_or(50).min(10_000)),
        state,
        id: None,
    };
    match admin.journal.list(&filter).await {
        Ok(events) => Json(events).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn event(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let id = match id.parse() {
        Ok(id) => id,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    match admin
        .journal
        .list(&Filter {
            id: Some(id),
            ..Filter::default()
        })
        .await
    {
        Ok(events) => match events.into_iter().next() {
            Some(event) => Json(event).into_response(),
            None => (StatusCode::NOT_FOUND, "there is no such event\n").into_response(),
        },
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
