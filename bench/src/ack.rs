//! The 99th percentile from push to acknowledgement while 10,000 deliveries wait, against none.
//!
//! Both sides are whole hosts. The one works through its queue at some hundred deliveries a second, and is filled up again
//! before each turn; the other ends every delivery at once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use belfry::app::{Host, Overrides};
use belfry::attempt::Outcome;
use belfry::dispatch::Run;
use belfry::journal::Claimed;

use crate::places::Places;
use crate::push::{Acks, push_for_acks};
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};
use crate::settings::{self, ECHO, Listeners, Plugin};
use crate::upstream::Upstream;

/// Deliveries that wait at the beginning of a turn.
const QUEUED: usize = 10_000;
/// Messages on their way at one time while it is measured.
const SENDERS: usize = 8;
/// The same while the queue is filled.
const FILLERS: usize = 64;
/// How long a delivery of the long queue takes.
const WORK: Duration = Duration::from_millis(100);

/// Ends deliveries after a time, and counts them.
pub(crate) struct Slow {
    work: Duration,
    ended: AtomicUsize,
}

impl Slow {
    /// Takes so long for each.
    pub(crate) fn new(work: Duration) -> Arc<Self> {
        Arc::new(Self {
            work,
            ended: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Run for Slow {
    async fn run(&self, _: &Claimed) -> Outcome {
        tokio::time::sleep(self.work).await;
        self.ended.fetch_add(1, Ordering::Relaxed);
        Outcome::Done
    }
}

/// Measures milliseconds.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let (upstream, _calls) = Upstream::start(0).await?;
    let echo = places.plugin("echo")?;
    let (worker, idler) = (Slow::new(WORK), Slow::new(Duration::ZERO));
    let folder = places.fresh("ack-queued")?;
    let queued = start(&folder, &echo, &upstream, Arc::clone(&worker)).await?;
    let folder = places.fresh("ack-empty")?;
    let empty = start(&folder, &echo, &upstream, idler).await?;
    let mut pushed = 0;
    let compared = rounds
        .take(async |side, time| {
            let host = match side {
                Side::Ours => {
                    let waiting = pushed - worker.ended.load(Ordering::Relaxed);
                    let more = Acks::Count(QUEUED.saturating_sub(waiting));
                    pushed += push_for_acks(queued.public, FILLERS, more).await?.len();
                    queued.public
                }
                Side::Yardstick => empty.public,
            };
            let mut took = push_for_acks(host, SENDERS, Acks::For(time)).await?;
            ensure!(!took.is_empty(), "nothing was acknowledged");
            if let Side::Ours = side {
                pushed += took.len();
            }
            took.sort();
            Ok(took[took.len() * 99 / 100].as_secs_f64() * 1e3)
        })
        .await?;
    queued.stop().await;
    empty.stop().await;
    Ok(vec![Line::compared(
        "acknowledgement p99, 10,000 queued",
        Unit::Milliseconds,
        Goal::RatioAtMost(2.0),
        compared,
    )])
}

/// A host that hands its deliveries to `run`.
pub(crate) async fn start(
    folder: &Path,
    echo: &Path,
    upstream: &Upstream,
    run: Arc<Slow>,
) -> anyhow::Result<Host> {
    let plugins = [Plugin {
        name: "echo".to_owned(),
        component: echo,
        settings: ECHO,
    }];
    let config = settings::write(folder, &Listeners::any(), upstream.address(), &plugins)?;
    let overrides = Overrides {
        run: Some(Box::new(|_| run)),
        ..Overrides::default()
    };
    Host::start_with(&config, overrides).await
}
