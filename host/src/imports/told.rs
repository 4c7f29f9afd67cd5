//! What plugins hear of their calls, and how it is recorded.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bindings::belfry::bot::{api, kv, schedule};
use super::outcome_unknown;
use crate::call::{Answer, Fate, Json};

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

/// What is recorded of an answer.
pub(super) fn answer<A: Told>(told: &A) -> Answer {
    Answer {
        fate: told.fate(),
        // Keys of maps are all that cannot be JSON, and there are none.
        text: Json::of(told).unwrap_or_default(),
    }
}
