//! Decides when an access token is refreshed, and lets one caller at a time do it.

use std::time::Duration;

use tokio::time::Instant;

use crate::Secret;

/// An access token and its life.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub value: Secret,
    /// When it was fetched.
    pub fetched_at: Instant,
    /// How long DingTalk promised it would live.
    pub life: Duration,
}

/// Whether it is time for a new token: in the last five minutes of its life, or in the last fifth if that is shorter.
pub fn needs_refresh(token: &Token, now: Instant) -> bool {
    let margin = (token.life / 5).min(Duration::from_secs(300));
    now + margin >= token.fetched_at + token.life
}

/// The one token of an app at one of DingTalk's two hosts.
#[derive(Debug, Default)]
pub struct TokenCache;
