//! What a caller hears: `{"success":true,"data":…}` or `{"success":false,"msg":…,"errcode":…}`, with a status that fits.

use axum::Json;
use axum::response::{IntoResponse, Response};
use dingtalk::ApiError;
use dingtalk::catalog::ArgumentError;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::ingress::body::BodyError;
use crate::kv::KvError;

/// Says that an answer is the recorded one of an earlier call.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer before it is written to the socket.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// What went wrong, in one word.
    pub(super) code: Option<String>,
    /// Seconds to wait before the next call.
    pub(super) retry_after: Option<u64>,
    /// The methods that would have been right.
    pub(super) allow: Option<&'static str>,
    /// Whether it was recorded earlier.
    pub(super) is_replay: bool,
    /// Whether it says for certain that nothing was done, so that the same may be asked again.
    pub(super) may_repeat: bool,
    /// Whether nobody knows what came of the call.
    pub(super) is_unknown: bool,
}

impl Answer {
    fn new(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            body,
            code: None,
            retry_after: None,
            allow: None,
            is_replay: false,
            may_repeat: false,
            is_unknown: false,
        }
    }

    /// An answer that was recorded.
    pub(super) fn replay(status: StatusCode, body: Value) -> Self {
        Self {
            is_replay: true,
            ..Self::new(status, body)
        }
    }

    /// A success whose members stand for themselves.
    pub(super) fn plain(body: Value) -> Self {
        Self::new(StatusCode::OK, body)
    }

    fn failure(status: StatusCode, code: &str, message: &str) -> Self {
        // DingTalk's codes are numbers as long as they come from its older API.
        let errcode = code
            .parse::<i64>()
            .map_or_else(|_| json!(code), Value::from);
        let body = json!({"success": false, "msg": message, "errcode": errcode});
        Self {
            code: Some(code.to_owned()),
            ..Self::new(status, body)
        }
    }

    /// What DingTalk's answer means for the caller.
    pub(super) fn of(outcome: Result<Value, ApiError>) -> Self {
        let error = match outcome {
            Ok(data) => {
                let mut body = json!({"success": true});
                // In `json!` the data would be copied.
                body["data"] = data;
                return Self::new(StatusCode::OK, body);
            }
            Err(error) => error,
        };
        let status = match &error {
            // Each argument is right by itself, and yet DingTalk refuses them as things are.
            ApiError::Invalid { .. } => StatusCode::CONFLICT,
            ApiError::NotFound { .. } => StatusCode::NOT_FOUND,
            ApiError::Denied { .. } => StatusCode::FORBIDDEN,
            ApiError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            ApiError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::OutcomeUnknown { .. } => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        let advice = match &error {
            ApiError::Denied { .. } => "; grant the app what it lacks in DingTalk's console",
            ApiError::OutcomeUnknown { .. } => {
                "; it is unknown whether it was done, so look before you repeat it"
            }
            ApiError::Credentials { .. } => "; correct app-key and app-secret in bot.toml",
            _ => "",
        };
        let message = format!("{}{advice}", error.message());
        let retry_after = match &error {
            ApiError::RateLimited { retry_after, .. } => Some(retry_after.as_secs().max(1)),
            _ => None,
        };
        Self {
            retry_after,
            may_repeat: matches!(
                error,
                ApiError::RateLimited { .. }
                    | ApiError::Unavailable { .. }
                    | ApiError::Denied { .. }
                    | ApiError::Credentials { .. }
            ),
            is_unknown: matches!(error, ApiError::OutcomeUnknown { .. }),
            ..Self::failure(status, error.code(), &message)
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.is_replay {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Why a call was not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("there is no [gateway] in bot.toml")]
    NotConfigured,
    #[error("there is no such app")]
    NoApp,
    #[error("app must name an [[app]] of kind \"isv\"")]
    NoSuite,
    #[error("send an API key that belfry knows: Authorization: Bearer KEY")]
    Unauthorized,
    #[error("there is no API of that name; /api/openapi.json lists them")]
    UnknownName,
    #[error("the method is not allowed; use {}", allowed(.0))]
    Method(bool),
    #[error("the key makes too many calls; its rate is {rate} a second")]
    Rate { rate: u32, wait_s: u64 },
    #[error("the key lacks the scope {0}")]
    Scope(&'static str),
    #[error("the body must be application/json or application/x-www-form-urlencoded")]
    ContentType,
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("the query or form cannot be read")]
    Query,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    #[error("Idempotency-Key must have 1 to 255 visible ASCII characters")]
    IdempotencyKey,
    #[error("a call with this Idempotency-Key is under way; ask again later")]
    UnderWay,
    #[error("this Idempotency-Key was used for another call or another body")]
    OtherBody,
    #[error("what idempotency keys stand for cannot be kept now: {0}")]
    Store(#[from] KvError),
    #[error("{0}")]
    Page(&'static str),
}

fn allowed(get: &bool) -> &'static str {
    if *get { "GET, POST" } else { "POST" }
}

impl Refused {
    /// Status and one word.
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotConfigured => (StatusCode::NOT_FOUND, "gateway.not-configured"),
            Self::NoApp | Self::NoSuite => (StatusCode::NOT_FOUND, "gateway.app"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "gateway.unauthorized"),
            Self::UnknownName => (StatusCode::NOT_FOUND, "gateway.unknown"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "gateway.method"),
            Self::Rate { .. } => (StatusCode::TOO_MANY_REQUESTS, "gateway.rate"),
            Self::Scope(_) => (StatusCode::FORBIDDEN, "gateway.scope"),
            Self::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "gateway.content-type"),
            Self::NotAnObject | Self::Query => (StatusCode::BAD_REQUEST, "gateway.body"),
            Self::Body(error) => (error.status(), "gateway.body"),
            // What a schema cannot say is a conflict: each field is right by itself.
            Self::Argument(ArgumentError::Together { .. }) => {
                (StatusCode::CONFLICT, "client.argument")
            }
            Self::Argument(_) => (StatusCode::BAD_REQUEST, "client.argument"),
            Self::IdempotencyKey => (StatusCode::BAD_REQUEST, "gateway.idempotency-key"),
            Self::UnderWay => (StatusCode::CONFLICT, "gateway.under-way"),
            Self::OtherBody => (StatusCode::CONFLICT, "gateway.other-body"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "gateway.store"),
            Self::Page(_) => (StatusCode::FORBIDDEN, "h5.page"),
        }
    }

    /// What the caller hears.
    pub(super) fn answer(&self) -> Answer {
        let (status, code) = self.parts();
        let mut answer = Answer::failure(status, code, &self.to_string());
        match self {
            Self::Method(get) => answer.allow = Some(allowed(get)),
            Self::Rate { wait_s, .. } => answer.retry_after = Some(*wait_s),
            Self::UnderWay => answer.retry_after = Some(1),
            _ => {}
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_kind_of_failure_has_its_status() {
        let (code, message) = ("34001".to_owned(), "m".to_owned());
        let limited = ApiError::RateLimited {
            code: code.clone(),
            message: message.clone(),
            retry_after: Duration::from_secs(60),
        };
        for (error, status, may_repeat) in [
            (
                ApiError::Invalid {
                    code: code.clone(),
                    message: message.clone(),
                },
                409,
                false,
            ),
            (
                ApiError::NotFound {
                    code: code.clone(),
                    message: message.clone(),
                },
                404,
                false,
            ),
            (
                ApiError::Denied {
                    code: code.clone(),
                    message: message.clone(),
                },
                403,
                true,
            ),
            (limited, 429, true),
            (
                ApiError::Unavailable {
                    code: code.clone(),
                    message: message.clone(),
                },
                503,
                true,
            ),
            (
                ApiError::OutcomeUnknown {
                    code: code.clone(),
                    message: message.clone(),
                },
                504,
                false,
            ),
            (ApiError::Credentials { code, message }, 502, true),
        ] {
            let answer = Answer::of(Err(error));
            assert_eq!(answer.status.as_u16(), status);
            assert_eq!(answer.may_repeat, may_repeat);
            assert_eq!(answer.body["errcode"], 34001);
            assert_eq!(answer.body["success"], false);
            assert_eq!(answer.retry_after, (status == 429).then_some(60));
        }
        let answer = Answer::of(Ok(json!({"task_id": 1})));
        assert_eq!(
            answer.body,
            json!({"success": true, "data": {"task_id": 1}})
        );
    }
}
