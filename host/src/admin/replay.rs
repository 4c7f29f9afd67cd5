//! `POST /api/events/replay`: an event on the present version of a plugin, as a dry run or as a repair.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::post};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Admin, AmendRequest};
use crate::clock;
use crate::config;
use crate::ids::{DeliveryId, EventId, NotAnEventId};
use crate::journal::{
    self, Amended, Change, EventRecord, Filter, Journal, JournalError, Selection,
};
use crate::replay::{self, ReplayError, Report};

/// What is to be run. A dry run is of one event; a repair is of one event, or of what everything given applies to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// Whether it is done. Otherwise nothing is sent and nothing is changed.
    pub repair: bool,
    /// The id of an event.
    pub event: Option<String>,
    /// The name of a plugin; with an event also one that never got it.
    pub plugin: Option<String>,
    /// For a repair: `pending`, `parked`, `dead`, `done`.
    pub states: Vec<String>,
    /// For a repair: a part of the reason.
    pub reason: Option<String>,
    /// For a repair: events that came then or later, RFC 3339.
    pub since: Option<jiff::Timestamp>,
    /// For a repair: events that came before, RFC 3339.
    pub until: Option<jiff::Timestamp>,
    /// For a repair: every parked and dead delivery.
    pub all: bool,
    /// For a repair: only counts.
    pub dry_run: bool,
}

/// Answer to a dry run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Replays {
    /// One for each plugin that got the event, or for the one that was named.
    pub replays: Vec<Report>,
}

/// Why a replay was not begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The request does not say what it must.
    #[error("{0}")]
    Request(String),
    /// There is nothing of that name or id.
    #[error("{0}")]
    Missing(String),
    /// The event and the plugin do not go together.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Request {
    /// The event, if one is named.
    pub fn event(&self) -> Result<Option<EventId>, Refused> {
        let id = self.event.as_deref().map(str::parse).transpose();
        id.map_err(|error: NotAnEventId| Refused::Request(error.to_string()))
    }

    /// What a repair is of. Of one event everything is meant, whatever its state.
    pub fn selection(&self) -> Result<Selection, Refused> {
        let others = AmendRequest {
            all: self.all,
            event: self.event.clone(),
            plugin: self.plugin.clone(),
            states: Vec::new(),
            reason: self.reason.clone(),
            since: self.since,
            until: self.until,
            dry_run: self.dry_run,
        };
        // A state alone says which ones as well.
        let others = AmendRequest {
            all: others.all || !self.states.is_empty(),
            ..others
        };
        let mut states = BTreeSet::new();
        for text in &self.states {
            let state = journal::State::from_text(text);
            states.insert(state.ok_or_else(|| {
                Refused::Request(format!(
                    "{text:?} is not one of pending, parked, dead and done"
                ))
            })?);
        }
        if states.is_empty() && self.event.is_some() {
            states = [
                journal::State::Pending,
                journal::State::Parked,
                journal::State::Dead,
                journal::State::Done,
            ]
            .into();
        }
        let selection = others.selection().map_err(Refused::Request)?;
        Ok(Selection {
            states,
            ..selection
        })
    }
}

/// The event with its text and its calls.
pub async fn find(journal: &dyn Journal, id: EventId) -> Result<EventRecord, Refused> {
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let found = journal.list(&filter).await?.into_iter().next();
    found.ok_or_else(|| Refused::Missing(format!("there is no event {id}")))
}

/// Makes deliveries run again on the present version. A plugin that is named with an event and did not get it gets it;
/// `plugins` are those there are.
pub async fn repair(
    journal: &dyn Journal,
    plugins: &[config::Plugin],
    request: &Request,
) -> Result<Amended, Refused> {
    let selection = request.selection()?;
    if let (Some(id), Some(name)) = (request.event()?, &request.plugin)
        && let event = find(journal, id).await?
        && event.deliveries.iter().all(|of| of.plugin.as_str() != name)
    {
        let settings = plugins.iter().find(|plugin| plugin.name.as_str() == name);
        let settings =
            settings.ok_or_else(|| Refused::Missing(format!("there is no plugin {name:?}")))?;
        replay::fits(settings, &event)?;
        let read = replay::read(&event)?;
        let key = read.content.key().unwrap_or_else(|| id.to_string());
        let delivery = DeliveryId {
            event: id,
            plugin: settings.name.clone(),
        };
        let given = request.dry_run || journal.give(&delivery, &key, clock::now()).await?;
        return Ok(Amended {
            deliveries: given.into(),
            running: 0,
        });
    }
    let change = (!request.dry_run).then_some(Change::Retry);
    Ok(journal.amend(&selection, change, clock::now()).await?)
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/api/events/replay", post(handle))
}

async fn handle(State(admin): State<Admin>, Json(request): Json<Request>) -> Response {
    let answer = if request.repair {
        repaired(&admin, &request)
            .await
            .map(|amended| Json(amended).into_response())
    } else {
        rehearsed(&admin, &request)
            .await
            .map(|replays| Json(replays).into_response())
    };
    answer.unwrap_or_else(|refused| {
        let status = match refused {
            Refused::Request(_) => StatusCode::BAD_REQUEST,
            Refused::Missing(_) => StatusCode::NOT_FOUND,
            Refused::Replay(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refused::Journal(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{refused}\n")).into_response()
    })
}

async fn repaired(admin: &Admin, request: &Request) -> Result<Amended, Refused> {
    let active = admin.snapshot.load();
    let plugins: Vec<config::Plugin> = active
        .plugins
        .values()
        .map(|plugin| plugin.settings().clone())
        .collect();
    let amended = repair(&*admin.journal, &plugins, request).await?;
    if !request.dry_run {
        tracing::warn!(
            deliveries = amended.deliveries,
            running = amended.running,
            "deliveries replayed by a person"
        );
        admin.waker.wake();
    }
    Ok(amended)
}

async fn rehearsed(admin: &Admin, request: &Request) -> Result<Replays, Refused> {
    let id = request.event()?.ok_or_else(|| {
        Refused::Request("a dry run is of one event: give its id, or repair".to_owned())
    })?;
    let event = find(&*admin.journal, id).await?;
    let active = admin.snapshot.load();
    // One at a time: it takes a place that an attempt could have.
    let _turn = admin.rehearsals.lock().await;
    let mut replays = Vec::new();
    for name in replay::plugins_of(&event, request.plugin.as_deref()) {
        let plugin = active.plugins.get(&name);
        let plugin =
            plugin.ok_or_else(|| Refused::Missing(format!("no plugin {name:?} is loaded")))?;
        replays.push(replay::dry_run(plugin, &event, admin.kv.clone()).await?);
    }
    Ok(Replays { replays })
}
