//! The ways in: a verified event goes to the journal, and only then the sender gets its answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::StatusCode;

use crate::active::{Active, Snapshot};
use crate::clock;
use crate::config::Receive;
use crate::event::{Content, Envelope, Facts, Origin};
use crate::failpoint::{self, Point};
use crate::ids::AppName;
use crate::journal::{Appended, Dedupe, Journal, JournalError, NewEvent};
use crate::meter::Metric;
use crate::wake::Waker;

use self::body::BodyError;

pub use self::backfill::Backfill;
pub use self::notices::{Followup, wants_results};
pub use self::outage::Outages;
pub use self::suite::{Register, Steward};
pub use self::timers::Clockwork;

mod backfill;
mod body;
mod callback;
mod hooks;
mod notices;
mod outage;
mod robot;
mod suite;
mod timers;

/// Bytes of a body.
const MAX_BODY: usize = 256 << 10;
/// Bytes of an alert webhook's body: groups of alerts are large.
const MAX_HOOK_BODY: usize = 2 << 20;

/// Verified events, those that arrived again included.
pub const RECEIVED: Metric = Metric::counter(
    "belfry_events_received_total",
    &["app", "kind", "source"],
    "Verified events that arrived, repetitions included.",
);
/// New events.
pub const APPENDED: Metric = Metric::counter(
    "belfry_events_appended_total",
    &["app", "kind", "source"],
    "New events that were stored.",
);
/// Events that arrived again.
pub const DUPLICATES: Metric = Metric::counter(
    "belfry_events_duplicate_total",
    &["app", "kind", "source"],
    "Events that arrived again and were not stored twice.",
);
/// What was turned away.
pub const REFUSED: Metric = Metric::counter(
    "belfry_requests_refused_total",
    &["source", "reason"],
    "Requests to the public listener that were refused.",
);
/// Conditions that said neither yes nor no.
pub const CONDITIONS_FAILED: Metric = Metric::counter(
    "belfry_conditions_failed_total",
    &["plugin"],
    "Conditions that could not be evaluated on an event.",
);

/// What the ways in work with.
#[derive(Clone)]
pub struct Ingress {
    /// Apps, hooks and rules.
    pub snapshot: Snapshot,
    /// Where events go.
    pub journal: Arc<dyn Journal>,
    /// Who is told that there is something to do.
    pub waker: Waker,
    /// Notes what could not be stored.
    pub outages: Outages,
    /// What is kept of third-party apps.
    pub register: Register,
}

/// The public routes.
pub fn routes(ingress: Ingress) -> Router {
    Router::new()
        .route("/callback/{app}", post(callback::receive))
        .route("/robot/{app}", post(robot::receive))
        .route("/hooks/{hook}", post(hooks::receive))
        .layer(DefaultBodyLimit::disable())
        .with_state(ingress)
}

/// Why a request was turned away. The sender learns the status and a short reason, the operator one log line.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("there is no such app or it does not receive this way")]
    UnknownApp,
    #[error("there is no such hook")]
    UnknownHook,
    #[error("not authorized")]
    Unauthorized,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("{0}")]
    Malformed(String),
    #[error("the event cannot be stored now, try again")]
    Journal(#[from] JournalError),
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownApp | Self::UnknownHook => StatusCode::NOT_FOUND,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Body(error) => error.status(),
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            // 503 and nothing else: DingTalk and Alertmanager come back after it.
            Self::Journal(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One word for it, for counting.
    fn word(&self) -> &'static str {
        match self {
            Self::UnknownApp => "unknown-app",
            Self::UnknownHook => "unknown-hook",
            Self::Unauthorized => "unauthorized",
            Self::Body(error) => error.word(),
            Self::Malformed(_) => "malformed",
            Self::Journal(JournalError::Full) => "queue-full",
            Self::Journal(_) => "journal",
        }
    }

    /// Logs the refusal with the last part of the path, then answers.
    fn answer(self, way: &'static str, name: &str) -> Response {
        let status = self.status();
        REFUSED.count(&[way, self.word()]);
        if let Self::Journal(error) = &self {
            tracing::error!(way, name, %error, "event not stored, sender told to come back");
        } else {
            tracing::warn!(way, name, status = status.as_u16(), reason = %self, "request refused");
        }
        (status, format!("{self}\n")).into_response()
    }
}

/// An event that was verified and read.
#[derive(Clone)]
struct Arrived {
    app: AppName,
    origin: Origin,
    raw: String,
    content: Content,
    dedupe: Option<Dedupe>,
}

impl Ingress {
    /// Routes an event by the snapshot and appends it. Returns when it is on disk, with whether it is new.
    async fn accept(&self, active: &Active, arrived: Arrived) -> Result<bool, JournalError> {
        let Arrived {
            app,
            origin,
            raw,
            content,
            dedupe,
        } = arrived;
        let facts = Facts::of(&content);
        let received_at = clock::now();
        let choice = active.rules.choose(&app, &facts, received_at);
        let id = clock::event_id();
        for (plugin, reason) in &choice.failed {
            CONDITIONS_FAILED.count(&[plugin.as_str()]);
            tracing::warn!(event = %id, %plugin, reason, "condition cannot be evaluated, the plugin does not get the event");
        }
        let (kind, way, receivers) = (content.kind(), origin.to_text(), choice.plugins.len());
        let labels = [app.as_str(), kind.as_str(), origin.word()].map(str::to_owned);
        let labels = labels.each_ref().map(String::as_str);
        RECEIVED.count(&labels);
        let envelope = Envelope {
            id,
            app: app.clone(),
            origin,
            received_at,
            raw: raw.into(),
        };
        let event = NewEvent {
            envelope,
            kind,
            dedupe,
            key: content.key(),
            plugins: choice.plugins,
        };
        failpoint::pass(Point::BeforeAppend);
        let appended = self.journal.append(event).await;
        match appended.inspect_err(|_| self.outages.note())? {
            Appended::New => {
                failpoint::pass(Point::AfterAppend);
                APPENDED.count(&labels);
                tracing::info!(event = %id, %app, kind = kind.as_str(), way, receivers, "event accepted");
                self.waker.wake();
                Ok(true)
            }
            Appended::Duplicate(first) => {
                DUPLICATES.count(&labels);
                tracing::info!(event = %first, %app, kind = kind.as_str(), way, "event arrived again");
                Ok(false)
            }
        }
    }
}

/// Whether an app exists and has this way in open.
fn receiving<'a>(
    active: &'a Active,
    name: &str,
    way: Receive,
) -> Result<&'a Arc<crate::active::App>, Refused> {
    active
        .app(name)
        .filter(|app| app.settings.receive.contains(&way))
        .ok_or(Refused::UnknownApp)
}
