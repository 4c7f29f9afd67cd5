//! The one way of every recorded host call: counted, compared with the records, made if it must be, recorded.

use std::sync::Arc;

use serde::Serialize;

use super::told::{MayBeUnknown, Told, answer};
use crate::call::{Arguments, Fate, Json};
use crate::clock::{self, UnixMs};
use crate::effect::{Given, Halt, Key, Next, Recorder, Source};
use crate::engine::{Outbound, State, Task};
use crate::failpoint::{self, Point};
use crate::function::{Function, Policy};
use crate::journal::{Effect, Place};
use crate::meter::{Metric, Series};

pub(super) use self::own::Own;

mod own;

/// What host calls came to.
pub const HOST_CALLS: Metric = Metric::counter(
    "belfry_host_calls_total",
    &["function", "outcome"],
    "Host calls of plugins by what they came to: done, refused, unknown, or replayed from the journal.",
);

/// The series of [`HOST_CALLS`], by function and fate.
static MADE: [[Series; 3]; Function::COUNT] =
    [const { [const { Series::new() }; 3] }; Function::COUNT];
/// Those of the calls that were not made.
static REPLAYED: [Series; Function::COUNT] = [const { Series::new() }; Function::COUNT];

/// Counts a call that was made.
pub fn count(function: Function, fate: Fate) {
    MADE[function as usize][fate as usize].count(&HOST_CALLS, &[function.name(), fate.as_str()]);
}

/// Counts a call that the journal had the answer of.
fn count_replayed(function: Function) {
    REPLAYED[function as usize].count(&HOST_CALLS, &[function.name(), "replayed"]);
}

/// A counted host call, before it is known whether it is made.
pub(super) struct Call {
    task: Arc<Task>,
    function: Function,
    arguments: Arguments,
    /// Where it stands, if that was settled before it was known what is called.
    place: Option<Place>,
}

/// A counted host call that has its place and whose arguments are not known yet.
pub(super) struct Asking {
    task: Arc<Task>,
    place: Option<Place>,
}

/// How a write is made.
pub(super) enum Step {
    /// For the first time, with the key under which it may be made again.
    First(Key),
    /// Again, with the same key, though it may have been done.
    Again(Key),
    /// Only if it was not done.
    Unless {
        /// When it was begun.
        since: UnixMs,
        /// What the other calls of this function came to.
        others: Vec<Json>,
    },
}

impl State {
    /// The delivery, for a call that it answers itself, which is done at once.
    pub(super) fn answers(&mut self, function: Function) -> wasmtime::Result<Arc<Task>> {
        let task = self.call(function)?;
        count(function, Fate::Done);
        Ok(task)
    }

    /// Counts a call of the guest. `arguments` are what the guest gave and nothing else, in an order that never changes.
    pub(super) fn asks(
        &mut self,
        function: Function,
        arguments: &impl Serialize,
    ) -> wasmtime::Result<Call> {
        Ok(Call {
            task: self.call(function)?,
            function,
            arguments: Arguments::of(arguments)?,
            place: None,
        })
    }
}

impl Asking {
    /// Takes the next place.
    pub(super) fn begin(task: &Arc<Task>) -> Self {
        let place = match &task.source {
            Source::Recorded(recorder) => Some(recorder.take()),
            Source::Given(_) => None,
        };
        Self {
            task: Arc::clone(task),
            place,
        }
    }

    /// The call, now that it is known.
    pub(super) fn asks(self, function: Function, arguments: Arguments) -> Call {
        Call {
            task: self.task,
            function,
            arguments,
            place: self.place,
        }
    }
}

impl Call {
    fn next(&self, recorder: &Recorder) -> Result<Next, Halt> {
        match self.place {
            None => recorder.next(self.function, &self.arguments),
            Some(place) => recorder.at(place, self.function, &self.arguments),
        }
    }

    /// The delivery.
    pub(super) fn task(&self) -> Arc<Task> {
        Arc::clone(&self.task)
    }

    /// A call that changes nothing.
    pub(super) async fn read<A: Told>(self, make: impl Future<Output = A>) -> wasmtime::Result<A> {
        let recorder = match &self.task.source {
            Source::Recorded(recorder) => recorder,
            Source::Given(answers) => {
                return match answers.answer(self.function, &self.arguments) {
                    Given::Make => {
                        let told = make.await;
                        answers.told(self.function, &self.arguments, &answer(&told).text);
                        Ok(told)
                    }
                    given => self.given(given),
                };
            }
        };
        match self.next(recorder)? {
            Next::Answer(answer) => self.replay(&answer.text),
            Next::Make { place } | Next::Reuse { place, .. } | Next::Ambiguous { place, .. } => {
                let told = make.await;
                self.keep(recorder, place, None, told)
            }
            Next::Diverged(divergence) => Err(Halt::Diverged(divergence).into()),
        }
    }

    /// A call that changes something outside. It is made only if it is `allowed`, is made as a task of the host, and its
    /// end is recorded whether or not the guest lives to hear it.
    pub(super) async fn write<A: MayBeUnknown, F>(
        self,
        allowed: impl Future<Output = Result<(), A::Error>>,
        make: impl Fn(Step) -> F + Send + 'static,
    ) -> wasmtime::Result<A>
    where
        F: Future<Output = A> + Send + 'static,
    {
        // Pinned here, so that the places that await it do not each keep room for it.
        let allowed = std::pin::pin!(allowed);
        let recorder = match &self.task.source {
            Source::Recorded(recorder) => Arc::clone(recorder),
            Source::Given(answers) => {
                // A write that somebody stands in for is never made.
                let given = answers.answer(self.function, &self.arguments);
                if matches!(given, Given::Granted(_))
                    && let Err(error) = allowed.await
                {
                    let told = A::refused(error);
                    answers.told(self.function, &self.arguments, &answer(&told).text);
                    return Ok(told);
                }
                return self.given(given);
            }
        };
        match self.next(&recorder)? {
            Next::Answer(answer) => self.replay(&answer.text),
            Next::Reuse { place, of, answer } => {
                let told = self.replay(&answer.text)?;
                Ok(self.note(&recorder, place, Some(of), told))
            }
            Next::Make { place } => {
                if let Err(error) = allowed.await {
                    return self.keep(&recorder, place, None, A::refused(error));
                }
                let first = Step::First(recorder.key(place));
                self.carry(&recorder, place, Some(None), first, make).await
            }
            Next::Ambiguous {
                place,
                of,
                since,
                is_recorded,
            } => {
                let begin = (!is_recorded).then_some(Some(of));
                let policy = self.task.grant.policy(self.function);
                let step = match policy {
                    Policy::Resend => Step::Again(recorder.key(of)),
                    Policy::Look => Step::Unless {
                        since,
                        others: recorder.done(self.function),
                    },
                    Policy::Unknown => {
                        let told = A::unknown("it was begun before, and no answer came");
                        return self.settle(&recorder, place, begin, told).await;
                    }
                };
                if allowed.await.is_err() {
                    // The refusal would be true of a second time only.
                    let told = A::unknown("it was begun before, and is not granted any more");
                    return self.settle(&recorder, place, begin, told).await;
                }
                self.carry(&recorder, place, begin, step, make).await
            }
            Next::Diverged(divergence) => Err(Halt::Diverged(divergence).into()),
        }
    }

    /// A write that is made alike each time, with these values; see [`Call::write`].
    pub(super) async fn write_alike<A: MayBeUnknown, V, F>(
        self,
        allowed: impl Future<Output = Result<(), A::Error>>,
        values: V,
        make: impl Fn(Arc<Task>, V) -> F + Send + 'static,
    ) -> wasmtime::Result<A>
    where
        V: Clone + Send + 'static,
        F: Future<Output = A> + Send + 'static,
    {
        // As in `write`: nobody that awaits it keeps room for it twice.
        let allowed = std::pin::pin!(allowed);
        let task = self.task();
        self.write(allowed, move |_| make(Arc::clone(&task), values.clone()))
            .await
    }

    /// Makes a write. `begin` is what its beginning is recorded with, unless that is recorded already: the earlier call it
    /// stands for, if there is one.
    async fn carry<A: MayBeUnknown, F>(
        self,
        recorder: &Arc<Recorder>,
        place: Place,
        begin: Option<Option<Place>>,
        step: Step,
        make: impl Fn(Step) -> F + Send + 'static,
    ) -> wasmtime::Result<A>
    where
        F: Future<Output = A> + Send + 'static,
    {
        let recorder = Arc::clone(recorder);
        let carrier = self.task.outbound.clone();
        let policy = self.task.grant.policy(self.function);
        let carried = async move {
            let _busy = recorder.busy()?;
            let since = match begin {
                Some(stands_for) => {
                    let call = recorder.call(place, self.function, self.arguments);
                    let since = call.started_at;
                    recorder.begin(Effect { stands_for, ..call }).await?;
                    since
                }
                None => clock::now(),
            };
            let again = match (&step, policy) {
                (Step::First(key), Policy::Resend) => Some(Step::Again(key.clone())),
                (Step::First(_), Policy::Look) => Some(Step::Unless {
                    since,
                    others: recorder.done(self.function),
                }),
                _ => None,
            };
            failpoint::pass(Point::BeforeRequest);
            let mut told = make(step).await;
            if told.fate() == Fate::Unknown
                && let Some(again) = again
            {
                // A lost answer is as good as a crash: the same policy tells what to do about it.
                told = make(again).await;
            }
            failpoint::pass(Point::AfterRequest);
            count(self.function, told.fate());
            recorder.end(place, self.function, answer(&told)).await;
            Ok::<A, Halt>(told)
        };
        Ok(Outbound::new(carrier, carried).await?)
    }

    /// Records the end of a write that is not made.
    async fn settle<A: Told>(
        self,
        recorder: &Recorder,
        place: Place,
        begin: Option<Option<Place>>,
        told: A,
    ) -> wasmtime::Result<A> {
        match begin {
            Some(stands_for) => self.keep(recorder, place, stands_for, told),
            None => {
                count(self.function, told.fate());
                recorder.end(place, self.function, answer(&told)).await;
                Ok(told)
            }
        }
    }

    /// Records a call that was made, or refused, and tells the plugin.
    fn keep<A: Told>(
        &self,
        recorder: &Recorder,
        place: Place,
        stands_for: Option<Place>,
        told: A,
    ) -> wasmtime::Result<A> {
        count(self.function, told.fate());
        Ok(self.note(recorder, place, stands_for, told))
    }

    /// Records a call that has ended and changed nothing.
    fn note<A: Told>(
        &self,
        recorder: &Recorder,
        place: Place,
        stands_for: Option<Place>,
        told: A,
    ) -> A {
        let mut told = told;
        let mut kept = answer(&told);
        // What was done once must be told as it was.
        if stands_for.is_none() && !recorder.has_room(self.function, kept.text.expose().len()) {
            told = A::too_large();
            kept = answer(&told);
        }
        let call = recorder.call(place, self.function, self.arguments.clone());
        recorder.keep(Effect { stands_for, ..call }, kept);
        told
    }

    /// The answer that the journal has.
    fn replay<A: Told>(&self, text: &Json) -> wasmtime::Result<A> {
        count_replayed(self.function);
        self.decode(text)
    }

    fn given<A: Told>(&self, given: Given) -> wasmtime::Result<A> {
        let reason = match given {
            Given::Answer(text) | Given::Granted(text) => return self.decode(&text),
            Given::Make => "it must not be made".to_owned(),
            Given::Nothing(reason) => reason,
        };
        Err(Halt::Unanswered {
            function: self.function,
            reason,
        }
        .into())
    }

    fn decode<A: Told>(&self, text: &Json) -> wasmtime::Result<A> {
        serde_json::from_str(text.expose()).map_err(|_| Halt::Unreadable(self.function).into())
    }
}
