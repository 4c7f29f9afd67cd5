//! `wasi:http/outgoing-handler`: requests to the hosts that the grant names.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use wasmtime::bail;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error, RequestOptions, WasiHttp, WasiHttpView};

use super::recorded::count;
use crate::call::Fate;
use crate::destination::Refusal;
use crate::egress::{Allowance, EgressError, Request, Response};
use crate::engine::{Outbound, State, Task};
use crate::function::Function;

/// Time to connect, where a plugin limits only the wait for the answer.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of a log line about a request.
const MAX_LINE: usize = 300;

/// Handles belong to a guest's table.
type Pending = Resource<HostFutureIncomingResponse>;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = LinkOptions::default();
    types::add_to_linker::<_, WasiHttp>(linker, &(&options).into(), WasiHttpView::http)?;
    // The generated interface would send by a hook that can neither count a call nor end the attempt.
    linker
        .instance("wasi:http/outgoing-handler@0.2.12")?
        .func_wrap(
            "handle",
            |mut store, (request, options): (Resource<_>, Option<Resource<_>>)| {
                Ok((handle(store.data_mut(), request, options)?,))
            },
        )
}

/// `handle`: checks and counts the request, and sends it when its body is there.
fn handle(
    state: &mut State,
    request: Resource<HostOutgoingRequest>,
    options: Option<Resource<RequestOptions>>,
) -> wasmtime::Result<Result<Pending, ErrorCode>> {
    let task = state.call(Function::HttpHandle)?;
    let request = state.table().delete(request)?;
    let options = match options {
        Some(options) => state.table().delete(options)?,
        None => RequestOptions::default(),
    };
    let (request, body) = match read(&task, request) {
        Ok(read) => read,
        Err(error) => {
            tell(&task, &error);
            count(Function::HttpHandle, Fate::Refused);
            return Ok(Err(ErrorCode::HttpRequestDenied));
        }
    };
    let Some(share) = state.traffic().share(state.limits().http_answer) else {
        count(Function::HttpHandle, Fate::Refused);
        return Ok(Err(ErrorCode::ConnectionLimitReached));
    };
    let Some(deadline) = state.deadline() else {
        bail!("a request is made before the attempt began")
    };
    // A tenth of the time is left to the guest, so that it can say itself what it waited for in vain.
    let allowance = Allowance {
        deadline: deadline - state.limits().wall / 10,
        head: options
            .first_byte_timeout
            .map(|first| first.saturating_add(options.connect_timeout.unwrap_or(CONNECT))),
        pause: options.between_bytes_timeout,
        max_body: share.bytes(),
    };
    let most = state.limits().http_request;
    let pending = spawn(async move {
        let body = match body {
            Some(body) => gather(body, most).await?,
            None => Bytes::new(),
        };
        let request = Request { body, ..request };
        let answer = exchange(&task, request, allowance).await;
        count(
            Function::HttpHandle,
            answer.as_ref().map_or_else(fate, |_| Fate::Done),
        );
        let answer = answer.map_err(|error| {
            tell(&task, &error);
            to_wasi(&error)
        })?;
        share.spend(answer.body.len());
        // What wasi:http would keep alive to read on; the answer is here in whole.
        let reader = spawn(async {});
        Ok((whole(answer), reader))
    });
    let pending = HostFutureIncomingResponse::Pending(pending);
    Ok(Ok(state.table().push(pending)?))
}

/// One request and its answer, both whole: everything that a record of the call needs.
async fn exchange(
    task: &Arc<Task>,
    request: Request,
    allowance: Allowance,
) -> Result<Response, EgressError> {
    let client = task.egress.clone().ok_or(EgressError::Request)?;
    let is_safe = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let call = async move { client.exchange(request, allowance).await };
    if is_safe {
        call.await
    } else {
        // A guest that is ended meanwhile does not cut the request in half.
        Outbound::new(&task.outbound, call).await
    }
}

/// Whether a request without an answer can have arrived.
fn fate(error: &EgressError) -> Fate {
    match error {
        EgressError::Refused(_)
        | EgressError::Request
        | EgressError::Name
        | EgressError::Connect(_)
        | EgressError::Tls(_) => Fate::Refused,
        _ => Fate::Unknown,
    }
}

/// What the guest put together, compared with its grant. The body comes later.
fn read(
    task: &Task,
    request: HostOutgoingRequest,
) -> Result<(Request, Option<HyperOutgoingBody>), EgressError> {
    let scheme = match &request.scheme {
        None | Some(types::Scheme::Https) => "https",
        Some(types::Scheme::Http) => "http",
        Some(types::Scheme::Other(other)) => other,
    };
    let client = task.egress.as_ref().ok_or(EgressError::Request)?;
    let target = client.admit(scheme, request.authority.as_deref().unwrap_or_default())?;
    let read = Request {
        method: method(&request.method).ok_or(EgressError::Request)?,
        target,
        path: request.path_with_query.unwrap_or_else(|| "/".to_owned()),
        headers: request.headers.into(),
        body: Bytes::new(),
    };
    Ok((read, request.body))
}

fn method(method: &types::Method) -> Option<Method> {
    Some(match method {
        types::Method::Get => Method::GET,
        types::Method::Head => Method::HEAD,
        types::Method::Post => Method::POST,
        types::Method::Put => Method::PUT,
        types::Method::Delete => Method::DELETE,
        types::Method::Connect => Method::CONNECT,
        types::Method::Options => Method::OPTIONS,
        types::Method::Trace => Method::TRACE,
        types::Method::Patch => Method::PATCH,
        types::Method::Other(other) => other.parse().ok()?,
    })
}

/// Waits until the guest has written the body, of at most so many bytes, and finished it.
async fn gather(body: HyperOutgoingBody, most: usize) -> Result<Bytes, Error> {
    let body = Limited::new(body, most).collect().await;
    match body {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(_) => Error::HttpRequestBodySize(Some(most as u64)),
        }),
    }
}

fn whole(answer: Response) -> http::Response<HyperOutgoingBody> {
    let body = Full::new(answer.body).map_err(|never| match never {});
    let mut response = http::Response::new(body.boxed_unsync());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

/// What the operator hears. Paths and headers are left out, because tokens travel in them.
fn tell(task: &Task, error: &EgressError) {
    let error = error.to_string();
    let error = &error[..error.floor_char_boundary(MAX_LINE)];
    tracing::warn!(
        event = %task.envelope.id, plugin = %task.plugin, error, "a request of the plugin failed"
    );
}

/// What the guest hears, in the words of WASI.
fn to_wasi(error: &EgressError) -> Error {
    match error {
        EgressError::Refused(Refusal::OutOfReach(..)) => Error::DestinationIpProhibited,
        EgressError::Refused(_) => Error::HttpRequestDenied,
        EgressError::Request => Error::HttpRequestUriInvalid,
        EgressError::Name => Error::DnsError {
            rcode: None,
            info_code: None,
        },
        EgressError::Connect(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Error::ConnectionRefused
        }
        EgressError::Connect(_) => Error::DestinationUnavailable,
        EgressError::Tls(_) => Error::TlsProtocolError,
        EgressError::Timeout => Error::HttpResponseTimeout,
        EgressError::TooLarge(most) => Error::HttpResponseBodySize(Some(*most as u64)),
        _ => Error::HttpProtocolError,
    }
}
