//! What a plugin would do, beside what is recorded: as values and as text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::Json;
use crate::ids::DeliveryId;

/// What a dry run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The event.
    pub event: String,
    /// The plugin.
    pub plugin: String,
    /// The version that ran, by its own name; `None` if none could.
    pub version: Option<String>,
    /// The SHA-256 of its component; `None` if none could run.
    pub digest: Option<String>,
    /// How it compares as a whole.
    pub verdict: Verdict,
    /// One word for how it ended, as in metrics; `not-run` if it did not begin.
    pub outcome: String,
    /// How it ended.
    pub outcome_text: String,
    /// What is recorded of the delivery; `None` if the plugin never got the event.
    pub recorded: Option<Recorded>,
    /// Its calls, and those that it no longer makes.
    pub calls: Vec<Line>,
}

/// What is recorded of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Where it stands.
    pub state: String,
    /// Attempts that ended.
    pub attempts: u32,
    /// How the last attempt ended, unless it succeeded.
    pub reason: Option<String>,
    /// The version that made the last recorded call.
    pub digest: Option<String>,
}

/// How a run compares with what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It succeeds, with equal calls.
    Same,
    /// It succeeds, with other calls.
    Changed,
    /// It does not succeed, or could not begin.
    Failed,
}

impl Verdict {
    /// The verdict on a run.
    pub(super) fn of(succeeds: bool, calls: &[Line]) -> Self {
        let is_same = |call: &Line| call.difference == Difference::Same;
        match succeeds {
            false => Self::Failed,
            true if calls.iter().all(is_same) => Self::Same,
            true => Self::Changed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }
}

/// How a call compares with the calls of the last recorded run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// An equal one is recorded.
    Same,
    /// One of the same function is recorded, with other arguments.
    Changed,
    /// Nothing like it is recorded.
    New,
    /// It is recorded, and not made any more.
    Missing,
}

impl Difference {
    fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::New => "new",
            Self::Missing => "missing",
        }
    }
}

/// Where the answer of a call came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whence {
    /// From the record. A repair would not make the call again if it is a write.
    Record,
    /// It is made up. A repair would make the call.
    MadeUp,
    /// From the plugin's grant, which does not cover the call.
    Grant,
    /// From the plugin's present values and what this run wrote over them.
    Values,
    /// Nobody could answer, so the plugin heard that.
    Nothing,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How it compares.
    pub difference: Difference,
    /// What is called.
    pub function: String,
    /// With what; `None` if that is too long to keep, or the call is missing.
    pub arguments: Option<Json>,
    /// What the plugin heard.
    pub answer: Option<Json>,
    /// Where that came from.
    pub from: Option<Whence>,
    /// The first field that differs from the recorded call, such as `message.Text`.
    pub field: Option<String>,
    /// The recorded call.
    pub recorded: Option<Was>,
}

/// A recorded call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    /// Its run.
    pub run: u32,
    /// Its number in the run.
    pub number: u32,
    /// With what; `None` if that is too long to keep.
    pub arguments: Option<Json>,
    /// What it came to: `done`, `refused`, `unknown`; `None` if nobody knows.
    pub fate: Option<String>,
    /// What the plugin heard.
    pub answer: Option<Json>,
}

impl Report {
    /// Of a delivery that cannot be run.
    pub(super) fn not_run(id: &DeliveryId, reason: String) -> Self {
        Self {
            event: id.event.to_string(),
            plugin: id.plugin.to_string(),
            version: None,
            digest: None,
            verdict: Verdict::Failed,
            outcome: "not-run".to_owned(),
            outcome_text: reason,
            recorded: None,
            calls: Vec::new(),
        }
    }

    /// How many calls compare so.
    pub fn count(&self, difference: Difference) -> usize {
        let calls = self.calls.iter();
        calls.filter(|call| call.difference == difference).count()
    }

    /// A line for a list of many.
    pub fn line(&self) -> String {
        let Self {
            verdict,
            event,
            plugin,
            ..
        } = self;
        let (word, calls) = (verdict.word(), self.calls.len());
        format!("{word:<8}  {event}  {plugin}  {calls} calls")
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let len = |json: &Option<Json>| json.as_ref().map_or(0, |json| json.expose().len());
        let calls = self.calls.iter().map(|call| {
            let was = call.recorded.as_ref();
            let was = was.map_or(0, |was| len(&was.arguments) + len(&was.answer));
            len(&call.arguments) + len(&call.answer) + was
        });
        calls.sum()
    }
}

/// A line a call, and below it what a person needs to judge it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "event     {}", self.event)?;
        write!(f, "plugin    {}", self.plugin)?;
        match (&self.version, &self.digest) {
            (Some(version), Some(digest)) => writeln!(f, " {version} ({})", short(digest))?,
            _ => return writeln!(f, "\nnot run   {}", self.outcome_text),
        }
        match &self.recorded {
            None => writeln!(f, "recorded  nothing: it did not get the event")?,
            Some(recorded) => {
                write!(
                    f,
                    "recorded  {} after {}",
                    recorded.state, recorded.attempts
                )?;
                if let Some(reason) = &recorded.reason {
                    write!(f, " ({reason})")?;
                }
                match &recorded.digest {
                    Some(digest) if self.digest.as_ref() != Some(digest) => {
                        writeln!(f, ", by another version ({})", short(digest))?;
                    }
                    _ => writeln!(f)?,
                }
            }
        }
        writeln!(f, "now       {}", self.outcome_text)?;
        let counts = [
            Difference::Same,
            Difference::Changed,
            Difference::New,
            Difference::Missing,
        ]
        .map(|difference| format!("{} {}", self.count(difference), difference.word()));
        writeln!(f, "calls     {}\n", counts.join(", "))?;
        self.calls.iter().try_for_each(|call| write!(f, "{call}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |json: Option<&Json>| json.map_or("(too long to keep)", Json::expose).to_owned();
        let word = self.difference.word();
        let Some(from) = self.from else {
            let recorded = self.recorded.as_ref();
            let arguments = text(recorded.and_then(|was| was.arguments.as_ref()));
            return writeln!(f, "{word:<8}  {} {arguments}", self.function);
        };
        writeln!(
            f,
            "{word:<8}  {} {}",
            self.function,
            text(self.arguments.as_ref())
        )?;
        if self.difference == Difference::Changed {
            let was = self
                .recorded
                .as_ref()
                .and_then(|was| was.arguments.as_ref());
            writeln!(f, "  was       {}", text(was))?;
            if let Some(field) = &self.field {
                writeln!(f, "  differs   {field}")?;
            }
        }
        if let Some(answer) = &self.answer {
            let whence = match from {
                Whence::Record => "",
                Whence::MadeUp => " (made up; not sent)",
                Whence::Grant => " (not granted)",
                Whence::Values => " (kept for this run only)",
                Whence::Nothing => " (not asked)",
            };
            writeln!(f, "  answered  {}{whence}", answer.expose())?;
        }
        Ok(())
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
