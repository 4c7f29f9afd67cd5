//! Reads the arguments of a call from query, JSON or form.

use axum::body::Body;
use dingtalk::catalog::Api;
use http::{HeaderMap, header};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::Request;
use super::answer::Refused;
use crate::ingress::body::read_body;

/// Bytes of a body: far more than any call needs.
const MAX_BODY: usize = 256 << 10;

/// What a body is written in.
enum Form {
    Json,
    Pairs,
}

pub(super) async fn read(
    api: &Api,
    request: Request<'_>,
    is_get: bool,
    body: Body,
) -> Result<Map<String, Value>, Refused> {
    let query = pairs(request.query.unwrap_or_default().as_bytes());
    let in_query = read_pairs(api, query)?;
    if is_get {
        return Ok(in_query);
    }
    let form = form_of(request.headers)?;
    let text = read_body(request.headers, body, MAX_BODY).await?;
    let mut arguments = match form {
        Form::Pairs => read_pairs(api, pairs(text.as_bytes()))?,
        Form::Json if text.trim().is_empty() => Map::new(),
        Form::Json => match serde_json::from_str(&text) {
            Ok(Value::Object(arguments)) => arguments,
            _ => return Err(Refused::NotAnObject),
        },
    };
    // What is in the body counts before what is in the query.
    for (name, value) in in_query {
        arguments.entry(name).or_insert(value);
    }
    Ok(arguments)
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// Reads texts by the kinds of the call that knows most of their names.
fn read_pairs(api: &Api, pairs: Vec<(String, String)>) -> Result<Map<String, Value>, Refused> {
    let names = pairs.iter().map(|(name, _)| name);
    let call = api.closest(names).ok_or(Refused::Query)?;
    Ok(call.read_pairs(pairs)?)
}

fn form_of(headers: &HeaderMap) -> Result<Form, Refused> {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return Ok(Form::Json);
    };
    let kind = kind.to_str().map_err(|_| Refused::ContentType)?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "application/json" | "text/json" => Ok(Form::Json),
        "application/x-www-form-urlencoded" => Ok(Form::Pairs),
        _ => Err(Refused::ContentType),
    }
}
