//! Accepts connections, routes requests and stops gracefully.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use crate::state::Shared;
use crate::{api, control, page};

/// How long running requests may take after a stop.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Marks a response that must not be sent: the connection is closed in its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HangUp;

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault closed the connection")]
struct HungUp;

/// Serves until the simulator stops.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let router = Router::new()
        .merge(page::routes())
        .nest("/_sim", control::routes())
        .fallback(api::serve)
        .with_state(Arc::clone(&shared));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                shared
                    .tasks
                    .spawn(serve(Arc::clone(&shared), router.clone(), stream));
            }
            Err(error) => {
                // Out of file descriptors, most likely: some may be free again soon.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, router: Router, stream: TcpStream) {
    // Small answers should not wait for more bytes; a socket that refuses is only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let response: Result<Response, Infallible> =
                router.oneshot(request.map(Body::new)).await;
            match response {
                Ok(response) if response.extensions().get::<HangUp>().is_some() => Err(HungUp),
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shared.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(STOP_PATIENCE, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}
