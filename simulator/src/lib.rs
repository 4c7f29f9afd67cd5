//! A fake DingTalk on one address: both API hosts, signed pushes, a group-chat page and a control door.
//!
//! It enforces what DingTalk enforces (expiring tokens, rate limits, message checks, per-day duplicates) and is written
//! apart from the code it tests, so that one mistake cannot hide another. The doors are described in `docs/simulator.md`.

mod api;
mod approvals;
mod callbacks;
mod calls;
mod clock;
mod company;
mod contacts;
mod control;
mod crypto;
mod faults;
mod files;
mod groups;
mod limits;
mod mentions;
mod notices;
mod options;
mod page;
mod push;
mod server;
mod sessions;
mod state;
mod suites;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;

pub use company::{
    Company, Department, Field, FixtureError, Person, Role, Scope, SeedGroup, Template,
};
pub use options::{App, CallbackTarget, Options, Suite};

use state::Shared;

/// Why a simulator could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The client that delivers pushes could not be set up.
    #[error("cannot set up the push client")]
    Client(#[source] reqwest::Error),
}

/// A running simulator; dropping it stops it without waiting.
pub struct Simulator {
    shared: Arc<Shared>,
}

/// Binds the address and serves from tasks of the running tokio runtime.
pub async fn start(options: Options) -> Result<Simulator, StartError> {
    let listen = options.listen;
    let bind = |source| StartError::Bind {
        address: listen,
        source,
    };
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let client = push::client().map_err(StartError::Client)?;
    let shared = Arc::new(Shared::new(options, address, client));
    shared.spawn(server::accept(Arc::clone(&shared), listener));
    tracing::info!(%address, "simulator started");
    Ok(Simulator { shared })
}

impl Simulator {
    /// The address it listens on, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Replaces the apps while it runs; tokens of apps that are gone stop working.
    pub fn set_apps(&self, apps: Vec<App>) {
        self.shared.change(|world| world.set_apps(apps));
    }

    /// Replaces the third-party apps while it runs; what companies authorised stays.
    pub fn set_suites(&self, suites: Vec<Suite>) {
        self.shared.change(|world| world.set_suites(suites));
    }

    /// Stops listening, ends pushes and event streams, and waits for running requests.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}
