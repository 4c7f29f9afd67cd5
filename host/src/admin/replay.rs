//! `POST /api/events/replay`: an event on the present version of a plugin, as a dry run or as a repair.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::post};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Admin, AmendRequest};
use crate::active::Active;
use crate::clock;
use crate::config;
use crate::ids::{DeliveryId, EventId, NotAnEventId, PluginName};
use crate::journal::{
    self, Amended, Change, EventRecord, Filter, Journal, JournalError, Selection,
};
use crate::replay::{self, PIECE, Position, ReplayError, Replays, Report};

/// What is to be run: one event, or what everything given applies to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// Whether it is done. Otherwise nothing is sent and nothing is changed.
    pub repair: bool,
    /// The id of an event.
    pub event: Option<String>,
    /// The name of a plugin; with an event also one that never got it.
    pub plugin: Option<String>,
    /// `pending`, `parked`, `dead`, `done`.
    pub states: Vec<String>,
    /// A part of the reason.
    pub reason: Option<String>,
    /// Events that came then or later, RFC 3339.
    pub since: Option<jiff::Timestamp>,
    /// Events that came before, RFC 3339.
    pub until: Option<jiff::Timestamp>,
    /// Every parked and dead delivery.
    pub all: bool,
    /// For a repair: only counts.
    pub dry_run: bool,
    /// For a dry run of many: where the last answer ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Position>,
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

    /// The event, if nothing but a plugin is given beside it. Then its plugins need not have got it.
    pub fn event_alone(&self) -> Result<Option<EventId>, Refused> {
        let is_alone = self.states.is_empty()
            && self.reason.is_none()
            && self.since.is_none()
            && self.until.is_none();
        Ok(self.event()?.filter(|_| is_alone))
    }

    /// The delivery after which a dry run of many goes on.
    pub fn after(&self) -> Result<Option<DeliveryId>, Refused> {
        let after = self.after.as_ref().map(Position::delivery).transpose();
        after.map_err(|error| Refused::Request(error.to_string()))
    }

    /// What is meant. Of one event everything is, whatever its state.
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
    let (selection, after) = (request.selection()?, request.after()?);
    // One at a time: it takes a place that an attempt could have.
    let _turn = admin.rehearsals.lock().await;
    let active = &*admin.snapshot.load();
    let Some(id) = request.event_alone()? else {
        let selected = admin.journal.select(&selection, after.as_ref(), PIECE);
        let piece = replay::piece(selected.await?, |id| async move {
            let event = find(&*admin.journal, id.event).await?;
            rehearse(admin, active, &event, &id.plugin).await
        });
        return Ok(piece.await);
    };
    let event = find(&*admin.journal, id).await?;
    let mut replays = Replays::default();
    for name in replay::plugins_of(&event, request.plugin.as_deref()) {
        replays.add(rehearse(admin, active, &event, &name).await?);
    }
    Ok(replays)
}

async fn rehearse(
    admin: &Admin,
    active: &Active,
    event: &EventRecord,
    name: &PluginName,
) -> Result<Report, Refused> {
    let plugin = active.plugins.get(name);
    let plugin = plugin.ok_or_else(|| Refused::Missing(format!("no plugin {name:?} is loaded")))?;
    Ok(replay::dry_run(plugin, event, admin.kv.clone()).await?)
}
