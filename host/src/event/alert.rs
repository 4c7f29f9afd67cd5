//! Reads alert webhooks: Alertmanager's JSON (version 4, from its source and documentation) and any other JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock::UnixMs;

/// The form of a hook's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookKind {
    /// Alertmanager's webhook.
    Alertmanager,
    /// Any JSON object, form or text.
    Generic,
}

/// The text names no kind of hook that this version has.
#[derive(Debug, thiserror::Error)]
#[error(
    "must be \"alertmanager\" or \"generic\", not {0:?} (grafana, github, gitlab and sentry are not in this version)"
)]
pub struct NotAHookKind(String);

impl FromStr for HookKind {
    type Err = NotAHookKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "alertmanager" => Ok(Self::Alertmanager),
            "generic" => Ok(Self::Generic),
            other => Err(NotAHookKind(other.to_owned())),
        }
    }
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alertmanager => "alertmanager",
            Self::Generic => "generic",
        })
    }
}

/// Whether an alert goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertStatus {
    /// It does.
    Firing,
    /// It ended.
    Resolved,
}

/// A group of alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The hook it came through.
    pub hook: String,
    /// The kind of that hook.
    pub source: HookKind,
    /// Firing while any of its alerts is.
    pub status: AlertStatus,
    /// The source's id of the group.
    pub group_key: String,
    /// One line for people.
    pub title: String,
    /// Such as `critical`.
    pub severity: Option<String>,
    /// Labels that all alerts share.
    pub labels: BTreeMap<String, String>,
    /// Annotations that all alerts share.
    pub annotations: BTreeMap<String, String>,
    /// The single alerts.
    pub alerts: Vec<AlertItem>,
    /// How many alerts the source left out.
    pub truncated: u32,
    /// The group's page at the source.
    pub url: Option<String>,
}

/// One alert of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertItem {
    /// Whether it goes on.
    pub status: AlertStatus,
    /// The source's id of the alert.
    pub fingerprint: String,
    /// What identifies it.
    pub labels: BTreeMap<String, String>,
    /// What describes it.
    pub annotations: BTreeMap<String, String>,
    /// When it started.
    pub starts_at: Option<UnixMs>,
    /// When it ended.
    pub ends_at: Option<UnixMs>,
    /// Its page at the source.
    pub url: Option<String>,
}

/// Why a payload is no alert.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlertError {
    /// It is not JSON.
    #[error("alert is not json")]
    NotJson,
    /// It is JSON but not an object.
    #[error("alert is not a json object")]
    NotObject,
    /// It is not what Alertmanager sends.
    #[error("not an alertmanager webhook: {0}")]
    NotAlertmanager(String),
}

/// Alertmanager's payload; unknown members are welcome, because new ones come with every other release.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    group_key: String,
    #[serde(default)]
    truncated_alerts: u32,
    #[serde(default)]
    status: String,
    #[serde(default)]
    group_labels: BTreeMap<String, String>,
    #[serde(default)]
    common_labels: BTreeMap<String, String>,
    #[serde(default)]
    common_annotations: BTreeMap<String, String>,
    #[serde(default, rename = "externalURL")]
    external_url: String,
    alerts: Vec<WebhookAlert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookAlert {
    #[serde(default)]
    status: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    starts_at: Option<String>,
    #[serde(default)]
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
    #[serde(default)]
    fingerprint: String,
}

impl Alert {
    /// Reads a payload of the given kind.
    pub fn parse(hook: &str, kind: HookKind, raw: &str) -> Result<Self, AlertError> {
        match kind {
            HookKind::Alertmanager => alertmanager(hook, raw),
            HookKind::Generic => generic(hook, raw),
        }
    }
}

fn alertmanager(hook: &str, raw: &str) -> Result<Alert, AlertError> {
    let webhook: Webhook = serde_json::from_str(raw).map_err(|error| {
        if error.is_data() {
            AlertError::NotAlertmanager(shape_error(&error))
        } else {
            AlertError::NotJson
        }
    })?;
    // The payload can be templated, so only what nothing can be told without is demanded.
    if webhook
        .version
        .as_deref()
        .is_some_and(|version| version != "4")
    {
        return Err(AlertError::NotAlertmanager(
            "version is not \"4\"".to_owned(),
        ));
    }
    let named = |name: &str| {
        webhook
            .common_labels
            .get(name)
            .or(webhook.group_labels.get(name))
            .cloned()
    };
    let title = webhook
        .common_annotations
        .get("summary")
        .cloned()
        .or_else(|| named("alertname"))
        .or_else(|| non_empty(webhook.group_key.clone()))
        .unwrap_or_else(|| hook.to_owned());
    let severity = named("severity");
    let group_key = match webhook.group_key {
        key if key.is_empty() => format!("{:?}", webhook.group_labels),
        key => key,
    };
    let mut labels = webhook.group_labels;
    labels.extend(webhook.common_labels);
    Ok(Alert {
        hook: hook.to_owned(),
        source: HookKind::Alertmanager,
        status: status(&webhook.status),
        group_key,
        title,
        severity,
        labels,
        annotations: webhook.common_annotations,
        alerts: webhook.alerts.into_iter().map(item).collect(),
        truncated: webhook.truncated_alerts,
        url: non_empty(webhook.external_url),
    })
}

/// serde's message without the position, and never with a value: values are message text.
fn shape_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    if text.starts_with("missing field") {
        text.to_owned()
    } else {
        "a member has the wrong type".to_owned()
    }
}

fn item(alert: WebhookAlert) -> AlertItem {
    let status = status(&alert.status);
    AlertItem {
        status,
        fingerprint: alert.fingerprint,
        labels: alert.labels,
        annotations: alert.annotations,
        starts_at: alert.starts_at.as_deref().and_then(timestamp),
        // Alertmanager sends year 1 while an alert fires.
        ends_at: alert
            .ends_at
            .as_deref()
            .and_then(timestamp)
            .filter(|_| status == AlertStatus::Resolved),
        url: non_empty(alert.generator_url),
    }
}

fn status(text: &str) -> AlertStatus {
    match text.to_ascii_lowercase().as_str() {
        "resolved" | "ok" | "normal" | "recovered" | "closed" => AlertStatus::Resolved,
        _ => AlertStatus::Firing,
    }
}

fn timestamp(text: &str) -> Option<UnixMs> {
    let at: jiff::Timestamp = text.parse().ok()?;
    (at.as_second() > 0).then(|| UnixMs(at.as_millisecond()))
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Any JSON object. Members that are commonly used are recognised by name; everything of a simple type becomes a label.
fn generic(hook: &str, raw: &str) -> Result<Alert, AlertError> {
    let value: Value = serde_json::from_str(raw).map_err(|_| AlertError::NotJson)?;
    let Value::Object(object) = value else {
        return Err(AlertError::NotObject);
    };
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| object.get(*name).and_then(simple))
            .filter(|text| !text.is_empty())
    };
    let mut labels: BTreeMap<String, String> = object
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), simple(value)?)))
        .collect();
    if let Some(Value::Object(own)) = object.get("labels") {
        labels.extend(
            own.iter()
                .filter_map(|(name, value)| Some((name.clone(), simple(value)?))),
        );
    }
    let mut annotations = BTreeMap::new();
    if let Some(summary) = text(&["message", "text", "description", "body"]) {
        annotations.insert("summary".to_owned(), summary);
    }
    let title = text(&[
        "title",
        "summary",
        "subject",
        "name",
        "alertname",
        "message",
        "text",
    ])
    .unwrap_or_else(|| hook.to_owned());
    let status = text(&["status", "state"]).map_or(AlertStatus::Firing, |text| status(&text));
    let group_key =
        text(&["key", "group_key", "groupKey", "id", "fingerprint"]).unwrap_or_else(|| {
            let digest = Sha256::digest(title.as_bytes());
            digest
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect()
        });
    let url = text(&["url", "link"]);
    let item = AlertItem {
        status,
        fingerprint: group_key.clone(),
        labels: labels.clone(),
        annotations: annotations.clone(),
        starts_at: text(&["startsAt", "starts_at", "started_at"])
            .as_deref()
            .and_then(timestamp),
        ends_at: text(&["endsAt", "ends_at", "ended_at"])
            .as_deref()
            .and_then(timestamp),
        url: url.clone(),
    };
    Ok(Alert {
        hook: hook.to_owned(),
        source: HookKind::Generic,
        status,
        group_key,
        title,
        severity: labels
            .get("severity")
            .or(labels.get("level"))
            .or(labels.get("priority"))
            .cloned(),
        labels,
        annotations,
        alerts: vec![item],
        truncated: 0,
        url,
    })
}

fn simple(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRING: &str = r#"{"version":"4","groupKey":"{}:{alertname=\"Disk\"}","truncatedAlerts":2,"status":"firing","receiver":"x",
        "groupLabels":{"alertname":"Disk"},"commonLabels":{"alertname":"Disk","service":"checkout","severity":"critical"},
        "commonAnnotations":{"summary":"disk is full"},"externalURL":"http://am:9093","notification_reason":"new",
        "alerts":[{"status":"firing","labels":{"alertname":"Disk"},"annotations":{},"startsAt":"2026-01-15T03:43:00.027Z",
        "endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom/graph","fingerprint":"bea7"}]}"#;

    #[test]
    fn alertmanager_groups_are_read_with_unknown_members() {
        let alert = Alert::parse("ops", HookKind::Alertmanager, FIRING).unwrap();
        assert_eq!(alert.status, AlertStatus::Firing);
        assert_eq!((alert.title.as_str(), alert.truncated), ("disk is full", 2));
        assert_eq!(alert.severity.as_deref(), Some("critical"));
        assert_eq!(alert.alerts[0].starts_at, Some(UnixMs(1_768_448_580_027)));
        assert_eq!(alert.alerts[0].ends_at, None);
    }

    #[test]
    fn what_is_not_alertmanagers_is_refused_without_quoting_it() {
        for (raw, text) in [
            ("{", "alert is not json"),
            (
                "[]",
                "not an alertmanager webhook: a member has the wrong type",
            ),
            ("{}", "not an alertmanager webhook: missing field `alerts`"),
            (
                r#"{"version":"1","groupKey":"x","status":"firing","alerts":[]}"#,
                "not an alertmanager webhook: version is not \"4\"",
            ),
            (
                r#"{"version":"4","groupKey":{"secret":1},"status":"firing","alerts":[]}"#,
                "not an alertmanager webhook: a member has the wrong type",
            ),
        ] {
            assert_eq!(
                Alert::parse("ops", HookKind::Alertmanager, raw)
                    .unwrap_err()
                    .to_string(),
                text
            );
        }
    }

    #[test]
    fn generic_json_is_understood_by_its_usual_names() {
        let raw = r#"{"title":"disk","state":"ok","severity":"high","labels":{"service":"db"},"key":7,"nested":{"a":1}}"#;
        let alert = Alert::parse("x", HookKind::Generic, raw).unwrap();
        assert_eq!(alert.status, AlertStatus::Resolved);
        assert_eq!(
            (alert.group_key.as_str(), alert.title.as_str()),
            ("7", "disk")
        );
        assert_eq!(alert.labels.get("service").map(String::as_str), Some("db"));
        assert!(Alert::parse("x", HookKind::Generic, "[1]").is_err());
    }
}
