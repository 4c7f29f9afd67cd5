//! What plugins hear of their calls, and how it is recorded.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bindings::belfry::bot::{api, kv, schedule};
use super::outcome_unknown;
use crate::call::{Answer, Fate, Json};
use crate::kv::KvError;

/// What a plugin hears: a result of one of the interfaces.
pub(super) trait Told: Serialize + DeserializeOwned + Send + 'static {
    /// The error of the interface.
    type Error: Send;
    /// What the call came to.
    fn fate(&self) -> Fate;
    /// The call was refused before it was made.
    fn refused(error: Self::Error) -> Self;
    /// The answer has no room in the journal, so the plugin cannot have it: a second attempt could not be told the same.
    fn too_large() -> Self;
}

/// What a plugin hears of a write that may have come to nothing that anybody knows.
pub(super) trait MayBeUnknown: Told {
    /// Nobody knows whether it was done.
    fn unknown(message: &str) -> Self;
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Told for Result<T, api::Error> {
    type Error = api::Error;

    fn fate(&self) -> Fate {
        match self {
            Ok(_) => Fate::Done,
            Err(api::Error::OutcomeUnknown(_)) => Fate::Unknown,
            Err(_) => Fate::Refused,
        }
    }

    fn refused(error: api::Error) -> Self {
        Err(error)
    }

    fn too_large() -> Self {
        Err(api::Error::Unavailable(api::Detail {
            code: "belfry.too-large".to_owned(),
            message: "the answer is larger than the journal takes".to_owned(),
        }))
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> MayBeUnknown for Result<T, api::Error> {
    fn unknown(message: &str) -> Self {
        Err(outcome_unknown(message))
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Told for Result<T, kv::Error> {
    type Error = kv::Error;

    fn fate(&self) -> Fate {
        match self {
            Ok(_) => Fate::Done,
            Err(_) => Fate::Refused,
        }
    }

    fn refused(error: kv::Error) -> Self {
        Err(error)
    }

    fn too_large() -> Self {
        Err(kv::Error::Unavailable)
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Told for Result<T, schedule::Error> {
    type Error = schedule::Error;

    fn fate(&self) -> Fate {
        match self {
            Ok(_) => Fate::Done,
            Err(_) => Fate::Refused,
        }
    }

    fn refused(error: schedule::Error) -> Self {
        Err(error)
    }

    fn too_large() -> Self {
        Err(schedule::Error::Unavailable)
    }
}

/// A timer in doubt is set again, so nobody is told this.
impl<T: Serialize + DeserializeOwned + Send + 'static> MayBeUnknown for Result<T, schedule::Error> {
    fn unknown(_: &str) -> Self {
        Err(schedule::Error::Unavailable)
    }
}

/// What a write of a value says when it was done.
pub(super) trait Written: Sized {
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

/// What is recorded of a write of a value, and what the plugin hears of it.
pub(super) fn answer_of<T: Written>(
    outcome: &Result<bool, KvError>,
) -> (Answer, Result<T, kv::Error>)
where
    Result<T, kv::Error>: Told,
{
    let told = outcome
        .clone()
        .map(T::from_condition)
        .map_err(super::kv::to_guest);
    let fate = match outcome {
        Ok(true) => Fate::Done,
        Ok(false) | Err(_) => Fate::Refused,
    };
    let text = Json::new(serde_json::to_string(&told).unwrap_or_default());
    (Answer { fate, text }, told)
}

/// What is recorded of an answer.
pub(super) fn answer<A: Told>(told: &A) -> Answer {
    Answer {
        fate: told.fate(),
        // Keys of maps are all that cannot be JSON, and there are none.
        text: Json::new(serde_json::to_string(told).unwrap_or_default()),
    }
}
