//! One life of belfry: from its start to its kill.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::{Doors, components};

/// Lines of the log that are kept for a report.
const LINES: usize = 40;
/// How long a start may take.
const START: Duration = Duration::from_secs(30);

/// A belfry that may end at any time.
pub(super) struct Life {
    child: Child,
    log: Arc<Mutex<VecDeque<String>>>,
    addresses: watch::Receiver<Option<(SocketAddr, SocketAddr)>>,
}

/// How a life ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was killed from outside.
    Killed,
    /// It reached its failpoint.
    Failpoint,
    /// It ended for a reason of its own; the text has the end of its log.
    Itself(String),
}

impl Life {
    /// Starts it, with a list of failpoints.
    pub(super) fn start(config: &Path, failpoints: &str) -> Self {
        let mut child = Command::new(components::belfry())
            .args(["serve", "--config"])
            .arg(config)
            .env("BELFRY_FAILPOINTS", failpoints)
            .env("BELFRY_LOG", "info")
            .env("BELFRY_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let (tell, addresses) = watch::channel(None);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("belfry is running") {
                    let _ = tell.send(addresses_in(&line));
                }
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Self {
            child,
            log,
            addresses,
        }
    }

    /// Waits until it serves; `None` when it ended first.
    ///
    /// # Panics
    ///
    /// When neither comes in time.
    pub(super) async fn doors(&mut self) -> Option<Doors> {
        let found = tokio::time::timeout(START, self.addresses.wait_for(Option::is_some));
        let found = found
            .await
            .unwrap_or_else(|_| panic!("belfry does not start:\n{}", text(&self.log)));
        let (public, admin) = (*found.ok()?)?;
        Some(Doors::new(public, admin))
    }

    /// Waits for it to end of itself.
    pub(super) async fn ends_within(&mut self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.child.wait()).await;
    }

    /// Kills it if it still lives, and says how it ended.
    pub(super) async fn end(mut self) -> End {
        let itself = self.child.try_wait().unwrap();
        let Some(status) = itself else {
            self.child.kill().await.unwrap();
            return End::Killed;
        };
        // The reader of its log may be a moment behind.
        let _ = tokio::time::timeout(START, async {
            while self.addresses.changed().await.is_ok() {}
        })
        .await;
        self.told(status)
    }

    fn told(&self, status: ExitStatus) -> End {
        const SIGABRT: i32 = 6;
        let log = text(&self.log);
        if status.signal() == Some(SIGABRT) && log.contains("failpoint reached") {
            End::Failpoint
        } else {
            End::Itself(format!("belfry ended with {status}:\n{log}"))
        }
    }
}

fn text(log: &Mutex<VecDeque<String>>) -> String {
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.iter().map(|line| format!("{line}\n")).collect()
}

fn addresses_in(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let address = |name: &str| -> Option<SocketAddr> { line[name].as_str()?.parse().ok() };
    Some((address("public")?, address("admin")?))
}
