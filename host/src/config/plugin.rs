//! `[[plugin]]`: one plugin, what it gets, what it may do and what it may use.

use std::collections::HashSet;
use std::path::PathBuf;

use super::grant::{self, Grant};
use super::hours;
use super::limits::{self, Limits};
use super::section::Section;
use crate::event::Subscription;
use crate::health;
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
    /// What it may use.
    pub limits: Limits,
    /// When it is parked.
    pub park: health::Policy,
    /// Its own settings.
    pub config: serde_json::Map<String, serde_json::Value>,
}

pub(super) fn plugin(
    mut section: Section<'_>,
    apps: &HashSet<&str>,
    park: health::Policy,
) -> Plugin {
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
    if names.is_empty() {
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
        limits: section
            .section("limits")
            .map(limits::read)
            .unwrap_or_default(),
        park: super::process::park(&mut section, park),
        config: section.json("config").unwrap_or_default(),
    };
    section.finish();
    plugin
}
