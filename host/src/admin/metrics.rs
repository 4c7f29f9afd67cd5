//! `GET /metrics`: what Prometheus reads.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};

use super::Admin;
use crate::meter::{self, Metric};

/// Deliveries that are not done.
pub const OPEN: Metric = Metric::gauge(
    "belfry_deliveries_open",
    &["state"],
    "Deliveries that are not done: pending, parked or dead.",
);
/// Snapshots before the present one that are still worked with.
pub const DRAINING: Metric = Metric::gauge(
    "belfry_snapshots_draining",
    &[],
    "Older snapshots that attempts or requests still work with.",
);

/// Plugins that are left alone because they keep failing.
pub const PARKED: Metric = Metric::gauge(
    "belfry_plugins_parked",
    &[],
    "Plugins that are parked because they kept failing.",
);

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    // What is in the journal is counted when somebody asks; nothing else about the journal is lost if it cannot be read.
    match admin.journal.open().await {
        Ok(open) => {
            OPEN.set(&["pending"], meter::number(open.pending));
            OPEN.set(&["parked"], meter::number(open.parked));
            OPEN.set(&["dead"], meter::number(open.dead));
        }
        Err(error) => tracing::warn!(%error, "cannot count open deliveries"),
    }
    let active = admin.snapshot.load();
    let parked = active.plugins.values().filter(|plugin| plugin.is_parked());
    PARKED.set(&[], meter::number(parked.count()));
    DRAINING.set(&[], meter::number(admin.snapshot.draining().len()));
    let wants_open_metrics = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/openmetrics-text"));
    let (content_type, text) = if wants_open_metrics {
        (OPEN_METRICS, admin.meter.open_metrics())
    } else {
        (PROMETHEUS, admin.meter.prometheus())
    };
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
