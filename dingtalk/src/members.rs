//! Reads the members of a JSON object as leniently as DingTalk's two dialects ask for.

use serde_json::{Map, Value};

use crate::UnixMs;

/// An object whose members are found whatever the case of their first letter, and whose numbers may be strings.
#[derive(Clone, Copy)]
pub(crate) struct Members<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Members<'a> {
    /// Takes an object; anything else is nothing.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// A member that is there and not null. `name` is tried as it is, then with its first letter in the other case.
    pub(crate) fn get(self, name: &str) -> Option<&'a Value> {
        self.0
            .get(name)
            .or_else(|| self.0.get(&flip_first(name)))
            .filter(|value| !value.is_null())
    }

    /// A text, or a number as text; an empty text is nothing.
    pub(crate) fn text(self, name: &str) -> Option<String> {
        self.get(name)
            .and_then(as_text)
            .filter(|text| !text.is_empty())
    }

    /// The first of several names that has a text.
    pub(crate) fn first_text(self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    /// Milliseconds, as a number or as digits.
    pub(crate) fn time(self, name: &str) -> Option<UnixMs> {
        let value = self.get(name)?;
        let ms = value
            .as_i64()
            .or_else(|| value.as_str()?.trim().parse().ok())?;
        Some(UnixMs(ms))
    }

    /// A list of texts or numbers, as texts. A lone text or number is a list of one.
    pub(crate) fn texts(self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(as_text).collect(),
            Some(other) => as_text(other)
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect(),
            None => Vec::new(),
        }
    }

    /// The objects of a list.
    pub(crate) fn objects(self, name: &str) -> impl Iterator<Item = Members<'a>> {
        self.get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Members::of)
    }

    /// An inner object.
    pub(crate) fn object(self, name: &str) -> Option<Members<'a>> {
        self.get(name).and_then(Members::of)
    }

    /// A boolean, or one written as text.
    pub(crate) fn flag(self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A whole number, or one written as text.
    pub(crate) fn integer(self, name: &str) -> Option<i64> {
        self.time(name).map(|UnixMs(number)| number)
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The same word with its first letter in the other case.
pub(crate) fn flip_first(name: &str) -> String {
    let mut letters = name.chars();
    let Some(first) = letters.next() else {
        return String::new();
    };
    let flipped = if first.is_ascii_uppercase() {
        first.to_ascii_lowercase()
    } else {
        first.to_ascii_uppercase()
    };
    std::iter::once(flipped).chain(letters).collect()
}

/// The JSON of a value with the members of its objects in order, so that equal values have equal texts.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_str());
            text.push('{');
            for (at, (name, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}
