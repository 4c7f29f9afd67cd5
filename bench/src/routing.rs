//! What it costs to choose the plugins of an event with 1,000 plugins, against 10.
//!
//! Two ways to have many plugins: each wants an `EventType` of its own, or all want approvals and each the template that
//! its condition names. The event is always one that exactly one plugin wants, and another one each time. Both sides
//! have as many events: what it costs to read an event that is not in the cache is not the price of plugins.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use belfry::active::rules_of;
use belfry::app::Host;
use belfry::clock;
use belfry::config::Config;
use belfry::event::{Content, Facts, Origin};
use belfry::rules::Rules;

use crate::places::Places;
use crate::push::{Pusher, Until, push_all};
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};
use crate::settings::{self, APP, APP_SECRET, ECHO, Listeners, Plugin};
use crate::upstream::Upstream;

const FEW: usize = 10;
const MANY: usize = 1_000;
/// Events that have their turn, the same number for each plugin.
const EVENTS: usize = 1_000;
/// Events chosen for between two looks at the clock.
const BATCH: usize = 64;
/// Messages on their way at one time, where whole hosts are compared.
const IN_FLIGHT: usize = 64;

/// Measures both ways, and whole hosts with so many plugins loaded.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (name, way) in [
        ("route by event type, 1,000 plugins", Way::EventType),
        ("route by condition, 1,000 plugins", Way::Condition),
    ] {
        let (many, few) = (Case::new(way, MANY)?, Case::new(way, FEW)?);
        let rounds = rounds.take_blocking(|side, time| match side {
            Side::Ours => Ok(many.choose_for(time)),
            Side::Yardstick => Ok(few.choose_for(time)),
        })?;
        lines.push(Line::compared(
            name,
            Unit::Microseconds,
            Goal::RatioAtMost(1.2),
            rounds,
        ));
    }
    lines.push(whole_hosts(places, rounds).await?);
    Ok(lines)
}

#[derive(Clone, Copy)]
enum Way {
    EventType,
    Condition,
}

/// Rules of so many plugins, and events of which each is for one of them.
struct Case {
    rules: Rules,
    events: Vec<Facts>,
}

impl Case {
    fn new(way: Way, count: usize) -> anyhow::Result<Self> {
        let mut text = format!(
            "[[app]]\nname = \"{APP}\"\ncorp-id = \"c\"\napp-key = \"k\"\napp-secret = \"{APP_SECRET}\"\n"
        );
        for number in 0..count {
            let rule = match way {
                Way::EventType => format!("events = [\"event_{number}\"]"),
                Way::Condition => format!(
                    "events = [\"approval-instance\"]\nwhen = 'event.process_code == \"PROC-{number}\" && event.type == \"finish\"'"
                ),
            };
            write!(
                text,
                "[[plugin]]\nname = \"plugin-{number}\"\napp = \"{APP}\"\ncomponent = \"p.wasm\"\n{rule}\n"
            )?;
        }
        let config = Config::parse(&text, Path::new(""), [])
            .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        let events = (0..EVENTS).map(|event| {
            let number = event % count;
            let raw = match way {
                Way::EventType => serde_json::json!({ "EventType": format!("event_{number}") }),
                Way::Condition => serde_json::json!({
                    "EventType": "bpms_instance_change", "processInstanceId": "i", "title": "t", "staffId": "u",
                    "processCode": format!("PROC-{number}"), "type": "finish", "result": "agree",
                }),
            };
            let content = Content::parse(&Origin::Callback, &raw.to_string())?;
            anyhow::Ok(Facts::of(&content))
        });
        let case = Self {
            rules: rules_of(&config),
            events: events.collect::<anyhow::Result<_>>()?,
        };
        for (number, event) in case.events.iter().enumerate() {
            let number = number % count;
            let choice = case.rules.choose(&APP.into(), event, clock::now());
            ensure!(
                choice.plugins == [format!("plugin-{number}").as_str().into()],
                "event {number} goes to {:?}",
                choice.plugins
            );
        }
        Ok(case)
    }

    /// Microseconds that choosing takes.
    #[allow(clippy::cast_precision_loss)]
    fn choose_for(&self, time: Duration) -> f64 {
        let (app, now) = (APP.into(), clock::now());
        let start = Instant::now();
        let mut chosen = 0_usize;
        // Steps that have nothing in common with the number of events, so that each has its turn.
        let mut next = 0;
        while start.elapsed() < time {
            for _ in 0..BATCH {
                next = (next + 7) % self.events.len();
                black_box(self.rules.choose(&app, black_box(&self.events[next]), now));
            }
            chosen += BATCH;
        }
        start.elapsed().as_secs_f64() * 1e6 / chosen as f64
    }
}

/// Events per second from push to recorded call: one plugin that answers, and 999 or 9 others of the same component.
async fn whole_hosts(places: &Places, rounds: Rounds) -> anyhow::Result<Line> {
    let (upstream, calls) = Upstream::start(IN_FLIGHT).await?;
    let many = start(places, "routing-many", &upstream, MANY).await?;
    let few = start(places, "routing-few", &upstream, FEW).await?;
    let mut pushers = Pusher::all(&upstream, calls, 1);
    let rounds = rounds
        .take(async |side, time| {
            let host = match side {
                Side::Ours => many.public,
                Side::Yardstick => few.public,
            };
            push_all(&mut pushers, host, Until::Elapsed(time)).await
        })
        .await?;
    many.stop().await;
    few.stop().await;
    Ok(Line::compared(
        "whole host, 1,000 plugins",
        Unit::PerSecond,
        Goal::Shown,
        rounds,
    ))
}

async fn start(
    places: &Places,
    name: &str,
    upstream: &Upstream,
    count: usize,
) -> anyhow::Result<Host> {
    let folder = places.fresh(name)?;
    let echo = places.plugin("echo")?;
    let plugins: Vec<Plugin<'_>> = (0..count)
        .map(|number| Plugin {
            name: format!("echo-{number}"),
            component: &echo,
            settings: if number == 0 { ECHO } else { OTHER },
        })
        .collect();
    let config = settings::write(&folder, &Listeners::any(), upstream.address(), &plugins)?;
    Host::start(&config)
        .await
        .context("cannot start a host with many plugins")
}

/// A plugin that wants other events.
const OTHER: &str = r#"events = ["approval-instance"]
grant = { robot = true }"#;
