//! Says where a plugin that runs again does something else than before.

use std::fmt;

use serde_json::Value;

use crate::call::{Arguments, Json};
use crate::function::Function;
use crate::journal::{Effect, Place};

/// A call that is not the one that is recorded in its place. Its text names calls and fields and no value, because values
/// are messages; `belfry events show` has both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The record.
    pub place: Place,
    /// What was called before.
    pub expected: Function,
    /// What is called now; `None` if the plugin ended instead.
    pub called: Option<Function>,
    /// The first field that differs, such as `message.Text`, where both sides are known.
    pub field: Option<String>,
    /// The arguments of the call.
    pub arguments: Option<Json>,
}

impl Divergence {
    /// The difference between a record and a call, if there is one.
    pub(super) fn between(
        record: &Effect,
        function: Function,
        arguments: &Arguments,
    ) -> Option<Self> {
        if record.function == function && record.arguments == *arguments {
            return None;
        }
        let field = if record.function == function {
            first_difference(record.arguments.text.as_ref(), arguments.text.as_ref())
        } else {
            None
        };
        Some(Self {
            place: record.place,
            expected: record.function,
            called: Some(function),
            field,
            arguments: arguments.text.clone(),
        })
    }

    /// The plugin ended before it made the recorded call.
    pub(super) fn missing(record: &Effect) -> Self {
        Self {
            place: record.place,
            expected: record.function,
            called: None,
            field: None,
            arguments: None,
        }
    }

    /// What the plugin did, as JSON, for the record.
    pub fn called_as_json(&self) -> Json {
        #[derive(serde::Serialize)]
        struct Called<'a> {
            function: Option<Function>,
            arguments: Option<&'a Json>,
            field: Option<&'a str>,
        }
        let called = Called {
            function: self.called,
            arguments: self.arguments.as_ref(),
            field: self.field.as_deref(),
        };
        Json::of(&called).unwrap_or_default()
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { run, number } = self.place;
        write!(
            f,
            "the plugin did something else than before: call {number} of run {run} was {}",
            self.expected
        )?;
        match (&self.called, &self.field) {
            (None, _) => f.write_str(", and now it ended without that"),
            (Some(called), None) if *called != self.expected => {
                write!(f, ", and now it is {called}")
            }
            (Some(_), None) => f.write_str(", and now its arguments differ"),
            (Some(_), Some(field)) => write!(f, ", and now its {field} differs"),
        }
    }
}

impl std::error::Error for Divergence {}

/// The path of the first field in which two JSON texts differ; `None` if either is not known.
pub fn first_difference(a: Option<&Json>, b: Option<&Json>) -> Option<String> {
    let parse = |text: Option<&Json>| serde_json::from_str::<Value>(text?.expose()).ok();
    differing(&parse(a)?, &parse(b)?).map(|path| path.trim_start_matches('.').to_owned())
}

fn differing(a: &Value, b: &Value) -> Option<String> {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a
                .keys()
                .chain(b.keys().filter(|name| !a.contains_key(*name)));
            names
                .filter_map(|name| {
                    let rest = match (a.get(name), b.get(name)) {
                        (Some(a), Some(b)) => differing(a, b)?,
                        _ => String::new(),
                    };
                    Some(format!(".{name}{rest}"))
                })
                .next()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| Some(format!("[{index}]{}", differing(a, b)?))),
        (a, b) => (a != b).then(String::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, expected: Option<&str>) {
        let json = |text: &str| Json::new(text.to_owned());
        let found = first_difference(Some(&json(a)), Some(&json(b)));
        assert_eq!(found.as_deref(), expected, "{a} {b}");
    }

    #[test]
    fn the_first_field_that_differs_is_named_with_its_path() {
        check(
            r#"{"a":1,"b":{"c":[1,2]}}"#,
            r#"{"a":1,"b":{"c":[1,3]}}"#,
            Some("b.c[1]"),
        );
        check(
            r#"{"m":{"Text":"x"}}"#,
            r#"{"m":{"Markdown":{}}}"#,
            Some("m.Text"),
        );
        check(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, Some("a"));
        check(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, Some("b"));
        check(r#"{"a":1}"#, r#"{"a":1}"#, None);
        check("1", "2", Some(""));
        check("{", "{}", None);
    }
}
