//! What DingTalk tells a third-party app of itself: tickets, and organisations that come and go.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dingtalk::{ApiError, Event, EventBody, Secret, Suite, SuiteChange, SyncRow};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Arrived, Ingress, Refused};
use crate::active::{Active, App, Snapshot};
use crate::clock::{self, UnixMs};
use crate::event::{Content, Origin};
use crate::ids::{AppName, PluginName};
use crate::journal::{Dedupe, JournalError};
use crate::kv::{Kv, KvError, MAX_KEYS, Write};
use crate::wake::Waker;

/// The space of suites among the values. No plugin can have this name.
const SPACE: &str = "belfry:suite";
/// Bytes of all that is kept of suites; an organisation takes some hundred.
const MAX_TOTAL: usize = 64 << 20;
/// Between looks at authorisations that are not done.
const TICK: Duration = Duration::from_secs(5);

/// Keeps what suites must not forget.
#[derive(Clone)]
pub struct Register {
    kv: Arc<dyn Kv>,
    changed: Waker,
}

/// The newest ticket.
#[derive(Serialize, Deserialize)]
struct Ticket {
    ticket: String,
    sent_at: i64,
}

/// An authorisation that is not done.
#[derive(Clone, Serialize, Deserialize)]
enum Pending {
    /// The code is not exchanged.
    Code(String),
    /// It was exchanged for this one, and the app is not switched on.
    Permanent(String),
}

/// An organisation that uses the app.
#[derive(Default, Serialize, Deserialize)]
struct Corp {
    #[serde(skip_serializing_if = "Option::is_none")]
    permanent_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<i64>,
}

impl Register {
    /// A register in these values.
    pub fn new(kv: Arc<dyn Kv>) -> Self {
        Self {
            kv,
            changed: Waker::default(),
        }
    }

    async fn put<T: Serialize>(&self, key: String, value: Option<&T>) -> Result<(), KvError> {
        let value = value.map(|value| serde_json::to_vec(value).unwrap_or_default());
        let write = Write {
            key,
            value,
            expected: None,
            max_total: MAX_TOTAL,
        };
        self.kv.write(&space(), write).await?;
        Ok(())
    }

    async fn remove(&self, key: String) -> Result<(), KvError> {
        self.put::<()>(key, None).await
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, KvError> {
        let value = self.kv.get(&space(), key).await?;
        Ok(value.and_then(|value| serde_json::from_slice(&value).ok()))
    }

    /// What is kept under keys that begin so: the rest of each key, and the value.
    async fn all<T: for<'de> Deserialize<'de>>(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, T)>, KvError> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let keys = self
                .kv
                .keys(&space(), prefix, after.as_deref(), MAX_KEYS)
                .await?;
            for key in &keys {
                if let Some(value) = self.get(key).await? {
                    found.push((key[prefix.len()..].to_owned(), value));
                }
            }
            if keys.len() < MAX_KEYS {
                return Ok(found);
            }
            after = keys.last().cloned();
        }
    }

    async fn take_ticket(
        &self,
        suite: &Suite,
        ticket: Secret,
        sent_at: UnixMs,
    ) -> Result<(), KvError> {
        let key = ticket_key(suite);
        let known: Option<Ticket> = self.get(&key).await?;
        if known.is_some_and(|known| known.sent_at > sent_at.0) {
            return Ok(());
        }
        let kept = Ticket {
            ticket: ticket.expose().to_owned(),
            sent_at: sent_at.0,
        };
        // On disk first: what was acknowledged is not pushed again for hours.
        self.put(key, Some(&kept)).await?;
        suite.set_ticket(ticket, sent_at);
        self.changed.wake();
        Ok(())
    }

    async fn take_corp(&self, suite: &Suite, id: &str, corp: &Corp) -> Result<(), KvError> {
        self.put(corp_key(suite, id), Some(corp)).await?;
        suite.add_corp(id, corp.agent_id);
        Ok(())
    }

    async fn drop_corp(&self, suite: &Suite, id: &str) -> Result<(), KvError> {
        self.remove(corp_key(suite, id)).await?;
        self.remove(pending_key(suite, id)).await?;
        suite.forget(id);
        Ok(())
    }
}

fn space() -> PluginName {
    PluginName::from(SPACE)
}

fn ticket_key(suite: &Suite) -> String {
    format!("{}/ticket", suite.key())
}

fn pending_key(suite: &Suite, corp: &str) -> String {
    format!("{}/pending/{corp}", suite.key())
}

fn corp_key(suite: &Suite, corp: &str) -> String {
    format!("{}/corp/{corp}", suite.key())
}

impl From<KvError> for Refused {
    fn from(error: KvError) -> Self {
        Self::Journal(JournalError::Unusable(error.to_string()))
    }
}

/// Takes what concerns the suite itself, and says whether that is all there is to an event. Codes and tickets are kept
/// with the suite and never reach the journal.
pub(super) async fn take(
    ingress: &Ingress,
    active: &Active,
    app: &App,
    suite: &Suite,
    (event, text): (&Event, &str),
) -> Result<bool, Refused> {
    let register = &ingress.register;
    if let Some(rows) = dingtalk::sync_rows(text) {
        let rows = rows.into_iter();
        try_join_all(rows.map(|row| take_row(ingress, active, app, suite, row))).await?;
        return Ok(true);
    }
    let EventBody::Suite(told) = &event.body else {
        return Ok(false);
    };
    let corp = event.corp_id.as_deref();
    match (&told.change, corp) {
        (SuiteChange::Ticket(ticket), _) => {
            let sent_at = event.occurred_at.unwrap_or_else(clock::now);
            register.take_ticket(suite, ticket.clone(), sent_at).await?;
            tracing::info!(app = %app.settings.name, "suite ticket taken");
            Ok(true)
        }
        (SuiteChange::Authorized(code), Some(corp)) => {
            let pending = Pending::Code(code.expose().to_owned());
            register
                .put(pending_key(suite, corp), Some(&pending))
                .await?;
            register.changed.wake();
            Ok(true)
        }
        (SuiteChange::Relieved, Some(corp)) => {
            register.drop_corp(suite, corp).await?;
            tracing::info!(app = %app.settings.name, corp, "an organisation removed the app");
            Ok(false)
        }
        _ => Ok(false),
    }
}

async fn take_row(
    ingress: &Ingress,
    active: &Active,
    app: &App,
    suite: &Suite,
    row: SyncRow,
) -> Result<(), Refused> {
    let register = &ingress.register;
    match row {
        SyncRow::Ticket(ticket) => register.take_ticket(suite, ticket, clock::now()).await?,
        SyncRow::Authorized { corp_id, agent_id } => {
            let corp = Corp {
                permanent_code: None,
                agent_id,
            };
            register.take_corp(suite, &corp_id, &corp).await?;
        }
        SyncRow::Relieved { corp_id } => register.drop_corp(suite, &corp_id).await?,
        SyncRow::Event { key, json } => {
            let event =
                Event::parse(&json).map_err(|error| Refused::Malformed(error.to_string()))?;
            let arrived = Arrived {
                app: app.settings.name.clone(),
                origin: Origin::Callback,
                content: Content::Dingtalk(event),
                raw: json,
                dedupe: Some(Dedupe { key, window: None }),
            };
            ingress.accept(active, arrived).await?;
        }
    }
    Ok(())
}

/// Gives suites their tickets back after a start, and brings authorisations to their end.
pub struct Steward {
    /// The apps.
    pub snapshot: Snapshot,
    /// What is kept.
    pub register: Register,
}

impl Steward {
    /// Works until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        // A changed app has a new suite, which knows nothing.
        let mut loaded: HashMap<AppName, Weak<App>> = HashMap::new();
        loop {
            let active = self.snapshot.load();
            for app in active.apps.values() {
                let Some(suite) = &app.suite else { continue };
                let name = &app.settings.name;
                let is_loaded = loaded
                    .get(name)
                    .is_some_and(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(app)));
                if !is_loaded {
                    match self.load(suite).await {
                        Ok(()) => {
                            loaded.insert(name.clone(), Arc::downgrade(app));
                        }
                        Err(error) => {
                            tracing::error!(app = %name, %error, "cannot read what is kept of the suite");
                            continue;
                        }
                    }
                }
                if suite.has_ticket()
                    && let Err(error) = self.authorize(name, suite).await
                {
                    tracing::error!(app = %name, %error, "cannot keep an authorisation");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.register.changed.woken() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    async fn load(&self, suite: &Suite) -> Result<(), KvError> {
        let ticket: Option<Ticket> = self.register.get(&ticket_key(suite)).await?;
        if let Some(Ticket { ticket, sent_at }) = ticket {
            suite.set_ticket(ticket.into(), UnixMs(sent_at));
        }
        for (corp, kept) in self.register.all::<Corp>(&corp_key(suite, "")).await? {
            suite.add_corp(&corp, kept.agent_id);
        }
        Ok(())
    }

    /// Goes on with every authorisation that is not done.
    async fn authorize(&self, app: &AppName, suite: &Suite) -> Result<(), KvError> {
        let pending: Vec<(String, Pending)> = self.register.all(&pending_key(suite, "")).await?;
        for (corp, state) in pending {
            match self.authorize_one(suite, &corp, state).await? {
                Ok(()) => tracing::info!(%app, corp, "an organisation uses the app"),
                Err(
                    error @ (ApiError::Unavailable { .. }
                    | ApiError::RateLimited { .. }
                    | ApiError::OutcomeUnknown { .. }),
                ) => {
                    tracing::warn!(%app, corp, %error, "cannot go on with an authorisation now");
                }
                Err(error) => {
                    tracing::error!(%app, corp, %error,
                        "an authorisation failed; the organisation must open the app again");
                    self.register.remove(pending_key(suite, &corp)).await?;
                }
            }
        }
        Ok(())
    }

    async fn authorize_one(
        &self,
        suite: &Suite,
        corp: &str,
        state: Pending,
    ) -> Result<Result<(), ApiError>, KvError> {
        let permanent = match state {
            Pending::Permanent(code) => code,
            Pending::Code(code) => {
                let exchanged = match suite.permanent_code(&code.into()).await {
                    Ok(exchanged) => exchanged,
                    Err(error) => return Ok(Err(error)),
                };
                let code = exchanged.code.expose().to_owned();
                // The code cannot be exchanged twice, so what it was exchanged for is kept before anything else.
                let pending = Pending::Permanent(code.clone());
                let key = pending_key(suite, corp);
                self.register.put(key, Some(&pending)).await?;
                code
            }
        };
        let activated = suite.activate(corp, &Secret::new(permanent.as_str())).await;
        let info = match activated {
            Ok(()) => suite.auth_info(corp, clock::now()).await,
            Err(error) => return Ok(Err(error)),
        };
        let info = match info {
            Ok(info) => info,
            Err(error) => return Ok(Err(error)),
        };
        let kept = Corp {
            permanent_code: Some(permanent),
            agent_id: info.agent_ids.first().copied(),
        };
        self.register.take_corp(suite, corp, &kept).await?;
        self.register.remove(pending_key(suite, corp)).await?;
        Ok(Ok(()))
    }
}
