//! The sample `hello` in every language: one `/hello` in a fresh instance, against wasmtime's floor for the same component,
//! and the memory that the plugin costs.
//!
//! `/hello` reads a value, writes it and replies. Both sides are those of `instance`; each has one core, and its events run
//! one after another. Memory is that of `belfry serve` with the plugin alone less that of one without plugins, each after
//! the same messages.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::instance::{Handle, Sides};
use crate::places::Places;
use crate::process::{Belfry, free_port};
use crate::push::push_words;
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Round, Rounds, Side};
use crate::settings::{self, Listeners, Plugin};
use crate::upstream::Upstream;

/// The samples, by what they are written in.
const SAMPLES: [(&str, &str); 6] = [
    ("Rust", "hello"),
    ("C", "hello-c"),
    ("Go", "hello-go"),
    ("Python", "hello-py"),
    ("JavaScript", "hello-js"),
    ("TypeScript", "hello-ts"),
];
/// What each is told.
const WORD: &str = "/hello";
/// What the sample needs, whatever it is written in.
const HELLO: &str = r#"events = ["chat-message"]
grant = { robot = true, kv = true, approval = ["PROC-1"] }"#;
/// Rust against the floor, an event.
const RUST: f64 = 1.3;
/// How long messages come before memory is read, how far apart, and how long nothing happens then.
const BUSY: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_secs(1);

/// What a side did in one turn.
#[derive(Clone, Copy)]
struct Turn {
    /// Microseconds.
    p50: f64,
    /// Microseconds.
    p99: f64,
    per_second: f64,
}

/// Measures every sample that was built.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let without = resident(places, None).await?;
    let mut lines = Vec::new();
    for (language, name) in SAMPLES {
        let Ok(component) = places.plugin(name) else {
            eprintln!("bench: languages: plugins/{name}.wasm is missing, {language} is left out");
            continue;
        };
        eprintln!("bench: languages: {language}");
        lines.extend(speed(language, &component, rounds).await?);
        let with = resident(places, Some(&component)).await?;
        lines.push(Line::absolute(
            format!("hello in {language}, memory"),
            Unit::Mebibytes,
            Goal::Shown,
            with - without,
        ));
    }
    Ok(lines)
}

async fn speed(language: &str, component: &Path, rounds: Rounds) -> anyhow::Result<[Line; 3]> {
    let Sides { ours, floor } = Sides::of(component, WORD)
        .await
        .with_context(|| format!("cannot prepare the sample in {language}"))?;
    let (mut by_ours, mut by_floor) = (Vec::new(), Vec::new());
    rounds
        .take(async |side, time| {
            let (turn, turns) = match side {
                Side::Ours => (turn(Arc::clone(&ours), time).await?, &mut by_ours),
                Side::Yardstick => (turn(Arc::clone(&floor), time).await?, &mut by_floor),
            };
            turns.push(turn);
            Ok(turn.per_second)
        })
        .await?;
    let compared = |what: &str, unit: Unit, goal: Goal, figure: fn(&Turn) -> f64| {
        // The first turn of each side is the one that does not count.
        let pairs = by_ours.iter().zip(&by_floor).skip(1);
        let rounds = pairs.map(|(ours, floor)| Round {
            ours: figure(ours),
            yardstick: figure(floor),
        });
        let name = format!("hello in {language}, {what}");
        Line::compared(name, unit, goal, rounds.collect())
    };
    let (most, least) = match language {
        "Rust" => (Goal::RatioAtMost(RUST), Goal::RatioAtLeast(1.0 / RUST)),
        _ => (Goal::Shown, Goal::Shown),
    };
    Ok([
        compared("p50", Unit::Microseconds, most, |turn| turn.p50),
        compared("p99", Unit::Microseconds, Goal::Shown, |turn| turn.p99),
        compared("one core", Unit::PerSecond, least, |turn| turn.per_second),
    ])
}

/// One side on a thread of its own, which has a runtime of its own: nothing of it runs on another core.
async fn turn(side: Arc<impl Handle>, time: Duration) -> anyhow::Result<Turn> {
    let thread = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start a runtime")?;
        runtime.block_on(repeat(&*side, time))
    };
    tokio::task::spawn_blocking(thread).await?
}

#[allow(clippy::cast_precision_loss)]
async fn repeat(side: &impl Handle, time: Duration) -> anyhow::Result<Turn> {
    let start = Instant::now();
    let mut took = Vec::new();
    while start.elapsed() < time {
        let event = side.receive();
        let begun = Instant::now();
        side.handle(event).await?;
        took.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let per_second = took.len() as f64 * 1e6 / took.iter().sum::<f64>();
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    Ok(Turn {
        p50: at(50),
        p99: at(99),
        per_second,
    })
}

/// Mebibytes that `belfry serve` holds with this plugin, or with none, after a while of messages. Compiled code comes from
/// the cache, as in all starts but the first.
async fn resident(places: &Places, component: Option<&Path>) -> anyhow::Result<f64> {
    let folder = places.fresh("languages")?;
    let listeners = Listeners {
        public: free_port()?,
        admin: free_port()?,
    };
    let (upstream, _calls) = Upstream::start(0).await?;
    let plugin = component.map(|component| Plugin {
        name: "hello".to_owned(),
        component,
        settings: HELLO,
    });
    let plugins = plugin.as_slice();
    let config = settings::write(&folder, &listeners, upstream.address(), plugins)?;
    let program = places.belfry()?;
    drop(Belfry::start(&program, &config, listeners.admin).await?);
    let belfry = Belfry::start(&program, &config, listeners.admin).await?;
    let words = [WORD.to_owned()];
    let busy = push_words(listeners.public, upstream.address(), &words, PAUSE);
    // It ends by the time, unless the host did not take a message.
    if let Ok(ended) = tokio::time::timeout(BUSY, busy).await {
        ended?;
    }
    tokio::time::sleep(IDLE).await;
    belfry.resident()
}
