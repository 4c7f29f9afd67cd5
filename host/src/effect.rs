//! Tells for each host call of a delivery whether it is answered from the records or made.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::call::{Answer, Arguments, Fate};
use crate::clock::UnixMs;
use crate::function::Function;
use crate::ids::PluginDigest;
use crate::journal::{Effect, Effects, Place};

pub use self::answers::{Answers, Given, usual};
pub use self::busy::Busy;
pub use self::divergence::{Divergence, first_difference};
pub use self::key::Key;
pub use self::recorder::{Halt, Joined, Recorder, Retried};

mod answers;
mod busy;
mod divergence;
mod key;
mod recorder;

#[cfg(test)]
mod tests;

/// Where the answers of an attempt's host calls come from.
#[derive(Clone)]
pub enum Source {
    /// The world and the records.
    Recorded(Arc<Recorder>),
    /// Somebody who stands in for them.
    Given(Arc<dyn Answers>),
}

/// How an attempt goes on with what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Where the last attempt was: each call must be the one that is recorded in its place.
    Again,
    /// Anew: only what was done outside is not done again.
    Anew,
}

/// What a call leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The record in its place has the answer.
    Answer(Answer),
    /// An equal call of an earlier run has the answer; that is recorded in this place.
    Reuse {
        /// Where this call stands.
        place: Place,
        /// The earlier call.
        of: Place,
        /// Its answer.
        answer: Answer,
    },
    /// It is made.
    Make {
        /// Where it stands.
        place: Place,
    },
    /// It was begun before, and nobody knows what came of it.
    Ambiguous {
        /// Where this call stands.
        place: Place,
        /// The call that was begun, which gives the idempotency key: the same place, or one of an earlier run.
        of: Place,
        /// When that began.
        since: UnixMs,
        /// Whether its beginning is recorded in this place.
        is_recorded: bool,
    },
    /// The record in its place is of another call.
    Diverged(Divergence),
}

/// Walks along the records of a delivery while its plugin runs. Pure: it neither reads nor writes.
#[derive(Debug)]
pub struct Cursor {
    run: u32,
    /// How many calls of this run have been asked for.
    asked: u32,
    /// The records of this run, by their number. One may be missing before others: a call that was under way beside them.
    records: BTreeMap<u32, Effect>,
    /// What earlier runs did outside or may have done, by the place of the first of equal calls, until this run asks for
    /// it again.
    done: BTreeMap<Place, Deed>,
    /// What came of the last call.
    last: Option<Fate>,
}

#[derive(Debug)]
struct Deed {
    function: Function,
    arguments: Arguments,
    since: UnixMs,
    answer: Option<Answer>,
}

impl Cursor {
    /// A cursor at the beginning of an attempt.
    pub fn new(effects: Effects, begin: Begin) -> Self {
        let run = match begin {
            Begin::Again => effects.run,
            Begin::Anew if effects.calls.is_empty() => effects.run,
            Begin::Anew => effects.run + 1,
        };
        let (records, earlier): (Vec<_>, Vec<_>) = effects
            .calls
            .into_iter()
            .partition(|call| call.place.run == run);
        let mut done = BTreeMap::new();
        for call in earlier {
            remember(&mut done, call);
        }
        for record in &records {
            if let Some(of) = record.stands_for {
                done.remove(&of);
            }
        }
        Self {
            run,
            asked: 0,
            records: records
                .into_iter()
                .map(|record| (record.place.number, record))
                .collect(),
            done,
            last: None,
        }
    }

    /// Goes one call further.
    pub fn next(&mut self, function: Function, arguments: &Arguments) -> Next {
        let place = self.take();
        let next = self.at(place, function, arguments);
        if matches!(next, Next::Diverged(_)) {
            // It was not that call, so its place is still to come.
            self.asked -= 1;
        }
        next
    }

    /// Goes one call further whose arguments are not known yet: others may come before they are.
    pub fn take(&mut self) -> Place {
        self.asked += 1;
        Place {
            run: self.run,
            number: self.asked,
        }
    }

    /// What the call in a place that was taken leads to.
    pub fn at(&mut self, place: Place, function: Function, arguments: &Arguments) -> Next {
        let next = match self.records.get(&place.number) {
            Some(record) => match Divergence::between(record, function, arguments) {
                Some(divergence) => return Next::Diverged(divergence),
                None => match &record.answer {
                    Some(answer) => Next::Answer(answer.clone()),
                    None => Next::Ambiguous {
                        place,
                        of: record.stands_for.unwrap_or(place),
                        since: record.started_at,
                        is_recorded: true,
                    },
                },
            },
            None => self.beyond(place, function, arguments),
        };
        self.last = match &next {
            Next::Answer(answer) | Next::Reuse { answer, .. } => Some(answer.fate),
            _ => None,
        };
        next
    }

    fn beyond(&mut self, place: Place, function: Function, arguments: &Arguments) -> Next {
        let equal = self
            .done
            .iter()
            .find(|(_, deed)| deed.function == function && deed.arguments == *arguments);
        let Some(of) = equal.map(|(of, _)| *of) else {
            return Next::Make { place };
        };
        match self.done.remove(&of) {
            Some(Deed {
                answer: Some(answer),
                ..
            }) if answer.fate == Fate::Done => Next::Reuse { place, of, answer },
            Some(deed) => Next::Ambiguous {
                place,
                of,
                since: deed.since,
                is_recorded: false,
            },
            None => Next::Make { place },
        }
    }

    /// Takes note of what came of the call that was last asked for.
    pub fn answered(&mut self, fate: Fate) {
        self.last = Some(fate);
    }

    /// The run.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// Whether the last call so far was not done: what a plugin that ends now may not have coped with.
    pub fn ends_refused(&self) -> bool {
        matches!(self.last, Some(Fate::Refused | Fate::Unknown))
    }

    /// The first write that is recorded in this run and was not asked for again. A plugin that returned without it did not
    /// do what it did before.
    pub fn left_out(&self) -> Option<Divergence> {
        self.records
            .range(self.asked + 1..)
            .map(|(_, record)| record)
            .find(|record| record.function.class().is_write())
            .map(Divergence::missing)
    }
}

/// What is done outside stays done, and so do timers, which may have fired. The plugin's own values are not: it sees them as they are, so it sets them again.
fn remember(done: &mut BTreeMap<Place, Deed>, call: Effect) {
    if !call.function.class().stays_done() {
        return;
    }
    let refused = call
        .answer
        .as_ref()
        .is_some_and(|answer| answer.fate == Fate::Refused);
    match call.stands_for {
        // Made again, with the key of the first: a refusal then says nothing of the first.
        Some(of) if !refused => {
            if let Some(deed) = done.get_mut(&of)
                && call.answer.is_some()
            {
                deed.answer = call.answer;
            }
        }
        None if !refused => {
            done.insert(
                call.place,
                Deed {
                    function: call.function,
                    arguments: call.arguments,
                    since: call.started_at,
                    answer: call.answer,
                },
            );
        }
        _ => {}
    }
}

/// The version of the plugin that a delivery belongs to: the one that last wrote something, unless that is longer ago.
pub fn pinned_to(effects: &Effects, not_before: UnixMs) -> Option<PluginDigest> {
    let writes =
        |call: &&Effect| call.place.run >= effects.released && call.function.class().is_write();
    let first = effects.calls.iter().find(writes)?;
    let last = effects.calls.iter().rev().find(writes)?;
    (first.started_at >= not_before).then_some(last.digest)
}
