//! A request and its answer as they stand in a record.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use wasmtime_wasi_http::Error;

use super::super::told::{MayBeUnknown, Told};
use super::super::value::Value;
use crate::call::{Arguments, Fate};
use crate::destination::Refusal;
use crate::egress::{EgressError, Response};

/// Stands in a record for what may be a key or a token.
const HIDDEN: &str = "(hidden)";
/// Headers that carry keys and whose names do not say so.
const SECRET_HEADERS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];
/// What the names of other headers and of parameters say that carry keys.
const SECRET_WORDS: [&str; 6] = ["token", "secret", "key", "sign", "password", "credential"];

/// What a guest asked, as far as two requests are told apart by it.
#[derive(Serialize)]
pub(super) struct Asked {
    method: String,
    url: String,
    /// By name; several of a name in their order.
    headers: Vec<(String, Value)>,
    body: Value,
}

impl Asked {
    pub(super) fn new(
        method: &str,
        scheme: &str,
        authority: &str,
        path: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Self {
        Self {
            method: method.to_owned(),
            url: format!("{scheme}://{authority}{path}"),
            headers: in_order(headers),
            body: Value::from(body.to_vec()),
        }
    }

    /// What is compared is all of it; what is shown has no keys.
    pub(super) fn arguments(mut self) -> Arguments {
        let whole = to_json(&self);
        for (name, value) in &mut self.headers {
            if is_secret_header(name) {
                *value = Value::from(HIDDEN.as_bytes().to_vec());
            }
        }
        self.url = without_secrets(&self.url);
        Arguments::shown_as(&whole, to_json(&self))
    }
}

fn to_json(asked: &Asked) -> String {
    // Keys of maps are all that cannot be JSON, and there are none.
    serde_json::to_string(asked).unwrap_or_default()
}

fn is_secret_header(name: &str) -> bool {
    SECRET_HEADERS.contains(&name) || is_secret(name)
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// An address whose parameters with telling names have no values, and which names no user.
fn without_secrets(url: &str) -> String {
    let (front, query) = match url.split_once('?') {
        Some((front, query)) => (front, Some(query)),
        None => (url, None),
    };
    let front = match front.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://{HIDDEN}@{host}{path}"),
                None => front.to_owned(),
            }
        }
        None => front.to_owned(),
    };
    let Some(query) = query else { return front };
    let parameters: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
            _ => parameter.to_owned(),
        })
        .collect();
    format!("{front}?{}", parameters.join("&"))
}

fn in_order(headers: &HeaderMap) -> Vec<(String, Value)> {
    let mut list: Vec<(String, Value)> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), Value::from(value.as_bytes().to_vec())))
        .collect();
    list.sort_by(|(a, _), (b, _)| a.cmp(b));
    list
}

/// What a server answered.
#[derive(Serialize, Deserialize)]
pub(super) struct Answered {
    status: u16,
    headers: Vec<(String, Value)>,
    body: Value,
}

impl From<Response> for Answered {
    fn from(response: Response) -> Self {
        Self {
            status: response.status.as_u16(),
            headers: in_order(&response.headers),
            body: compact(response.body.to_vec()),
        }
    }
}

/// A body as it takes least room: text with many signs that JSON escapes takes up to six times its own.
fn compact(body: Vec<u8>) -> Value {
    let escaped = body
        .iter()
        .filter(|byte| **byte < b' ' || matches!(byte, b'"' | b'\\'));
    if escaped.count() * 15 > body.len() {
        Value::Bytes(body)
    } else {
        Value::from(body)
    }
}

impl Answered {
    /// What the guest gets. A record that somebody wrote by hand may have what HTTP cannot say; that is left out.
    pub(super) fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name);
            let value = HeaderValue::try_from(value.into_bytes());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        Response {
            status: StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY),
            headers,
            body: self.body.into_bytes().into(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failed {
    /// The grant does not lead there, or the request is none.
    Denied,
    /// The name leads to an address where the grant does not reach.
    OutOfReach,
    /// The request cannot be put into HTTP.
    Request,
    /// The name has no address.
    Name,
    /// Nobody listens there.
    ConnectionRefused,
    /// There is no way there.
    Unreachable,
    /// No agreement on TLS.
    Tls,
    /// It took too long.
    Timeout,
    /// The answer is larger than an answer may be, or than the journal takes.
    TooLarge,
    /// What came is no answer.
    Answer,
    /// It was begun before, and nobody knows what came of it.
    Unknown,
}

impl From<&EgressError> for Failed {
    fn from(error: &EgressError) -> Self {
        match error {
            EgressError::Refused(Refusal::OutOfReach(..)) => Self::OutOfReach,
            EgressError::Refused(_) => Self::Denied,
            EgressError::Request => Self::Request,
            EgressError::Name => Self::Name,
            EgressError::Connect(error)
                if error.kind() == std::io::ErrorKind::ConnectionRefused =>
            {
                Self::ConnectionRefused
            }
            EgressError::Connect(_) => Self::Unreachable,
            EgressError::Tls(_) => Self::Tls,
            EgressError::Timeout => Self::Timeout,
            EgressError::TooLarge(_) => Self::TooLarge,
            EgressError::Answer(_) => Self::Answer,
        }
    }
}

impl Failed {
    /// What the guest hears, in the words of WASI.
    pub(super) fn to_wasi(&self) -> Error {
        match self {
            Self::Denied => Error::HttpRequestDenied,
            Self::OutOfReach => Error::DestinationIpProhibited,
            Self::Request => Error::HttpRequestUriInvalid,
            Self::Name => Error::DnsError {
                rcode: None,
                info_code: None,
            },
            Self::ConnectionRefused => Error::ConnectionRefused,
            Self::Unreachable => Error::DestinationUnavailable,
            Self::Tls => Error::TlsProtocolError,
            Self::Timeout => Error::HttpResponseTimeout,
            Self::TooLarge => Error::HttpResponseBodySize(None),
            Self::Answer => Error::HttpProtocolError,
            Self::Unknown => Error::ConnectionTerminated,
        }
    }
}

/// A server that refuses has not done it, as far as HTTP goes: the plugin that asks for a retry asks it again. What was
/// answered and is too large to hand on was done.
impl Told for Result<Answered, Failed> {
    type Error = Failed;

    fn fate(&self) -> Fate {
        match self {
            Ok(answer) if answer.status < 400 => Fate::Done,
            Err(Failed::TooLarge) => Fate::Done,
            Err(Failed::Timeout | Failed::Answer | Failed::Unknown) => Fate::Unknown,
            Ok(_) | Err(_) => Fate::Refused,
        }
    }

    fn refused(error: Failed) -> Self {
        Err(error)
    }

    fn too_large() -> Self {
        Err(Failed::TooLarge)
    }
}

impl MayBeUnknown for Result<Answered, Failed> {
    fn unknown(_: &str) -> Self {
        Err(Failed::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, headers: &[(&'static str, &'static str)], body: &[u8]) -> Arguments {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let body = Bytes::copy_from_slice(body);
        Asked::new(
            "POST",
            "https",
            "user:pw@api.example.com",
            path,
            &map,
            &body,
        )
        .arguments()
    }

    #[test]
    fn keys_are_compared_and_not_shown() {
        let path = "/robot?access_token=sesame-1&sign=sesame-2&page=2";
        let headers = [
            ("authorization", "Bearer sesame-3"),
            ("x-api-key", "sesame-4"),
            ("accept", "text/plain"),
        ];
        let arguments = asked(path, &headers, b"{}");
        let shown = arguments.text.as_ref().unwrap().expose();
        assert!(
            !shown.contains("sesame") && !shown.contains("user:pw"),
            "{shown}"
        );
        assert!(
            shown.contains("page=2") && shown.contains("text/plain"),
            "{shown}"
        );
        let other = asked(&path.replace("sesame-1", "sesame-9"), &headers, b"{}");
        assert_ne!(arguments, other);
        assert_eq!(arguments.text, other.text);
    }

    #[test]
    fn the_order_in_which_headers_were_set_makes_no_other_request_and_their_values_do() {
        let [a, b] = [("a", "1"), ("b", "2")];
        assert_eq!(asked("/", &[a, b], b""), asked("/", &[b, a], b""));
        let twice = [("a", "1"), ("a", "2")];
        let swapped = [("a", "2"), ("a", "1")];
        assert_ne!(asked("/", &twice, b""), asked("/", &swapped, b""));
        assert_ne!(asked("/", &[], b"1"), asked("/", &[], b"2"));
    }

    #[test]
    fn an_answer_is_read_back_as_it_was() {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("a=1"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        headers.insert("x", HeaderValue::from_bytes(b"\xff").unwrap());
        let body = Bytes::from_static(b"\x00\xff\"");
        let response = Response {
            status: StatusCode::CREATED,
            headers: headers.clone(),
            body: body.clone(),
        };
        let told: Result<Answered, Failed> = Ok(Answered::from(response));
        let text = serde_json::to_string(&told).unwrap();
        let read: Result<Answered, Failed> = serde_json::from_str(&text).unwrap();
        assert_eq!(read.fate(), Fate::Done);
        let response = read.ok().unwrap().into_response();
        assert_eq!(response.status, StatusCode::CREATED);
        assert_eq!((response.headers, response.body), (headers, body));
    }

    #[test]
    fn only_what_cannot_have_arrived_or_was_turned_away_is_refused() {
        let fate = |status| {
            let body = Value::from(Vec::new());
            let headers = Vec::new();
            Ok::<_, Failed>(Answered {
                status,
                headers,
                body,
            })
            .fate()
        };
        assert_eq!(
            [200, 302, 404, 503].map(fate),
            [Fate::Done, Fate::Done, Fate::Refused, Fate::Refused]
        );
        let failed = |error: &EgressError| Err::<Answered, _>(Failed::from(error)).fate();
        assert_eq!(failed(&EgressError::Name), Fate::Refused);
        assert_eq!(failed(&EgressError::Timeout), Fate::Unknown);
        assert_eq!(failed(&EgressError::Answer("x".to_owned())), Fate::Unknown);
        assert_eq!(failed(&EgressError::TooLarge(1)), Fate::Done);
    }
}
