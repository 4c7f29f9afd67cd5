//! `echo` as a part of the host: the handler is a function, and so are the host functions that it calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use async_trait::async_trait;
use belfry::attempt::{LastTrouble, Outcome};
use belfry::clock::UnixMs;
use belfry::config::{Grant, Limits};
use belfry::dispatch::Run;
use belfry::effect::{Begin, Recorder, Retried, Source};
use belfry::engine::{Halted, State, Task};
use belfry::event::Content;
use belfry::ids::{PluginDigest, PluginName};
use belfry::imports::bindings::belfry::bot::api::Error;
use belfry::imports::bindings::belfry::bot::event::{Event, EventBody};
use belfry::imports::bindings::belfry::bot::message::{Mentions, RobotMessage};
use belfry::imports::bindings::belfry::bot::robot::Host;
use belfry::imports::to_guest;
use belfry::journal::{Claimed, Effects, Journal, MemoryJournal, Schedule};
use belfry::kv::{Kv, MemoryKv};
use belfry::wake::Waker;
use dingtalk::{Client, Credentials, Endpoints, Options, Pace, Secret};
use tokio_util::task::TaskTracker;

use crate::settings::APP_SECRET;

/// Handles deliveries as the plugin `echo` does.
pub(super) struct Native {
    client: Client,
    journal: Arc<dyn Journal>,
    digest: PluginDigest,
    kv: Arc<dyn Kv>,
    schedule: Schedule,
    grant: Arc<Grant>,
    settings: Arc<serde_json::Map<String, serde_json::Value>>,
    outbound: TaskTracker,
}

/// A client whose API is at the address.
pub(super) fn client(upstream: SocketAddr) -> anyhow::Result<Client> {
    let credentials = Credentials {
        app_key: "dingkey".to_owned(),
        app_secret: Secret::new(APP_SECRET),
        agent_id: Some(1),
        robot_code: "dingkey".to_owned(),
    };
    let base = format!("http://{upstream}");
    let endpoints = Endpoints {
        oapi: base.parse().context("the upstream has no address")?,
        api: base.parse().context("the upstream has no address")?,
    };
    let options = Options {
        pace: Pace::lifted(),
        ..Options::default()
    };
    Ok(Client::with_options(credentials, endpoints, options)?)
}

impl Native {
    /// A handler whose calls are recorded in the journal.
    pub(super) fn new(client: Client, journal: Arc<dyn Journal>) -> Self {
        Self {
            client,
            journal,
            digest: PluginDigest::of(b"native"),
            kv: Arc::new(MemoryKv::default()),
            schedule: Schedule::new(Arc::new(MemoryJournal::default()), Waker::default()),
            grant: Arc::default(),
            settings: Arc::default(),
            outbound: TaskTracker::new(),
        }
    }
}

#[async_trait]
impl Run for Native {
    /// As the runner does, but for the guest.
    async fn run(&self, claimed: &Claimed) -> Outcome {
        let effects = match claimed.has_effects {
            true => self.journal.effects(&claimed.id).await.unwrap_or_default(),
            false => Effects::default(),
        };
        let envelope = claimed.envelope.clone();
        let content = match Content::parse(&envelope.origin, &envelope.raw) {
            Ok(content) => content,
            Err(error) => {
                return Outcome::HostFault {
                    reason: error.to_string(),
                };
            }
        };
        let (journal, id) = (Arc::clone(&self.journal), claimed.id.clone());
        let recorder = Recorder::new(journal, id, self.digest, effects, Begin::Again);
        let recorder = Arc::new(recorder);
        let task = Task {
            plugin: claimed.id.plugin.clone(),
            envelope,
            subject: content.subject(),
            client: self.client.clone(),
            kv: Arc::clone(&self.kv),
            schedule: self.schedule.clone(),
            notices: None,
            grant: Arc::clone(&self.grant),
            egress: None,
            trouble: LastTrouble::default(),
            settings: Arc::clone(&self.settings),
            source: Source::Recorded(Arc::clone(&recorder)),
            outbound: self.outbound.clone(),
            halted: Halted::default(),
            awaits_dingtalk: AtomicBool::new(false),
        };
        let event = to_guest(&task.envelope, content);
        let mut host = State::attempt(Limits::default(), Arc::new(task));
        let handled = handle(&mut host, event).await;
        recorder.close(true, Retried::No).await;
        match handled {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(error)) => Outcome::Retry {
                trouble: None,
                reason: format!("{error:?}"),
                after: None,
            },
            Err(error) => Outcome::HostFault {
                reason: error.to_string(),
            },
        }
    }

    /// As many as the plugin has.
    fn places(&self, _: &PluginName, _: UnixMs) -> usize {
        Limits::default().concurrent as usize
    }
}

/// What `plugins/echo` does.
async fn handle(host: &mut State, event: Event) -> wasmtime::Result<Result<(), Error>> {
    match event.body {
        EventBody::ChatMessage(it) if !it.text.trim().is_empty() && !it.text.starts_with('/') => {
            let nobody = Mentions {
                user_ids: Vec::new(),
                mobiles: Vec::new(),
                all: false,
            };
            host.reply(RobotMessage::Text(it.text), nobody).await
        }
        _ => Ok(Ok(())),
    }
}
