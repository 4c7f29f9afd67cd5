//! Reads one API call off the wire and looks up its parameters.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use super::callback::Handshake;
use crate::clock;

/// The header that carries the token of the newer API.
const TOKEN_HEADER: &str = "x-acs-dingtalk-access-token";

/// One call, as far as the APIs look at it.
#[derive(Debug)]
pub(super) struct ApiCall {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) header_token: Option<String>,
    pub(super) body: CallBody,
    /// When it arrived.
    pub(super) now: i64,
    /// How the check of the address went that it registers.
    pub(super) handshake: Option<Handshake>,
}

/// The body by what can be read from it.
#[derive(Debug)]
pub(super) enum CallBody {
    Empty,
    Json(Value),
    /// A form, its values as text or as the JSON that was in the text.
    Form(Value),
    /// JSON content type, but no JSON.
    Broken(String),
    /// A form with files.
    Files(Vec<FilePart>),
    /// Neither JSON nor a form by its content type.
    Other(String),
}

/// One part of a form with files.
#[derive(Debug)]
pub(super) struct FilePart {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) bytes: Bytes,
}

impl FilePart {
    /// Its content as text.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

impl ApiCall {
    pub(super) async fn read(parts: &Parts, bytes: Bytes) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let header_token = parts
            .headers
            .get(TOKEN_HEADER)
            .and_then(|value| value.to_str().ok());
        Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            header_token: header_token.map(str::to_owned),
            body: match read_files(parts, &bytes).await {
                Some(files) => CallBody::Files(files),
                None => read_body(parts, &bytes),
            },
            now: clock::now_ms(),
            handshake: None,
        }
    }

    /// The body for the record.
    pub(super) fn body_as_read(&self) -> Value {
        match &self.body {
            CallBody::Empty => Value::Null,
            CallBody::Json(value) | CallBody::Form(value) => value.clone(),
            // Of a file what tells it from another is enough.
            CallBody::Files(parts) => {
                let part = |part: &FilePart| json!({"name": part.name, "fileName": part.file_name, "bytes": part.bytes.len()});
                parts.iter().map(part).collect()
            }
            CallBody::Broken(text) | CallBody::Other(text) => json!(text),
        }
    }

    /// A query parameter that is not empty.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The members of the body, none when it is no object.
    pub(super) fn members(&self) -> Params<'_> {
        match &self.body {
            CallBody::Json(value) | CallBody::Form(value) => Params {
                members: value.as_object(),
            },
            _ => Params { members: None },
        }
    }
}

/// The parts of a form with files, if it is one that can be read.
async fn read_files(parts: &Parts, bytes: &Bytes) -> Option<Vec<FilePart>> {
    let kind = parts.headers.get(CONTENT_TYPE)?;
    if !kind.to_str().ok()?.starts_with("multipart/form-data") {
        return None;
    }
    let mut request = Request::new(Body::from(bytes.clone()));
    request.headers_mut().insert(CONTENT_TYPE, kind.clone());
    // The body is here already, and was no larger than what is read at all.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.ok()?;
    let mut found = Vec::new();
    while let Some(field) = form.next_field().await.ok()? {
        found.push(FilePart {
            name: field.name().unwrap_or_default().to_owned(),
            file_name: field.file_name().map(str::to_owned),
            bytes: field.bytes().await.ok()?,
        });
    }
    Some(found)
}

fn read_body(parts: &Parts, bytes: &[u8]) -> CallBody {
    if bytes.is_empty() {
        return CallBody::Empty;
    }
    let kind = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return match serde_json::from_slice(bytes) {
            Ok(value) => CallBody::Json(value),
            Err(_) => CallBody::Broken(String::from_utf8_lossy(bytes).into_owned()),
        };
    }
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let members: Map<String, Value> = url::form_urlencoded::parse(bytes)
            .map(|(name, text)| {
                let is_json = text.starts_with(['{', '[']);
                let value = is_json.then(|| serde_json::from_str(&text).ok()).flatten();
                (name.into_owned(), value.unwrap_or_else(|| json!(text)))
            })
            .collect();
        return CallBody::Form(Value::Object(members));
    }
    CallBody::Other(String::from_utf8_lossy(bytes).into_owned())
}

/// Named parameters, read as leniently as DingTalk reads them: numbers may be text, text may be numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Params<'a> {
    members: Option<&'a Map<String, Value>>,
}

impl<'a> Params<'a> {
    /// The members of a JSON object, none for anything else.
    pub(super) fn of(value: &'a Value) -> Self {
        Self {
            members: value.as_object(),
        }
    }

    /// These members.
    pub(super) fn among(members: &'a Map<String, Value>) -> Self {
        Self {
            members: Some(members),
        }
    }

    /// A member that is there and not null.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.members?.get(name).filter(|value| !value.is_null())
    }

    /// All members but these, as an object.
    pub(super) fn without(self, names: &[&str]) -> Option<Value> {
        let members = self
            .members?
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()));
        Some(Value::Object(
            members
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        ))
    }

    /// Text that is not empty; `None` also for another type.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A whole number, or text of one.
    pub(super) fn integer(self, name: &str) -> Option<i64> {
        let value = self.get(name)?;
        value
            .as_i64()
            .or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// A truth value, or text of one.
    pub(super) fn flag(self, name: &str) -> Option<bool> {
        let value = self.get(name)?;
        value
            .as_bool()
            .or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// An array of texts; `None` when it is something else or absent.
    pub(super) fn texts(self, name: &str) -> Option<Vec<String>> {
        let items = self.get(name)?.as_array()?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect()
    }

    /// Text split at commas, empty parts left out; `None` when it is something else or absent.
    pub(super) fn comma_list(self, name: &str) -> Option<Vec<String>> {
        let text = match self.get(name)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        Some(parts.map(str::to_owned).collect())
    }
}
