//! Tries a plugin on events that an author wrote down: the engine of production, a clock that stands where the case says,
//! a script in the place of DingTalk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dingtalk::{Client, Credentials, Endpoints, Secret};
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;

use crate::attempt::LastTrouble;
use crate::config::{self, Config, Grant};
use crate::effect::Source;
use crate::engine::{Carrier, Halted, Sandbox, Task};
use crate::event::{Content, Envelope};
use crate::ids::EventId;
use crate::journal::{MemoryJournal, Schedule};
use crate::kv::{Kv, KvError, MAX_TOTAL, MemoryKv, Write};
use crate::plugin::{Component, LoadError, Plugin};
use crate::wake::Waker;

pub use self::case::{Case, CaseError};
pub use self::report::{Made, Report, Run};

use self::script::Script;

mod case;
mod report;
mod script;

#[cfg(test)]
mod tests;

/// Why a case could not be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The plugin cannot be loaded with what the case grants.
    #[error("the plugin is refused: {0}")]
    Refused(#[from] LoadError),
    /// `[plugin]` of the case is not as in `bot.toml`.
    #[error("[plugin] is wrong: {}", .0.join("; "))]
    Settings(Vec<String>),
    /// An event cannot be read.
    #[error("event {number} cannot be read: {reason}")]
    Event {
        /// Which one, from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// A value cannot be given to the plugin.
    #[error("kv.{key:?} cannot be set: {error}")]
    Value {
        /// The key.
        key: String,
        /// Why.
        error: KvError,
    },
    /// The parts cannot be put together.
    #[error("{0}")]
    Setup(String),
}

/// Runs a component through the events of a case, one after another; its values last from one to the next.
pub async fn run(
    sandbox: &Sandbox,
    component: &Path,
    name: &str,
    case: &Case,
) -> Result<Report, TrialError> {
    let settings = settings(component, case)?;
    let bytes = Component::read(component, settings.limits.component)?;
    let plugin = Plugin::load(sandbox, settings, bytes).await?;
    let kv: Arc<dyn Kv> = Arc::new(MemoryKv::default());
    for (key, value) in &case.kv {
        let write = Write {
            key: key.clone(),
            value: Some(value.clone().into_bytes()),
            expected: None,
            max_total: MAX_TOTAL,
        };
        kv.write(&plugin.settings().name, write)
            .await
            .map_err(|error| TrialError::Value {
                key: key.clone(),
                error,
            })?;
    }
    let client = client()?;
    // Never asked: the script stands before it too.
    let schedule = Schedule::new(Arc::new(MemoryJournal::default()), Waker::default());
    let mut script = Script::new(&case.answers);
    let mut runs = Vec::new();
    for (index, arriving) in case.events.iter().enumerate() {
        let number = index + 1;
        let wrong = |reason: String| TrialError::Event { number, reason };
        let (origin, received_at) = (arriving.origin().map_err(wrong)?, arriving.at);
        let raw = arriving.raw().map_err(wrong)?;
        let content = Content::parse(&origin, &raw).map_err(|error| wrong(error.to_string()))?;
        let kind = content.kind();
        let envelope = Envelope {
            id: id(name, number),
            app: plugin.settings().app.clone(),
            origin,
            received_at,
            raw: raw.into(),
        };
        let page = Arc::new(script);
        let task = Task {
            plugin: plugin.settings().name.clone(),
            envelope,
            subject: content.subject(),
            client: client.clone(),
            kv: Arc::clone(&kv),
            grant: plugin.grant(),
            settings: plugin.config(),
            schedule: schedule.clone(),
            notices: None,
            trouble: LastTrouble::default(),
            source: Source::Given(Arc::clone(&page) as _),
            outbound: Carrier::new(TaskTracker::new()),
            egress: plugin.egress(),
            halted: Halted::default(),
            awaits_dingtalk: AtomicBool::new(false),
        };
        let outcome = plugin.handle(task, content).await;
        script = page.turn();
        runs.push(Run {
            kind,
            calls: script.take_calls(),
            outcome: outcome.to_string(),
        });
    }
    Ok(Report {
        runs,
        unused: script.unused(),
    })
}

/// The plugin's settings: those of `bot.toml`, with `[plugin]` of the case in the place of `[[plugin]]`.
fn settings(component: &Path, case: &Case) -> Result<config::Plugin, TrialError> {
    let mut plugin = case.plugin.clone();
    let path = std::path::absolute(component).unwrap_or_else(|_| component.to_owned());
    plugin.insert("name".to_owned(), "plugin".into());
    plugin.insert(
        "component".to_owned(),
        path.to_string_lossy().into_owned().into(),
    );
    plugin.insert("app".to_owned(), "app".into());
    // Rules are not tried here: the case says what the plugin gets.
    plugin.insert("events".to_owned(), vec!["other"].into());
    let app = toml::toml! {
        name = "app"
        corp-id = "dingcorp"
        app-key = "dingkey"
        app-secret = "secret"
        agent-id = 1001
        receive = ["robot"]
    };
    let mut document = toml::Table::new();
    document.insert("app".to_owned(), vec![app].into());
    document.insert("plugin".to_owned(), vec![plugin].into());
    let config = Config::parse(&document.to_string(), &PathBuf::new(), []).map_err(|problems| {
        let texts = problems.into_iter().map(|problem| {
            let key = problem.key.trim_start_matches("plugin.plugin.").to_owned();
            format!("{key}: {}", problem.text)
        });
        TrialError::Settings(texts.collect())
    })?;
    let mut plugins = config.plugins;
    let mut settings = plugins.remove(0);
    if !case.plugin.contains_key("grant") {
        settings.grant = Grant::everything();
    }
    Ok(settings)
}

/// Never used: the script stands before it.
fn client() -> Result<Client, TrialError> {
    let credentials = Credentials {
        app_key: "dingkey".to_owned(),
        app_secret: Secret::new("secret"),
        agent_id: Some(1001),
        robot_code: "dingkey".to_owned(),
    };
    Client::new(credentials, Endpoints::default())
        .map_err(|error| TrialError::Setup(error.to_string()))
}

/// The same case gives the same ids, and with them the same randomness in the guest.
fn id(case: &str, number: usize) -> EventId {
    let digest = Sha256::digest(format!("{number} {case}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    EventId::from_bytes(bytes)
}
