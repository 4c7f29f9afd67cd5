//! Asks for approvals that plugins started and of whose end there is no event.

use std::time::Duration;

use dingtalk::{ApiError, Decision, Event, Instance, InstanceStatus};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Arrived, Backfill, Stopped, Target};
use crate::active::Active;
use crate::clock;
use crate::event::{Content, Origin};
use crate::journal::{Dedupe, StartedApproval};

/// Approvals that were started before are not asked for: their events are not recognised any more either.
const REACH: Duration = Duration::from_secs(30 * 24 * 3600);
/// Approvals that one pass asks for; each is a call of the month's quota.
const MOST: usize = 300;

impl Backfill {
    /// Makes events of the ends that no event told of, and says how many there were. The event has the dedupe key of the
    /// real one, so that whichever comes second falls to the dedupe.
    pub(super) async fn reconcile(
        &self,
        active: &Active,
        target: &Target,
        stop: &CancellationToken,
    ) -> Result<usize, Stopped> {
        let Target { app, corp, client } = target;
        let name = &app.settings.name;
        let since = clock::earlier(clock::now(), REACH);
        let mut open = self.journal.open_approvals(name, since).await?;
        if corp.is_some() {
            open.retain(|started| started.corp_id == *corp);
        }
        let corp_id = corp.as_deref().unwrap_or(&app.settings.corp_id);
        if open.len() > MOST {
            tracing::warn!(app = %name, open = open.len(), asked = MOST, "only some of the open approvals are asked for");
        }
        let mut ended = 0;
        for started in open.iter().take(MOST) {
            if stop.is_cancelled() {
                break;
            }
            let instance = match client.approval_get(&started.instance_id).await {
                Ok(instance) => instance,
                // It is gone, or of another app by now; there is no end to tell.
                Err(ApiError::NotFound { .. } | ApiError::Invalid { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let Some(end) = end_of(started, &instance, corp_id) else {
                continue;
            };
            let raw = end.to_string();
            let Ok(event) = Event::parse(&raw) else {
                continue;
            };
            let dedupe = Dedupe {
                key: event.dedupe_key(&raw),
                window: None,
            };
            let arrived = Arrived {
                app: name.clone(),
                origin: Origin::Reconciled,
                content: Content::Dingtalk(event),
                raw,
                dedupe: Some(dedupe),
            };
            ended += usize::from(self.ingress.accept(active, arrived).await?);
        }
        Ok(ended)
    }
}

/// The end of an instance in the words of a push; `None` while it runs.
pub(super) fn end_of(
    started: &StartedApproval,
    instance: &Instance,
    corp_id: &str,
) -> Option<Value> {
    let (change, result) = match (instance.status, instance.decision) {
        (InstanceStatus::Completed, Some(Decision::Agree)) => ("finish", Some("agree")),
        (InstanceStatus::Completed, Some(Decision::Refuse)) => ("finish", Some("refuse")),
        (InstanceStatus::Terminated | InstanceStatus::Canceled, _) => ("terminate", None),
        // Without a decision nobody knows what to tell.
        (InstanceStatus::Completed | InstanceStatus::Pending | InstanceStatus::Running, _) => {
            return None;
        }
    };
    let mut event = json!({
        "EventType": "bpms_instance_change",
        "CorpId": corp_id,
        "processInstanceId": started.instance_id,
        "processCode": started.process_code.as_deref().unwrap_or_default(),
        "title": instance.title,
        "staffId": instance.originator,
        "type": change,
    });
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            event[name] = value;
        }
    };
    add("result", result.map(Value::from));
    add("businessId", instance.business_id.clone().map(Value::from));
    add("createTime", instance.created_at.map(|at| at.0.into()));
    add("finishTime", instance.finished_at.map(|at| at.0.into()));
    Some(event)
}
