//! How an attempt ends.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Which of its budgets an attempt used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Time the guest computed.
    Cpu,
    /// Time that passed, waiting included.
    Wall,
    /// Time that passed, when its end came while DingTalk had not answered.
    Upstream,
    /// Time for describing itself.
    Describe,
    /// Linear memory.
    Memory,
    /// Elements of tables.
    Tables,
    /// Bytes of one call's arguments or result.
    CallBytes,
    /// Open handles.
    Handles,
    /// Host calls.
    Calls,
    /// Host calls that change something in DingTalk.
    Sends,
}

impl Budget {
    /// What is said of it, and its key in `limits = { … }`.
    const fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Cpu => ("out of time", "cpu"),
            Self::Wall => ("out of time", "wall"),
            Self::Upstream => ("out of time while dingtalk did not answer", "wall"),
            Self::Describe => ("out of time", "describe"),
            Self::Memory => ("out of memory", "memory"),
            Self::Tables => ("out of memory for tables", "tables"),
            Self::CallBytes => ("too many bytes in one call", "call-bytes"),
            Self::Handles => ("too many open handles", "handles"),
            Self::Calls => ("too many host calls", "calls"),
            Self::Sends => ("too many sends", "sends"),
        }
    }

    /// The key in `limits = { … }` that raises it.
    pub const fn key(self) -> &'static str {
        self.row().1
    }
}

/// What kept a call of DingTalk from being done, though nothing is wrong with the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There were too many calls; DingTalk takes the next one after that time.
    RateLimited(Duration),
    /// DingTalk could not be reached or was busy.
    Down,
}

/// The trouble that the last call of an attempt had.
#[derive(Debug, Default)]
pub struct LastTrouble(Mutex<Option<Trouble>>);

impl LastTrouble {
    /// Notes what became of a call; `None` for one that DingTalk answered.
    pub fn note(&self, trouble: Option<Trouble>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// What was noted last.
    pub fn get(&self) -> Option<Trouble> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of one run of a plugin on a delivery. Retry policy reads nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The plugin handled the event.
    Done,
    /// The plugin asks to be called again, not before the given time has passed.
    Retry {
        /// What the plugin said.
        reason: String,
        /// The least time to wait.
        after: Option<Duration>,
        /// What DingTalk refused last in this attempt, if that may be why.
        trouble: Option<Trouble>,
    },
    /// The plugin says that another attempt cannot help.
    Rejected {
        /// What the plugin said.
        reason: String,
    },
    /// The guest trapped.
    Trap {
        /// The trap's name and where it happened.
        reason: String,
    },
    /// A budget was used up.
    Exhausted {
        /// Which one.
        budget: Budget,
        /// How much it was, as `bot.toml` would say it.
        limit: String,
    },
    /// belfry itself failed while running the plugin.
    HostFault {
        /// What failed.
        reason: String,
    },
    /// The plugin did something else than what is recorded of an earlier attempt.
    Diverged {
        /// Where, without what the calls said.
        reason: String,
    },
    /// No plugin of that name is loaded.
    NotLoaded,
    /// The version of the plugin that began the delivery is not loaded any more.
    VersionGone {
        /// Which version, and what to do.
        reason: String,
    },
}

impl Outcome {
    /// One word for it, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry { .. } => "retry",
            Self::Rejected { .. } => "rejected",
            Self::Trap { .. } => "trap",
            Self::Exhausted {
                budget: Budget::Upstream,
                ..
            } => "upstream",
            Self::Exhausted { budget, .. } => budget.key(),
            Self::HostFault { .. } => "host-fault",
            Self::Diverged { .. } => "diverged",
            Self::NotLoaded => "not-loaded",
            Self::VersionGone { .. } => "version-gone",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Retry { reason, .. } => write!(f, "plugin asked for a retry: {reason}"),
            Self::Rejected { reason } => write!(f, "plugin rejected the event: {reason}"),
            Self::Trap { reason } => write!(f, "trap: {reason}"),
            Self::Exhausted { budget, limit } => {
                let (said, key) = budget.row();
                write!(f, "{said}: limits.{key} = {limit}")
            }
            Self::HostFault { reason } => write!(f, "belfry failed: {reason}"),
            Self::Diverged { reason } | Self::VersionGone { reason } => f.write_str(reason),
            Self::NotLoaded => f.write_str("no plugin of this name is loaded"),
        }
    }
}
