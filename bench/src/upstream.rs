//! Stands in for DingTalk: answers replies through session webhooks and tells the pusher whose reply it was.

use std::net::SocketAddr;

use anyhow::Context;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What the calls of one pusher's messages said.
pub(crate) type Calls = mpsc::UnboundedReceiver<Bytes>;

/// A server that records every call by its body, sorted by the pusher whose session the call names.
pub(crate) struct Upstream {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Upstream {
    /// Listens on a free port and serves until it is dropped. Pusher `n` hears of its calls on the `n`th receiver.
    pub(crate) async fn start(pushers: usize) -> anyhow::Result<(Self, Vec<Calls>)> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("cannot listen")?;
        let address = listener.local_addr()?;
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..pushers).map(|_| mpsc::unbounded_channel()).unzip();
        let senders: std::sync::Arc<[mpsc::UnboundedSender<Bytes>]> = senders.into();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let senders = senders.clone();
                connections.spawn(async move {
                    let service = service_fn(|request| answer(&senders, request));
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        let upstream = Self {
            address,
            _serving: serving,
        };
        Ok((upstream, receivers))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The session webhook of a pusher's messages.
    pub(crate) fn webhook(address: SocketAddr, pusher: usize) -> String {
        format!("http://{address}/robot/sendBySession?session={pusher}")
    }
}

async fn answer(
    senders: &[mpsc::UnboundedSender<Bytes>],
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let pusher = request
        .uri()
        .query()
        .and_then(|query| query.strip_prefix("session="))
        .and_then(|session| session.parse::<usize>().ok());
    let body = request.into_body().collect().await?.to_bytes();
    if let Some(sender) = pusher.and_then(|pusher| senders.get(pusher)) {
        let _ = sender.send(body);
    }
    let answer = Bytes::from_static(br#"{"errcode":0,"errmsg":"ok"}"#);
    Ok(Response::new(Full::new(answer)))
}
