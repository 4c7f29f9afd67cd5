//! What a plugin may do, as `grant = { … }` says it.

use std::collections::HashMap;

use super::section::Section;
use crate::function::{Function, Policy};

/// How far one grant reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Not granted.
    #[default]
    Nothing,
    /// Granted for these ids only.
    Only(Vec<String>),
    /// Granted for everything the app may do.
    Everything,
}

impl Scope {
    /// Whether there is a grant at all.
    pub fn is_granted(&self) -> bool {
        *self != Self::Nothing
    }

    /// Whether the grant covers an id.
    pub fn covers(&self, id: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Only(ids) => ids.iter().any(|granted| granted == id),
            Self::Everything => true,
        }
    }
}

/// The grants of one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Groups, by chat id.
    pub chat: Scope,
    /// Work notices, by user id.
    pub notice: Scope,
    /// Approvals, by process code.
    pub approval: Scope,
    /// The robot, by conversation id; replies are always within the grant.
    pub robot: Scope,
    /// The plugin's own key-value store.
    pub kv: bool,
    /// Timers of the plugin's own.
    pub schedule: bool,
    /// Hosts for outgoing HTTP.
    pub http: Vec<String>,
    /// What happens to writes whose end is unknown, where it is not what the function itself says.
    pub ambiguous: HashMap<Function, Policy>,
}

impl Grant {
    /// What happens to a call of the function whose end is unknown.
    pub fn policy(&self, function: Function) -> Policy {
        self.ambiguous
            .get(&function)
            .copied()
            .or(function.policy())
            .unwrap_or(Policy::Unknown)
    }
}

/// Reads `grant = { … }`.
pub(super) fn read(mut section: Section<'_>) -> Grant {
    let mut scope = |key: &str| match section.boolean_or_texts(key) {
        None | Some(Ok(false)) => Scope::Nothing,
        Some(Ok(true)) => Scope::Everything,
        Some(Err(ids)) => Scope::Only(ids),
    };
    let (chat, notice, approval, robot) = (
        scope("chat"),
        scope("notice"),
        scope("approval"),
        scope("robot"),
    );
    let line = section.line_of("http");
    let grant = Grant {
        chat,
        notice,
        approval,
        robot,
        kv: section.boolean("kv").unwrap_or_default(),
        schedule: section.boolean("schedule").unwrap_or_default(),
        http: section.texts("http").unwrap_or_default(),
        ambiguous: section
            .section("ambiguous")
            .map(ambiguous)
            .unwrap_or_default(),
    };
    if !grant.http.is_empty() {
        section.warn(
            "http",
            line,
            "outgoing HTTP is not in this version; the grant has no effect",
        );
    }
    section.finish();
    grant
}

/// Reads `ambiguous = { "chat.send" = "resend" }`.
fn ambiguous(mut section: Section<'_>) -> HashMap<Function, Policy> {
    let mut policies = HashMap::new();
    for function in Function::all().filter(|function| !function.policies().is_empty()) {
        let line = section.line_of(function.name());
        let Some(text) = section.text(function.name()) else {
            continue;
        };
        let allowed = function.policies();
        match Policy::from_text(&text).filter(|policy| allowed.contains(policy)) {
            Some(policy) => {
                policies.insert(function, policy);
            }
            None => {
                let words: Vec<&str> = allowed.iter().map(|policy| policy.as_str()).collect();
                let wanted = format!("must be one of {}, not {text:?}", words.join(", "));
                section.report(function.name(), line, wanted);
            }
        }
    }
    section.finish();
    policies
}
