//! `belfry serve`: the host until a signal.
#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::process::ExitCode;

use belfry::app::Host;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(super) async fn run(config: &Path) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let host = Host::start(config).await?;
    signals.until_stop(&host).await;
    // A person who signals again does not want to wait.
    tokio::select! {
        () = host.stop() => Ok(ExitCode::SUCCESS),
        () = signals.stop_signal() => {
            tracing::warn!("second signal, leaving at once");
            std::process::exit(130)
        }
    }
}

/// The signals that mean something to belfry.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT; SIGHUP reloads meanwhile.
    pub(super) async fn until_stop(&mut self, host: &Host) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    host.reloads.reload().await;
                }
            }
        }
    }

    /// Waits for SIGTERM or SIGINT.
    pub(super) async fn stop_signal(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
