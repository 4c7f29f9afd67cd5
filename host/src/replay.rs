//! Runs a plugin as it is now on an event of the journal, with its calls captured instead of made, and says what it would
//! do differently.
//!
//! Nothing leaves: calls that are equal to recorded ones are answered from the record, other reads hear that nothing is
//! available, other writes get an answer that is made up, and the plugin's own values are changed in memory only.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dingtalk::{Client, Credentials, Endpoints, Secret};
use tokio_util::task::TaskTracker;
use url::Url;

use crate::attempt::{LastTrouble, Outcome};
use crate::clock::UnixMs;
use crate::effect::Source;
use crate::engine::{Carrier, Halted, Task};
use crate::event::{Content, Envelope, Origin};
use crate::ids::PluginName;
use crate::journal::{DeliveryRecord, EventRecord, MemoryJournal, Schedule};
use crate::kv::{Kv, Overlay};
use crate::plugin::Plugin;
use crate::wake::Waker;

pub use self::piece::{PIECE, Position, Replays, Summary, piece};
pub use self::report::{Difference, Line, Recorded, Report, Verdict, Was, Whence};

use self::rehearsal::Rehearsal;

mod piece;
mod rehearsal;
mod report;

#[cfg(test)]
mod tests;

/// Why an event cannot be run again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Its text was removed, or is not of the form that its way in has.
    #[error("the event cannot be read: {0}")]
    Event(String),
    /// The plugin works for another app than the one that the event came for.
    #[error("the plugin {plugin:?} works for the app {app:?}, and the event is of another one")]
    App {
        /// The plugin.
        plugin: String,
        /// Its app.
        app: String,
    },
    /// The parts cannot be put together.
    #[error("{0}")]
    Setup(String),
}

/// What an event of the journal is.
pub struct Read {
    /// The event.
    pub envelope: Envelope,
    /// What was read from it.
    pub content: Content,
}

/// Reads an event as it was read when it came.
pub fn read(event: &EventRecord) -> Result<Read, ReplayError> {
    let wrong = |reason: &str| ReplayError::Event(reason.to_owned());
    let raw = event.raw.as_deref().filter(|raw| !raw.is_empty());
    let raw = raw.ok_or_else(|| wrong("its text is not kept any more"))?;
    let origin = Origin::from_text(&event.origin);
    let origin = origin.ok_or_else(|| wrong("the way it came is not known"))?;
    let content = Content::parse(&origin, raw).map_err(|error| wrong(&error.to_string()))?;
    let envelope = Envelope {
        id: event.id,
        app: event.app.clone(),
        origin,
        received_at: UnixMs(event.received_at.as_millisecond()),
        raw: raw.into(),
    };
    Ok(Read { envelope, content })
}

/// Whether a plugin may get an event at all, whatever its rules say.
pub fn fits(settings: &crate::config::Plugin, event: &EventRecord) -> Result<(), ReplayError> {
    if settings.app == event.app {
        return Ok(());
    }
    Err(ReplayError::App {
        plugin: settings.name.to_string(),
        app: settings.app.to_string(),
    })
}

/// The plugins that an event is run on: the one that is named, or all that got it.
pub fn plugins_of(event: &EventRecord, named: Option<&str>) -> Vec<PluginName> {
    match named {
        Some(name) => vec![name.into()],
        None => event
            .deliveries
            .iter()
            .map(|delivery| delivery.plugin.clone())
            .collect(),
    }
}

/// Runs a plugin on an event without sending anything. `event` has its text and the calls that are recorded of it.
pub async fn dry_run(
    plugin: &Plugin,
    event: &EventRecord,
    values: Arc<dyn Kv>,
) -> Result<Report, ReplayError> {
    fits(plugin.settings(), event)?;
    let Read { envelope, content } = read(event)?;
    let name = &plugin.settings().name;
    let delivery = event.deliveries.iter().find(|of| of.plugin == *name);
    let records = delivery.map_or(&[][..], |delivery| &delivery.calls);
    let rehearsal = Arc::new(Rehearsal::new(records, plugin.grant()));
    let task = Task {
        plugin: name.clone(),
        envelope,
        subject: content.subject(),
        client: nobody()?,
        kv: Arc::new(Overlay::new(values)),
        // Never asked, like the client and the way out: the rehearsal stands before them.
        schedule: Schedule::new(Arc::new(MemoryJournal::default()), Waker::default()),
        // What it sends is captured, so there is nothing to ask about.
        notices: None,
        grant: plugin.grant(),
        egress: plugin.egress(),
        settings: plugin.config(),
        trouble: LastTrouble::default(),
        source: Source::Given(Arc::clone(&rehearsal) as _),
        outbound: Carrier::new(TaskTracker::new()),
        halted: Halted::default(),
        awaits_dingtalk: AtomicBool::new(false),
    };
    let outcome = plugin.handle(task, content).await;
    let calls = rehearsal.lines();
    Ok(Report {
        event: event.id.to_string(),
        plugin: name.to_string(),
        version: Some(plugin.version().to_owned()),
        digest: Some(plugin.digest().to_string()),
        verdict: Verdict::of(outcome == Outcome::Done, &calls),
        outcome: outcome.word().to_owned(),
        outcome_text: outcome.to_string(),
        recorded: delivery.map(recorded),
        calls,
    })
}

fn recorded(delivery: &DeliveryRecord) -> Recorded {
    let last = delivery.calls.last();
    Recorded {
        state: delivery.state.as_str().to_owned(),
        attempts: delivery.attempts,
        reason: delivery.reason.clone(),
        digest: last.map(|call| call.digest.to_string()),
    }
}

/// A client that reaches nobody, should anything ever get past the rehearsal.
fn nobody() -> Result<Client, ReplayError> {
    let credentials = Credentials {
        app_key: "dry-run".to_owned(),
        app_secret: Secret::new("dry-run"),
        agent_id: Some(1),
        robot_code: "dry-run".to_owned(),
    };
    // No name below `invalid` is ever given to anybody (RFC 6761).
    let nowhere = Url::parse("http://dry-run.invalid");
    let nowhere = nowhere.map_err(|error| ReplayError::Setup(error.to_string()))?;
    let endpoints = Endpoints {
        oapi: nowhere.clone(),
        api: nowhere,
    };
    Client::new(credentials, endpoints).map_err(|error| ReplayError::Setup(error.to_string()))
}
