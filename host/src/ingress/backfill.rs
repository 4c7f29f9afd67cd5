//! Fetches what did not arrive: pushes that DingTalk could not deliver, and the ends of approvals that nobody told of.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dingtalk::{ApiError, Client, Event, EventBody, FailedPush};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::outage::Gaps;
use super::{Arrived, Ingress, suite};
use crate::active::{Active, App};
use crate::clock;
use crate::config::Receive;
use crate::event::{Content, Origin};
use crate::ids::AppName;
use crate::journal::{Dedupe, JournalError, SqliteJournal};

use self::plan::{Outcome, Plan};

mod approvals;
mod plan;

#[cfg(test)]
mod tests;

/// How often the plans are looked at.
const TICK: Duration = Duration::from_secs(5);
/// Between two attempts to store what was read.
const TROUBLE: Duration = Duration::from_secs(1);
/// Lists that are read at one time; a third-party app has one of each organisation.
const AT_ONCE: usize = 8;
/// Pieces of a failed list that are read in one go.
const MOST_PIECES: usize = 500;
/// An event arrives at most this long before the time by which the failed list has it, clocks included.
const EARLIER: Duration = Duration::from_secs(120);
/// And this long after it: DingTalk pushes for forty seconds.
const LATER: Duration = Duration::from_secs(900);

/// Fetches what did not arrive.
pub struct Backfill {
    /// The way in that everything takes.
    pub ingress: Ingress,
    /// What arrived.
    pub journal: Arc<SqliteJournal>,
}

/// An app, and the organisation if it is a third-party app.
type Name = (AppName, Option<String>);

/// Whose failed list it is.
struct Target {
    app: Arc<App>,
    /// The organisation, of a third-party app.
    corp: Option<String>,
    client: Client,
}

impl Target {
    fn name(&self) -> Name {
        (self.app.settings.name.clone(), self.corp.clone())
    }
}

/// What became of a failed list.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Taken {
    listed: usize,
    /// Those among them that had arrived before.
    known: usize,
}

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Dingtalk(#[from] ApiError),
    /// Nothing is read that cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Backfill {
    /// Fetches at the start, after outages and now and then, until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let outages = self.ingress.outages.clone();
        // A changed app is another one: it may be allowed now what it was refused before.
        let mut plans: HashMap<Name, (Weak<App>, Plan)> = HashMap::new();
        let mut gaps = Gaps::new(clock::now(), TICK);
        while !stop.is_cancelled() {
            let now = clock::now();
            let outage = outages.take() | gaps.slept(now);
            let active = self.ingress.snapshot.load();
            let targets: HashMap<Name, Target> = targets(&active)
                .map(|target| (target.name(), target))
                .collect();
            plans.retain(|name, _| targets.contains_key(name));
            let mut due = Vec::new();
            for (name, target) in &targets {
                let app = &target.app;
                let (known, plan) = plans
                    .entry(name.clone())
                    .or_insert_with(|| (Arc::downgrade(app), Plan::new(now)));
                if !std::ptr::eq(known.as_ptr(), Arc::as_ptr(app)) {
                    (*known, *plan) = (Arc::downgrade(app), Plan::new(now));
                }
                if outage | plan.was_unreachable(target.client.outages()) {
                    plan.after_outage(now);
                }
                if let Some(thorough) = plan.take_due(now) {
                    due.push((target, thorough));
                }
            }
            let mut passes = Vec::new();
            for (target, thorough) in due {
                let pass = self.pass(&active, target, thorough, &stop);
                passes.push(async move { (target, pass.await) });
            }
            let ended: Vec<_> = stream::iter(passes)
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            // A pass may have taken as long as it liked.
            let now = clock::now();
            gaps.looked(now);
            for (target, outcome) in ended {
                if let Some((_, plan)) = plans.get_mut(&target.name()) {
                    report(target, plan, &outcome);
                    plan.ended(&outcome, now);
                }
            }
            let due = plans.values().filter_map(|(_, plan)| plan.next()).min();
            let wait = due.map_or(TICK, |at| {
                Duration::from_millis(u64::try_from(at.0 - now.0).unwrap_or(0)).min(TICK)
            });
            tokio::select! {
                () = stop.cancelled() => return,
                () = outages.noted() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Takes the failed list of one app, or of one organisation of it, and asks for the approvals whose end is not known.
    async fn pass(
        &self,
        active: &Active,
        target: &Target,
        thorough: bool,
        stop: &CancellationToken,
    ) -> Outcome {
        let (app, corp) = (&target.app, target.corp.as_deref());
        let taken = self.take(active, target, stop).await;
        let mut outcome = match taken {
            Ok(Taken { listed, known }) => {
                if listed > 0 {
                    tracing::info!(app = %app.settings.name, corp, listed, known, "failed pushes fetched");
                }
                Outcome::Done
            }
            Err(stopped) => Outcome::of(stopped),
        };
        if thorough && !stop.is_cancelled() && !matches!(outcome, Outcome::Later { .. }) {
            match self.reconcile(active, target, stop).await {
                Ok(0) => {}
                Ok(ended) => {
                    tracing::info!(app = %app.settings.name, corp, ended, "approvals ended without an event");
                }
                Err(stopped) => outcome = Outcome::of(stopped),
            }
        }
        outcome
    }

    /// Reads the failed list to its end. Reading takes entries off the list for ever, so nothing is read while the
    /// journal takes no writes, and what was read is stored before anything else happens, also while belfry stops.
    async fn take(
        &self,
        active: &Active,
        target: &Target,
        stop: &CancellationToken,
    ) -> Result<Taken, Stopped> {
        let mut taken = Taken::default();
        for _ in 0..MOST_PIECES {
            if stop.is_cancelled() {
                break;
            }
            self.ingress.journal.probe(clock::now()).await?;
            let piece = target.client.callback_failed().await?;
            let listed = piece.pushes.len();
            taken.listed += listed;
            taken.known += self.keep(active, target, piece.pushes, stop).await;
            if listed == 0 || !piece.has_more {
                break;
            }
        }
        Ok(taken)
    }

    /// Stores pushes and says how many of them had arrived before.
    async fn keep(
        &self,
        active: &Active,
        target: &Target,
        pushes: Vec<FailedPush>,
        stop: &CancellationToken,
    ) -> usize {
        let name = &target.app.settings.name;
        let mut known = 0;
        let looks = pushes.iter().map(|push| self.arrived(active, target, push));
        let mut open = Vec::new();
        for (push, arrived) in pushes.iter().zip(join_all(looks).await) {
            match arrived {
                Some(arrived) => open.push(arrived),
                None => {
                    known += 1;
                    tracing::debug!(app = %name, event_type = push.event_type, "failed push is known");
                }
            }
        }
        let mut tries_after_stop = 3;
        while !open.is_empty() {
            // Together, so that they share a commit; in their order, because each asks for its place at once.
            let kept = open
                .iter()
                .map(|arrived| self.ingress.accept(active, arrived.clone()));
            let kept = join_all(kept).await;
            let mut left = Vec::new();
            for (arrived, kept) in open.into_iter().zip(kept) {
                match kept {
                    Ok(is_new) => known += usize::from(!is_new),
                    Err(error) => left.push((arrived, error)),
                }
            }
            let Some((_, error)) = left.first() else {
                break;
            };
            if stop.is_cancelled() {
                tries_after_stop -= 1;
            }
            if tries_after_stop == 0 {
                tracing::error!(app = %name, %error, lost = left.len(),
                    "failed pushes were fetched and cannot be stored; dingtalk does not list them again");
                break;
            }
            tracing::error!(app = %name, %error, waiting = left.len(),
                "failed pushes were fetched and cannot be stored yet");
            open = left.into_iter().map(|(arrived, _)| arrived).collect();
            tokio::time::sleep(TROUBLE).await;
        }
        known
    }

    /// A push of the failed list as an event that arrived; `None` if it arrived before.
    async fn arrived(
        &self,
        active: &Active,
        target: &Target,
        push: &FailedPush,
    ) -> Option<Arrived> {
        let app = &target.app;
        let raw = with_corp(&push.json, target.corp.as_deref());
        // What the list has is an object with a type, so it reads.
        let event = Event::parse(&raw).ok()?;
        if matches!(event.body, EventBody::UrlCheck)
            || self.is_of_suite(active, app, &event, &raw).await
        {
            return None;
        }
        let dedupe = Dedupe {
            key: event.dedupe_key(&raw),
            window: None,
        };
        let content = Content::Dingtalk(event.clone());
        if event.event_id.is_none()
            && event.biz_id.is_none()
            && let Some(at) = event.occurred_at
        {
            let span = (clock::earlier(at, EARLIER), clock::later(at, LATER));
            let texts = self
                .journal
                .texts(&app.settings.name, content.kind(), span)
                .await
                // Twice is better than not at all.
                .unwrap_or_default();
            if is_among(&event, &texts) {
                return None;
            }
        }
        Some(Arrived {
            app: app.settings.name.clone(),
            origin: Origin::Backfill,
            raw,
            content,
            dedupe: Some(dedupe),
        })
    }

    /// Gives what concerns the suite itself to whom it belongs: tickets and codes must not reach the journal.
    async fn is_of_suite(&self, active: &Active, app: &App, event: &Event, raw: &str) -> bool {
        let Some(suite) = &app.suite else {
            return false;
        };
        for _ in 0..3 {
            match suite::take(&self.ingress, active, app, suite, (event, raw)).await {
                Ok(is_taken) => return is_taken,
                Err(error) => {
                    tracing::error!(app = %app.settings.name, %error, "what was fetched of the suite cannot be kept yet");
                    tokio::time::sleep(TROUBLE).await;
                }
            }
        }
        true
    }
}

/// An entry in the list of an organisation, which does not always name it.
fn with_corp(json: &str, corp: Option<&str>) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json);
    let (Some(corp), Ok(mut value)) = (corp, value) else {
        return json.to_owned();
    };
    if Event::parse(json).is_ok_and(|event| event.corp_id.is_none()) {
        value["CorpId"] = corp.into();
    }
    value.to_string()
}

/// Whether one of these texts reports the same event.
fn is_among(event: &Event, texts: &[String]) -> bool {
    texts
        .iter()
        .filter_map(|text| Event::parse(text).ok())
        .any(|other| event.repeats(&other))
}

/// The lists that are read: of each app, and of each organisation of a third-party app that can call for it.
fn targets(active: &Active) -> impl Iterator<Item = Target> {
    let wanted = active.apps.values().filter(|app| is_wanted(app));
    wanted.flat_map(|app| {
        let corps = match &app.suite {
            None => vec![None],
            Some(suite) if suite.has_ticket() => suite.corps().into_iter().map(Some).collect(),
            Some(_) => Vec::new(),
        };
        corps.into_iter().map(|corp| Target {
            app: Arc::clone(app),
            client: app.client_of(corp.as_deref()),
            corp,
        })
    })
}

fn is_wanted(app: &App) -> bool {
    let callback = app.settings.callback.as_ref();
    app.settings.receive.contains(&Receive::Callback)
        && callback.is_some_and(|callback| callback.backfill)
}

/// One line for a trouble, and one when it is over.
fn report(target: &Target, plan: &Plan, outcome: &Outcome) {
    let (app, corp) = (&target.app.settings.name, target.corp.as_deref());
    match outcome {
        Outcome::Refused { reason } if !plan.is_refused() => tracing::warn!(%app, corp, reason,
            "dingtalk does not let the app read its list of failed pushes, which is not logged again; allow it or set callback.backfill = false"),
        Outcome::Later { reason, .. } if !plan.is_failing() => {
            tracing::warn!(%app, corp, reason, "cannot fetch failed pushes now");
        }
        Outcome::Lost { reason } => tracing::error!(%app, corp, reason,
            "an answer with failed pushes got lost; what it listed does not come again"),
        Outcome::Done if plan.is_refused() || plan.is_failing() => {
            tracing::info!(%app, corp, "failed pushes can be fetched again");
        }
        _ => {}
    }
}
