//! Decides when an access token is refreshed, and lets one caller at a time do it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::{ApiError, Secret};

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
    age(token, now) + margin >= token.life
}

fn age(token: &Token, now: Instant) -> Duration {
    now.saturating_duration_since(token.fetched_at)
}

/// How long DingTalk is left alone after it refused the credentials: repeated fetching is throttled.
const AFTER_BAD_CREDENTIALS: Duration = Duration::from_secs(10);
/// How long an ageing token is used on after an attempt to replace it failed.
const AFTER_FAILED_REFRESH: Duration = Duration::from_secs(5);

/// The one token of an app at one of DingTalk's two hosts.
///
/// **Invariant**: at most one fetch is under way, because fetching needs the lock `fetching`.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    cached: Mutex<Option<Token>>,
    fetching: tokio::sync::Mutex<Option<Failed>>,
}

#[derive(Debug)]
struct Failed {
    at: Instant,
    error: ApiError,
}

impl Failed {
    /// Whether a caller that asked at `asked` gets this failure instead of an attempt of its own.
    fn answers(&self, asked: Instant, now: Instant) -> bool {
        let pause = match &self.error {
            ApiError::Credentials { .. } => AFTER_BAD_CREDENTIALS,
            ApiError::RateLimited { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        };
        self.at > asked || now < self.at + pause
    }
}

impl TokenCache {
    /// The token, fetched by `fetch` if there is none or it is ageing. Callers that come while it is being fetched wait
    /// for the same answer; while the old one still lives they go on with it.
    pub(crate) async fn get<F>(&self, fetch: F) -> Result<Secret, ApiError>
    where
        F: AsyncFnOnce() -> Result<(Secret, Duration), ApiError>,
    {
        let asked = Instant::now();
        if let Some(token) = self.living(asked) {
            if !needs_refresh(&token, asked) {
                return Ok(token.value);
            }
            let Ok(mut failed) = self.fetching.try_lock() else {
                return Ok(token.value);
            };
            let resting = failed.as_ref().is_some_and(|failed| {
                failed.answers(asked, asked) || asked < failed.at + AFTER_FAILED_REFRESH
            });
            if resting {
                return Ok(token.value);
            }
            return Ok(self
                .fetch_into(&mut failed, fetch)
                .await
                .unwrap_or(token.value));
        }

        let mut failed = self.fetching.lock().await;
        let now = Instant::now();
        if let Some(token) = self.living(now) {
            return Ok(token.value);
        }
        if let Some(failed) = failed.as_ref().filter(|failed| failed.answers(asked, now)) {
            return Err(failed.error.clone());
        }
        self.fetch_into(&mut failed, fetch).await
    }

    /// Drops the token that DingTalk refused, unless another has taken its place.
    pub(crate) fn invalidate(&self, refused: &Secret) {
        let mut cached = self.lock();
        if cached.as_ref().is_some_and(|token| token.value == *refused) {
            *cached = None;
        }
    }

    async fn fetch_into<F>(&self, failed: &mut Option<Failed>, fetch: F) -> Result<Secret, ApiError>
    where
        F: AsyncFnOnce() -> Result<(Secret, Duration), ApiError>,
    {
        // The life counts from before the request: late by the way there is late on the safe side.
        let fetched_at = Instant::now();
        match fetch().await {
            Ok((value, life)) => {
                *failed = None;
                *self.lock() = Some(Token {
                    value: value.clone(),
                    fetched_at,
                    life,
                });
                Ok(value)
            }
            Err(error) => {
                *failed = Some(Failed {
                    at: Instant::now(),
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }

    fn living(&self, now: Instant) -> Option<Token> {
        self.lock()
            .clone()
            .filter(|token| age(token, now) < token.life)
    }

    /// A panic elsewhere cannot leave half a token behind, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Option<Token>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
