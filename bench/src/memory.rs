//! Resident memory of `belfry serve` with ten plugins: started, and after a burst of events.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use http::Request;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::machine::field;
use crate::places::Places;
use crate::push::{Pusher, Until, push_all};
use crate::report::{Goal, Line, Unit};
use crate::settings::{self, ALERTS, APPROVALS, ECHO, Listeners, Plugin};
use crate::upstream::Upstream;

/// Messages on their way at one time during the burst.
const IN_FLIGHT: usize = 50;
/// Messages of the burst that each pusher sends; 1,000 in all.
const EACH: u64 = 20;
/// Plugins that echo: each message of the burst is answered so often.
const ECHOES: usize = 4;
/// How long belfry may take to start, compiling ten plugins included.
const START: Duration = Duration::from_secs(120);
/// Nothing happens for so long before memory is read.
const IDLE: Duration = Duration::from_secs(3);

/// Measures mebibytes after a first start, which compiles, after the burst, and after a second start, which does not.
pub(crate) async fn measure(places: &Places) -> anyhow::Result<Vec<Line>> {
    let folder = places.fresh("memory")?;
    let listeners = Listeners {
        public: free_port()?,
        admin: free_port()?,
    };
    let (upstream, calls) = Upstream::start(IN_FLIGHT).await?;
    let config = write(places, &folder, &listeners, upstream.address())?;
    let program = places.belfry()?;

    let belfry = Belfry::start(&program, &config, listeners.admin).await?;
    let compiled = belfry.resident()?;
    let mut pushers = Pusher::all(&upstream, calls, ECHOES);
    push_all(&mut pushers, listeners.public, Until::Sent(EACH)).await?;
    tokio::time::sleep(IDLE).await;
    let burst = belfry.resident()?;
    drop(belfry);
    let belfry = Belfry::start(&program, &config, listeners.admin).await?;
    let cached = belfry.resident()?;

    let line =
        |name: &str, figure: f64| Line::absolute(name, Unit::Mebibytes, Goal::Below(100.0), figure);
    Ok(vec![
        line("memory, first start", compiled),
        line("memory, after 1,000 events", burst),
        line("memory, second start", cached),
    ])
}

fn write(
    places: &Places,
    folder: &Path,
    listeners: &Listeners,
    upstream: SocketAddr,
) -> anyhow::Result<std::path::PathBuf> {
    let kinds = [
        ("echo", ECHO, ECHOES),
        ("approvals", APPROVALS, 3),
        ("alerts", ALERTS, 3),
    ];
    let mut components = Vec::new();
    for (name, settings, count) in kinds {
        components.push((name, places.plugin(name)?, settings, count));
    }
    let plugins: Vec<Plugin<'_>> = components
        .iter()
        .flat_map(|(name, component, settings, count)| {
            (1..=*count).map(move |number| Plugin {
                name: format!("{name}-{number}"),
                component,
                settings,
            })
        })
        .collect();
    settings::write(folder, listeners, upstream, &plugins)
}

/// A port that was free a moment ago.
fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen")?;
    Ok(listener.local_addr()?)
}

/// A running `belfry serve`; dropping it ends it.
struct Belfry(Child);

impl Belfry {
    /// Starts it and waits until it is ready and has been idle for a while.
    async fn start(program: &Path, config: &Path, admin: SocketAddr) -> anyhow::Result<Self> {
        let child = Command::new(program)
            .args(["serve", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut belfry = Self(child);
        let start = Instant::now();
        while !is_ready(admin).await {
            if let Some(status) = belfry.0.try_wait()? {
                bail!("belfry ended at once ({status})");
            }
            if start.elapsed() > START {
                bail!("belfry was not ready in time");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(IDLE).await;
        Ok(belfry)
    }

    /// Mebibytes that the process holds in memory.
    fn resident(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.0.id());
        let status =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let kib: f64 = field(&status, "VmRSS")
            .trim_end_matches(" kB")
            .parse()
            .context("the system does not tell the resident memory")?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Belfry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn is_ready(admin: SocketAddr) -> bool {
    let ask = async {
        let stream = TcpStream::connect(admin).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get("/readyz")
            .header("host", "belfry")
            .body(Empty::<Bytes>::new())?;
        anyhow::Ok(sender.send_request(request).await?.status().is_success())
    };
    ask.await.unwrap_or(false)
}
