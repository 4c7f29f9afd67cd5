//! What an event of a well-behaved plugin takes, from push to recorded answer, while the zoo of hostile guests is busy in
//! the same host, against the same host while the zoo is quiet. The figure is the 99th percentile.
//!
//! Measured twice: as belfry is set up, which parks those that keep failing, and with parking out of reach, so that
//! each hostile event runs for as long as its limits allow.

use std::time::Duration;

use anyhow::Context;
use belfry::app::Host;
use belfry_tests::Web;
use belfry_tests::zoo::{ANIMALS, Animal};

use crate::places::Places;
use crate::push::{Pusher, Until, latencies, push_all, push_words};
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};
use crate::settings::{self, Listeners, Plugin};
use crate::upstream::Upstream;

/// Messages of the well-behaved plugin on their way at one time; belfry has idle time between them.
const IN_FLIGHT: usize = 2;
/// Between two hostile messages.
const PAUSE: Duration = Duration::from_millis(50);
/// What hostile messages began ends before the quiet side has its turn.
const SETTLE: Duration = Duration::from_secs(3);
/// Parks nobody in the time of a benchmark.
const NEVER_PARKED: &str = "park = { after = 1000, window = \"1s\" }";

/// Measures microseconds.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (name, goal, park) in [
        ("zoo, p99 of a neighbour", Goal::RatioAtMost(2.0), ""),
        ("zoo, nobody parked", Goal::Shown, NEVER_PARKED),
    ] {
        let rounds = compare(places, rounds, park).await?;
        lines.push(Line::compared(name, Unit::Microseconds, goal, rounds));
    }
    Ok(lines)
}

async fn compare(
    places: &Places,
    rounds: Rounds,
    park: &str,
) -> anyhow::Result<Vec<crate::rounds::Round>> {
    let (upstream, calls) = Upstream::start(IN_FLIGHT).await?;
    let web = Web::start().await;
    let host = start(places, &upstream, &web, park).await?;
    let words: Vec<String> = animals().map(|animal| animal.name.to_owned()).collect();
    let mut pushers = Pusher::all(&upstream, calls, 1);
    let rounds = rounds
        .take(async |side, time| {
            let push = push_all(&mut pushers, host.public, Until::Elapsed(time));
            match side {
                Side::Yardstick => {
                    push.await?;
                }
                Side::Ours => {
                    let address = upstream.address();
                    tokio::select! {
                        pushed = push => { pushed?; }
                        ended = push_words(host.public, address, &words, PAUSE) => ended?,
                    }
                    tokio::time::sleep(SETTLE).await;
                }
            }
            percentile(&latencies(&mut pushers))
        })
        .await?;
    host.stop().await;
    Ok(rounds)
}

/// Those that are loaded and were built, without the one whose harm is what it writes to the disk.
fn animals() -> impl Iterator<Item = &'static Animal> {
    let fills_the_store = |animal: &&Animal| animal.name == "kv-flood";
    // Compiling CPython would be most of the benchmark, which is not about compiling.
    let is_at_hand = |animal: &&Animal| !animal.is_slow() && animal.is_built();
    ANIMALS
        .iter()
        .filter(move |animal| animal.runs() && !fills_the_store(animal) && is_at_hand(animal))
}

async fn start(
    places: &Places,
    upstream: &Upstream,
    web: &Web,
    park: &str,
) -> anyhow::Result<Host> {
    let folder = places.fresh("zoo")?;
    let mut files = vec![(places.plugin("echo")?, neighbour())];
    for animal in animals() {
        let file = folder.join(format!("{}.wasm", animal.name));
        std::fs::write(&file, animal.component()).context("cannot write a guest of the zoo")?;
        files.push((file, format!("{park}\n{}", animal.settings(web.address))));
    }
    let plugins: Vec<Plugin<'_>> = files
        .iter()
        .map(|(file, settings)| Plugin {
            name: file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into(),
            component: file,
            settings,
        })
        .collect();
    let config = settings::write(&folder, &Listeners::any(), upstream.address(), &plugins)?;
    Host::start(&config).await
}

fn neighbour() -> String {
    let when = "when = 'event.text.startsWith(\"message \")'";
    format!("{}\n{when}", settings::ECHO)
}

/// The 99th percentile, in microseconds.
fn percentile(took: &[Duration]) -> anyhow::Result<f64> {
    let index = (took.len() * 99 / 100).min(took.len().saturating_sub(1));
    let took = took.get(index).context("nothing was answered")?;
    Ok(took.as_secs_f64() * 1e6)
}
