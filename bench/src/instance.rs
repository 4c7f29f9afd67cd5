//! One event of `echo` in a fresh instance, against wasmtime's floor for the same component in the same engine.
//!
//! Both sides instantiate, handle and drop; the one host call, `robot.reply`, is answered at once. belfry's side does all
//! that belfry does around it: it makes the task and the event for the guest, virtualises WASI, counts budgets, limits
//! memory and time, and sees to it that the call goes on if the guest does not. The floor has a prepared event, the smallest store that
//! links, WASI as it comes, and a host function that returns.

mod floor;
mod ours;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use belfry::app::METRICS;
use belfry::config::{Engine, Limits};
use belfry::engine::Sandbox;
use belfry::ids::PluginDigest;
use belfry::meter::Meter;

use crate::places::Places;
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};

/// How many events run between two looks at the clock.
const BATCH: u32 = 16;

/// Measures microseconds an event.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let text = "hello, what is the state of the deployment?";
    let Sides { ours, floor } = Sides::of(&places.plugin("echo")?, text).await?;
    let rounds = rounds
        .take(async |side, time| match side {
            // On workers of the runtime, where plugins run.
            Side::Ours => tokio::spawn(repeat(Arc::clone(&ours), time)).await?,
            Side::Yardstick => tokio::spawn(repeat(Arc::clone(&floor), time)).await?,
        })
        .await?;
    Ok(vec![Line::compared(
        "instance",
        Unit::Microseconds,
        Goal::RatioAtMost(1.5),
        rounds,
    )])
}

/// One way to handle the event.
pub(crate) trait Handle: Send + Sync + 'static {
    /// What is there when an event is to be handled.
    type Received: Send;

    /// Stands in for whoever read the event, which is no part of handling it.
    fn receive(&self) -> Self::Received;

    /// Handles it once, in a fresh instance.
    fn handle(&self, event: Self::Received) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// A component that handles a message in both ways, in one engine.
pub(crate) struct Sides {
    /// As belfry does it.
    pub(crate) ours: Arc<ours::Ours>,
    /// As little as wasmtime can.
    pub(crate) floor: Arc<floor::Floor>,
}

impl Sides {
    /// Compiles the component; both sides will handle a message of that text.
    pub(crate) async fn of(component: &Path, text: &str) -> anyhow::Result<Self> {
        // As in a running host, where counting is not free.
        Meter::start(METRICS);
        let bytes = std::fs::read(component)
            .with_context(|| format!("cannot read {}", component.display()))?;
        let sandbox = Sandbox::new(&Engine {
            max_concurrent: 64,
            cache: None,
        })?;
        let digest = PluginDigest::of(&bytes);
        let component = sandbox
            .compile(digest, bytes.into(), Limits::default().compile * 10)
            .await?;
        Ok(Self {
            ours: Arc::new(ours::Ours::new(&sandbox, &component, text)?),
            floor: Arc::new(floor::Floor::new(sandbox.engine(), &component, text)?),
        })
    }
}

async fn repeat(side: Arc<impl Handle>, time: Duration) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut events = 0_u32;
    while start.elapsed() < time {
        for _ in 0..BATCH {
            side.handle(side.receive()).await?;
        }
        events += BATCH;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(events))
}
