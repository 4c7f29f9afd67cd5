//! Carries a call of the host to its end, whether or not the guest that made it lives to see it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// A call that runs where it is awaited, and goes on as a task of the host if that is dropped before it ended: a guest
/// that is ended meanwhile does not cut a request in half.
///
/// It does not start as a task, because nearly every guest waits for its call, and waking another worker for it would
/// cost as much as half an instance.
pub struct Outbound<T: Send + 'static> {
    /// Gone when the call has ended or was handed over.
    call: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    /// Whether anything of it has happened yet.
    is_started: bool,
    tasks: TaskTracker,
}

impl<T: Send + 'static> Outbound<T> {
    /// Prepares a call; nothing happens before it is awaited. `tasks` gets what is left of it if it must be handed over.
    pub fn new(tasks: &TaskTracker, call: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            call: Some(Box::pin(call)),
            is_started: false,
            tasks: tasks.clone(),
        }
    }
}

impl<T: Send + 'static> Future for Outbound<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.is_started = true;
        let Some(call) = &mut self.call else {
            // Awaited again after its end, as no `.await` does.
            return Poll::Pending;
        };
        let answer = ready!(call.as_mut().poll(context));
        self.call = None;
        Poll::Ready(answer)
    }
}

impl<T: Send + 'static> Drop for Outbound<T> {
    fn drop(&mut self) {
        let rest = self.call.take().filter(|_| self.is_started);
        // Without a runtime the process is at its end, and the journal knows that the attempt is not.
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            self.tasks.spawn_on(
                async move {
                    rest.await;
                },
                &runtime,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_call_that_is_awaited_answers() {
        let tasks = TaskTracker::new();
        assert_eq!(Outbound::new(&tasks, async { 7 }).await, 7);
        assert!(tasks.is_empty());
    }

    #[tokio::test]
    async fn a_call_whose_guest_went_away_is_carried_to_its_end() {
        let tasks = TaskTracker::new();
        let (answer, asked) = oneshot::channel::<()>();
        let (told, ended) = oneshot::channel();
        let call = Outbound::new(&tasks, async move {
            let _ = asked.await;
            let _ = told.send("ended");
        });
        let gave_up = tokio::time::timeout(Duration::from_millis(5), call).await;
        assert!(gave_up.is_err());
        assert_eq!(tasks.len(), 1);
        answer.send(()).unwrap();
        assert_eq!(ended.await, Ok("ended"));
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_call_that_never_began_is_not_made() {
        let tasks = TaskTracker::new();
        let (told, ended) = oneshot::channel();
        drop(Outbound::new(&tasks, async move {
            let _ = told.send(());
        }));
        assert!(tasks.is_empty());
        assert!(ended.await.is_err());
    }
}
