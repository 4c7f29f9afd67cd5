//! Finds what is wrong with arguments before anything is sent.

use std::cmp::Reverse;

use serde_json::{Map, Value};

use super::{Api, Call, Kind, LONGEST_ID, MESSAGES, Param};
use crate::ApiStyle;

/// The largest message in bytes. The documented 2048 bytes contradict the 5000 characters of markdown that are documented
/// too, so only what no reading allows is refused.
pub const MAX_MESSAGE: usize = 20_000;

/// What is wrong with the arguments of a call. Each text names the field and what it may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// A field that the call needs is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// A field that the call needs has nothing in it.
    #[error("{0} is empty")]
    Empty(String),
    /// One of several fields is needed.
    #[error("one of {} is needed", .0.join(", "))]
    NoneOf(&'static [&'static str]),
    /// A field has a value of another kind.
    #[error("{field} must be {wanted}")]
    Kind {
        /// The field.
        field: String,
        /// What it may be.
        wanted: String,
    },
    /// A field has more than DingTalk takes.
    #[error("{field} has more than {most} {unit}")]
    TooLong {
        /// The field.
        field: String,
        /// The most that DingTalk takes.
        most: usize,
        /// Of what.
        unit: &'static str,
    },
    /// Fields do not go together.
    #[error("{field} {text}")]
    Together {
        /// The field.
        field: String,
        /// What is wrong with it.
        text: &'static str,
    },
}

impl ArgumentError {
    /// The field it is about; the first where there are several.
    pub fn field(&self) -> &str {
        match self {
            Self::Missing(field) | Self::Empty(field) => field,
            Self::NoneOf(fields) => fields.first().copied().unwrap_or_default(),
            Self::Kind { field, .. }
            | Self::TooLong { field, .. }
            | Self::Together { field, .. } => field,
        }
    }
}

/// A condition on several arguments.
pub(super) type Rule = fn(&Map<String, Value>) -> Result<(), ArgumentError>;

impl Api {
    /// Picks the call that the arguments are for and checks them: of the calls that take them, the one that knows most of
    /// them, and then that of the preferred style. The error is about the call that knows most.
    pub fn choose(
        &self,
        preferred: ApiStyle,
        arguments: &Map<String, Value>,
    ) -> Result<(&Call, Map<String, Value>), ArgumentError> {
        let mut calls: Vec<&Call> = self.calls(preferred).collect();
        calls.sort_by_key(|call| Reverse(call.knows(call.inner(arguments).keys())));
        let mut first = None;
        for call in calls {
            let checked = call.check(arguments);
            match checked.and_then(|checked| self.siblings_allow(call, &checked).map(|()| checked))
            {
                Ok(checked) => return Ok((call, checked)),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| ArgumentError::Missing(self.name.to_owned())))
    }

    /// What only the other call knows is unknown to this one, and yet must be right: a wrong argument for one of them is no
    /// reason to make the other.
    fn siblings_allow(
        &self,
        call: &Call,
        arguments: &Map<String, Value>,
    ) -> Result<(), ArgumentError> {
        for param in self.params_beside(call) {
            if let Some(value) = arguments.get(param.name) {
                shaped(param.name, param, value)?;
            }
        }
        Ok(())
    }

    /// Arguments that only its other call knows.
    pub fn params_beside(&self, call: &Call) -> impl Iterator<Item = &Param> {
        let others = self.calls(ApiStyle::Legacy);
        let params = others.flat_map(|other| other.params);
        params.filter(|param| call.param(param.name).is_none())
    }

    /// The call that knows most of the names.
    pub fn closest<'a>(&self, names: impl Iterator<Item = &'a String> + Clone) -> Option<&Call> {
        // Of equals the last one counts, so the older one comes last.
        self.calls(ApiStyle::Modern)
            .max_by_key(|call| call.knows(names.clone()))
    }
}

impl Call {
    /// The argument of that name.
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// Checks arguments and brings them into the form that is sent: whole numbers and truth values written as text become
    /// what they are, lists that travel joined are joined, nulls are gone. Names that the table does not have are left as
    /// they are, because DingTalk may know more; `access_token` is not, because it is the client's to send.
    pub fn check(
        &self,
        arguments: &Map<String, Value>,
    ) -> Result<Map<String, Value>, ArgumentError> {
        let inner = self.inner(arguments);
        if let Some(envelope) = self
            .envelope
            .filter(|envelope| inner.contains_key(*envelope))
        {
            return Err(wrong(envelope, Kind::Object));
        }
        let mut checked = Map::new();
        for (name, value) in inner {
            if value.is_null() || name == "access_token" {
                continue;
            }
            let value = match self.param(name) {
                Some(param) => {
                    if is_blank(value) && param.is_needed() {
                        return Err(ArgumentError::Empty(name.clone()));
                    }
                    shaped(name, param, value)?
                }
                None => value.clone(),
            };
            checked.insert(name.clone(), value);
        }
        for param in self.params {
            if param.is_needed() {
                match checked.get(param.name) {
                    None => return Err(ArgumentError::Missing(param.name.to_owned())),
                    Some(value) if is_empty(value) => {
                        return Err(ArgumentError::Empty(param.name.to_owned()));
                    }
                    Some(_) => {}
                }
            }
        }
        let is_given = |name: &&str| {
            checked
                .get(*name)
                .is_some_and(|value| !is_empty(value) && *value != Value::Bool(false))
        };
        if !self.any_of.is_empty() && !self.any_of.iter().any(is_given) {
            return Err(ArgumentError::NoneOf(self.any_of));
        }
        if let Some(rule) = self.rule {
            rule(&checked)?;
        }
        Ok(checked)
    }

    /// Reads what came as text, from a query or a form: each value by the kind of its field. A name that comes again is a
    /// list.
    pub fn read_pairs(
        &self,
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Map<String, Value>, ArgumentError> {
        let mut arguments = Map::new();
        for (name, text) in pairs {
            let param = self.param(&name);
            // Forms send what was left empty.
            let is_left_empty = text.is_empty()
                && param.is_some_and(|param| {
                    !param.is_needed() && !matches!(param.kind, Kind::Text(_))
                });
            if is_left_empty {
                continue;
            }
            let value = match param.map(|param| param.kind) {
                Some(Kind::Texts(_)) => list_of(&text),
                Some(
                    kind @ (Kind::Objects(_) | Kind::Fields(_) | Kind::Object | Kind::Message),
                ) if !text.is_empty() => {
                    serde_json::from_str(&text).map_err(|_| wrong(&name, kind))?
                }
                // An envelope comes as one field with JSON in it.
                None if self.envelope == Some(&name) => {
                    serde_json::from_str(&text).map_err(|_| wrong(&name, Kind::Object))?
                }
                _ => Value::String(text),
            };
            match arguments.get_mut(&name) {
                Some(Value::Array(items)) if value.is_array() => {
                    items.extend(value.as_array().into_iter().flatten().cloned());
                }
                Some(Value::String(before))
                    if matches!(param.map(|param| param.kind), Some(Kind::Joined(_))) =>
                {
                    before.push(',');
                    before.push_str(value.as_str().unwrap_or_default());
                }
                _ => {
                    arguments.insert(name, value);
                }
            }
        }
        Ok(arguments)
    }

    /// How many of the names it has a place for.
    fn knows<'a>(&self, names: impl Iterator<Item = &'a String>) -> usize {
        names.filter(|name| self.param(name).is_some()).count()
    }

    /// The arguments themselves, whether they came in their envelope or without.
    fn inner<'a>(&self, arguments: &'a Map<String, Value>) -> &'a Map<String, Value> {
        match self.envelope.and_then(|envelope| arguments.get(envelope)) {
            Some(Value::Object(inner)) => inner,
            _ => arguments,
        }
    }
}

/// A field that is there and says nothing: forms send those for what was left empty.
fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(str::is_empty)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn wrong(field: &str, kind: Kind) -> ArgumentError {
    ArgumentError::Kind {
        field: field.to_owned(),
        wanted: kind.wanted(),
    }
}

fn too_long(field: &str, most: usize, unit: &'static str) -> ArgumentError {
    ArgumentError::TooLong {
        field: field.to_owned(),
        most,
        unit,
    }
}

impl Kind {
    /// What completes "must be …".
    pub fn wanted(self) -> String {
        match self {
            Self::Text(_) => "a text".to_owned(),
            Self::Sized(least, most) if least == most => format!("a text of {most} characters"),
            Self::Sized(least, most) => format!("a text of {least} to {most} characters"),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Integer(least, i64::MAX) => format!("a whole number, {least} or more"),
            Self::Integer(least, most) => format!("a whole number between {least} and {most}"),
            Self::Boolean => "true or false".to_owned(),
            Self::Texts(_) => "a list of texts that are not empty".to_owned(),
            Self::Joined(_) => "a text with ids separated by commas, without spaces".to_owned(),
            Self::Objects(_) => "a list of objects".to_owned(),
            Self::Fields(_) => {
                "a list of objects with a text as name and a text as value (lists and objects as JSON in that text)".to_owned()
            }
            Self::Object => "an object".to_owned(),
            Self::Message => {
                "a message: an object with msgtype and a member of that name, such as {\"msgtype\":\"text\",\"text\":{\"content\":\"hello\"}}".to_owned()
            }
        }
    }
}

/// A value in the form that is sent.
fn shaped(name: &str, param: &Param, value: &Value) -> Result<Value, ArgumentError> {
    let kind = param.kind;
    match (kind, value) {
        (Kind::Text(most), Value::String(text)) => {
            within(name, text, most)?;
            Ok(value.clone())
        }
        (Kind::Sized(least, most), Value::String(text))
            if (least..=most).contains(&text.chars().count()) =>
        {
            Ok(value.clone())
        }
        (Kind::Word(words), Value::String(text)) if words.contains(&text.as_str()) => {
            Ok(value.clone())
        }
        (Kind::Integer(least, most), Value::Number(_) | Value::String(_)) => whole(value)
            .filter(|number| (least..=most).contains(number))
            .map(Value::from)
            .ok_or_else(|| wrong(name, kind)),
        (Kind::Boolean, Value::Bool(_)) => Ok(value.clone()),
        (Kind::Boolean, Value::String(text)) if matches!(text.as_str(), "true" | "false") => {
            Ok(Value::Bool(text == "true"))
        }
        (Kind::Texts(most), Value::Array(items)) => {
            if !items
                .iter()
                .all(|item| item.as_str().is_some_and(|text| !text.trim().is_empty()))
            {
                return Err(wrong(name, kind));
            }
            if items.len() > most {
                return Err(too_long(name, most, "entries"));
            }
            let mut texts = items.iter().filter_map(Value::as_str);
            texts.try_for_each(|text| within(name, text, LONGEST_ID))?;
            Ok(value.clone())
        }
        (Kind::Joined(most), Value::String(_) | Value::Array(_)) => joined(name, kind, most, value),
        (Kind::Objects(most) | Kind::Fields(most), Value::Array(items)) => {
            let is_field = |item: &Value| item["name"].is_string() && item["value"].is_string();
            let is_right = |item: &Value| match kind {
                Kind::Fields(_) => is_field(item),
                _ => item.is_object(),
            };
            if !items.iter().all(is_right) {
                return Err(wrong(name, kind));
            }
            if items.len() > most {
                return Err(too_long(name, most, "entries"));
            }
            Ok(value.clone())
        }
        (Kind::Object, Value::Object(_)) => Ok(value.clone()),
        (Kind::Message, Value::Object(members)) => {
            let kind_of_message = members.get("msgtype").and_then(Value::as_str);
            let kind_of_message = kind_of_message.filter(|kind| MESSAGES.contains(kind));
            let body = kind_of_message.and_then(|kind| members.get(kind));
            if !body.is_some_and(Value::is_object) {
                return Err(wrong(name, kind));
            }
            if value.to_string().len() > MAX_MESSAGE {
                return Err(too_long(name, MAX_MESSAGE, "bytes"));
            }
            Ok(value.clone())
        }
        _ => Err(wrong(name, kind)),
    }
}

fn within(name: &str, text: &str, most: usize) -> Result<(), ArgumentError> {
    // A character has at least a byte, so most texts need no counting.
    if text.len() > most && text.chars().count() > most {
        return Err(too_long(name, most, "characters"));
    }
    Ok(())
}

/// The largest whole number that a float holds exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            // JSON does not tell 1 from 1.0.
            let float = number.as_f64()?;
            #[allow(clippy::cast_possible_truncation)]
            (float.fract() == 0.0 && float.abs() <= MAX_EXACT).then_some(float as i64)
        }),
        // As people and DingTalk write numbers: no plus sign, no zeros before them.
        Value::String(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit())
                && (!digits.starts_with('0') || text == "0");
            is_number.then(|| text.parse().ok())?
        }
        _ => None,
    }
}

fn joined(name: &str, kind: Kind, most: usize, value: &Value) -> Result<Value, ArgumentError> {
    let items: Vec<&str> = match value {
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => text.split(',').collect(),
        Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            texts.ok_or_else(|| wrong(name, kind))?
        }
        _ => return Err(wrong(name, kind)),
    };
    // An id with a comma would become two.
    let is_id = |item: &str| {
        !item.is_empty() && !item.contains(|letter: char| letter == ',' || letter.is_whitespace())
    };
    if !items.iter().all(|item| is_id(item)) {
        return Err(wrong(name, kind));
    }
    if items.len() > most {
        return Err(too_long(name, most, "entries"));
    }
    let mut ids = items.iter();
    ids.try_for_each(|id| within(name, id, LONGEST_ID))?;
    Ok(Value::String(items.join(",")))
}

/// A list written as a text: JSON, or entries separated by commas.
fn list_of(text: &str) -> Value {
    if let Ok(list @ Value::Array(_)) = serde_json::from_str(text) {
        return list;
    }
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    Value::Array(items.map(Value::from).collect())
}

fn texts<'a>(arguments: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    let list = arguments.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn together(field: &str, text: &'static str) -> Result<(), ArgumentError> {
    Err(ArgumentError::Together {
        field: field.to_owned(),
        text,
    })
}

/// DingTalk answers 49006 otherwise.
pub(super) fn owner_is_member(arguments: &Map<String, Value>) -> Result<(), ArgumentError> {
    let owner = arguments
        .get("owner")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if texts(arguments, "useridlist").contains(&owner) {
        Ok(())
    } else {
        together("owner", "must be among useridlist")
    }
}

/// DingTalk answers 49004 otherwise.
pub(super) fn members_join_and_leave(arguments: &Map<String, Value>) -> Result<(), ArgumentError> {
    let leaving = texts(arguments, "del_useridlist");
    if texts(arguments, "add_useridlist")
        .iter()
        .any(|user| leaving.contains(user))
    {
        return together(
            "add_useridlist",
            "has somebody who is also in del_useridlist",
        );
    }
    Ok(())
}

/// DingTalk pushes to nothing else.
pub(super) fn url_is_web(arguments: &Map<String, Value>) -> Result<(), ArgumentError> {
    let text = arguments.get("url").and_then(Value::as_str);
    let url = url::Url::parse(text.unwrap_or_default());
    if !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        return together("url", "must be an http or https address");
    }
    Ok(())
}
