//! How long `belfry serve` takes to be ready with 1,000,000 finished and 10,000 open deliveries in its journal.
//!
//! Half of the open ones wait for a retry in an hour, the others wait behind them and were never attempted: all of them are
//! open at every start.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use belfry::clock;
use belfry::journal::{Ending, Journal, NewEvent, SqliteJournal};
use belfry::store::sqlite::Store;
use tokio::task::JoinSet;

use crate::journal::{Keys, event};
use crate::journal_scale::fill;
use crate::places::Places;
use crate::process::{Belfry, free_port};
use crate::report::{Goal, Line, Unit};
use crate::rounds::Rounds;
use crate::settings::{self, ECHO, Listeners, Plugin};
use crate::upstream::Upstream;

/// Finished deliveries, unless `--events` says otherwise.
const FINISHED: u32 = 1_000_000;
/// Keys with two open deliveries each.
const KEYS: u32 = 5_000;
/// Milliseconds that a start may take.
const LIMIT: f64 = 2_000.0;

/// Measures the median of several starts, from the start of the process until `/readyz` answers, and of one killed before.
pub(crate) async fn measure(
    places: &Places,
    rounds: Rounds,
    events: Option<u32>,
) -> anyhow::Result<Vec<Line>> {
    let finished = events.unwrap_or(FINISHED);
    let folder = places.fresh("restart")?;
    eprintln!("bench: filling a journal with {finished} events");
    prepare(&folder.join("belfry.db"), finished).await?;
    let listeners = Listeners {
        public: free_port()?,
        admin: free_port()?,
    };
    let (upstream, _calls) = Upstream::start(0).await?;
    let echo = places.plugin("echo")?;
    let plugins = [Plugin {
        name: "echo".to_owned(),
        component: &echo,
        settings: ECHO,
    }];
    let config = settings::write(&folder, &listeners, upstream.address(), &plugins)?;
    let program = places.belfry()?;
    let median = Belfry::median_start(&program, &config, listeners.admin, rounds.count()).await?;
    Ok(vec![Line::absolute(
        format!("restart, {finished} finished and {} open", 2 * KEYS),
        Unit::Milliseconds,
        Goal::Below(LIMIT),
        median,
    )])
}

async fn prepare(path: &Path, finished: u32) -> anyhow::Result<()> {
    let store = Store::open(path)?;
    let journal = Arc::new(SqliteJournal::open(store.clone()).await?);
    fill(&journal, finished, true).await?;
    let in_key = |key: u32| NewEvent {
        key: Some(format!("conversation {key}")),
        ..event(key % 64, Keys::Random)
    };
    let open = (0..2 * KEYS).map(|number| in_key(number % KEYS));
    journal.fill(open.collect(), false).await?;
    let (now, mut waiting) = (clock::now(), 0);
    let at = clock::later(now, Duration::from_secs(3600));
    loop {
        let due = journal.claim_due(now, 4_096.into()).await?.due;
        if due.is_empty() {
            break;
        }
        waiting += due.len();
        let mut retries = JoinSet::new();
        for claimed in due {
            let journal = Arc::clone(&journal);
            retries.spawn(async move {
                let ending = Ending::Retry {
                    at,
                    reason: "not yet".to_owned(),
                    spared: true,
                };
                journal.finish(&claimed.id, ending, now).await
            });
        }
        while let Some(ended) = retries.join_next().await {
            ended??;
        }
    }
    ensure!(
        waiting == usize::try_from(KEYS)?,
        "{waiting} deliveries were due"
    );
    drop(journal);
    store.close().await;
    Ok(())
}
