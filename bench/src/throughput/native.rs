//! `echo` as a part of the host: the handler is a function, and so are the host functions that it calls.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use belfry::attempt::Outcome;
use belfry::clock::UnixMs;
use belfry::config::Limits;
use belfry::dispatch::Run;
use belfry::effect::Retried;
use belfry::engine::State;
use belfry::event::Content;
use belfry::ids::PluginName;
use belfry::imports::bindings::belfry::bot::api::Error;
use belfry::imports::bindings::belfry::bot::event::{Event, EventBody};
use belfry::imports::bindings::belfry::bot::message::{Mentions, RobotMessage};
use belfry::imports::bindings::belfry::bot::robot::Host;
use belfry::imports::to_guest;
use belfry::journal::{Claimed, Effects, Journal};
use dingtalk::{Client, Credentials, Endpoints, Options, Pace, Secret};

use crate::desk::Desk;
use crate::settings::APP_SECRET;

/// Handles deliveries as the plugin `echo` does.
pub(super) struct Native {
    journal: Arc<dyn Journal>,
    desk: Desk,
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
            desk: Desk::new(client, Arc::clone(&journal)),
            journal,
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
        let (id, subject) = (claimed.id.clone(), content.subject());
        let (recorder, task) = self.desk.attempt(id, effects, envelope, subject);
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
