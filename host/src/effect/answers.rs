//! Answers host calls from somewhere else than the world: a dry run that must not send, a script that a test wrote.

use crate::call::{Arguments, Json};
use crate::function::Function;

/// What to do about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// This is the answer, as JSON: `{"Ok": …}` or `{"Err": …}` with the fields of the WIT package.
    Answer(Json),
    /// It is made, as it would be without this; not recorded, and not to be used for writes that must not happen.
    Make,
    /// There is no answer: the attempt ends with this reason.
    Nothing(String),
}

/// Answers calls in the order in which they are made.
pub trait Answers: Send + Sync {
    /// The answer of the next call.
    fn answer(&self, function: Function, arguments: &Arguments) -> Given;
}
