//! Runs the program `belfry` beside the benchmarks.

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

/// How long belfry may take to start, compiling its plugins included.
const START: Duration = Duration::from_secs(120);
/// Between two looks whether it is ready.
const LOOK: Duration = Duration::from_millis(2);

/// A port that was free a moment ago.
pub(crate) fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen")?;
    Ok(listener.local_addr()?)
}

/// A running `belfry serve`; dropping it ends it.
pub(crate) struct Belfry(Child);

impl Belfry {
    /// Starts it and waits until it is ready.
    pub(crate) async fn start(
        program: &Path,
        config: &Path,
        admin: SocketAddr,
    ) -> anyhow::Result<Self> {
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
            tokio::time::sleep(LOOK).await;
        }
        Ok(belfry)
    }

    /// Milliseconds from the start of the process until it is ready, as the median of so many starts with compiled code in the
    /// cache. Each ends by being killed, not stopped.
    pub(crate) async fn median_start(
        program: &Path,
        config: &Path,
        admin: SocketAddr,
        count: u32,
    ) -> anyhow::Result<f64> {
        // This one compiles and fills the cache.
        drop(Self::start(program, config, admin).await?);
        let mut starts = Vec::new();
        for _ in 0..count {
            let start = Instant::now();
            let belfry = Self::start(program, config, admin).await?;
            starts.push(start.elapsed().as_secs_f64() * 1e3);
            drop(belfry);
        }
        starts.sort_by(f64::total_cmp);
        Ok(starts[starts.len() / 2])
    }

    /// Mebibytes that the process holds in memory.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
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
