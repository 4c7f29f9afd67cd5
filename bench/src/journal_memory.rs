//! Events per second from HTTP push to recorded API call, with the journal in its file against the journal in memory.
//!
//! Both sides are whole hosts with `echo` in wasm, 64 messages in flight, as in `throughput`: a journal alone would be
//! compared with a hash map, which says nothing about belfry.

use std::sync::Arc;

use belfry::app::{Host, Overrides};
use belfry::journal::MemoryJournal;

use crate::places::Places;
use crate::push::{Pusher, Until, push_all};
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};
use crate::settings::{self, ECHO, Listeners, Plugin};
use crate::upstream::Upstream;

/// Messages on their way at one time.
const IN_FLIGHT: usize = 64;

/// Measures events per second.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let (upstream, calls) = Upstream::start(IN_FLIGHT).await?;
    let echo = places.plugin("echo")?;
    let start = async |name: &str, journal: Option<Arc<MemoryJournal>>| {
        let folder = places.fresh(name)?;
        let plugins = [Plugin {
            name: "echo".to_owned(),
            component: &echo,
            settings: ECHO,
        }];
        let config = settings::write(&folder, &Listeners::any(), upstream.address(), &plugins)?;
        let overrides = Overrides {
            journal,
            ..Overrides::default()
        };
        Host::start_with(&config, overrides).await
    };
    let disk = start("journal-disk", None).await?;
    let memory = start("journal-memory", Some(Arc::default())).await?;
    let mut pushers = Pusher::all(&upstream, calls, 1);
    let compared = rounds
        .take(async |side, time| {
            let host = match side {
                Side::Ours => disk.public,
                Side::Yardstick => memory.public,
            };
            push_all(&mut pushers, host, Until::Elapsed(time)).await
        })
        .await?;
    disk.stop().await;
    memory.stop().await;
    Ok(vec![Line::compared(
        "journal on against in memory",
        Unit::PerSecond,
        Goal::RatioAtLeast(0.5),
        compared,
    )])
}
