//! `wasi:http/outgoing-handler`: requests to the hosts that the grant names, recorded like every other host call.

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

use self::record::{Answered, Asked, Failed};
use super::recorded::{Asking, count};
use crate::call::Fate;
use crate::egress::{Allowance, EgressError, Request, Response};
use crate::engine::{State, Task};
use crate::function::Function;

mod record;

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

/// `handle`: counts the request and takes its place among the calls; it is looked at, recorded and sent when its body is
/// there.
fn handle(
    state: &mut State,
    request: Resource<HostOutgoingRequest>,
    options: Option<Resource<RequestOptions>>,
) -> wasmtime::Result<Result<Pending, ErrorCode>> {
    let mut request = state.table().delete(request)?;
    let options = match options {
        Some(options) => state.table().delete(options)?,
        None => RequestOptions::default(),
    };
    let is_safe = matches!(
        request.method,
        types::Method::Get | types::Method::Head | types::Method::Options
    );
    let function = if is_safe {
        Function::HttpRead
    } else {
        Function::HttpHandle
    };
    let task = state.call(function)?;
    // Before it has a place: what waits for bodies must be bounded.
    let Some(share) = state.traffic().share(state.limits().http_answer) else {
        count(function, Fate::Refused);
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
    let place = Asking::begin(&task);
    let pending = spawn(async move {
        let body = match request.body.take() {
            Some(body) => gather(body, most).await?,
            None => Bytes::new(),
        };
        let (asked, admitted) = read(&task, request, body);
        let call = place.asks(function, asked.arguments());
        let made = {
            let task = Arc::clone(&task);
            let admitted = admitted.clone();
            move || exchange(Arc::clone(&task), admitted.clone(), allowance)
        };
        let told = if is_safe {
            call.read(made()).await
        } else {
            let allowed = async { admitted.map(|_| ()) };
            call.write(allowed, move |_| made()).await
        };
        match told {
            Ok(Ok(answer)) => {
                let answer = answer.into_response();
                share.spend(answer.body.len());
                // What wasi:http would keep alive to read on; the answer is here in whole.
                let reader = spawn(async {});
                Ok((whole(answer), reader))
            }
            Ok(Err(failed)) => Err(failed.to_wasi()),
            Err(error) => {
                // Nothing here can end the attempt; its next call or its end does.
                task.halted.set(error);
                Err(Error::ConnectionTerminated)
            }
        }
    });
    let pending = HostFutureIncomingResponse::Pending(pending);
    Ok(Ok(state.table().push(pending)?))
}

/// One request and its answer, both whole.
async fn exchange(
    task: Arc<Task>,
    request: Result<Request, Failed>,
    allowance: Allowance,
) -> Result<Answered, Failed> {
    let client = task.egress.clone().ok_or(Failed::Denied)?;
    let answer = client.exchange(request?, allowance).await;
    answer.map(Answered::from).map_err(|error| {
        tell(&task, &error);
        Failed::from(&error)
    })
}

/// What the guest put together, and whether its grant leads there.
fn read(
    task: &Task,
    request: HostOutgoingRequest,
    body: Bytes,
) -> (Asked, Result<Request, Failed>) {
    let scheme = match &request.scheme {
        None | Some(types::Scheme::Https) => "https",
        Some(types::Scheme::Http) => "http",
        Some(types::Scheme::Other(other)) => other,
    };
    let authority = request.authority.as_deref().unwrap_or_default();
    let path = request.path_with_query.clone();
    let path = path.unwrap_or_else(|| "/".to_owned());
    let headers: http::HeaderMap = request.headers.into();
    let name = match &request.method {
        types::Method::Other(other) => other.clone(),
        known => method(known).map_or_else(String::new, |method| method.to_string()),
    };
    let asked = Asked::new(&name, scheme, authority, &path, &headers, &body);
    let admitted = (|| {
        let client = task.egress.as_ref().ok_or(EgressError::Request)?;
        Ok(Request {
            target: client.admit(scheme, authority)?,
            method: method(&request.method).ok_or(EgressError::Request)?,
            path,
            headers,
            body,
        })
    })();
    let admitted = admitted.map_err(|error: EgressError| {
        tell(task, &error);
        Failed::Denied
    });
    (asked, admitted)
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
