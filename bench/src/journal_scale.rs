//! Appends, and claims with their endings, in a journal of 5 million events against an empty one.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use belfry::journal::SqliteJournal;

use crate::journal::{Keys, append_and_end, claim_and_finish, event, open_journal};
use crate::places::Places;
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};

/// Events of the large journal, unless `--events` says otherwise.
const EVENTS: u32 = 5_000_000;
/// Events of one transaction when a journal is filled.
const PIECE: u32 = 20_000;
/// Deliveries that are claimed and finished in one turn.
const OPEN: u32 = 10_000;
/// 1.2 times as long is this much of the rate.
const GOAL: Goal = Goal::RatioAtLeast(1.0 / 1.2);

/// Measures both rates.
pub(crate) async fn measure(
    places: &Places,
    rounds: Rounds,
    events: Option<u32>,
) -> anyhow::Result<Vec<Line>> {
    let events = events.unwrap_or(EVENTS);
    let folder = places.fresh("journal-scale")?;
    let large = open_journal(&folder.join("large.db")).await?;
    eprintln!("bench: filling a journal with {events} events");
    fill(&large, events, true).await?;
    let (large, empty_path) = (&large, folder.join("empty.db"));
    let appends = rounds
        .take(async |side, time| {
            let journal = choose(side, large, &empty_path).await?;
            append_and_end(&journal, Keys::Random, time).await
        })
        .await?;
    let claims = rounds
        .take(async |side, _| {
            let journal = choose(side, large, &empty_path).await?;
            fill(&journal, OPEN, false).await?;
            let start = Instant::now();
            let finished = claim_and_finish(&journal).await?;
            ensure!(finished == OPEN, "{finished} of {OPEN} deliveries were due");
            Ok(f64::from(finished) / start.elapsed().as_secs_f64())
        })
        .await?;
    let line = |what: &str, rounds| {
        let name = format!("{what}, {events} events");
        Line::compared(name, Unit::PerSecond, GOAL, rounds)
    };
    Ok(vec![line("append", appends), line("claim", claims)])
}

/// The large journal, or a new one.
async fn choose(
    side: Side,
    large: &Arc<SqliteJournal>,
    empty: &Path,
) -> anyhow::Result<Arc<SqliteJournal>> {
    match side {
        Side::Ours => Ok(Arc::clone(large)),
        Side::Yardstick => {
            for end in ["", "-wal", "-shm"] {
                let mut path = empty.as_os_str().to_owned();
                path.push(end);
                let _ = std::fs::remove_file(path);
            }
            open_journal(empty).await
        }
    }
}

/// Appends events with one delivery each, done or open, as fast as can be.
pub(crate) async fn fill(
    journal: &SqliteJournal,
    events: u32,
    are_done: bool,
) -> anyhow::Result<()> {
    let mut left = events;
    while left > 0 {
        let piece = left.min(PIECE);
        let events = (0..piece).map(|number| event(number % 64, Keys::Random));
        journal.fill(events.collect(), are_done).await?;
        left -= piece;
    }
    Ok(())
}
