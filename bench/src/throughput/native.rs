//! `echo` as a part of the host.

use std::net::SocketAddr;

use anyhow::Context;
use async_trait::async_trait;
use belfry::attempt::Outcome;
use belfry::dispatch::Run;
use belfry::event::Content;
use belfry::journal::Claimed;
use dingtalk::{Client, Credentials, Endpoints, Mentions, Options, Pace, RobotOut, Secret};

use crate::settings::APP_SECRET;

/// Handles deliveries as the plugin `echo` does.
pub(super) struct Native {
    client: Client,
}

impl Native {
    /// A handler whose API is at the address.
    pub(super) fn new(upstream: SocketAddr) -> anyhow::Result<Self> {
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
        Ok(Self {
            client: Client::with_options(credentials, endpoints, options)?,
        })
    }
}

#[async_trait]
impl Run for Native {
    async fn run(&self, claimed: &Claimed) -> Outcome {
        let envelope = &claimed.envelope;
        let message = match Content::parse(&envelope.origin, &envelope.raw) {
            Ok(Content::Chat(message)) => message,
            Ok(_) => return Outcome::Done,
            Err(error) => {
                return Outcome::HostFault {
                    reason: error.to_string(),
                };
            }
        };
        if message.text.trim().is_empty() || message.text.starts_with('/') {
            return Outcome::Done;
        }
        let Some(webhook) = &message.session_webhook else {
            return Outcome::Rejected {
                reason: "no session webhook".to_owned(),
            };
        };
        let text = RobotOut::Text(message.text.clone());
        let replied = self
            .client
            .robot_reply(webhook.url.expose(), &text, &Mentions::default(), None)
            .await;
        match replied {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Retry {
                trouble: None,
                reason: error.to_string(),
                after: None,
            },
        }
    }
}
