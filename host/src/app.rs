//! Builds every part of the host and connects them; the only file that knows all modules.
#![allow(clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::active::Snapshot;
use crate::admin::{self, Admin};
use crate::config::{Config, Server};
use crate::dispatch::{Dispatch, Run};
use crate::engine::Sandbox;
use crate::ingress::{self, Ingress};
use crate::journal::{Journal, SqliteJournal};
use crate::kv::{Kv, SqliteKv};
use crate::reload::{self, Refusal, Reloader, Reloads};
use crate::runner::Runner;
use crate::server;
use crate::store::sqlite::Store;
use crate::wake::Waker;

/// Connections on the operators' listener.
const ADMIN_CONNECTIONS: usize = 64;

/// A running host.
pub struct Host {
    /// The address of the public listener.
    pub public: SocketAddr,
    /// The address of the operators' listener.
    pub admin: SocketAddr,
    /// Reloads on demand.
    pub reloads: Reloads,
    settings: Server,
    stop_intake: CancellationToken,
    stop_work: CancellationToken,
    outbound: TaskTracker,
    dispatch: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
    servers: Vec<JoinHandle<()>>,
}

/// What a benchmark or a test puts in place of the usual parts.
#[derive(Default)]
pub struct Overrides {
    /// Runs deliveries instead of the plugins.
    pub run: Option<Arc<dyn Run>>,
}

impl Host {
    /// Starts everything `bot.toml` describes. Fails with every problem at once.
    pub async fn start(path: &Path) -> anyhow::Result<Self> {
        Self::start_with(path, Overrides::default()).await
    }

    /// As [`Host::start`], with parts of one's own.
    pub async fn start_with(path: &Path, overrides: Overrides) -> anyhow::Result<Self> {
        let config = Config::load(path)?;
        for warning in &config.warnings {
            tracing::warn!(%warning, "bot.toml");
        }
        let settings = config.server.clone();
        let (retry, max_concurrent) = (config.retry, config.engine.max_concurrent as usize);
        // Ports first: what is already in use should not cost a compilation.
        let public = listen(settings.listen, "server.listen").await?;
        let admin = listen(settings.admin, "server.admin").await?;
        let store = Store::open(&config.store.path)
            .with_context(|| format!("cannot open the store {:?}", config.store.path))?;
        let sandbox = Sandbox::new(&config.engine)?;
        let active = reload::load_config(config, &sandbox)
            .await
            .map_err(|refused| refused_at_start(&refused))?;
        let generation = active.generation;
        let snapshot = Snapshot::new(active);

        let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::new(store.clone()));
        let kv: Arc<dyn Kv> = Arc::new(SqliteKv::new(store));
        let (waker, outbound) = (Waker::default(), TaskTracker::new());
        let (stop_intake, stop_work) = (CancellationToken::new(), CancellationToken::new());
        let run = overrides.run.unwrap_or_else(|| {
            Arc::new(Runner {
                snapshot: snapshot.clone(),
                kv,
                outbound: outbound.clone(),
            })
        });
        let dispatch = Dispatch {
            journal: Arc::clone(&journal),
            run,
            retry,
            max_concurrent,
            waker: waker.clone(),
        };
        let (reloader, reloads) = Reloader::new(path.to_owned(), sandbox, snapshot.clone());

        let ingress = Ingress {
            snapshot: snapshot.clone(),
            journal: Arc::clone(&journal),
            waker,
        };
        let operators = Admin {
            snapshot,
            journal,
            reloads: reloads.clone(),
            stopping: stop_intake.clone(),
        };
        let addresses = (public.local_addr()?, admin.local_addr()?);
        let servers = vec![tokio::spawn(server::serve(
            public,
            ingress::routes(ingress),
            server::Limits::of(settings.max_connections),
            stop_intake.clone(),
        ))];
        let others = vec![
            tokio::spawn(server::serve(
                admin,
                admin::routes(operators),
                server::Limits::of(ADMIN_CONNECTIONS),
                stop_work.clone(),
            )),
            tokio::spawn(reloader.serve(stop_intake.clone())),
        ];
        let dispatch = tokio::spawn(dispatch.serve(stop_work.clone()));
        tracing::info!(public = %addresses.0, admin = %addresses.1, generation, "belfry is running");
        Ok(Self {
            public: addresses.0,
            admin: addresses.1,
            reloads,
            settings,
            stop_intake,
            stop_work,
            outbound,
            dispatch,
            others,
            servers,
        })
    }

    /// Stops in order: no more events, then the running attempts end, then the rest. What does not end in time is left to
    /// the journal: it runs again after the next start.
    pub async fn stop(self) {
        tracing::info!(drain_s = self.settings.drain.as_secs(), "stopping");
        self.stop_intake.cancel();
        for server in self.servers {
            let _ = server.await;
        }
        self.stop_work.cancel();
        self.outbound.close();
        let aborts = self.dispatch.abort_handle();
        let drained = tokio::time::timeout(self.settings.drain, async {
            let _ = self.dispatch.await;
            self.outbound.wait().await;
        });
        if drained.await.is_err() {
            tracing::warn!(
                "attempts still ran at the end of the drain time; they run again after the next start"
            );
            aborts.abort();
        }
        for other in self.others {
            let _ = tokio::time::timeout(Duration::from_secs(5), other).await;
        }
        tracing::info!("stopped");
    }
}

async fn listen(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} ({key} in bot.toml); is another belfry running, or the port taken?")
    })
}

fn refused_at_start(refused: &[Refusal]) -> anyhow::Error {
    let lines: Vec<String> = refused
        .iter()
        .map(|refusal| format!("  {}: {}", refusal.subject, refusal.reason))
        .collect();
    anyhow!(
        "bot.toml cannot be used, {} problem(s):\n{}",
        refused.len(),
        lines.join("\n")
    )
}

/// Parses the configuration and loads every plugin, without listening to anything. Answers with every problem.
pub async fn check(
    path: PathBuf,
) -> anyhow::Result<Result<Vec<crate::plugin::Summary>, Vec<Refusal>>> {
    let config = match Config::load(&path) {
        Ok(config) => config,
        Err(error) => return Ok(Err(reload::refusals(&error))),
    };
    let sandbox = Sandbox::new(&config.engine)?;
    Ok(reload::load_config(config, &sandbox).await.map(|active| {
        let mut plugins: Vec<_> = active
            .plugins
            .values()
            .map(|plugin| plugin.summary())
            .collect();
        plugins.sort_by(|a, b| a.name.cmp(&b.name));
        plugins
    }))
}
