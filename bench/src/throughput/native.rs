//! `echo` as a part of the host.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use belfry::attempt::Outcome;
use belfry::call::{Answer, Arguments, Fate, Json};
use belfry::clock::UnixMs;
use belfry::config::Limits;
use belfry::dispatch::Run;
use belfry::effect::{Begin, Halt, Next, Recorder, Retried};
use belfry::event::{Content, Envelope};
use belfry::function::Function;
use belfry::ids::{PluginDigest, PluginName};
use belfry::journal::{Claimed, Effects, Journal};
use dingtalk::{Client, Credentials, Endpoints, Mentions, Options, Pace, RobotOut, Secret};

use crate::settings::APP_SECRET;

/// Handles deliveries as the plugin `echo` does.
pub(super) struct Native {
    client: Client,
    journal: Arc<dyn Journal>,
    digest: PluginDigest,
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
    /// A handler that records its calls in the journal.
    pub(super) fn new(client: Client, journal: Arc<dyn Journal>) -> Self {
        Self {
            client,
            journal,
            digest: PluginDigest::of(b"native"),
        }
    }

    fn recorder(&self, claimed: &Claimed, effects: Effects) -> Recorder {
        let (journal, id) = (Arc::clone(&self.journal), claimed.id.clone());
        Recorder::new(journal, id, self.digest, effects, Begin::Again)
    }

    async fn handle(&self, envelope: &Envelope, recorder: &Recorder) -> Result<Outcome, Halt> {
        let message = match Content::parse(&envelope.origin, &envelope.raw) {
            Ok(Content::Chat(message)) => message,
            Ok(_) => return Ok(Outcome::Done),
            Err(error) => {
                return Ok(Outcome::HostFault {
                    reason: error.to_string(),
                });
            }
        };
        if message.text.trim().is_empty() || message.text.starts_with('/') {
            return Ok(Outcome::Done);
        }
        let Some(webhook) = &message.session_webhook else {
            return Ok(Outcome::Rejected {
                reason: "no session webhook".to_owned(),
            });
        };
        let arguments = Arguments::new(serde_json::json!({"text": message.text}).to_string());
        let place = match recorder.next(Function::RobotReply, &arguments)? {
            Next::Make { place } => place,
            // It was made in an earlier attempt.
            _ => return Ok(Outcome::Done),
        };
        let _busy = recorder.busy()?;
        let begun = recorder.call(place, Function::RobotReply, arguments);
        recorder.begin(begun).await?;
        let text = RobotOut::Text(message.text.clone());
        let key = recorder.key(place);
        let replied = self
            .client
            .robot_reply(
                webhook.url.expose(),
                &text,
                &Mentions::default(),
                Some(key.as_str()),
            )
            .await;
        let (fate, told, outcome) = match replied {
            Ok(()) => (Fate::Done, "{\"Ok\":null}", Outcome::Done),
            Err(error) => {
                let outcome = Outcome::Retry {
                    trouble: None,
                    reason: error.to_string(),
                    after: None,
                };
                (Fate::Refused, "{\"Err\":null}", outcome)
            }
        };
        let answer = Answer {
            fate,
            text: Json::new(told),
        };
        recorder.end(place, Function::RobotReply, answer).await;
        Ok(outcome)
    }
}

#[async_trait]
impl Run for Native {
    async fn run(&self, claimed: &Claimed) -> Outcome {
        let effects = match claimed.has_effects {
            true => self.journal.effects(&claimed.id).await.unwrap_or_default(),
            false => Effects::default(),
        };
        let recorder = self.recorder(claimed, effects);
        let handled = self.handle(&claimed.envelope, &recorder).await;
        let outcome = handled.unwrap_or_else(|halt| Outcome::HostFault {
            reason: halt.to_string(),
        });
        recorder.close(true, Retried::No).await;
        outcome
    }

    /// As many as the plugin has.
    fn places(&self, _: &PluginName, _: UnixMs) -> usize {
        Limits::default().concurrent as usize
    }
}
