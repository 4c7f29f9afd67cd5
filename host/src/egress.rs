//! Carries out a plugin's HTTP requests, within its grant and within limits.
//!
//! Each plugin has a client of its own: a connection that one plugin's grant allowed is never there for another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;

use self::connect::{ConnectError, Connector};
use crate::destination::{Destination, Refusal, Target, admit};

mod connect;

/// Unused connections that are kept to one host, and how long.
const IDLE: (usize, Duration) = (2, Duration::from_secs(30));
/// Bytes of the head of an answer.
const MAX_HEAD: usize = 64 << 10;
/// Headers of an answer.
const MAX_HEADERS: usize = 100;

/// A request, whole.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub target: Target,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// The plugin's headers; those that belong to the connection are dropped.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer, whole and as it came: not decompressed, not redirected.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What a request may use.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// When it must be over.
    pub deadline: Instant,
    /// How long the answer's head may take, where the plugin said so.
    pub head: Option<Duration>,
    /// How long the answer's body may pause, where the plugin said so.
    pub pause: Option<Duration>,
    /// Bytes of the answer's body.
    pub max_body: usize,
}

/// Why a request had no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// The grant does not lead there.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request cannot be put into HTTP.
    #[error("the request is no valid HTTP")]
    Request,
    /// The name has no address.
    #[error("the name of the host cannot be resolved")]
    Name,
    /// Nobody listens there.
    #[error("no connection to the host: {0}")]
    Connect(std::io::Error),
    /// No agreement on TLS, the certificate included.
    #[error("no TLS with the host: {0}")]
    Tls(String),
    /// The time was up.
    #[error("the host took too long")]
    Timeout,
    /// The answer is larger than it may be.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke, or what came is not HTTP.
    #[error("the host gave no valid answer: {0}")]
    Answer(String),
}

/// One plugin's way out.
#[derive(Debug)]
pub struct Client {
    grants: Arc<[Destination]>,
    places: Semaphore,
    http: legacy::Client<HttpsConnector<Connector>, Full<Bytes>>,
}

impl Client {
    /// A client that goes where these grants lead and has so many requests under way at one time; more wait. Fails when TLS is needed and the system has no certificates to trust.
    pub fn new(grants: &[Destination], places: usize) -> Result<Self, rustls::Error> {
        let grants: Arc<[Destination]> = grants.into();
        let needs_tls = grants.iter().any(|grant| grant.is_secure);
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(connect::tls(needs_tls)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector(Arc::clone(&grants)));
        let (idle, idle_time) = IDLE;
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(idle)
            .pool_idle_timeout(idle_time)
            .http1_max_buf_size(MAX_HEAD)
            .http1_max_headers(MAX_HEADERS)
            .build(https);
        Ok(Self {
            grants,
            places: Semaphore::new(places),
            http,
        })
    }

    /// Finds the grant of a request by what it says, before anything is looked up.
    pub fn admit(&self, scheme: &str, authority: &str) -> Result<Target, Refusal> {
        admit(&self.grants, scheme, authority)
    }

    /// Sends a request and reads the whole answer.
    pub async fn exchange(
        &self,
        request: Request,
        allowance: Allowance,
    ) -> Result<Response, EgressError> {
        let deadline = tokio::time::Instant::from_std(allowance.deadline);
        let exchange = async {
            let _place = self
                .places
                .acquire()
                .await
                .map_err(|_| EgressError::Timeout)?;
            let request = to_hyper(request)?;
            let answer = within(allowance.head, self.http.request(request)).await?;
            let (parts, body) = answer.map_err(|error| classify(&error))?.into_parts();
            if parts.status == StatusCode::SWITCHING_PROTOCOLS {
                let reason = "it changes the protocol, which nobody asked for";
                return Err(EgressError::Answer(reason.to_owned()));
            }
            Ok(Response {
                status: parts.status,
                headers: parts.headers,
                body: collect(body, allowance).await?,
            })
        };
        tokio::time::timeout_at(deadline, exchange)
            .await
            .unwrap_or(Err(EgressError::Timeout))
    }
}

async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = T>,
) -> Result<T, EgressError> {
    match limit {
        None => Ok(work.await),
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .map_err(|_| EgressError::Timeout),
    }
}

/// Headers that are about one connection, or that the client writes itself.
const NOT_FORWARDED: [HeaderName; 12] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

fn to_hyper(request: Request) -> Result<http::Request<Full<Bytes>>, EgressError> {
    // A tunnel would lead on to where no grant looks, and a trace gives headers back to whoever asks.
    if matches!(request.method, Method::CONNECT | Method::TRACE) {
        return Err(EgressError::Request);
    }
    let uri = Uri::builder()
        .scheme(request.target.scheme())
        .authority(request.target.authority())
        .path_and_query(request.path)
        .build();
    let mut headers = request.headers;
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&NOT_FORWARDED) {
        headers.remove(name);
    }
    let mut built = http::Request::new(Full::new(request.body));
    *built.method_mut() = request.method;
    *built.uri_mut() = uri.map_err(|_| EgressError::Request)?;
    *built.headers_mut() = headers;
    Ok(built)
}

async fn collect(mut body: Incoming, allowance: Allowance) -> Result<Bytes, EgressError> {
    let too_large = EgressError::TooLarge(allowance.max_body);
    // What says that it is too large need not be read.
    if body.size_hint().lower() > allowance.max_body as u64 {
        return Err(too_large);
    }
    let mut collected = Vec::new();
    while let Some(frame) = within(allowance.pause, body.frame()).await? {
        let frame = frame.map_err(|error| EgressError::Answer(error.to_string()))?;
        let Some(piece) = frame.data_ref() else {
            continue;
        };
        if collected.len() + piece.len() > allowance.max_body {
            return Err(too_large);
        }
        collected.extend_from_slice(piece);
    }
    Ok(collected.into())
}

/// Our own reason is somewhere in the chain of causes, if it was ours.
fn classify(error: &legacy::Error) -> EgressError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<ConnectError>() {
            return ours.to_egress();
        }
        cause = error.source();
    }
    let reason = innermost(error);
    if error.is_connect() {
        EgressError::Tls(reason)
    } else {
        EgressError::Answer(reason)
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests;
