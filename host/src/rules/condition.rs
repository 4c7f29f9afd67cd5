//! A `when` condition: a CEL expression over one event, bounded in size and in work.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use cel::{Env, ExecutionError, IdedExpr};
use serde_json::Value;

use crate::event::Facts;

use self::shape::{Shape, Weight};

pub(super) use self::pin::{Pin, Rest};

mod pin;
mod shape;

/// Bytes of an expression.
const MAX_SOURCE: usize = 2_000;

/// Built once: it holds every function of the language.
static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A CEL expression over the variable `event`. Clones share it, and a rule without one stays small.
#[derive(Clone)]
pub struct Condition(Arc<Compiled>);

struct Compiled {
    source: String,
    program: cel::Program,
    shape: Shape,
    pin: Option<Pin>,
    reads: Vec<Vec<String>>,
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.0.source)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.source)
    }
}

/// Why a text cannot be a condition.
#[derive(Debug, thiserror::Error)]
pub enum ConditionError {
    /// It is not CEL.
    #[error("is not a CEL expression: {0}")]
    Syntax(String),
    /// It could take too long on some event.
    #[error("is too large: it has {found} {what} and may have {most}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: usize,
        /// How much there may be.
        most: usize,
    },
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        within("bytes", source.len(), MAX_SOURCE)?;
        // The parser is not ours; what it does with odd texts must not end the process.
        let compiled = catch_unwind(AssertUnwindSafe(|| LANGUAGE.compile(source)))
            .map_err(|_| ConditionError::Syntax("the parser gave up".to_owned()))?;
        let program = compiled.map_err(|error| {
            // Below the first line the parser draws where it stopped, which needs a line of its own.
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            ConditionError::Syntax(first.trim_start_matches("ERROR: <input>:").to_owned())
        })?;
        let mut reads = BTreeSet::new();
        let shape = Shape::of(program.expression(), &mut reads);
        shape.check()?;
        Ok(Self(Arc::new(Compiled {
            source: source.to_owned(),
            pin: Pin::of(program.expression(), shape),
            program,
            shape,
            reads: reads.into_iter().collect(),
        })))
    }
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), ConditionError> {
    if found <= most {
        Ok(())
    } else {
        Err(ConditionError::TooLarge { what, found, most })
    }
}

/// An event as conditions see it, converted when the first one asks and then kept for the others.
pub struct Subject<'a> {
    facts: &'a Facts,
    seen: OnceCell<Result<Seen, String>>,
}

struct Seen {
    context: cel::Context<'static, 'static>,
    weight: Weight,
}

impl<'a> Subject<'a> {
    /// An event to be looked at.
    pub fn new(facts: &'a Facts) -> Self {
        Self {
            facts,
            seen: OnceCell::new(),
        }
    }

    /// The event.
    pub fn facts(&self) -> &'a Facts {
        self.facts
    }

    fn seen(&self) -> Result<&Seen, String> {
        let seen = self.seen.get_or_init(|| {
            let mut context = cel::Context::with_env(Arc::clone(&LANGUAGE));
            context
                .add_variable("event", self.facts.as_json())
                .map_err(|_| "the event cannot be shown to conditions".to_owned())?;
            Ok(Seen {
                context,
                weight: Weight::of(self.facts.as_json()),
            })
        });
        seen.as_ref().map_err(Clone::clone)
    }
}

impl Condition {
    /// Whether the condition holds; the error says why it could not be evaluated, which counts as no.
    pub fn holds(&self, subject: &Subject<'_>) -> Result<bool, String> {
        self.evaluate(self.0.program.expression(), self.0.shape, subject)
    }

    /// What [`Condition::holds`] says of an event for which its pin is known to hold.
    pub(super) fn rest_holds(&self, rest: &Rest, subject: &Subject<'_>) -> Result<bool, String> {
        self.evaluate(&rest.expression, rest.shape, subject)
    }

    fn evaluate(
        &self,
        expression: &IdedExpr,
        shape: Shape,
        subject: &Subject<'_>,
    ) -> Result<bool, String> {
        let seen = subject.seen()?;
        if !shape.bears(seen.weight) {
            return Err("the event is too large for this expression".to_owned());
        }
        let evaluate = AssertUnwindSafe(|| cel::Value::resolve(expression, &seen.context));
        match catch_unwind(evaluate) {
            Ok(Ok(cel::Value::Bool(holds))) => Ok(holds),
            Ok(Ok(other)) => Err(format!(
                "gives {:?} instead of true or false",
                other.type_of()
            )),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_panic) => Err("the evaluation gave up on a value".to_owned()),
        }
    }

    /// What an index can look up of it.
    pub(super) fn pin(&self) -> Option<&Pin> {
        self.0.pin.as_ref()
    }

    /// The fields of the event that the condition names, with what they are in this event.
    pub fn looked_at(&self, facts: &Facts) -> Vec<(String, Option<Value>)> {
        self.0
            .reads
            .iter()
            .map(|path| {
                let found = path
                    .iter()
                    .try_fold(facts.as_json(), |value, part| value.get(part));
                (format!("event.{}", path.join(".")), found.cloned())
            })
            .collect()
    }

    /// What went wrong, in words of the expression: values come from messages and must not get into the log.
    fn explain(&self, error: &ExecutionError) -> String {
        match error {
            ExecutionError::NoSuchKey(key) if self.0.source.contains(key.as_str()) => {
                format!("there is no {key:?}")
            }
            ExecutionError::UndeclaredReference(name) => format!("there is no {name:?}"),
            ExecutionError::NotSupportedAsMethod { method, target } => {
                format!("{method:?} does not apply to {:?}", target.type_of())
            }
            ExecutionError::UnsupportedBinaryOperator(operator, a, b)
            | ExecutionError::Overflow(operator, a, b) => format!(
                "{operator:?} does not apply to {:?} and {:?}",
                a.type_of(),
                b.type_of()
            ),
            ExecutionError::ValuesNotComparable(a, b) => {
                format!("cannot compare {:?} and {:?}", a.type_of(), b.type_of())
            }
            ExecutionError::FunctionError { function, .. } => {
                format!("{function:?} does not work on this value")
            }
            _ => "a value does not fit the expression".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
