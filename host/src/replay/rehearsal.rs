//! Stands in for the world in a dry run, and keeps what was called beside what is recorded.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::report::{Difference, Line, Was, Whence};
use crate::call::{Arguments, Json};
use crate::config::Grant;
use crate::effect::{Answers, Begin, Cursor, Given, Next, first_difference, usual};
use crate::function::{Class, Function, Policy};
use crate::journal::{Effect, Effects};

/// What a read hears that nobody answered before.
const UNAVAILABLE: &str = r#"{"Err":{"Unavailable":{"code":"belfry.dry-run","message":"a dry run asks nobody, and no answer to this call is recorded"}}}"#;
/// The same in the words of `schedule`.
const NO_TIMERS: &str = r#"{"Err":"Unavailable"}"#;
/// The same in the words of `http`.
const UNREACHABLE: &str = r#"{"Err":"Unreachable"}"#;
/// What a write in doubt hears that is not sent again.
const UNKNOWN: &str = r#"{"Err":{"OutcomeUnknown":{"code":"belfry.outcome","message":"it was begun before, and no answer came"}}}"#;

/// The same in the words of `http`.
const UNKNOWN_REQUEST: &str = r#"{"Err":"Unknown"}"#;

/// A dry run of one delivery.
pub(super) struct Rehearsal {
    grant: Arc<Grant>,
    page: Mutex<Page>,
}

struct Page {
    /// Knows which writes of earlier attempts a repair would not make again.
    cursor: Cursor,
    /// The calls of the last run, with whether this one has made an equal one.
    records: Vec<(Effect, bool)>,
    calls: Vec<Call>,
    /// Own values that this run wrote and no record tells of.
    written: BTreeSet<String>,
    /// Counts the ids that are made up.
    ids: u32,
}

struct Call {
    function: Function,
    arguments: Arguments,
    answer: Option<Json>,
    from: Whence,
    /// The equal record.
    record: Option<usize>,
}

impl Rehearsal {
    pub(super) fn new(calls: &[Effect], grant: Arc<Grant>) -> Self {
        let run = calls.last().map_or(0, |call| call.place.run);
        let of_run = calls.iter().filter(|call| call.place.run == run);
        let records = of_run.map(|call| (call.clone(), false)).collect();
        let effects = Effects {
            run,
            released: run,
            calls: calls.to_vec(),
        };
        Self {
            grant,
            page: Mutex::new(Page {
                cursor: Cursor::new(effects, Begin::Anew),
                records,
                calls: Vec::new(),
                written: BTreeSet::new(),
                ids: 0,
            }),
        }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls beside the records, in the order of the calls; what is missing stands where it was.
    pub(super) fn lines(&self) -> Vec<Line> {
        let page = self.page();
        let mut left: Vec<Option<&Effect>> = page
            .records
            .iter()
            .map(|(record, is_made)| (!is_made).then_some(record))
            .collect();
        // A call that no record is equal to may be what another one became.
        let became: Vec<Option<&Effect>> = page
            .calls
            .iter()
            .map(|call| {
                let is_of_it = |record: &&mut Option<&Effect>| {
                    record.is_some_and(|record| record.function == call.function)
                };
                let found = left
                    .iter_mut()
                    .find(is_of_it)
                    .filter(|_| call.record.is_none());
                found.and_then(Option::take)
            })
            .collect();
        let mut lines = Vec::new();
        let mut shown = 0;
        for (call, became) in page.calls.iter().zip(became) {
            if let Some(index) = call.record {
                lines.extend(
                    left[shown.min(index)..index]
                        .iter_mut()
                        .filter_map(|record| record.take().map(missing)),
                );
                shown = shown.max(index);
            }
            let difference = match (call.record, became) {
                (Some(_), _) => Difference::Same,
                (None, Some(_)) => Difference::Changed,
                (None, None) => Difference::New,
            };
            let record = call.record.map(|index| &page.records[index].0).or(became);
            lines.push(Line {
                difference,
                function: call.function.name().to_owned(),
                arguments: call.arguments.text.clone(),
                answer: call.answer.clone(),
                from: Some(call.from),
                field: became.and_then(|record| {
                    first_difference(record.arguments.text.as_ref(), call.arguments.text.as_ref())
                }),
                recorded: record.map(was),
            });
        }
        lines.extend(left.into_iter().flatten().map(missing));
        lines
    }
}

fn was(record: &Effect) -> Was {
    Was {
        run: record.place.run,
        number: record.place.number,
        arguments: record.arguments.text.clone(),
        fate: record
            .answer
            .as_ref()
            .map(|answer| answer.fate.as_str().to_owned()),
        answer: record.answer.as_ref().map(|answer| answer.text.clone()),
    }
}

fn missing(record: &Effect) -> Line {
    Line {
        difference: Difference::Missing,
        function: record.function.name().to_owned(),
        arguments: None,
        answer: None,
        from: None,
        field: None,
        recorded: Some(was(record)),
    }
}

impl Answers for Rehearsal {
    fn answer(&self, function: Function, arguments: &Arguments) -> Given {
        let mut page = self.page();
        let page = &mut *page;
        let equal = page.records.iter().position(|(record, is_made)| {
            !is_made && record.function == function && record.arguments == *arguments
        });
        let recorded = equal.and_then(|index| {
            page.records[index].1 = true;
            page.records[index].0.answer.clone()
        });
        let next = page.cursor.next(function, arguments);
        let (given, from) = match function.class() {
            Class::Write | Class::TimerWrite => match next {
                Next::Answer(answer) | Next::Reuse { answer, .. } => {
                    (Given::Answer(answer.text), Whence::Record)
                }
                Next::Ambiguous { .. } if self.grant.policy(function) == Policy::Unknown => {
                    let told = recorded.map_or_else(|| unknown(function), |answer| answer.text);
                    (Given::Answer(told), Whence::Record)
                }
                _ => {
                    page.ids += 1;
                    match usual(function, page.ids) {
                        Some(answer) => (Given::Granted(Json::new(answer)), Whence::MadeUp),
                        None => (Given::Answer(nothing(function)), Whence::Nothing),
                    }
                }
            },
            Class::KvWrite => match (recorded, key(arguments)) {
                (Some(answer), key) => {
                    page.written.remove(&key);
                    (Given::Answer(answer.text), Whence::Record)
                }
                (None, key) => {
                    page.written.insert(key);
                    (Given::Make, Whence::Values)
                }
            },
            _ => match (recorded, function) {
                (Some(answer), Function::KvGet) if !page.written.contains(&key(arguments)) => {
                    (Given::Answer(answer.text), Whence::Record)
                }
                (Some(answer), Function::KvListKeys) if page.written.is_empty() => {
                    (Given::Answer(answer.text), Whence::Record)
                }
                (_, Function::KvGet | Function::KvListKeys) => (Given::Make, Whence::Values),
                (Some(answer), _) => (Given::Answer(answer.text), Whence::Record),
                (None, _) => (Given::Answer(nothing(function)), Whence::Nothing),
            },
        };
        page.calls.push(Call {
            function,
            arguments: arguments.clone(),
            answer: match &given {
                Given::Answer(text) | Given::Granted(text) => Some(text.clone()),
                Given::Make | Given::Nothing(_) => None,
            },
            from,
            record: equal,
        });
        given
    }

    fn told(&self, function: Function, arguments: &Arguments, answer: &Json) {
        let mut page = self.page();
        let asked = page
            .calls
            .iter_mut()
            .rev()
            .find(|call| call.function == function && call.arguments == *arguments);
        if let Some(call) = asked {
            call.answer = Some(answer.clone());
            if call.from == Whence::MadeUp {
                call.from = Whence::Grant;
            }
        }
    }
}

fn nothing(function: Function) -> Json {
    Json::new(match function {
        Function::ScheduleListTimers => NO_TIMERS,
        Function::HttpRead | Function::HttpHandle => UNREACHABLE,
        _ => UNAVAILABLE,
    })
}

fn unknown(function: Function) -> Json {
    Json::new(match function {
        Function::HttpHandle => UNKNOWN_REQUEST,
        _ => UNKNOWN,
    })
}

/// The key of a call of `kv`.
fn key(arguments: &Arguments) -> String {
    let text = arguments.text.as_ref().map_or("", Json::expose);
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    value["key"].as_str().unwrap_or_default().to_owned()
}
