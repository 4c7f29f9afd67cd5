//! The door for other services of the company: DingTalk's calls under names of their own, with keys, and pages that run
//! inside DingTalk.
//!
//! A caller needs no token, no secret and no knowledge of DingTalk's two dialects: it sends arguments and its key. What is
//! a write goes on when the caller goes away, and an `Idempotency-Key` makes sure that it is done once.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use dingtalk::catalog::{self, Access, Api, Call, Manner, Verb};
use dingtalk::{ApiError, ApiStyle, Client, Suite};
use http::{HeaderMap, Method};
use serde_json::{Map, Value};
use tokio_util::task::TaskTracker;

use self::answer::{Answer, Refused};
use self::once::{Begun, Once};
use self::rate::Rates;
use crate::active::{Active, Snapshot};
use crate::clock;
use crate::config;
use crate::kv::Kv;
use crate::meter::{self, Metric};

mod answer;
mod arguments;
mod h5;
mod once;
mod openapi;
mod rate;

/// How long a caller waits; the listener gives a request ten seconds.
const PATIENCE: Duration = Duration::from_secs(9);

/// Calls of the gateway.
pub const CALLS: Metric = Metric::counter(
    "belfry_gateway_calls_total",
    &["key", "api", "status"],
    "Calls of the gateway by key, API and HTTP status.",
);
/// How long they take.
pub const SECONDS: Metric = Metric::histogram(
    "belfry_gateway_duration_seconds",
    &["api"],
    meter::SECONDS,
    "Time a call of the gateway took, DingTalk's included.",
);

/// What the door works with. Clones share it.
#[derive(Clone)]
pub struct Gateway {
    snapshot: Snapshot,
    outbound: TaskTracker,
    once: Once,
    rates: Arc<Rates>,
}

impl Gateway {
    /// A gateway whose keys and apps are those of the snapshot. Writes run as tasks of `outbound`, and what idempotency
    /// keys stand for is kept in `kv`.
    pub fn new(snapshot: Snapshot, kv: Arc<dyn Kv>, outbound: TaskTracker) -> Self {
        Self {
            snapshot,
            once: Once::new(kv, outbound.clone()),
            outbound,
            rates: Arc::default(),
        }
    }
}

/// The routes, on the public listener.
pub fn routes(gateway: Gateway) -> Router {
    Router::new()
        .route("/api/dingtalkserve/{name}", any(serve))
        .route("/api/openapi.json", get(openapi::document))
        .merge(h5::routes())
        .layer(DefaultBodyLimit::disable())
        .with_state(gateway)
}

async fn serve(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    request: axum::extract::Request,
) -> Response {
    let started = clock::instant();
    let active = gateway.snapshot.load();
    let mut caller = None;
    // Extractors would copy every header.
    let (head, body) = request.into_parts();
    let request = Request {
        method: &head.method,
        query: head.uri.query(),
        headers: &head.headers,
    };
    let api = catalog::find_gateway(&name);
    let answer = match gateway
        .handle(&active, api, request, body, &mut caller)
        .await
    {
        Ok(answer) => answer,
        Err(refused) => refused.answer(),
    };
    // Names that nobody knows would make a series each.
    let api = api.map_or("unknown", |api| api.name);
    let key = caller.map_or("none", |key| key.name.as_str());
    let (status, took) = (answer.status, started.elapsed());
    CALLS.count(&[key, api, status.as_str()]);
    SECONDS.observe(&[api], took.as_secs_f64());
    let took_ms = took.as_millis();
    tracing::info!(
        key,
        api,
        status = status.as_u16(),
        errcode = answer.code.as_deref(),
        replayed = answer.is_replay,
        took_ms,
        "gateway called"
    );
    answer.into_response()
}

/// The head of a request.
#[derive(Clone, Copy)]
struct Request<'a> {
    method: &'a Method,
    query: Option<&'a str>,
    headers: &'a HeaderMap,
}

impl Gateway {
    async fn handle<'a>(
        &self,
        active: &'a Active,
        api: Option<&'static Api>,
        request: Request<'_>,
        body: Body,
        caller: &mut Option<&'a config::Key>,
    ) -> Result<Answer, Refused> {
        let settings = active.config.gateway.as_ref();
        let settings = settings.ok_or(Refused::NotConfigured)?;
        let key = rate::authorize(settings, request.headers)?;
        *caller = Some(key);
        let api = api.ok_or(Refused::UnknownName)?;
        let is_get = match *request.method {
            Method::POST => false,
            // A GET may be made again by anything on its way, so it is for what can be made again.
            Method::GET if takes_get(api) => true,
            _ => return Err(Refused::Method(takes_get(api))),
        };
        self.rates.admit(key)?;
        if !key.scopes.contains(api.family.word()) {
            return Err(Refused::Scope(api.family.word()));
        }
        let given = arguments::read(api, request, is_get, body).await?;
        let (call, checked) = api.choose(ApiStyle::Legacy, &given)?;
        let target = target(active, settings, call, &given)?;
        let idempotency = once::key(request.headers)?;
        let begun = match idempotency {
            None => None,
            Some(text) => {
                let digest = once::digest(api, call, &checked);
                match self.once.begin(key, &text, digest, api.access).await? {
                    Begun::Known(answer) => return Ok(answer),
                    Begun::New(ticket) => Some(ticket),
                }
            }
        };
        let make = async move {
            match target {
                Target::App(client) => client.call_checked(api.access, call, checked).await,
                Target::Suite(suite, corp) => suite.raw_auth_info(&corp, clock::now()).await,
            }
        };
        let outcome = if api.access == Access::Write || begun.is_some() {
            let once = self.once.clone();
            // Of its own, so that a caller who goes away does not cut it in half.
            let task = self.outbound.spawn(async move {
                let answer = Answer::of(make.await);
                if let Some(ticket) = begun {
                    once.finish(ticket, &answer).await;
                }
                answer
            });
            tokio::time::timeout(PATIENCE, task)
                .await
                .map(|joined| joined.unwrap_or_else(|_| Answer::of(Err(lost()))))
        } else {
            tokio::time::timeout(PATIENCE, make).await.map(Answer::of)
        };
        Ok(outcome.unwrap_or_else(|_elapsed| Answer::of(Err(too_slow(api.access)))))
    }
}

/// Whether an API may be called by GET.
fn takes_get(api: &Api) -> bool {
    api.access == Access::Read
        || api
            .styled(ApiStyle::Legacy)
            .is_some_and(|call| call.verb == Verb::Get)
}

/// Who makes a call.
enum Target {
    /// The client of the gateway's app.
    App(Client),
    /// A third-party app, about an organisation.
    Suite(Suite, String),
}

fn target(
    active: &Active,
    settings: &config::Gateway,
    call: &Call,
    given: &Map<String, Value>,
) -> Result<Target, Refused> {
    if call.manner != Manner::Suite {
        let app = active.app(settings.app.as_str());
        let client = app.map(|app| app.client.clone());
        return client.map(Target::App).ok_or(Refused::NoApp);
    }
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
    // The gateway's own app, where none is named.
    let name = match text("app") {
        "" => settings.app.as_str(),
        name => name,
    };
    let suite = active.app(name).and_then(|app| app.suite.clone());
    let suite = suite.ok_or(Refused::NoSuite)?;
    Ok(Target::Suite(suite, text("auth_corpid").to_owned()))
}

fn lost() -> ApiError {
    ApiError::OutcomeUnknown {
        code: "gateway.lost".to_owned(),
        message: "the call ended without an answer".to_owned(),
    }
}

fn too_slow(access: Access) -> ApiError {
    let code = "gateway.timeout".to_owned();
    let message = format!(
        "dingtalk did not answer within {} seconds",
        PATIENCE.as_secs()
    );
    match access {
        Access::Read => ApiError::Unavailable { code, message },
        Access::Write => ApiError::OutcomeUnknown { code, message },
    }
}
