//! What is kept of the host calls that a plugin made while it worked on a delivery.

use serde::{Serialize, Serializer};

use crate::call::{Answer, Arguments, Fate, Json};
use crate::clock::UnixMs;
use crate::function::Function;
use crate::ids::PluginDigest;

/// The place of a call: in which run of the delivery, and the how manieth there, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The run. A delivery is begun anew when its plugin asked for a retry; see `docs/guarantees.md`.
    pub run: u32,
    /// The number within the run.
    pub number: u32,
}

/// One recorded host call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// What was called.
    pub function: Function,
    /// The version of the plugin that called.
    #[serde(serialize_with = "as_text")]
    pub digest: PluginDigest,
    /// With what.
    #[serde(serialize_with = "text_of")]
    pub arguments: Arguments,
    /// The call of an earlier run that this one stands for, if that was not made again or made again with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<Place>,
    /// When it began.
    #[serde(serialize_with = "timestamp")]
    pub started_at: UnixMs,
    /// What came of it; `None` as long as nobody knows.
    #[serde(flatten, serialize_with = "fate_and_text")]
    pub answer: Option<Answer>,
    /// What the plugin called here when it ran again, if it was something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diverged: Option<Json>,
}

/// All that is recorded of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// The present run.
    pub run: u32,
    /// The run from which on it belongs to a version of the plugin: a person began it, on whatever version there is.
    pub released: u32,
    /// The calls, in order.
    pub calls: Vec<Effect>,
}

/// Something to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A call, begun or ended.
    Call(Effect),
    /// The end of a call that was recorded when it began.
    End {
        /// Which one.
        place: Place,
        /// What came of it.
        answer: Answer,
    },
    /// The delivery will be begun anew.
    Run(u32),
    /// The plugin called something else than what is recorded there.
    Diverged {
        /// Where.
        place: Place,
        /// What it called, as JSON.
        called: Json,
    },
}

fn as_text<S: Serializer>(value: &PluginDigest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn text_of<S: Serializer>(arguments: &Arguments, serializer: S) -> Result<S::Ok, S::Error> {
    arguments.text.serialize(serializer)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn timestamp<S: Serializer>(at: &UnixMs, serializer: S) -> Result<S::Ok, S::Error> {
    jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or_default()
        .serialize(serializer)
}

fn fate_and_text<S: Serializer>(answer: &Option<Answer>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Parts<'a> {
        fate: Option<Fate>,
        answer: Option<&'a Json>,
    }
    Parts {
        fate: answer.as_ref().map(|answer| answer.fate),
        answer: answer.as_ref().map(|answer| &answer.text),
    }
    .serialize(serializer)
}
