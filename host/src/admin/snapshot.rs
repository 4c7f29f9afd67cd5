//! What is active: plugins, rules, and the snapshot that holds them together.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::clock::{self, UnixMs};
use crate::event::Origin;
use crate::explain::{Question, explain};
use crate::ids::{AppName, EventId, Generation, PluginName};
use crate::journal::Filter;
use crate::plugin::Summary;
use crate::reload::Refusal;
use crate::rules::{Rule, Standing};

/// Answer of `/api/plugins`.
#[derive(Serialize)]
struct Plugins {
    generation: Generation,
    plugins: Vec<Entry>,
    /// Plugins with `enabled = false`.
    disabled: Vec<PluginName>,
    /// What the last reload refused; the old version of it goes on.
    refused: Vec<Refusal>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    summary: Summary,
    /// The newer version that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refusal>,
}

pub(super) async fn plugins(State(admin): State<Admin>) -> Response {
    let active = admin.snapshot.load();
    let refused = admin.reloads.refused();
    let entry = |summary: Summary| {
        let of_it = |refusal: &&Refusal| refusal.subject == summary.name.as_str();
        let refused = refused.iter().find(of_it).cloned();
        Entry { summary, refused }
    };
    let disabled = active
        .rules
        .all()
        .iter()
        .filter(|rule| rule.standing == Standing::Disabled)
        .map(|rule| rule.plugin.clone());
    Json(Plugins {
        generation: active.generation,
        plugins: active.summaries().into_iter().map(entry).collect(),
        disabled: disabled.collect(),
        refused: refused.clone(),
    })
    .into_response()
}

/// One entry of `/api/rules`.
#[derive(Serialize)]
struct RuleEntry {
    plugin: PluginName,
    app: AppName,
    events: Vec<String>,
    when: Option<String>,
    active: Option<String>,
    order: i32,
    state: &'static str,
}

impl RuleEntry {
    fn of(rule: &Rule) -> Self {
        Self {
            plugin: rule.plugin.clone(),
            app: rule.app.clone(),
            events: rule.events.iter().map(ToString::to_string).collect(),
            when: rule.when.as_ref().map(ToString::to_string),
            active: rule.hours.as_ref().map(ToString::to_string),
            order: rule.order,
            state: match rule.standing {
                Standing::Active => "active",
                Standing::Disabled => "disabled",
                Standing::NotLoaded => "not-loaded",
            },
        }
    }
}

/// The rules in the order in which the plugins of one event are listed.
pub(super) async fn rules(State(admin): State<Admin>) -> Response {
    let active = admin.snapshot.load();
    let rules: Vec<RuleEntry> = active.rules.all().iter().map(RuleEntry::of).collect();
    Json(serde_json::json!({ "generation": active.generation, "rules": rules })).into_response()
}

/// Answer of `/api/snapshot`.
#[derive(Serialize)]
struct Present {
    generation: Generation,
    since: jiff::Timestamp,
    apps: Vec<AppName>,
    plugins: Vec<PluginName>,
    hooks: Vec<String>,
    /// Older snapshots that are still worked with.
    draining: Vec<Draining>,
    refused: Vec<Refusal>,
}

#[derive(Serialize)]
struct Draining {
    generation: Generation,
    /// Attempts and requests that hold it.
    users: usize,
}

pub(super) async fn snapshot(State(admin): State<Admin>) -> Response {
    let active = admin.snapshot.load();
    let mut apps: Vec<AppName> = active.apps.keys().cloned().collect();
    apps.sort();
    let mut plugins: Vec<PluginName> = active.plugins.keys().cloned().collect();
    plugins.sort();
    let draining = admin.snapshot.draining().into_iter();
    Json(Present {
        generation: active.generation,
        since: jiff::Timestamp::from_millisecond(active.made_at.0).unwrap_or_default(),
        apps,
        plugins,
        hooks: active
            .config
            .hooks
            .iter()
            .map(|hook| hook.name.clone())
            .collect(),
        draining: draining
            .map(|(generation, users)| Draining { generation, users })
            .collect(),
        refused: admin.reloads.refused(),
    })
    .into_response()
}

/// Body of `POST /api/rules/explain`: an event of the journal, or one that is shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    id: Option<EventId>,
    event: Option<serde_json::Value>,
    app: Option<String>,
    hook: Option<String>,
    at: Option<jiff::Timestamp>,
}

pub(super) async fn explain_event(
    State(admin): State<Admin>,
    Json(asked): Json<Asked>,
) -> Response {
    let mut question = match (asked.id, asked.event) {
        (None, Some(event)) => Question {
            text: event.to_string(),
            at: clock::now(),
            ..Question::default()
        },
        (Some(id), None) => match recorded(&admin, id).await {
            Ok(question) => question,
            Err((status, text)) => return (status, text).into_response(),
        },
        _ => {
            let text = "give either \"event\" or the \"id\" of one in the journal\n";
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    if let Some(at) = asked.at {
        question.at = UnixMs(at.as_millisecond());
    }
    question.app = asked.app.or(question.app);
    question.hook = asked.hook;
    match explain(&admin.snapshot.load(), &question) {
        Ok(explanation) => Json(explanation).into_response(),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n")).into_response(),
    }
}

async fn recorded(admin: &Admin, id: EventId) -> Result<Question, (StatusCode, String)> {
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let events = admin
        .journal
        .list(&filter)
        .await
        .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")))?;
    let event = events.into_iter().next();
    let event =
        event.ok_or_else(|| (StatusCode::NOT_FOUND, "there is no such event\n".to_owned()))?;
    Ok(Question {
        origin: Origin::from_text(&event.origin),
        app: Some(event.app.to_string()),
        at: UnixMs(event.received_at.as_millisecond()),
        text: event.raw.unwrap_or_default(),
        hook: None,
    })
}
