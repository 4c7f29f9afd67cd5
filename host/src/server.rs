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
/// Bytes buffered of a connection.
const BUFFER: usize = 64 << 10;

/// What one listener bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time; further ones wait to be accepted.
    pub connections: usize,
    /// Time for the head of a request; also how long an idle connection is kept.
    pub head: Duration,
}

impl Limits {
    /// So many connections, ten seconds for a head.
    pub fn of(connections: usize) -> Self {
        Self {
            connections,
            head: Duration::from_secs(10),
        }
    }
}

/// Serves until `stop`, then lets open requests end.
///
/// Not `axum::serve`, which knows no header limits, and not hyper-util's `auto::Builder`, which waits for ever for
/// the first byte of a silent client.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
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
        let connection = graceful.watch(connection(stream, router.clone(), limits.head));
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
    head: Duration,
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
        .header_read_timeout(head)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(BUFFER)
        .keep_alive(true);
    builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Server {
        address: std::net::SocketAddr,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    async fn start(limits: Limits) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let slow = get(async || {
            tokio::time::sleep(Duration::from_millis(200)).await;
            "slow"
        });
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route("/slow", slow);
        let task = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Server {
            address,
            stop,
            task,
        }
    }

    /// Sends bytes and reads until the server closes.
    async fn exchange(server: &Server, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn heads_that_are_too_large_are_refused() {
        let server = start(Limits::of(8)).await;
        let fine = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        assert!(
            exchange(&server, fine.as_bytes())
                .await
                .starts_with("HTTP/1.1 200")
        );
        let long = format!(
            "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
            "y".repeat(MAX_HEAD)
        );
        assert!(
            exchange(&server, long.as_bytes())
                .await
                .starts_with("HTTP/1.1 431")
        );
        let many: String = (0..=MAX_HEADERS)
            .map(|number| format!("x{number}: y\r\n"))
            .collect();
        let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n");
        assert!(
            exchange(&server, many.as_bytes())
                .await
                .starts_with("HTTP/1.1 431")
        );
        assert!(
            exchange(&server, b"\x16\x03\x01 not http\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 400")
        );
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_is_disconnected() {
        let head = Duration::from_millis(100);
        let server = start(Limits {
            head,
            ..Limits::of(8)
        })
        .await;
        let started = crate::clock::instant();
        let answer = exchange(&server, b"GET / HT").await;
        assert!(
            started.elapsed() >= head && !answer.contains("hello"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_wait_for_their_turn() {
        let server = start(Limits::of(1)).await;
        let held = TcpStream::connect(server.address).await.unwrap();
        let mut waiting = TcpStream::connect(server.address).await.unwrap();
        waiting
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut byte = [0];
        let early = tokio::time::timeout(Duration::from_millis(100), waiting.read(&mut byte)).await;
        assert!(early.is_err(), "the first connection holds the only place");
        drop(held);
        let mut answer = String::new();
        waiting.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("hello"));
    }

    #[tokio::test]
    async fn an_open_request_ends_before_the_server_does() {
        let server = start(Limits::of(8)).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream
            .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.stop.cancel();
        server.task.await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("slow"), "{answer}");
        assert!(TcpStream::connect(server.address).await.is_err());
    }
}
