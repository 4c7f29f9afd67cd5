//! Accepts connections and serves HTTP/1.1 with limits on everything a client can be slow or large with.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Time for the head of a request; also how long an idle connection is kept.
const HEAD: Duration = Duration::from_secs(10);
/// Time for a whole request, its answer included.
const REQUEST: Duration = Duration::from_secs(10);
/// The longest life of a connection.
const CONNECTION: Duration = Duration::from_secs(600);
/// Time for open requests when the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// Headers of a request.
const MAX_HEADERS: usize = 64;
/// Bytes of the head of a request.
const MAX_HEAD: usize = 16 << 10;

/// Serves until `stop`, then lets open requests end.
///
/// Not `axum::serve`, which knows no header limits, and not hyper-util's `auto::Builder`, which waits for ever for
/// the first byte of a silent client.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => match place {
                Ok(place) => place,
                Err(_closed) => break,
            },
        };
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _address)) => stream,
                Err(error) => {
                    // Out of file descriptors, or a client that went away: others must not suffer.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let connection = graceful.watch(connection(stream, router.clone()));
        tokio::spawn(async move {
            // Errors here are the client's: a broken connection, a malformed head, a timeout.
            let _ = tokio::time::timeout(CONNECTION, connection).await;
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

fn connection(
    stream: TcpStream,
    router: Router,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::HttpService<Incoming, ResBody = axum::body::Body, Future: Send, Error: Send>
    + Send,
> {
    let _ = stream.set_nodelay(true);
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let answer = router.clone().oneshot(request);
        async move {
            match tokio::time::timeout(REQUEST, answer).await {
                Ok(answer) => answer,
                Err(_elapsed) => Ok(http::Response::builder()
                    .status(http::StatusCode::REQUEST_TIMEOUT)
                    .body(axum::body::Body::from("the request took too long\n"))
                    .expect("a status and a text make a response")),
            }
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD.max(64 << 10))
        .keep_alive(true);
    builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}
