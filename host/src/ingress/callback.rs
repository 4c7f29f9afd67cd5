//! `POST /callback/{app}`: encrypted event callbacks of DingTalk (document "HTTP 推送", event subscription overview).

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use dingtalk::{CallbackQuery, CallbackReply, EventBody, Nonce};
use http::HeaderMap;

use super::body::read_body;
use super::{Arrived, Ingress, MAX_BODY, Refused, receiving, suite};
use crate::active::App;
use crate::clock;
use crate::config::Receive;
use crate::event::{Content, Origin};
use crate::journal::Dedupe;

/// What every callback is answered with, encrypted.
const SUCCESS: &str = "success";

pub(super) async fn receive(
    State(ingress): State<Ingress>,
    Path(app): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match handle(
        &ingress,
        &app,
        query.as_deref().unwrap_or_default(),
        &headers,
        body,
    )
    .await
    {
        Ok(reply) => Json(reply).into_response(),
        Err(refused) => refused.answer("callback", &app),
    }
}

async fn handle(
    ingress: &Ingress,
    name: &str,
    query: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<CallbackReply, Refused> {
    let active = ingress.snapshot.load();
    let app = receiving(&active, name, Receive::Callback)?;
    let callback = app.callback.as_ref().ok_or(Refused::UnknownApp)?;
    let malformed = |error: &dyn std::fmt::Display| Refused::Malformed(error.to_string());

    let query = CallbackQuery::parse(query).map_err(|error| malformed(&error))?;
    let body = read_body(headers, body, MAX_BODY).await?;
    let opened = callback
        .open(&query, body.as_bytes())
        .map_err(|error| malformed(&error))?;
    check_age(app, &query)?;
    let event = dingtalk::Event::parse(&opened.message).map_err(|error| malformed(&error))?;

    // A URL check only asks whether the keys are right.
    let is_taken = match &app.suite {
        Some(suite) => suite::take(ingress, &active, app, suite, (&event, &opened.message)).await?,
        None => false,
    };
    if matches!(event.body, EventBody::UrlCheck) {
        tracing::info!(app = name, "callback url checked");
    } else if !is_taken {
        let dedupe = Dedupe {
            key: event.dedupe_key(&opened.message),
            window: None,
        };
        let arrived = Arrived {
            app: app.settings.name.clone(),
            origin: Origin::Callback,
            content: Content::Dingtalk(event),
            raw: opened.message,
            dedupe: Some(dedupe),
        };
        ingress.accept(&active, arrived).await?;
    }
    Ok(callback.seal(SUCCESS, &opened.receive_id, &Nonce::fresh(clock::now())))
}

/// Timestamps are seconds in the documents and milliseconds in captured pushes.
fn check_age(app: &App, query: &CallbackQuery) -> Result<(), Refused> {
    let Some(max_age) = app
        .settings
        .callback
        .as_ref()
        .and_then(|callback| callback.max_age)
    else {
        return Ok(());
    };
    let stamp: i64 = query
        .timestamp
        .parse()
        .map_err(|_| Refused::Malformed("timestamp is not a number".to_owned()))?;
    let stamp = if query.timestamp.len() <= 10 {
        stamp.saturating_mul(1000)
    } else {
        stamp
    };
    let age = clock::now().0.saturating_sub(stamp).unsigned_abs();
    if u128::from(age) > max_age.as_millis() {
        Err(Refused::Malformed("timestamp is too old".to_owned()))
    } else {
        Ok(())
    }
}
