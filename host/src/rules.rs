//! Decides which plugin gets which event.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::event::{Facts, Subscription};
use crate::ids::{AppName, PluginName};

/// A CEL expression over the variable `event`.
#[derive(Clone)]
pub struct Condition {
    source: String,
    program: Arc<cel::Program>,
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.source)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// The text is not a CEL expression.
#[derive(Debug, thiserror::Error)]
#[error("is not a CEL expression: {0}")]
pub struct ConditionError(String);

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        let program =
            cel::Program::compile(source).map_err(|error| ConditionError(error.to_string()))?;
        Ok(Self {
            source: source.to_owned(),
            program: Arc::new(program),
        })
    }
}

impl Condition {
    /// Whether the condition holds; the error says why it could not be evaluated, which counts as no.
    pub fn holds(&self, facts: &Facts) -> Result<bool, String> {
        let mut context = cel::Context::default();
        context
            .add_variable("event", facts.as_json())
            .map_err(|error| error.to_string())?;
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!(
                "gives {:?} instead of true or false",
                other.type_of()
            )),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// When one plugin gets an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The plugin.
    pub plugin: PluginName,
    /// The app whose events it gets.
    pub app: AppName,
    /// The events it gets.
    pub events: Vec<Subscription>,
    /// A further condition.
    pub when: Option<Condition>,
}

/// What the rules say about one event.
#[derive(Debug, Default, PartialEq)]
pub struct Choice {
    /// The plugins that get it, in the order of the rules.
    pub plugins: Vec<PluginName>,
    /// Conditions that could not be evaluated, with the reason; their plugins do not get it.
    pub failed: Vec<(PluginName, String)>,
}

/// Chooses the plugins for an event.
pub fn choose(rules: &[Rule], app: &AppName, facts: &Facts) -> Choice {
    let mut choice = Choice::default();
    for rule in rules {
        if rule.app != *app
            || !rule
                .events
                .iter()
                .any(|subscription| subscription.covers(facts))
        {
            continue;
        }
        match rule
            .when
            .as_ref()
            .map_or(Ok(true), |when| when.holds(facts))
        {
            Ok(true) => choice.plugins.push(rule.plugin.clone()),
            Ok(false) => {}
            Err(reason) => choice.failed.push((rule.plugin.clone(), reason)),
        }
    }
    choice
}
