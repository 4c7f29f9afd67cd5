//! Claims deliveries that are due, runs them and records how they ended.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::attempt::Outcome;
use crate::clock::{self, UnixMs};
use crate::failpoint::{self, Point};
use crate::ids::PluginName;
use crate::journal::{Claimed, Ending, Journal, Places};
use crate::meter::{self, Metric};
use crate::retry::{self, Next, Policy, Tries};
use crate::wake::Waker;

/// The longest sleep without a look into the journal.
const IDLE: Duration = Duration::from_secs(30);
/// The pause after the journal could not be used.
const TROUBLE: Duration = Duration::from_millis(500);

/// Attempts by how they ended.
pub const ATTEMPTS: Metric = Metric::counter(
    "belfry_attempts_total",
    &["plugin", "outcome"],
    "Attempts that ended, by how.",
);
/// How long attempts take.
pub const ATTEMPT_SECONDS: Metric = Metric::histogram(
    "belfry_attempt_duration_seconds",
    &["plugin"],
    meter::SECONDS,
    "Time an attempt took, waiting included.",
);
/// Attempts now under way.
pub const RUNNING: Metric = Metric::gauge(
    "belfry_attempts_running",
    &[],
    "Attempts that are running now.",
);
/// What became of deliveries after an attempt.
pub const DELIVERIES: Metric = Metric::counter(
    "belfry_deliveries_total",
    &["plugin", "state"],
    "What became of deliveries after an attempt: done, retry, dead or parked.",
);

/// Runs one attempt. The host runs plugins; a benchmark runs the same handler natively.
#[async_trait]
pub trait Run: Send + Sync + 'static {
    /// Runs the delivery's plugin and says how it ended.
    async fn run(&self, claimed: &Claimed) -> Outcome;

    /// How many attempts of a plugin may run at one time; its deliveries wait where it is none.
    fn places(&self, _plugin: &PluginName, _now: UnixMs) -> usize {
        usize::MAX
    }

    /// When a plugin that has no places gets one again.
    fn next_probe(&self, _now: UnixMs) -> Option<UnixMs> {
        None
    }
}

/// What the dispatcher works with.
pub struct Dispatch {
    /// Where deliveries come from.
    pub journal: Arc<dyn Journal>,
    /// Who runs them.
    pub run: Arc<dyn Run>,
    /// When failed ones run again.
    pub retry: Policy,
    /// Attempts at one time.
    pub max_concurrent: usize,
    /// Who wakes it.
    pub waker: Waker,
}

impl Dispatch {
    /// Runs until `stop`, then waits for the running attempts.
    pub async fn serve(self, stop: CancellationToken) {
        let dispatch = Arc::new(self);
        let places = Arc::new(Semaphore::new(dispatch.max_concurrent));
        let mut running = JoinSet::new();
        while !stop.is_cancelled() {
            while running.try_join_next().is_some() {}
            let claimed = dispatch.claim_and_start(&places, &mut running).await;
            RUNNING.set(&[], meter::number(running.len()));
            let wait = match claimed {
                Some(wait) => wait,
                None => continue,
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = dispatch.waker.woken() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Starts what is due. Answers how long to wait, or `None` when there may be more at once.
    async fn claim_and_start(
        self: &Arc<Self>,
        places: &Arc<Semaphore>,
        running: &mut JoinSet<()>,
    ) -> Option<Duration> {
        let free = places.available_permits();
        if free == 0 {
            // An attempt that ends wakes us.
            return Some(IDLE);
        }
        let now = clock::now();
        let run = Arc::clone(&self.run);
        let places_by_plugin = Places {
            free,
            most: Arc::new(move |plugin| run.places(plugin, now)),
        };
        let claims = match self.journal.claim_due(now, places_by_plugin).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::error!(%error, "cannot claim deliveries");
                return Some(TROUBLE);
            }
        };
        let claimed_all = claims.due.len() == free;
        for claimed in claims.due {
            let Ok(place) = Arc::clone(places).try_acquire_owned() else {
                break;
            };
            let dispatch = Arc::clone(self);
            running.spawn(async move {
                dispatch.attempt(claimed).await;
                drop(place);
                dispatch.waker.wake();
            });
        }
        if claimed_all {
            return None;
        }
        let next = [claims.next_due, self.run.next_probe(now)];
        let until_due = next.into_iter().flatten().min().map_or(IDLE, |due| {
            Duration::from_millis(u64::try_from(due.0 - now.0).unwrap_or(0))
        });
        Some(until_due.min(IDLE))
    }

    async fn attempt(self: &Arc<Self>, claimed: Claimed) {
        let started = clock::instant();
        let attempts = claimed.attempts + 1;
        // A panic of the host costs this attempt and no more: nothing that it left half done is used again.
        let run = AssertUnwindSafe(self.run.run(&claimed)).catch_unwind();
        let outcome = run.await.unwrap_or_else(|panic| Outcome::HostFault {
            reason: panic_words(&*panic).to_owned(),
        });
        let now = clock::now();
        let tries = Tries {
            attempts,
            spared: claimed.spared,
            received_at: claimed.envelope.received_at,
            seed: seed(&claimed),
        };
        let next = retry::after(&outcome, tries, now, &self.retry);
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (event, plugin) = (claimed.id.event, &claimed.id.plugin);
        ATTEMPTS.count(&[plugin.as_str(), outcome.word()]);
        ATTEMPT_SECONDS.observe(&[plugin.as_str()], started.elapsed().as_secs_f64());
        let reason = outcome.to_string();
        match &next {
            Next::Finish => tracing::info!(%event, %plugin, attempts, took_ms, "delivery done"),
            Next::Retry { at, spared } => {
                tracing::warn!(%event, %plugin, attempts, took_ms, reason, spared, in_ms = at.0 - now.0, "attempt failed, will retry");
            }
            Next::DeadLetter => {
                tracing::error!(%event, %plugin, attempts, took_ms, reason, "delivery is a dead letter");
            }
            Next::Park => {
                tracing::error!(%event, %plugin, attempts, took_ms, reason, "delivery parked");
            }
        }
        let state = match &next {
            Next::Finish => "done",
            Next::Retry { .. } => "retry",
            Next::DeadLetter => "dead",
            Next::Park => "parked",
        };
        DELIVERIES.count(&[plugin.as_str(), state]);
        let ending = match next {
            Next::Finish => Ending::Done,
            Next::Retry { at, spared } => Ending::Retry { at, reason, spared },
            Next::DeadLetter => Ending::Dead { reason },
            Next::Park => Ending::Parked { reason },
        };
        self.record(&claimed, ending).await;
    }

    /// Until the journal takes it: a delivery whose end is not recorded must not run again in this process.
    async fn record(&self, claimed: &Claimed, ending: Ending) {
        failpoint::pass(Point::BeforeEnding);
        let mut pause = TROUBLE;
        while let Err(error) = self
            .journal
            .finish(&claimed.id, ending.clone(), clock::now())
            .await
        {
            tracing::error!(event = %claimed.id.event, plugin = %claimed.id.plugin, %error, "cannot record the end of a delivery");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(IDLE);
        }
    }
}

/// What a panic said.
fn panic_words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied())
        .unwrap_or("a panic without words")
}

/// A number of the delivery's own, for the jitter of its pauses.
fn seed(claimed: &Claimed) -> u64 {
    // The end of the id is random; the plugin tells the deliveries of one event apart.
    let [.., a, b, c, d] = *claimed.id.event.as_bytes();
    let plugin = claimed.id.plugin.as_str().bytes();
    plugin.fold(
        u32::from_be_bytes([a, b, c, d]).into(),
        |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Envelope, Kind, Origin};
    use crate::journal::{Filter, MemoryJournal, NewEvent, State};

    /// Runs what is called `sound` and panics at everything else.
    struct Fragile;

    #[async_trait]
    impl Run for Fragile {
        async fn run(&self, claimed: &Claimed) -> Outcome {
            let name = claimed.id.plugin.as_str();
            tokio::task::yield_now().await;
            assert!(name == "sound", "a bug of the host");
            Outcome::Done
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_host_costs_one_attempt() {
        let journal = Arc::new(MemoryJournal::default());
        let event = NewEvent {
            envelope: Envelope {
                id: clock::event_id(),
                app: "acme".into(),
                origin: Origin::Callback,
                received_at: clock::now(),
                raw: "{}".into(),
            },
            kind: Kind::Other,
            dedupe: None,
            key: None,
            plugins: ["broken", "sound"].map(Into::into).into(),
        };
        journal.append(event).await.unwrap();
        let stop = CancellationToken::new();
        let dispatch = Dispatch {
            journal: Arc::clone(&journal) as _,
            run: Arc::new(Fragile),
            retry: Policy {
                max_attempts: 1,
                ..Policy::default()
            },
            max_concurrent: 2,
            waker: Waker::default(),
        };
        #[allow(clippy::disallowed_methods)]
        let serving = tokio::spawn(dispatch.serve(stop.clone()));
        while journal.open().await.unwrap().pending > 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        serving.await.unwrap();
        let event = journal.list(&Filter::default()).await.unwrap().remove(0);
        let ends = event.deliveries.into_iter();
        let ends: Vec<_> = ends.map(|end| (end.state, end.reason)).collect();
        let reason = "belfry failed: a bug of the host".to_owned();
        assert_eq!(ends, [(State::Dead, Some(reason)), (State::Done, None)]);
    }
}
