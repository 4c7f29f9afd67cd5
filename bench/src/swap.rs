//! A plugin is swapped under 2,000 events a second: is one lost or run twice, and how long does the slowest wait?
//!
//! Each swap brings a component that was never compiled before, so that compilation is part of the second that is
//! measured. It is compared with the 99th percentile of the ordinary seconds around it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use belfry::app::Host;
use tokio::task::JoinSet;

use crate::places::Places;
use crate::push::{Pace, Pusher, Sample};
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Round, Rounds};
use crate::settings::{self, ECHO, Listeners, Plugin};
use crate::upstream::Upstream;

/// Messages a second.
const RATE: u32 = 2_000;
/// Conversations they are spread over.
const SENDERS: u32 = 128;
/// Nothing counts before this time has passed.
const WARM_UP: Duration = Duration::from_secs(2);
/// Between two swaps.
const BETWEEN: Duration = Duration::from_secs(4);
/// On each side of the moment at which the new snapshot is active: the second of the swap.
const HALF: Duration = Duration::from_millis(500);
/// How long a swap may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures as many swaps as there are rounds.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let folder = places.fresh("swap")?;
    let (upstream, calls) = Upstream::start(SENDERS as usize).await?;
    let original = std::fs::read(places.plugin("echo")?)?;
    let component = folder.join("echo.wasm");
    std::fs::write(&component, &original)?;
    let plugins = [Plugin {
        name: "echo".to_owned(),
        component: &component,
        settings: ECHO,
    }];
    let config = settings::write(&folder, &Listeners::any(), upstream.address(), &plugins)?;
    let host = Host::start(&config).await?;

    let start = Instant::now() + Duration::from_millis(100);
    let pace = Pace {
        start,
        every: Duration::from_secs(1) * SENDERS / RATE,
        end: start + WARM_UP + BETWEEN * rounds.count() + BETWEEN / 2,
    };
    let mut running = JoinSet::new();
    let (public, pushers) = (host.public, Pusher::all(&upstream, calls, 1));
    for (number, mut pusher) in (0..SENDERS).zip(pushers) {
        let pace = Pace {
            start: pace.start + pace.every * number / SENDERS,
            ..pace
        };
        running.spawn(async move {
            let samples = pusher.push_steadily(public, pace).await;
            (pusher, samples)
        });
    }
    let mut swaps = Vec::new();
    for number in 0..rounds.count() {
        let at = pace.start + WARM_UP + BETWEEN * number + BETWEEN / 4;
        tokio::time::sleep_until(at.into()).await;
        swaps.push(swap(&host, &component, &original, number).await?);
    }
    let (mut samples, mut pushers) = (Vec::new(), Vec::new());
    while let Some(ended) = running.join_next().await {
        let (pusher, done) = ended?;
        samples.extend(done?);
        pushers.push(pusher);
    }
    host.stop().await;
    let left_over: usize = pushers.iter_mut().map(Pusher::left_over).sum();
    lines(&samples, &swaps, pace, left_over)
}

/// Puts a component of the same behaviour and another digest in place, and says when it was active.
async fn swap(
    host: &Host,
    component: &Path,
    original: &[u8],
    number: u32,
) -> anyhow::Result<Instant> {
    let before = host.snapshot.load().generation;
    let fresh = component.with_extension("new");
    std::fs::write(
        &fresh,
        settings::variant(original, &format!("swap {number}")),
    )?;
    std::fs::rename(&fresh, component)?;
    let begun = Instant::now();
    while host.snapshot.load().generation == before {
        ensure!(begun.elapsed() < PATIENCE, "the swap did not happen");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(Instant::now())
}

#[allow(clippy::cast_precision_loss)]
fn lines(
    samples: &[Sample],
    swaps: &[Instant],
    pace: Pace,
    left_over: usize,
) -> anyhow::Result<Vec<Line>> {
    let lost = samples
        .iter()
        .filter(|sample| sample.took.is_none())
        .count();
    let strange: usize = samples.iter().map(|sample| sample.strange).sum();
    let took = |from: Instant, to: Instant| -> Vec<f64> {
        samples
            .iter()
            .filter(|sample| (from..to).contains(&sample.at))
            .filter_map(|sample| Some(sample.took?.as_secs_f64() * 1e3))
            .collect()
    };
    let mut rounds = Vec::new();
    let mut slowest_ordinary = Vec::new();
    for (number, swap) in (0_u32..).zip(swaps) {
        let slowest = took(*swap - HALF, *swap + HALF)
            .into_iter()
            .fold(f64::NAN, f64::max);
        // The second before the file is put in place: its compilation cannot reach there.
        let before = pace.start + WARM_UP + BETWEEN * number;
        let mut ordinary = took(before - HALF * 2 + BETWEEN / 4, before + BETWEEN / 4);
        ordinary.sort_by(f64::total_cmp);
        let p99 = ordinary
            .get(ordinary.len() * 99 / 100)
            .context("nothing was sent in the second before a swap")?;
        slowest_ordinary.push(Round {
            ours: ordinary.last().copied().unwrap_or(f64::NAN),
            yardstick: *p99,
        });
        rounds.push(Round {
            ours: slowest,
            yardstick: *p99,
        });
    }
    Ok(vec![
        Line::absolute(
            "swap at 2,000/s, events lost or run twice",
            Unit::Count,
            Goal::Below(1.0),
            (lost + strange + left_over) as f64,
        ),
        Line::compared(
            "swap at 2,000/s, slowest against p99",
            Unit::Milliseconds,
            Goal::RatioAtMost(3.0),
            rounds,
        ),
        Line::compared(
            "no swap at 2,000/s, slowest against p99",
            Unit::Milliseconds,
            Goal::Shown,
            slowest_ordinary,
        ),
    ])
}
