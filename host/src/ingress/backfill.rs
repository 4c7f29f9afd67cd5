//! Fetches what did not arrive: pushes that DingTalk could not deliver, and the ends of approvals that nobody told of.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dingtalk::{ApiError, Event, EventBody, FailedPush};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::outage::Gaps;
use super::{Arrived, Ingress};
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
        let mut plans: HashMap<AppName, (Weak<App>, Plan)> = HashMap::new();
        let mut gaps = Gaps::new(clock::now(), TICK);
        while !stop.is_cancelled() {
            let now = clock::now();
            let outage = outages.take() | gaps.slept(now);
            let active = self.ingress.snapshot.load();
            plans.retain(|name, _| active.apps.get(name).is_some_and(|app| is_wanted(app)));
            let mut due = Vec::new();
            for app in active.apps.values().filter(|app| is_wanted(app)) {
                let (known, plan) = plans
                    .entry(app.settings.name.clone())
                    .or_insert_with(|| (Arc::downgrade(app), Plan::new(now)));
                if !std::ptr::eq(known.as_ptr(), Arc::as_ptr(app)) {
                    (*known, *plan) = (Arc::downgrade(app), Plan::new(now));
                }
                if outage | plan.was_unreachable(app.client.outages()) {
                    plan.after_outage(now);
                }
                if let Some(thorough) = plan.take_due(now) {
                    due.push((app, thorough));
                }
            }
            let passes = due.iter().map(|(app, thorough)| async {
                let outcome = self.pass(&active, app, *thorough, &stop).await;
                (app.settings.name.clone(), outcome)
            });
            let ended = join_all(passes).await;
            // A pass may have taken as long as it liked.
            let now = clock::now();
            gaps.looked(now);
            for (name, outcome) in ended {
                if let Some((_, plan)) = plans.get_mut(&name) {
                    report(&name, plan, &outcome);
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

    /// Takes the failed list of one app, and asks for the approvals whose end is not known.
    async fn pass(
        &self,
        active: &Active,
        app: &App,
        thorough: bool,
        stop: &CancellationToken,
    ) -> Outcome {
        let taken = self.take(active, app, stop).await;
        let mut outcome = match taken {
            Ok(Taken { listed, known }) => {
                if listed > 0 {
                    tracing::info!(app = %app.settings.name, listed, known, "failed pushes fetched");
                }
                Outcome::Done
            }
            Err(stopped) => Outcome::of(stopped),
        };
        if thorough && !stop.is_cancelled() && !matches!(outcome, Outcome::Later { .. }) {
            match self.reconcile(active, app, stop).await {
                Ok(0) => {}
                Ok(ended) => {
                    tracing::info!(app = %app.settings.name, ended, "approvals ended without an event");
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
        app: &App,
        stop: &CancellationToken,
    ) -> Result<Taken, Stopped> {
        let mut taken = Taken::default();
        for _ in 0..MOST_PIECES {
            if stop.is_cancelled() {
                break;
            }
            self.ingress.journal.probe(clock::now()).await?;
            let piece = app.client.callback_failed().await?;
            let listed = piece.pushes.len();
            taken.listed += listed;
            taken.known += self.keep(active, app, piece.pushes, stop).await;
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
        app: &App,
        pushes: Vec<FailedPush>,
        stop: &CancellationToken,
    ) -> usize {
        let name = &app.settings.name;
        let mut known = 0;
        let looks = pushes.iter().map(|push| self.arrived(app, push));
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
    async fn arrived(&self, app: &App, push: &FailedPush) -> Option<Arrived> {
        // What the list has is an object with a type, so it reads.
        let event = Event::parse(&push.json).ok()?;
        if matches!(event.body, EventBody::UrlCheck) {
            return None;
        }
        let dedupe = Dedupe {
            key: event.dedupe_key(&push.json),
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
            raw: push.json.clone(),
            content,
            dedupe: Some(dedupe),
        })
    }
}

/// Whether one of these texts reports the same event.
fn is_among(event: &Event, texts: &[String]) -> bool {
    texts
        .iter()
        .filter_map(|text| Event::parse(text).ok())
        .any(|other| event.repeats(&other))
}

fn is_wanted(app: &App) -> bool {
    let callback = app.settings.callback.as_ref();
    // The list of a third-party app is one of each organisation.
    app.suite.is_none()
        && app.settings.receive.contains(&Receive::Callback)
        && callback.is_some_and(|callback| callback.backfill)
}

/// One line for a trouble, and one when it is over.
fn report(app: &AppName, plan: &Plan, outcome: &Outcome) {
    match outcome {
        Outcome::Refused { reason } if !plan.is_refused() => tracing::warn!(%app, reason,
            "dingtalk does not let the app read its list of failed pushes, which is not logged again; allow it or set callback.backfill = false"),
        Outcome::Later { reason, .. } if !plan.is_failing() => {
            tracing::warn!(%app, reason, "cannot fetch failed pushes now");
        }
        Outcome::Lost { reason } => tracing::error!(%app, reason,
            "an answer with failed pushes got lost; what it listed does not come again"),
        Outcome::Done if plan.is_refused() || plan.is_failing() => {
            tracing::info!(%app, "failed pushes can be fetched again");
        }
        _ => {}
    }
}
