//! Builds every part of the host and connects them; the only file that knows all modules.
#![allow(clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::active::{self, Snapshot};
use crate::admin::{self, Admin};
use crate::config::Config;
use crate::dispatch::{self, Dispatch, Run};
use crate::engine;
use crate::engine::Sandbox;
use crate::gateway::{self, Gateway};
use crate::imports;
use crate::ingress::{self, Backfill, Clockwork, Followup, Ingress, Outages, Register, Steward};
use crate::journal::{Journal, MemoryJournal, Schedule, SqliteJournal, Timers};
use crate::kv::{Kv, SqliteKv};
use crate::meter::{self, Meter, Metric};
use crate::plugin::Summary;
use crate::reload::{self, Refusal, Reloader, Reloads};
use crate::retention::Retention;
use crate::runner::Runner;
use crate::server;
use crate::store::sqlite::{self, Store};
use crate::versions::Versions;
use crate::wake::Waker;

/// Connections on the operators' listener.
const ADMIN_CONNECTIONS: usize = 64;

/// Everything that belfry counts.
pub const METRICS: &[&Metric] = &[
    &ingress::RECEIVED,
    &ingress::APPENDED,
    &ingress::DUPLICATES,
    &ingress::REFUSED,
    &ingress::CONDITIONS_FAILED,
    &dispatch::ATTEMPTS,
    &dispatch::ATTEMPT_SECONDS,
    &dispatch::RUNNING,
    &dispatch::DELIVERIES,
    &gateway::CALLS,
    &gateway::SECONDS,
    &active::DINGTALK_REQUESTS,
    &active::DINGTALK_SECONDS,
    &active::DINGTALK_PACED,
    &active::DINGTALK_PACED_SECONDS,
    &sqlite::COMMIT_SECONDS,
    &sqlite::BATCH_JOBS,
    &sqlite::QUEUE_JOBS,
    &admin::metrics::OPEN,
    &admin::metrics::DRAINING,
    &reload::RELOADS,
    &reload::RELOAD_SECONDS,
    &reload::GENERATION,
    &reload::REFUSED,
    &reload::PLUGINS,
    &admin::metrics::PARKED,
    &imports::HOST_CALLS,
    &engine::COMPILE_SECONDS,
];

/// A running host.
pub struct Host {
    /// The address of the public listener.
    pub public: SocketAddr,
    /// The address of the operators' listener.
    pub admin: SocketAddr,
    /// Reloads on demand.
    pub reloads: Reloads,
    /// Apps, hooks, plugins and rules as they are now.
    pub snapshot: Snapshot,
    drain: Duration,
    store: Store,
    sqlite: Arc<SqliteJournal>,
    outbound: TaskTracker,
    intake: JoinHandle<()>,
    clockwork: JoinHandle<()>,
    followup: JoinHandle<()>,
    backfill: JoinHandle<()>,
    steward: JoinHandle<()>,
    retention: JoinHandle<()>,
    dispatch: JoinHandle<()>,
    reloader: JoinHandle<()>,
    operators: JoinHandle<()>,
    upkeep: AbortOnDropHandle<()>,
    stop_intake: CancellationToken,
    stop_work: CancellationToken,
    stop_operators: CancellationToken,
}

/// Makes what runs deliveries.
pub type MakeRun = Box<dyn FnOnce(&Arc<dyn Journal>) -> Arc<dyn Run> + Send>;

/// What a benchmark or a test puts in place of the usual parts.
#[derive(Default)]
pub struct Overrides {
    /// Runs deliveries instead of the plugins; made with the journal of the host.
    pub run: Option<MakeRun>,
    /// Keeps events, deliveries and timers instead of the file.
    pub journal: Option<Arc<MemoryJournal>>,
}

impl Host {
    /// Starts everything `bot.toml` describes. Fails with every problem at once.
    pub async fn start(path: &Path) -> anyhow::Result<Self> {
        Self::start_with(path, Overrides::default()).await
    }

    /// As [`Host::start`], with parts of one's own.
    pub async fn start_with(path: &Path, overrides: Overrides) -> anyhow::Result<Self> {
        let meter = Meter::start(METRICS);
        let (config, files) = reload::Files::read(path)?;
        for warning in &config.warnings {
            tracing::warn!(%warning, "bot.toml");
        }
        let settings = config.server.clone();
        let keep = config.store.keep;
        let (retry, max_concurrent) = (config.retry, config.engine.max_concurrent as usize);
        // Ports first: what is already in use should not cost a compilation.
        let public = listen(settings.listen, "server.listen").await?;
        let admin = listen(settings.admin, "server.admin").await?;
        let store = Store::open(&config.store.path)
            .with_context(|| format!("cannot open the store {:?}", config.store.path))?;
        let sandbox = Sandbox::new(&config.engine)?;
        let versions = Arc::new(Versions::beside(&config.store.path, sandbox.clone()));
        let active = reload::load(config, &sandbox, Some(&versions))
            .await
            .map_err(|refused| refused_at_start(&refused))?;
        let generation = active.generation;
        let waker = Waker::default();
        let snapshot = Snapshot::new(active, waker.clone());

        let sqlite = Arc::new(SqliteJournal::open(store.clone()).await?);
        let (journal, timers): (Arc<dyn Journal>, Arc<dyn Timers>) = match overrides.journal {
            Some(memory) => (Arc::clone(&memory) as _, memory),
            None => (Arc::clone(&sqlite) as _, Arc::clone(&sqlite) as _),
        };
        let kv: Arc<dyn Kv> = Arc::new(SqliteKv::new(store.clone()));
        let register = Register::new(Arc::clone(&kv));
        let outbound = TaskTracker::new();
        let gateway = Gateway::new(snapshot.clone(), Arc::clone(&kv), outbound.clone());
        let (stop_intake, stop_work) = (CancellationToken::new(), CancellationToken::new());
        let stop_operators = CancellationToken::new();
        let clockwork = Clockwork {
            snapshot: snapshot.clone(),
            timers: Arc::clone(&timers),
            waker: waker.clone(),
            was_set: Waker::default(),
        };
        let followup = Followup {
            snapshot: snapshot.clone(),
            timers: Arc::clone(&timers),
            waker: waker.clone(),
            was_sent: Waker::default(),
        };
        let looked_up = Arc::clone(&sqlite);
        let retention = Retention {
            journal: Arc::clone(&sqlite),
            keep,
        };
        let notices = Schedule::new(Arc::clone(&timers), followup.was_sent.clone());
        let schedule = Schedule::new(timers, clockwork.was_set.clone());
        let run: Arc<dyn Run> = match overrides.run {
            Some(make) => make(&journal),
            None => Arc::new(Runner {
                snapshot: snapshot.clone(),
                versions: Arc::clone(&versions),
                journal: Arc::clone(&journal),
                kv: Arc::clone(&kv),
                schedule,
                notices,
                outbound: outbound.clone(),
                next_probe: Mutex::default(),
            }),
        };
        let dispatch = Dispatch {
            journal: Arc::clone(&journal),
            run,
            retry,
            max_concurrent,
            waker: waker.clone(),
        };
        let (reloader, reloads) = Reloader::new(files, sandbox, snapshot.clone(), versions);

        let ingress = Ingress {
            snapshot: snapshot.clone(),
            journal: Arc::clone(&journal),
            waker: waker.clone(),
            outages: Outages::default(),
            register: register.clone(),
        };
        let steward = Steward {
            snapshot: snapshot.clone(),
            register,
        };
        let backfill = Backfill {
            ingress: ingress.clone(),
            journal: looked_up,
        };
        let operators = Admin {
            snapshot: snapshot.clone(),
            journal,
            kv,
            rehearsals: Arc::default(),
            reloads: reloads.clone(),
            waker,
            meter: meter.clone(),
            stopping: stop_intake.clone(),
        };
        let (public_address, admin_address) = (public.local_addr()?, admin.local_addr()?);
        let limits = server::Limits::of(settings.max_connections);
        let public = server::serve(
            public,
            ingress::routes(ingress).merge(gateway::routes(gateway)),
            limits,
            stop_intake.clone(),
        );
        let limits = server::Limits::of(ADMIN_CONNECTIONS);
        let operators = server::serve(
            admin,
            admin::routes(operators),
            limits,
            stop_operators.clone(),
        );
        tracing::info!(public = %public_address, admin = %admin_address, generation, "belfry is running");
        Ok(Self {
            public: public_address,
            admin: admin_address,
            reloads,
            snapshot,
            drain: settings.drain,
            store,
            sqlite,
            outbound,
            intake: tokio::spawn(public),
            retention: tokio::spawn(retention.serve(stop_intake.clone())),
            clockwork: tokio::spawn(clockwork.serve(stop_intake.clone())),
            followup: tokio::spawn(followup.serve(stop_intake.clone())),
            backfill: tokio::spawn(backfill.serve(stop_intake.clone())),
            steward: tokio::spawn(steward.serve(stop_intake.clone())),
            dispatch: tokio::spawn(dispatch.serve(stop_work.clone())),
            reloader: tokio::spawn(reloader.serve(stop_intake.clone())),
            operators: tokio::spawn(operators),
            upkeep: AbortOnDropHandle::new(tokio::spawn(upkeep(meter))),
            stop_intake,
            stop_work,
            stop_operators,
        })
    }

    /// The journal in the file, for a benchmark that fills it and removes events.
    #[doc(hidden)]
    pub fn journal(&self) -> Arc<SqliteJournal> {
        Arc::clone(&self.sqlite)
    }

    /// Stops in order: no more events, then the running attempts end, then the rest. What does not end in time is left to
    /// the journal: it runs again after the next start. Operators see `/readyz` fail until the end.
    pub async fn stop(self) {
        tracing::info!(drain_s = self.drain.as_secs(), "stopping");
        self.stop_intake.cancel();
        let _ = self.intake.await;
        let _ = self.clockwork.await;
        let _ = self.followup.await;
        // What it has read is nowhere else, so it gets the time to store it.
        let _ = tokio::time::timeout(self.drain, self.backfill).await;
        let _ = tokio::time::timeout(self.drain, self.steward).await;
        // What it removes in one go is little, but nobody needs to wait for a whole pass.
        self.retention.abort();
        self.stop_work.cancel();
        self.outbound.close();
        let dispatch = self.dispatch.abort_handle();
        let drained = tokio::time::timeout(self.drain, async {
            let _ = self.dispatch.await;
            self.outbound.wait().await;
        });
        if drained.await.is_err() {
            tracing::warn!(
                "attempts still ran at the end of the drain time; they run again after the next start"
            );
            dispatch.abort();
        }
        let _ = self.reloader.await;
        self.stop_operators.cancel();
        let _ = self.operators.await;
        drop(self.upkeep);
        self.store.close().await;
        tracing::info!("stopped");
    }
}

async fn upkeep(meter: Meter) {
    loop {
        tokio::time::sleep(meter::UPKEEP).await;
        meter.upkeep();
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

/// What `belfry check` found in order.
#[derive(Debug, serde::Serialize)]
pub struct Checked {
    /// The plugins, by name.
    pub plugins: Vec<Summary>,
    /// What is right but will surprise.
    pub warnings: Vec<String>,
}

/// Parses the configuration and loads every plugin, without listening to anything. Answers with every problem.
pub async fn check(path: &Path) -> anyhow::Result<Result<Checked, Vec<Refusal>>> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return Ok(Err(reload::refusals(&error))),
    };
    let warnings = config.warnings.iter().map(ToString::to_string).collect();
    let sandbox = Sandbox::new(&config.engine)?;
    let loaded = reload::load(config, &sandbox, None).await;
    Ok(loaded.map(|active| Checked {
        plugins: active.summaries(),
        warnings,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dashboards and alarms hang on these names.
    #[test]
    fn the_names_of_metrics_are_those_of_the_documents() {
        let lines: Vec<String> = METRICS
            .iter()
            .map(|metric| {
                let labels = metric.labels.join(",");
                format!("{} {}{{{labels}}}", metric.kind(), metric.name)
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
        let manuals = [
            include_str!("../../docs/operating.md"),
            include_str!("../../docs/operating.zh-CN.md"),
        ];
        for metric in METRICS {
            let named = format!("`{}`", metric.name);
            assert!(
                manuals.iter().all(|manual| manual.contains(&named)),
                "{named} is not in both manuals"
            );
            assert_eq!(metric.kind() == "counter", metric.name.ends_with("_total"));
        }
    }
}
