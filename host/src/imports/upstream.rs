//! Calls of DingTalk for a plugin.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use dingtalk::ApiError;
use pin_project_lite::pin_project;

use super::api_error;
use super::bindings::belfry::bot::api;
use crate::attempt::Trouble;
use crate::engine::Task;

pin_project! {
    /// A call under way. A future by hand, because an `async fn` keeps room for the call twice: once as it was given, once
    /// as it is awaited. A call is large, and is copied with whatever it stands in.
    pub(super) struct Upstream<'a, F> {
        task: &'a Task,
        #[pin]
        call: F,
    }
}

/// Makes a call of DingTalk.
pub(super) fn upstream<T, F>(task: &Task, call: F) -> Upstream<'_, F>
where
    F: Future<Output = Result<T, ApiError>>,
{
    Upstream { task, call }
}

impl<T, F> Future for Upstream<'_, F>
where
    F: Future<Output = Result<T, ApiError>>,
{
    type Output = Result<T, api::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let task = *this.task;
        task.awaits_dingtalk.store(true, Ordering::Relaxed);
        let answer = ready!(this.call.poll(context));
        task.awaits_dingtalk.store(false, Ordering::Relaxed);
        task.trouble.note(answer.as_ref().err().and_then(trouble));
        Poll::Ready(answer.map_err(|error| {
            tracing::info!(
                event = %task.envelope.id, plugin = %task.plugin, code = error.code(), "a call of dingtalk failed"
            );
            api_error(error)
        }))
    }
}

/// What kept a call from being done, if nothing is wrong with the call itself.
fn trouble(error: &ApiError) -> Option<Trouble> {
    match error {
        ApiError::RateLimited { retry_after, .. } => Some(Trouble::RateLimited(*retry_after)),
        ApiError::Unavailable { .. } | ApiError::Credentials { .. } => Some(Trouble::Down),
        _ => None,
    }
}
