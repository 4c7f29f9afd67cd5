//! What a plugin did in a case, as text that people read and keep.

use std::fmt;

use serde::Serialize;

use crate::call::Json;
use crate::event::Kind;

/// What a plugin did in a case.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// One for each event.
    pub runs: Vec<Run>,
    /// Functions with an answer in the case that no call asked for.
    pub unused: Vec<String>,
}

/// What a plugin did with one event.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The kind of event.
    pub kind: Kind,
    /// Its host calls.
    pub calls: Vec<Made>,
    /// How the attempt ended.
    pub outcome: String,
}

/// One host call.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// The function.
    pub call: &'static str,
    /// What it was given; `None` if that is too long to keep.
    pub arguments: Option<Json>,
    /// What it was answered; `None` for the plugin's own values, which are kept for real.
    pub answer: Option<Json>,
}

/// The form of snapshot files: a line a call, so that a difference is a line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, run) in self.runs.iter().enumerate() {
            writeln!(f, "event {} {}", index + 1, run.kind.as_str())?;
            for made in &run.calls {
                let arguments = made.arguments.as_ref().map_or("(too long)", Json::expose);
                write!(f, "  {} {arguments}", made.call)?;
                if let Some(answer) = &made.answer {
                    write!(f, " -> {}", answer.expose())?;
                }
                writeln!(f)?;
            }
            writeln!(f, "  = {}", run.outcome)?;
        }
        for call in &self.unused {
            writeln!(f, "no call asked for the answer of {call}")?;
        }
        Ok(())
    }
}
