//! Decides which plugin gets which event.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cel::ExecutionError;

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
        let program = cel::Program::compile(source).map_err(|error| {
            // Below the first line the parser draws where it stopped, which needs a line of its own.
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            ConditionError(first.trim_start_matches("ERROR: <input>:").to_owned())
        })?;
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
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// What went wrong, in words of the expression: values come from messages and must not get into the log.
    fn explain(&self, error: &ExecutionError) -> String {
        match error {
            ExecutionError::NoSuchKey(key) if self.source.contains(key.as_str()) => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Content, Origin};

    fn facts(raw: &str) -> Facts {
        Facts::of(&Content::parse(&Origin::Callback, raw).unwrap())
    }

    fn rule(plugin: &str, events: &[&str], when: Option<&str>) -> Rule {
        Rule {
            plugin: plugin.into(),
            app: "acme".into(),
            events: events.iter().map(|event| event.parse().unwrap()).collect(),
            when: when.map(|when| when.parse().unwrap()),
        }
    }

    const FINISHED: &str = r#"{"EventType":"bpms_instance_change","processInstanceId":"i","processCode":"PROC-1","type":"finish","result":"agree","title":"t","staffId":"u"}"#;

    #[test]
    fn kinds_types_and_conditions_choose() {
        let rules = [
            rule("kind", &["approval-instance"], None),
            rule("type", &["bpms_instance_change"], None),
            rule(
                "yes",
                &["approval-instance"],
                Some("event.process_code == 'PROC-1' && event.result == 'agree'"),
            ),
            rule(
                "no",
                &["approval-instance"],
                Some("event.process_code == 'PROC-2'"),
            ),
            rule("other-kind", &["chat-message", "alert"], None),
            rule("broken", &["approval-instance"], Some("event.nothing > 3")),
            rule("number", &["approval-instance"], Some("1 + 1")),
        ];
        let choice = choose(&rules, &"acme".into(), &facts(FINISHED));
        assert_eq!(choice.plugins, ["kind".into(), "type".into(), "yes".into()]);
        let failed: Vec<&str> = choice
            .failed
            .iter()
            .map(|(plugin, _)| plugin.as_str())
            .collect();
        assert_eq!(failed, ["broken", "number"]);
        assert_eq!(
            choose(&rules, &"another".into(), &facts(FINISHED)),
            Choice::default()
        );
    }

    #[test]
    fn a_failing_condition_is_explained_without_what_people_wrote() {
        let facts = facts(
            r#"{"EventType":"bpms_instance_change","processInstanceId":"i","processCode":"P","title":"geheim","staffId":"u","type":"start"}"#,
        );
        for (condition, explanation) in [
            (
                "event.title + 1 == 'x'",
                "\"add\" does not apply to String and Int",
            ),
            ("event.nothing == 1", "there is no \"nothing\""),
            (
                "int(event.title) > 1",
                "\"int\" does not work on this value",
            ),
            (
                "event[event.title] == 1",
                "a value does not fit the expression",
            ),
        ] {
            let condition: Condition = condition.parse().unwrap();
            assert_eq!(condition.holds(&facts).unwrap_err(), explanation);
        }
    }

    #[test]
    fn secrets_of_suites_go_to_nobody() {
        let ticket = facts(
            r#"{"EventType":"suite_ticket","SuiteKey":"s","SuiteTicket":"secret","TimeStamp":1}"#,
        );
        let rules = [
            rule("other", &["other"], None),
            rule("type", &["suite_ticket"], None),
        ];
        assert_eq!(choose(&rules, &"acme".into(), &ticket), Choice::default());
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        assert!(
            "event."
                .parse::<Condition>()
                .unwrap_err()
                .to_string()
                .starts_with("is not a CEL expression")
        );
    }
}
