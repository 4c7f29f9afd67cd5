//! Answers host calls as a case says, and keeps what was called.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::case::Scripted;
use super::report::Made;
use crate::call::{Arguments, Json};
use crate::effect::{Answers, Given, usual};
use crate::function::Function;

/// The answers that are left, and the calls so far.
pub(super) struct Script(Mutex<Page>);

struct Page {
    answers: VecDeque<Scripted>,
    calls: Vec<Made>,
    /// Counts the ids that are made up.
    ids: u32,
}

impl Script {
    pub(super) fn new(answers: &[Scripted]) -> Self {
        Self(Mutex::new(Page {
            answers: answers.iter().cloned().collect(),
            calls: Vec::new(),
            ids: 0,
        }))
    }

    /// What is left of the script after an event.
    pub(super) fn turn(self: Arc<Self>) -> Self {
        let mut page = self.page();
        let rest = Page {
            answers: std::mem::take(&mut page.answers),
            calls: std::mem::take(&mut page.calls),
            ids: page.ids,
        };
        Self(Mutex::new(rest))
    }

    pub(super) fn take_calls(&mut self) -> Vec<Made> {
        std::mem::take(&mut self.page().calls)
    }

    /// Functions whose answers nobody asked for.
    pub(super) fn unused(&self) -> Vec<String> {
        let page = self.page();
        page.answers
            .iter()
            .map(|answer| answer.call.clone())
            .collect()
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for Script {
    fn answer(&self, function: Function, arguments: &Arguments) -> Given {
        let mut page = self.page();
        let position = page
            .answers
            .iter()
            .position(|answer| answer.call == function.name());
        let scripted = position.and_then(|position| page.answers.remove(position));
        let answer = match scripted.and_then(|scripted| scripted.answer) {
            Some(answer) => Some(answer),
            None if is_own_value(function) => None,
            None => {
                page.ids += 1;
                match usual(function, page.ids) {
                    Some(answer) => Some(answer),
                    None => {
                        return Given::Nothing(format!(
                            "the case has no answer for it; add [[answer]] with call = \"{function}\""
                        ));
                    }
                }
            }
        };
        page.calls.push(Made {
            call: function.name(),
            arguments: arguments.text.clone(),
            answer: answer.as_deref().map(Json::new),
        });
        answer.map_or(Given::Make, |answer| Given::Answer(Json::new(answer)))
    }
}

/// Values are kept for real, in memory.
fn is_own_value(function: Function) -> bool {
    matches!(
        function,
        Function::KvGet
            | Function::KvListKeys
            | Function::KvSet
            | Function::KvDelete
            | Function::KvCompareAndSet
    )
}
