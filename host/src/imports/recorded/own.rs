//! Changes of what belfry keeps for a plugin, its values and its timers: each is one transaction with its record.

use std::sync::Arc;

use super::{Call, count};
use crate::call::{Answer, Fate, Json};
use crate::effect::{Given, Halt, Next, Source};
use crate::engine::{Outbound, Task};
use crate::imports::told::{Told, answer};
use crate::journal::JournalError;
use crate::store::Recording;

/// A change of what belfry keeps for a plugin.
pub(in crate::imports) trait Own: Send + 'static {
    /// Why it is not made.
    type Error: Send;
    /// What the plugin hears of that.
    type Heard: Send;
    /// Whether `false` says that it was refused.
    const IS_CONDITIONAL: bool;

    /// Tells the plugin.
    fn to_guest(error: &Self::Error) -> Self::Heard;
    /// Whether it is within the limits that need no look into the store.
    fn check(&self) -> Result<(), Self::Error>;
    /// Why nothing can be written, if that is the reason.
    fn unusable(error: &Self::Error) -> Option<JournalError>;
    /// Makes it.
    fn make(self, task: &Task) -> impl Future<Output = Result<bool, Self::Error>> + Send;
    /// Whether the store has transactions, so that one can take its record along.
    fn is_transactional(task: &Task) -> bool;
    /// Makes it with its record, in one transaction.
    fn make_recorded(
        self,
        task: &Task,
        recording: Recording<Self::Error>,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

/// What a change says when it was made.
pub(in crate::imports) trait Written: Sized {
    /// Whether its condition held.
    fn from_condition(held: bool) -> Self;
}

impl Written for () {
    fn from_condition(_: bool) -> Self {}
}

impl Written for bool {
    fn from_condition(held: bool) -> Self {
        held
    }
}

impl Call {
    /// A change of what belfry keeps, worked out when it is known that it is made.
    pub(in crate::imports) async fn change<O: Own, T: Written>(
        self,
        own: impl Future<Output = Result<O, O::Heard>>,
    ) -> wasmtime::Result<Result<T, O::Heard>>
    where
        Result<T, O::Heard>: Told<Error = O::Heard>,
    {
        let recorder = match &self.task.source {
            Source::Recorded(recorder) => Arc::clone(recorder),
            Source::Given(answers) => {
                return match answers.answer(self.function, &self.arguments) {
                    Given::Make => {
                        let told = match own.await {
                            Ok(own) => answer_of::<O, T>(&own.make(&self.task).await).1,
                            Err(heard) => Err(heard),
                        };
                        answers.told(self.function, &self.arguments, &answer(&told).text);
                        Ok(told)
                    }
                    given => self.given(given),
                };
            }
        };
        let place = match self.next(&recorder)? {
            Next::Answer(answer) => return self.replay(&answer.text),
            Next::Reuse { place, of, answer } => {
                let told = self.replay(&answer.text)?;
                return Ok(self.note(&recorder, place, Some(of), told));
            }
            // Nothing begins it on its own, so nothing is ever in doubt.
            Next::Make { place } | Next::Ambiguous { place, .. } => place,
            Next::Diverged(divergence) => return Err(Halt::Diverged(divergence).into()),
        };
        let own = match own.await {
            Ok(own) => own,
            Err(heard) => return self.keep(&recorder, place, None, Err(heard)),
        };
        if let Err(error) = own.check() {
            return self.keep(&recorder, place, None, Err(O::to_guest(&error)));
        }
        let carrier = self.task.outbound.clone();
        // The store makes it whether or not the guest lives to see that, so what belongs to it goes on as well.
        let changed = async move {
            let _busy = recorder.busy()?;
            let call = recorder.call(place, self.function, self.arguments);
            if !O::is_transactional(&self.task) {
                let (answer, told) = answer_of::<O, T>(&own.make(&self.task).await);
                count(self.function, answer.fate);
                recorder.keep(call, answer);
                return Ok(told);
            }
            let (join, joined) = recorder.join(call);
            let recording = Recording {
                join,
                answer: |outcome| answer_of::<O, T>(outcome).0,
            };
            let outcome = own.make_recorded(&self.task, recording).await;
            if let Err(error) = &outcome
                && let Some(reason) = O::unusable(error)
            {
                // Nothing was written, and the same disk would have to take the record of that.
                return Err(Halt::Journal(reason));
            }
            let (answer, told) = answer_of::<O, T>(&outcome);
            count(self.function, answer.fate);
            recorder.joined(joined, answer.fate);
            Ok(told)
        };
        Ok(Outbound::new(carrier, changed).await?)
    }
}

/// What is recorded of a change, and what the plugin hears of it.
fn answer_of<O: Own, T: Written>(outcome: &Result<bool, O::Error>) -> (Answer, Result<T, O::Heard>)
where
    Result<T, O::Heard>: Told,
{
    let told = match outcome {
        Ok(held) => Ok(T::from_condition(*held)),
        Err(error) => Err(O::to_guest(error)),
    };
    let fate = match outcome {
        Ok(held) if *held || !O::IS_CONDITIONAL => Fate::Done,
        Ok(_) | Err(_) => Fate::Refused,
    };
    let text = Json::of(&told).unwrap_or_default();
    (Answer { fate, text }, told)
}
