//! `[[plugin]]`: one plugin, what it gets, what it may do and what it may use.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::grant::{self, Grant};
use super::hours;
use super::section::Section;
use crate::event::Subscription;
use crate::ids::{AppName, PluginName};
use crate::rules::{Condition, Hours};

/// A `[[plugin]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// Its name in logs and in the journal.
    pub name: PluginName,
    /// The component file, relative to the folder of `bot.toml`.
    pub component: PathBuf,
    /// The app it works for.
    pub app: AppName,
    /// What it gets.
    pub events: Vec<Subscription>,
    /// A further condition on the event.
    pub when: Option<Condition>,
    /// The times at which it gets events; `None` is always.
    pub hours: Option<Hours>,
    /// Its place among the plugins of one event; small ones come first.
    pub order: i32,
    /// Whether it is loaded and gets events at all.
    pub enabled: bool,
    /// What it may do.
    pub grant: Grant,
    /// What an attempt may use.
    pub limits: Limits,
    /// Its own settings.
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// What one attempt of a plugin may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, summed, in bytes.
    pub memory: u64,
    /// Time the guest computes.
    pub cpu: Duration,
    /// Time that passes, waiting included.
    pub wall: Duration,
    /// Host calls.
    pub calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            cpu: Duration::from_millis(500),
            wall: Duration::from_secs(10),
            calls: 200,
        }
    }
}

pub(super) fn plugin(mut section: Section<'_>, apps: &HashSet<&str>) -> Plugin {
    let name = section.name();
    let app = section.app_reference(apps);
    let line = section.line_of("events");
    let mut events = Vec::new();
    let names = section.texts("events").unwrap_or_default();
    for text in &names {
        match text.parse() {
            Ok(subscription) => events.push(subscription),
            Err(error) => section.report("events", line, format!("{error}")),
        }
    }
    if events.is_empty() {
        section.report(
            "events",
            line,
            "names no event, so the plugin would never run",
        );
    }
    let line = section.line_of("when");
    let when = section.text("when").and_then(|text| match text.parse() {
        Ok(condition) => Some(condition),
        Err(error) => {
            section.report("when", line, format!("{error}"));
            None
        }
    });
    let component = section.required_text("component");
    let component = section.path_from_here(&component);
    let plugin = Plugin {
        name: name.as_str().into(),
        component,
        app: app.as_str().into(),
        events,
        when,
        hours: section.section("active").and_then(hours::read),
        order: section
            .integer("order", -1000..=1000)
            .map_or(0, |order| i32::try_from(order).unwrap_or_default()),
        enabled: section.boolean("enabled").unwrap_or(true),
        grant: section
            .section("grant")
            .map(grant::read)
            .unwrap_or_default(),
        limits: section.section("limits").map(limits).unwrap_or_default(),
        config: section.json("config").unwrap_or_default(),
    };
    section.finish();
    plugin
}

fn limits(mut section: Section<'_>) -> Limits {
    let defaults = Limits::default();
    let (least, most) = (Duration::from_millis(10), Duration::from_secs(300));
    let limits = Limits {
        memory: section
            .bytes_within("memory", 1 << 20..=512 << 20)
            .unwrap_or(defaults.memory),
        cpu: section
            .duration_within("cpu", least..=most)
            .unwrap_or(defaults.cpu),
        wall: section
            .duration_within("wall", least..=most)
            .unwrap_or(defaults.wall),
        calls: section
            .integer("calls", 1..=10_000)
            .map_or(defaults.calls, |number| {
                u32::try_from(number).unwrap_or(u32::MAX)
            }),
    };
    section.finish();
    limits
}
