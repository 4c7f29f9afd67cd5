//! Resident memory of `belfry serve` with ten plugins: started, and after a burst of events.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::places::Places;
use crate::process::{Belfry, free_port};
use crate::push::{Pusher, Until, push_all};
use crate::report::{Goal, Line, Unit};
use crate::settings::{self, ALERTS, APPROVALS, ECHO, Listeners, Plugin};
use crate::upstream::Upstream;

/// Messages on their way at one time during the burst.
const IN_FLIGHT: usize = 50;
/// Messages of the burst that each pusher sends; 1,000 in all.
const EACH: u64 = 20;
/// Plugins that echo: each message of the burst is answered so often.
const ECHOES: usize = 4;
/// Nothing happens for so long before memory is read.
const IDLE: Duration = Duration::from_secs(3);

/// Measures mebibytes after a first start, which compiles, after the burst, and after a second start, which does not.
pub(crate) async fn measure(places: &Places) -> anyhow::Result<Vec<Line>> {
    let folder = places.fresh("memory")?;
    let listeners = Listeners {
        public: free_port()?,
        admin: free_port()?,
    };
    let (upstream, calls) = Upstream::start(IN_FLIGHT).await?;
    let config = write(places, &folder, &listeners, upstream.address())?;
    let program = places.belfry()?;

    let belfry = Belfry::start(&program, &config, listeners.admin).await?;
    tokio::time::sleep(IDLE).await;
    let compiled = belfry.resident()?;
    let mut pushers = Pusher::all(&upstream, calls, ECHOES);
    push_all(&mut pushers, listeners.public, Until::Sent(EACH)).await?;
    tokio::time::sleep(IDLE).await;
    let burst = belfry.resident()?;
    drop(belfry);
    let belfry = Belfry::start(&program, &config, listeners.admin).await?;
    tokio::time::sleep(IDLE).await;
    let cached = belfry.resident()?;

    let line =
        |name: &str, figure: f64| Line::absolute(name, Unit::Mebibytes, Goal::Below(100.0), figure);
    Ok(vec![
        line("memory, first start", compiled),
        line("memory, after 1,000 events", burst),
        line("memory, second start", cached),
    ])
}

fn write(
    places: &Places,
    folder: &Path,
    listeners: &Listeners,
    upstream: SocketAddr,
) -> anyhow::Result<std::path::PathBuf> {
    let kinds = [
        ("echo", ECHO, ECHOES),
        ("approvals", APPROVALS, 3),
        ("alerts", ALERTS, 3),
    ];
    let mut components = Vec::new();
    for (name, settings, count) in kinds {
        components.push((name, places.plugin(name)?, settings, count));
    }
    let plugins: Vec<Plugin<'_>> = components
        .iter()
        .flat_map(|(name, component, settings, count)| {
            (1..=*count).map(move |number| Plugin {
                name: format!("{name}-{number}"),
                component,
                settings,
            })
        })
        .collect();
    settings::write(folder, listeners, upstream, &plugins)
}
