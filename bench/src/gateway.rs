//! Calls of the gateway per second, against a bare reverse proxy in the same process; and how many tokens a thousand
//! callers at once cost when theirs has expired.
//!
//! Both sides answer from the same server, over connections that are kept. The gateway checks a key, the arguments and the
//! pace, adds the token and reads the answer; the proxy copies bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use belfry::app::Host;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::places::Places;
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};
use crate::settings::{self, APP, Listeners};

/// Callers at one time.
const CALLERS: usize = 64;
/// Callers at one time whose token has expired.
const CROWD: usize = 1000;
const KEY: &str = "key-of-the-benchmarks";

/// Measures the gateway.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let upstream = Upstream::start().await?;
    let proxy = proxy(upstream.address).await?;
    let folder = places.fresh("gateway")?;
    let config = settings::write(&folder, &Listeners::any(), upstream.address, &[])?;
    let text = std::fs::read_to_string(&config)?
        .replace("[server]\n", "[server]\nmax-connections = 4096\n");
    let gateway = format!(
        "\n[gateway]\napp = \"{APP}\"\n[[gateway.key]]\nname = \"bench\"\nkey = \"{KEY}\"\nscopes = [\"contacts\"]\nrate = 100000\n"
    );
    std::fs::write(&config, format!("{text}{gateway}"))?;
    let host = Host::start(&config).await?;

    let tokens = expired(&upstream, host.public).await?;
    let rounds = rounds
        .take(async |side, time| match side {
            Side::Ours => {
                load(
                    host.public,
                    "/api/dingtalkserve/userinfo?userid=alice",
                    time,
                )
                .await
            }
            Side::Yardstick => {
                load(proxy.address, "/user/get?userid=alice&access_token=2", time).await
            }
        })
        .await?;
    host.stop().await;
    Ok(vec![
        Line::compared(
            "gateway calls",
            Unit::PerSecond,
            Goal::RatioAtLeast(0.6),
            rounds,
        ),
        Line::absolute(
            "gateway tokens of 1000 callers",
            Unit::Count,
            Goal::Below(1.5),
            tokens,
        ),
    ])
}

/// Lets the token of a thousand callers expire at once; answers with the tokens that were asked for.
async fn expired(upstream: &Upstream, host: SocketAddr) -> anyhow::Result<f64> {
    let path = "/api/dingtalkserve/userinfo?userid=alice";
    call(host, path).await?;
    let before = upstream.tokens();
    upstream.state.good.fetch_add(1, Ordering::SeqCst);
    let mut callers = JoinSet::new();
    for _ in 0..CROWD {
        callers.spawn(call(host, path));
    }
    while let Some(called) = callers.join_next().await {
        called??;
    }
    let asked = u32::try_from(upstream.tokens() - before)?;
    Ok(f64::from(asked))
}

async fn call(address: SocketAddr, path: &'static str) -> anyhow::Result<()> {
    let mut caller = Caller::connect(address).await?;
    caller.call(path).await
}

/// Calls per second with [`CALLERS`] callers.
async fn load(address: SocketAddr, path: &'static str, time: Duration) -> anyhow::Result<f64> {
    let mut callers = JoinSet::new();
    let start = Instant::now();
    for _ in 0..CALLERS {
        callers.spawn(async move {
            let mut caller = Caller::connect(address).await?;
            let mut calls = 0_u32;
            while start.elapsed() < time {
                caller.call(path).await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        });
    }
    let mut calls = 0_u32;
    while let Some(called) = callers.join_next().await {
        calls += called??;
    }
    Ok(f64::from(calls) / start.elapsed().as_secs_f64())
}

/// A connection with one call on its way at a time.
struct Caller {
    sender: hyper::client::conn::http1::SendRequest<Full<Bytes>>,
}

impl Caller {
    async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    async fn call(&mut self, path: &str) -> anyhow::Result<()> {
        self.sender.ready().await?;
        let request = Request::get(path)
            .header("host", "bench")
            .header("authorization", format!("Bearer {KEY}"))
            .body(Full::default())?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(
            status.is_success() && body.windows(5).any(|part| part == b"alice"),
            "{status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(())
    }
}

/// A server on a free port; it goes with the value.
struct Served {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

async fn serve<F, A>(answer: F) -> anyhow::Result<Served>
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = anyhow::Result<Response<Full<Bytes>>>> + Send,
{
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("cannot listen")?;
    let address = listener.local_addr()?;
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let answer = answer.clone();
            connections.spawn(async move {
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer))
                    .await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    Ok(Served {
        address,
        _serving: serving,
    })
}

/// The yardstick: passes a request on and its answer back.
async fn proxy(upstream: SocketAddr) -> anyhow::Result<Served> {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    serve(move |request| {
        let client = client.clone();
        async move {
            let (mut parts, body) = request.into_parts();
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            parts.uri = format!("http://{upstream}{path}").parse()?;
            let body = body.collect().await?.to_bytes();
            let answer = client
                .request(Request::from_parts(parts, Full::new(body)))
                .await?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Response::from_parts(parts, Full::new(body)))
        }
    })
    .await
}

/// Stands in for DingTalk: gives tokens, and knows one person to whoever has the present one.
struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    _served: Served,
}

#[derive(Default)]
struct State {
    /// The number of the token that is good.
    good: AtomicU64,
    /// Tokens that were asked for.
    asked: AtomicU64,
}

impl Upstream {
    async fn start() -> anyhow::Result<Self> {
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let served = serve(move |request| {
            let answer = shared.answer(&request);
            async move { Ok(Response::new(Full::new(answer.into()))) }
        })
        .await?;
        Ok(Self {
            address: served.address,
            state,
            _served: served,
        })
    }

    fn tokens(&self) -> u64 {
        self.state.asked.load(Ordering::SeqCst)
    }
}

impl State {
    fn answer(&self, request: &Request<Incoming>) -> String {
        let good = self.good.load(Ordering::SeqCst);
        if request.uri().path() == "/gettoken" {
            self.asked.fetch_add(1, Ordering::SeqCst);
            return format!(
                r#"{{"errcode":0,"errmsg":"ok","access_token":"{}","expires_in":7200}}"#,
                good + 1
            );
        }
        let query = request.uri().query().unwrap_or_default();
        let is_good = query
            .split('&')
            .filter_map(|pair| pair.strip_prefix("access_token="))
            .any(|token| token == (good + 1).to_string());
        if is_good {
            r#"{"errcode":0,"errmsg":"ok","userid":"alice","name":"林爱丽","department":[1,2],"active":true,"isAdmin":false}"#.to_owned()
        } else {
            r#"{"errcode":40014,"errmsg":"不合法的access_token"}"#.to_owned()
        }
    }
}
