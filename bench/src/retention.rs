//! The 99th percentile and the longest time from push to acknowledgement while old events are removed and the file gives
//! their pages back, against the same host while nothing is removed.
//!
//! Removed is in the pieces in which the retention of a host removes, one after another without a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use belfry::clock;
use belfry::journal::SqliteJournal;

use crate::ack::{Slow, start};
use crate::journal_scale::fill;
use crate::places::Places;
use crate::push::{Acks, push_for_acks};
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Round, Rounds, Side};
use crate::upstream::Upstream;

/// Finished events at the beginning of a turn in which they are removed, unless `--events` says otherwise.
const OLD: u32 = 100_000;
/// Events that are removed before the file shrinks, as after a look at the size.
const STEP: usize = 1024;
/// Messages on their way at one time.
const SENDERS: usize = 8;

/// Measures milliseconds.
pub(crate) async fn measure(
    places: &Places,
    rounds: Rounds,
    events: Option<u32>,
) -> anyhow::Result<Vec<Line>> {
    let events = events.unwrap_or(OLD);
    let (upstream, _calls) = Upstream::start(0).await?;
    let echo = places.plugin("echo")?;
    let folder = places.fresh("retention")?;
    let host = start(&folder, &echo, &upstream, Slow::new(Duration::ZERO)).await?;
    let journal = host.journal();
    let (mut left, mut removed, mut shrunk) = (0, 0, 0);
    let mut longest = Vec::new();
    let percentiles = rounds
        .take(async |side, time| {
            let stop = Arc::new(AtomicBool::new(false));
            let removing = match side {
                Side::Yardstick => None,
                Side::Ours => {
                    fill(&journal, events.saturating_sub(left), true).await?;
                    let (journal, stop) = (Arc::clone(&journal), Arc::clone(&stop));
                    Some(tokio::spawn(async move { remove(&journal, &stop).await }))
                }
            };
            let mut took = push_for_acks(host.public, SENDERS, Acks::For(time)).await?;
            stop.store(true, Ordering::Relaxed);
            ensure!(!took.is_empty(), "nothing was acknowledged");
            if let Some(removing) = removing {
                let done = removing.await??;
                if let Some(after) = done.exhausted {
                    eprintln!("bench: everything was removed after {after:?} of {time:?}");
                }
                left = (left.max(events) + u32::try_from(took.len())?).saturating_sub(done.events);
                removed += done.events;
                shrunk += done.shrunk;
            }
            took.sort();
            longest.push(took[took.len() - 1].as_secs_f64() * 1e3);
            Ok(took[took.len() * 99 / 100].as_secs_f64() * 1e3)
        })
        .await?;
    host.stop().await;
    ensure!(
        shrunk > 0,
        "{removed} events were removed and the file did not shrink"
    );
    eprintln!("bench: {removed} events were removed and pages given back {shrunk} times");
    // The first two turns do not count, as above.
    let longest = longest[2..].chunks(2).map(|turns| Round {
        ours: turns[0],
        yardstick: turns[1],
    });
    let line = |what: &str, goal, rounds| {
        let name = format!("acknowledgement {what}, events removed");
        Line::compared(name, Unit::Milliseconds, goal, rounds)
    };
    Ok(vec![
        line("p99", Goal::Shown, percentiles),
        line("longest", Goal::Shown, longest.collect()),
    ])
}

/// What a turn removed.
struct Removed {
    events: u32,
    /// How often pages went back to the file system.
    shrunk: u32,
    /// When nothing old was left, if that was before the end.
    exhausted: Option<Duration>,
}

/// Removes what is done until `stop`.
async fn remove(journal: &SqliteJournal, stop: &AtomicBool) -> anyhow::Result<Removed> {
    let begun = Instant::now();
    let mut all = Removed {
        events: 0,
        shrunk: 0,
        exhausted: None,
    };
    while !stop.load(Ordering::Relaxed) {
        let now = clock::now();
        let removed = journal.prune(now, false, now, STEP).await?;
        if removed < STEP && all.exhausted.is_none() {
            all.exhausted = Some(begun.elapsed());
        }
        all.events += u32::try_from(removed)?;
        while journal.shrink().await? {
            all.shrunk += 1;
        }
    }
    Ok(all)
}
