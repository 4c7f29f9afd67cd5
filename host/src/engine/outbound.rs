//! Carries a call of the host to its end, whether or not the guest that made it lives to see it.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Who carries the calls of one guest to their end: its attempt, and when that is over a task of the host. Clones are the
/// same one.
#[derive(Clone)]
pub struct Carrier(Arc<Shared>);

struct Shared {
    tasks: TaskTracker,
    call: Mutex<Place>,
}

/// Where the attempt has a call that its guest waits for.
#[derive(Default)]
enum Place {
    /// Nowhere: there is no attempt that would go on with it.
    #[default]
    None,
    /// Here, if it is awaited by whoever is woken by this. What another task awaits is not the guest's to wait for.
    Free(Waker),
    Taken(Boxed<()>),
}

impl Carrier {
    /// One whose tasks are those of `tasks`.
    pub fn new(tasks: TaskTracker) -> Self {
        Self(Arc::new(Shared {
            tasks,
            call: Mutex::default(),
        }))
    }

    /// Polls a guest, and in its place the call that it waits for: on the stack of the thread, which is in the caches, and
    /// not on that of the guest, of which there are as many as there are attempts.
    pub(super) fn poll<T>(
        &self,
        context: &mut Context<'_>,
        mut guest: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        loop {
            ready!(self.poll_call(context));
            let polled = guest(context);
            if polled.is_ready() || !matches!(*self.place(), Place::Taken(_)) {
                return polled;
            }
        }
    }

    /// Goes on with the call; ready if there is none.
    fn poll_call(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut place = self.place();
        if matches!(&*place, Place::Free(waker) if waker.will_wake(context.waker())) {
            return Poll::Ready(());
        }
        let before = mem::take(&mut *place);
        drop(place);
        if let Place::Taken(mut call) = before
            && call.as_mut().poll(context).is_pending()
        {
            *self.place() = Place::Taken(call);
            return Poll::Pending;
        }
        *self.place() = Place::Free(context.waker().clone());
        Poll::Ready(())
    }

    /// Takes a call over and answers with where its answer will be, or gives it back.
    fn take<T: Send + 'static>(
        &self,
        call: Boxed<T>,
        context: &Context<'_>,
    ) -> Result<oneshot::Receiver<T>, Boxed<T>> {
        let mut place = self.place();
        match &*place {
            Place::Free(waker) if waker.will_wake(context.waker()) => {}
            _ => return Err(call),
        }
        let (teller, answer) = oneshot::channel();
        *place = Place::Taken(Box::pin(async move {
            // Who does not listen any more does not need the answer.
            let _ = teller.send(call.await);
        }));
        Ok(answer)
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that goes on in its attempt while the guest awaits it, and as a task of the host if that is dropped before it
/// ended: a guest that is ended meanwhile does not cut a request in half.
///
/// It does not start as a task, because nearly every guest waits for its call, and waking another worker for it would
/// cost as much as half an instance.
pub struct Outbound<T: Send + 'static> {
    stage: Stage<T>,
    carrier: Carrier,
}

enum Stage<T> {
    /// Nothing of it has happened yet.
    New(Boxed<T>),
    /// It goes on where it is awaited.
    Here(Boxed<T>),
    /// The carrier has it.
    Carried(oneshot::Receiver<T>),
    Ended,
}

impl<T: Send + 'static> Outbound<T> {
    /// Prepares a call; nothing happens before it is awaited.
    pub fn new(carrier: Carrier, call: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            stage: Stage::New(Box::pin(call)),
            carrier,
        }
    }
}

impl<T: Send + 'static> Future for Outbound<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match mem::replace(&mut self.stage, Stage::Ended) {
            Stage::New(mut call) | Stage::Here(mut call) => {
                if let Poll::Ready(answer) = call.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
                self.stage = match self.carrier.take(call, context) {
                    Ok(answer) => Stage::Carried(answer),
                    Err(call) => Stage::Here(call),
                };
            }
            Stage::Carried(mut answer) => match answer.try_recv() {
                Ok(answer) => return Poll::Ready(answer),
                // The carrier polls this again when it is there.
                Err(_) => self.stage = Stage::Carried(answer),
            },
            // Awaited again after its end, as no `.await` does.
            Stage::Ended => {}
        }
        Poll::Pending
    }
}

impl<T: Send + 'static> Drop for Outbound<T> {
    fn drop(&mut self) {
        let rest: Boxed<()> = match mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Here(call) => Box::pin(async move {
                call.await;
            }),
            Stage::Carried(_) => match mem::take(&mut *self.carrier.place()) {
                Place::Taken(call) => call,
                Place::None | Place::Free(_) => return,
            },
            Stage::New(_) | Stage::Ended => return,
        };
        // Without a runtime the process is at its end, and the journal knows that the attempt is not.
        if let Ok(runtime) = Handle::try_current() {
            self.carrier.0.tasks.spawn_on(rest, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    /// Runs a guest as an attempt does; answers also how often the guest was polled.
    async fn attempt<T>(carrier: &Carrier, guest: impl Future<Output = T>) -> (T, u32) {
        let mut guest = pin!(guest);
        let mut polls = 0;
        let answer = poll_fn(|context| {
            carrier.poll(context, |context| {
                polls += 1;
                guest.as_mut().poll(context)
            })
        })
        .await;
        (answer, polls)
    }

    #[tokio::test]
    async fn a_call_that_is_awaited_answers() {
        let tasks = TaskTracker::new();
        let carrier = Carrier::new(tasks.clone());
        assert_eq!(Outbound::new(carrier.clone(), async { 7 }).await, 7);
        assert_eq!(
            attempt(&carrier, Outbound::new(carrier.clone(), async { 7 })).await,
            (7, 1)
        );
        assert!(tasks.is_empty());
    }

    #[tokio::test]
    async fn a_guest_rests_while_its_call_goes_on() {
        // As tasks, as attempts are: the waker of a test's own future need not know itself again.
        let task = async {
            let carrier = Carrier::new(TaskTracker::new());
            for _ in 0..2 {
                let call = Outbound::new(carrier.clone(), async {
                    for _ in 0..5 {
                        tokio::task::yield_now().await;
                    }
                    7
                });
                assert_eq!(attempt(&carrier, call).await, (7, 2));
            }
        };
        TaskTracker::new().spawn(task).await.unwrap();
    }

    #[tokio::test]
    async fn a_call_whose_guest_went_away_is_carried_to_its_end() {
        for in_an_attempt in [false, true] {
            let tasks = TaskTracker::new();
            let carrier = Carrier::new(tasks.clone());
            let (answer, asked) = oneshot::channel::<()>();
            let (told, ended) = oneshot::channel();
            let call = Outbound::new(carrier.clone(), async move {
                let _ = asked.await;
                let _ = told.send("ended");
            });
            let short = Duration::from_millis(5);
            let gave_up = TaskTracker::new().spawn({
                let carrier = carrier.clone();
                async move {
                    if in_an_attempt {
                        let attempt = attempt(&carrier, call);
                        tokio::time::timeout(short, attempt).await.is_err()
                    } else {
                        tokio::time::timeout(short, call).await.is_err()
                    }
                }
            });
            assert!(gave_up.await.unwrap());
            assert_eq!(tasks.len(), 1);
            answer.send(()).unwrap();
            assert_eq!(ended.await, Ok("ended"));
            tasks.close();
            tasks.wait().await;
        }
    }

    #[tokio::test]
    async fn a_call_that_another_task_awaits_is_left_to_it() {
        let carrier = Carrier::new(TaskTracker::new());
        let (answer, asked) = oneshot::channel();
        let other = TaskTracker::new().spawn(Outbound::new(carrier.clone(), asked));
        let guest = async {
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            answer.send(7).unwrap();
            other.await.unwrap()
        };
        let answer = tokio::time::timeout(Duration::from_secs(5), attempt(&carrier, guest)).await;
        assert_eq!(answer.unwrap().0, Ok(7));
    }

    #[tokio::test]
    async fn a_call_that_never_began_is_not_made() {
        let tasks = TaskTracker::new();
        let (told, ended) = oneshot::channel();
        drop(Outbound::new(Carrier::new(tasks.clone()), async move {
            let _ = told.send(());
        }));
        assert!(tasks.is_empty());
        assert!(ended.await.is_err());
    }
}
