//! HTTP requests to hosts that `bot.toml` grants (`http = ["api.example.com"]`). Needs the feature `http`.
//!
//! Requests and answers are whole, not streams: at most 1 MiB each unless `limits` in `bot.toml` says otherwise. A redirect is an answer like any other, and nothing is
//! decompressed. Each request counts as one host call.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

pub use wasip2::http::types::Method;

use crate::api::{Detail, Error};

/// Bytes that are asked for at one time.
const PIECE: u64 = 64 << 10;

/// A request that is being put together.
#[derive(Debug)]
#[must_use]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    timeout_ms: Option<u32>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, such as 200.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers and body, to `https://host[:port]/path`.
    pub fn new(method: Method, url: &str) -> Self {
        Self {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: None,
        }
    }

    /// Adds a header; `Host` and what belongs to the connection is belfry's.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets how long the answer may take to begin; without it, nearly as long as the attempt may take in all.
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] with the code `belfry.grant` where the grant does not cover the host, [`Error::Unavailable`] when
    /// nothing was sent, [`Error::OutcomeUnknown`] when it may have arrived, [`Error::Invalid`] when it cannot be sent.
    pub fn send(self) -> Result<Response, Error> {
        let is_safe = matches!(self.method, Method::Get | Method::Head | Method::Options);
        let url = self.url.clone();
        self.exchange()
            .map_err(|code| explain(&code, is_safe, &url))
    }

    fn exchange(self) -> Result<Response, ErrorCode> {
        let (scheme, authority, path) = split(&self.url);
        let headers =
            Fields::from_list(&self.headers).map_err(|_| ErrorCode::HttpRequestHeaderSize(None))?;
        let request = OutgoingRequest::new(headers);
        let prepared = request.set_method(&self.method).and_then(|()| {
            request.set_scheme(Some(&scheme))?;
            request.set_authority(Some(authority))?;
            request.set_path_with_query(Some(path))
        });
        prepared.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
        let body = request
            .body()
            .map_err(|()| ErrorCode::HttpRequestBodySize(None))?;
        let options = self.timeout_ms.map(|ms| {
            let options = RequestOptions::new();
            // Every host knows this option, and where it did not the attempt's own end would hold.
            let _ = options.set_first_byte_timeout(Some(u64::from(ms) * 1_000_000));
            options
        });
        // The body is taken while the request is under way; written before, a large one would wait for ever.
        let pending = handle(request, options)?;
        let written = match write(&body, &self.body) {
            Ok(()) => OutgoingBody::finish(body, None),
            Err(code) => {
                drop(body);
                Err(code)
            }
        };
        // Also when it could not be written: the host knows why, as when it is too large.
        pending.subscribe().block();
        let answer = pending
            .get()
            .and_then(Result::ok)
            .unwrap_or(Err(ErrorCode::InternalError(None)))?;
        written?;
        read(&answer)
    }
}

/// Asks for a page.
///
/// # Errors
///
/// As [`Request::send`].
pub fn get(url: &str) -> Result<Response, Error> {
    Request::new(Method::Get, url).send()
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), ErrorCode> {
    let stream = body
        .write()
        .map_err(|()| ErrorCode::HttpRequestBodySize(None))?;
    let mut rest = bytes;
    while !rest.is_empty() {
        stream.subscribe().block();
        let room = stream
            .check_write()
            .map_err(|_| ErrorCode::ConnectionTerminated)?;
        let (piece, after) = rest.split_at(rest.len().min(usize::try_from(room).unwrap_or(0)));
        stream
            .write(piece)
            .map_err(|_| ErrorCode::ConnectionTerminated)?;
        rest = after;
    }
    // The host takes the last piece when the body is finished.
    Ok(())
}

fn read(answer: &IncomingResponse) -> Result<Response, ErrorCode> {
    let mut response = Response {
        status: answer.status(),
        headers: answer.headers().entries(),
        body: Vec::new(),
    };
    let body: IncomingBody = answer
        .consume()
        .map_err(|()| ErrorCode::HttpResponseIncomplete)?;
    let stream = body
        .stream()
        .map_err(|()| ErrorCode::HttpResponseIncomplete)?;
    loop {
        match stream.blocking_read(PIECE) {
            Ok(piece) => response.body.extend_from_slice(&piece),
            Err(StreamError::Closed) => return Ok(response),
            Err(StreamError::LastOperationFailed(_)) => {
                return Err(ErrorCode::HttpResponseIncomplete);
            }
        }
    }
}

/// Scheme, authority and path; the host looks at each of them more closely.
fn split(url: &str) -> (Scheme, &str, &str) {
    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        Some((other, rest)) => (Scheme::Other(other.to_owned()), rest),
        None => (Scheme::Https, url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // A fragment stays at home.
    let path = path.split('#').next().unwrap_or_default();
    (scheme, authority, if path.is_empty() { "/" } else { path })
}

fn explain(code: &ErrorCode, is_safe: bool, url: &str) -> Error {
    let (_, authority, _) = split(url);
    let detail = |code: &str, message: String| Detail {
        code: code.to_owned(),
        message,
    };
    let ours = |what: &str| detail("belfry.http", format!("{what} ({authority})"));
    match code {
        ErrorCode::HttpRequestDenied => Error::Denied(detail(
            "belfry.grant",
            format!("the plugin's grant `http` in bot.toml does not cover {authority}"),
        )),
        ErrorCode::DestinationIpProhibited => Error::Denied(detail(
            "belfry.grant",
            format!("{authority} lies where the plugin's grant `http` in bot.toml does not reach"),
        )),
        ErrorCode::DnsError(_) => Error::Unavailable(ours("the host's name cannot be resolved")),
        ErrorCode::ConnectionRefused | ErrorCode::DestinationUnavailable => {
            Error::Unavailable(ours("the host cannot be reached"))
        }
        ErrorCode::TlsProtocolError => Error::Unavailable(ours("no TLS with the host")),
        ErrorCode::ConnectionLimitReached => {
            Error::Unavailable(ours("too many requests are under way"))
        }
        ErrorCode::HttpResponseTimeout if is_safe => {
            Error::Unavailable(ours("the host took too long"))
        }
        ErrorCode::HttpResponseBodySize(_) => Error::Invalid(ours("the answer is too large")),
        ErrorCode::HttpRequestBodySize(_) => Error::Invalid(ours("the request is too large")),
        ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestHeaderSize(_) => {
            Error::Invalid(ours("the request is no valid HTTP"))
        }
        other if is_safe => Error::Unavailable(ours(&other.to_string())),
        other => Error::OutcomeUnknown(ours(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_split_where_its_parts_meet() {
        for (url, authority, path) in [
            ("https://a.example", "a.example", "/"),
            ("https://a.example:8443/x?y#z", "a.example:8443", "/x?y"),
            ("http://a.example?y", "a.example", "?y"),
            ("a.example/x", "a.example", "/x"),
            ("https://user@a.example/", "user@a.example", "/"),
            ("", "", "/"),
        ] {
            let (_, split_authority, split_path) = split(url);
            assert_eq!((split_authority, split_path), (authority, path), "{url}");
        }
    }

    #[test]
    fn only_what_cannot_have_arrived_may_be_sent_again() {
        let timeout = |is_safe| explain(&ErrorCode::HttpResponseTimeout, is_safe, "https://a");
        assert!(matches!(timeout(true), Error::Unavailable(_)));
        assert!(matches!(timeout(false), Error::OutcomeUnknown(_)));
        let denied = explain(&ErrorCode::HttpRequestDenied, false, "https://a.example/x");
        let Error::Denied(detail) = denied else {
            panic!("{denied:?}")
        };
        assert_eq!(detail.code, "belfry.grant");
        assert!(detail.message.contains("a.example"));
    }
}
