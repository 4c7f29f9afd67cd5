//! Reads a request's body within a size and a time.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// Bytes of a refused body that are read and thrown away.
const DISCARD: usize = 16 << 20;
/// Time for a body.
const TIME: Duration = Duration::from_secs(5);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is larger than allowed.
    #[error("the body is too large")]
    TooLarge,
    /// It came too slowly.
    #[error("the body came too slowly")]
    TooSlow,
    /// The connection broke.
    #[error("the body is incomplete")]
    Incomplete,
    /// It is not UTF-8.
    #[error("the body is not utf-8")]
    NotText,
}

impl BodyError {
    /// One word for it, for counting.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::Incomplete => "incomplete",
            Self::NotText => "not-text",
        }
    }

    /// What the sender is told.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Incomplete | Self::NotText => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a whole body as text, at most `limit` bytes.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<String, BodyError> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        discard(body).await;
        return Err(BodyError::TooLarge);
    }
    let collected = tokio::time::timeout(TIME, Limited::new(body, limit).collect())
        .await
        .map_err(|_| BodyError::TooSlow)?;
    let bytes = collected
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                BodyError::TooLarge
            } else {
                BodyError::Incomplete
            }
        })?
        .to_bytes();
    String::from_utf8(bytes.into()).map_err(|_| BodyError::NotText)
}

/// Many clients send the whole body before they look at the answer; a connection closed under them hides the reason.
async fn discard(body: Body) {
    let mut body = Limited::new(body, DISCARD);
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(TIME, all).await;
}
