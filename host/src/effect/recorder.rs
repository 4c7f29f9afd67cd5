//! Keeps the records of one attempt: what must be on disk before a request leaves, and what can wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use super::busy::{Busy, UnderWay};
use super::{Begin, Cursor, Divergence, Key, Next};
use crate::call::{Answer, Arguments, Fate, Json};
use crate::clock;
use crate::function::{Class, Function};
use crate::ids::{DeliveryId, PluginDigest};
use crate::journal::{Effect, Effects, Journal, JournalError, Place, Record};
use crate::store::Join;

/// Bytes of answers that are recorded of one attempt.
const MAX_ANSWERS: usize = 16 << 20;
/// Bytes of one recorded answer.
const MAX_ANSWER: usize = 1 << 20;

/// Why an attempt cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Halt {
    /// The plugin did something else than what is recorded.
    #[error(transparent)]
    Diverged(Divergence),
    /// A call could not be recorded, so it was not made.
    #[error("a host call cannot be recorded: {0}")]
    Journal(#[from] JournalError),
    /// What is recorded is no answer of that function, as after a change of belfry.
    #[error("the recorded answer of {0} cannot be read")]
    Unreadable(Function),
    /// The attempt is over, so nothing is begun for it any more.
    #[error("the attempt has ended")]
    Over,
    /// Nobody gave an answer for the call.
    #[error("there is no answer for {function}: {reason}")]
    Unanswered {
        /// The function.
        function: Function,
        /// What was missing.
        reason: String,
    },
}

/// Whether and how a delivery will run again, as far as records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It ended, or goes on where it was.
    No,
    /// Its plugin asked for it.
    Asked,
    /// Its plugin was ended: it goes on where it was, unless it did not cope with a refusal, which would come again.
    Ended,
}

/// Which records a transaction has, for [`Recorder::joined`].
#[derive(Debug)]
pub struct Joined(usize);

/// The records of one attempt.
pub struct Recorder {
    journal: Arc<dyn Journal>,
    delivery: DeliveryId,
    digest: PluginDigest,
    state: Mutex<State>,
    under_way: UnderWay,
}

struct State {
    cursor: Cursor,
    /// Records that must be on disk before the next write begins. Until then a crash may take them: without a write
    /// after them nothing depends on them.
    waiting: Vec<Record>,
    /// How many have waited and do not any more.
    passed: usize,
    recorded_bytes: usize,
    has_calls: bool,
    is_closed: bool,
    /// The writes to the outside that were done.
    done: SmallVec<[(Function, Json); 1]>,
}

impl Recorder {
    /// A recorder at the beginning of an attempt of this version of the plugin.
    pub fn new(
        journal: Arc<dyn Journal>,
        delivery: DeliveryId,
        digest: PluginDigest,
        effects: Effects,
        begin: Begin,
    ) -> Self {
        let done = effects
            .calls
            .iter()
            .filter(|call| call.function.class() == Class::Write);
        let done = done
            .filter_map(|call| match &call.answer {
                Some(answer) if answer.fate == Fate::Done => {
                    Some((call.function, answer.text.clone()))
                }
                _ => None,
            })
            .collect();
        let state = State {
            done,
            has_calls: !effects.calls.is_empty(),
            cursor: Cursor::new(effects, begin),
            waiting: Vec::new(),
            passed: 0,
            recorded_bytes: 0,
            is_closed: false,
        };
        Self {
            journal,
            delivery,
            digest,
            state: Mutex::new(state),
            under_way: UnderWay::default(),
        }
    }

    /// Goes one call further.
    pub fn next(&self, function: Function, arguments: &Arguments) -> Result<Next, Halt> {
        let mut state = self.state();
        let place = state.cursor.take();
        state.at(place, function, arguments)
    }

    /// Takes the next place for a call whose arguments are not known yet.
    pub fn take(&self) -> Place {
        self.state().cursor.take()
    }

    /// As [`Recorder::next`], for a call that has taken its place.
    pub fn at(
        &self,
        place: Place,
        function: Function,
        arguments: &Arguments,
    ) -> Result<Next, Halt> {
        self.state().at(place, function, arguments)
    }

    /// Whether there is room for an answer of so many bytes; takes it.
    pub fn has_room(&self, function: Function, bytes: usize) -> bool {
        if matches!(function, Function::HttpRead | Function::HttpHandle) {
            // The plugin's own limits hold for these, `http-answer` and `http-answers`.
            return true;
        }
        let mut state = self.state();
        state.recorded_bytes = state.recorded_bytes.saturating_add(bytes);
        bytes <= MAX_ANSWER && state.recorded_bytes <= MAX_ANSWERS
    }

    /// The record of a call that begins now.
    pub fn call(&self, place: Place, function: Function, arguments: Arguments) -> Effect {
        Effect {
            place,
            function,
            digest: self.digest,
            arguments,
            stands_for: None,
            started_at: clock::now(),
            answer: None,
            diverged: None,
        }
    }

    /// What the writes of a function came to that were done for this delivery.
    pub fn done(&self, function: Function) -> Vec<Json> {
        let state = self.state();
        let done = state.done.iter().filter(|(of, _)| *of == function);
        done.map(|(_, told)| told.clone()).collect()
    }

    /// The idempotency key of a call.
    pub fn key(&self, place: Place) -> Key {
        Key::of(&self.delivery, place)
    }

    /// Records a call that has ended and changed nothing.
    pub fn keep(&self, call: Effect, answer: Answer) {
        let mut state = self.state();
        state.cursor.answered(answer.fate);
        state.has_calls = true;
        state.waiting.push(Record::Call(Effect {
            answer: Some(answer),
            ..call
        }));
    }

    /// Records that a write begins. When this returns it may leave.
    pub async fn begin(&self, call: Effect) -> Result<(), Halt> {
        let mut records = self.state().take_waiting();
        records.push(Record::Call(call));
        Ok(self.journal.record(&self.delivery, records).await?)
    }

    /// Records what came of a write that was begun.
    pub async fn end(&self, place: Place, function: Function, answer: Answer) {
        let mut records = {
            let mut state = self.state();
            state.cursor.answered(answer.fate);
            if answer.fate == Fate::Done {
                state.done.push((function, answer.text.clone()));
            }
            state.take_waiting()
        };
        records.push(Record::End { place, answer });
        self.record_later(records).await;
    }

    /// Lets a call be recorded in the transaction that does it, with everything before it.
    pub fn join(&self, call: Effect) -> (Box<dyn Join>, Joined) {
        let mut state = self.state();
        state.has_calls = true;
        // They stay here as well: whether the transaction comes about is not known if the guest ends meanwhile, and what
        // is recorded twice is recorded once.
        let joined = Joined(state.passed + state.waiting.len());
        let join = self
            .journal
            .join(&self.delivery, state.waiting.clone(), call);
        (join, joined)
    }

    /// Takes note that the transaction of [`Recorder::join`] is on disk. What a request beside it came to meanwhile waits on.
    pub fn joined(&self, joined: Joined, fate: Fate) {
        let mut state = self.state();
        state.cursor.answered(fate);
        let recorded = joined.0.saturating_sub(state.passed);
        state.waiting.drain(..recorded);
        state.passed += recorded;
    }

    /// For the time of a write, unless the attempt is over.
    pub fn busy(&self) -> Result<Busy<'_>, Halt> {
        // Counted first: an attempt that ends now waits for it, or it sees the end.
        let busy = self.under_way.begin();
        if self.state().is_closed {
            return Err(Halt::Over);
        }
        Ok(busy)
    }

    /// Ends the attempt: waits until the writes that its guest left behind have ended, and hands over what is still to be
    /// recorded. Answers with the write that the plugin `returned` without making again, if there is one.
    pub async fn close(&self, returned: bool, retried: Retried) -> Option<Divergence> {
        self.state().is_closed = true;
        self.under_way.all_ended().await;
        let (records, left_out) = {
            let mut state = self.state();
            let left_out = state.cursor.left_out().filter(|_| returned);
            let mut records = std::mem::take(&mut state.waiting);
            if let Some(divergence) = &left_out {
                records.push(Record::Diverged {
                    place: divergence.place,
                    called: divergence.called_as_json(),
                });
            }
            let anew = match retried {
                Retried::No => false,
                Retried::Asked => true,
                Retried::Ended => state.cursor.ends_refused(),
            };
            if anew && left_out.is_none() && state.has_calls {
                records.push(Record::Run(state.cursor.run() + 1));
            }
            (records, left_out)
        };
        if !records.is_empty() {
            self.record_later(records).await;
        }
        left_out
    }

    async fn record_later(&self, records: Vec<Record>) {
        if let Err(error) = self.journal.record_later(&self.delivery, records).await {
            tracing::error!(event = %self.delivery.event, plugin = %self.delivery.plugin, %error, "cannot record what a host call came to");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What waited to be recorded, for whoever records a call with it.
    fn take_waiting(&mut self) -> Vec<Record> {
        self.has_calls = true;
        self.passed += self.waiting.len();
        std::mem::take(&mut self.waiting)
    }

    fn at(
        &mut self,
        place: Place,
        function: Function,
        arguments: &Arguments,
    ) -> Result<Next, Halt> {
        if self.is_closed {
            return Err(Halt::Over);
        }
        match self.cursor.at(place, function, arguments) {
            Next::Diverged(divergence) => {
                self.waiting.push(Record::Diverged {
                    place: divergence.place,
                    called: divergence.called_as_json(),
                });
                Err(Halt::Diverged(divergence))
            }
            next => Ok(next),
        }
    }
}
