//! How long `belfry serve` takes to be ready with 20 plugins whose compilation is in the cache.

use crate::places::Places;
use crate::process::{Belfry, free_port};
use crate::report::{Goal, Line, Unit};
use crate::rounds::Rounds;
use crate::settings::{self, ALERTS, APPROVALS, ECHO, Listeners, Plugin};
use crate::upstream::Upstream;

const PLUGINS: usize = 20;
/// Milliseconds that a start may take.
const LIMIT: f64 = 500.0;

/// Measures the median of several starts, from the start of the process until `/readyz` answers.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let folder = places.fresh("start")?;
    let listeners = Listeners {
        public: free_port()?,
        admin: free_port()?,
    };
    let (upstream, _calls) = Upstream::start(0).await?;
    let kinds = [("echo", ECHO), ("approvals", APPROVALS), ("alerts", ALERTS)];
    let mut components = Vec::new();
    for number in 0..PLUGINS {
        let (name, settings) = kinds[number % kinds.len()];
        let original = std::fs::read(places.plugin(name)?)?;
        // Each is a component of its own to belfry: nothing is shared between them.
        let path = folder.join(format!("{name}-{number}.wasm"));
        std::fs::write(&path, settings::variant(&original, &number.to_string()))?;
        components.push((format!("{name}-{number}"), path, settings));
    }
    let plugins: Vec<Plugin<'_>> = components
        .iter()
        .map(|(name, component, settings)| Plugin {
            name: name.clone(),
            component,
            settings,
        })
        .collect();
    let config = settings::write(&folder, &listeners, upstream.address(), &plugins)?;
    let program = places.belfry()?;
    let median = Belfry::median_start(&program, &config, listeners.admin, rounds.count()).await?;
    Ok(vec![Line::absolute(
        "start with 20 plugins, warm cache",
        Unit::Milliseconds,
        Goal::Below(LIMIT),
        median,
    )])
}
