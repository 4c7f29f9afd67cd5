//! `belfry events replay`: events on the present versions of their plugins.

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use belfry::admin::{self, ReplayRequest};
use belfry::config::{Config, Engine};
use belfry::engine::Sandbox;
use belfry::ids::{EventId, PluginName};
use belfry::journal::{Amended, EventRecord, Filter, SqliteJournal};
use belfry::kv::{Kv, SqliteKv};
use belfry::plugin::{Component, Plugin};
use belfry::replay::{self, PIECE, Replays, Summary, Verdict};
use belfry::store::sqlite::{Store, StoreError};

use super::amend::{ask, time};
use crate::commands::{ConfigFile, Output, print_json};

/// What is to be run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One event, as the list prints it.
    id: Option<EventId>,

    #[command(flatten)]
    file: ConfigFile,

    /// Only this plugin; with an event also one that did not get it.
    #[arg(long)]
    plugin: Option<String>,

    /// Do it: equal recorded calls are not made again, new ones are sent and recorded.
    #[arg(long)]
    repair: bool,

    /// Only deliveries whose reason has this text.
    #[arg(long)]
    reason: Option<String>,

    /// Only deliveries in this state: pending, parked, dead or done; without it parked and dead, and of one event all.
    #[arg(long)]
    state: Option<String>,

    /// Only events that came at this time or later: RFC 3339, or how long ago, such as `2h`.
    #[arg(long, value_parser = time)]
    since: Option<jiff::Timestamp>,

    /// Only events that came before this time.
    #[arg(long, value_parser = time)]
    until: Option<jiff::Timestamp>,

    /// Every parked and dead delivery.
    #[arg(long)]
    all: bool,

    /// Repair them. Without it, several are only counted; one event is repaired at once.
    #[arg(long, requires = "repair")]
    yes: bool,

    /// How the result is printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.file.config)?;
    let path = &config.store.path;
    if !path.exists() {
        bail!("there is no journal at {path:?} yet; `belfry serve` creates it");
    }
    let request = ReplayRequest {
        repair: options.repair,
        event: options.id.map(|id| id.to_string()),
        plugin: options.plugin.clone(),
        states: options.state.iter().cloned().collect(),
        reason: options.reason.clone(),
        since: options.since,
        until: options.until,
        all: options.all,
        dry_run: options.repair && options.id.is_none() && !options.yes,
        after: None,
    };
    if let Err(reason) = request.selection() {
        bail!(
            "{reason}: give an id, one of --plugin, --reason, --state, --since and --until, or --all"
        );
    }
    if options.repair {
        repair(&config, &request, options.output).await
    } else {
        rehearse(&config, request, options.output).await
    }
}

/// Runs piece after piece and prints each as soon as it is there.
#[allow(clippy::print_stdout)]
async fn rehearse(
    config: &Config,
    mut request: ReplayRequest,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let is_of_one = request.event_alone()?.is_some();
    let (mut summary, mut printed) = (Summary::default(), 0_u64);
    let mut here = Here::new(config);
    if let Output::Json = output {
        print!("{{\"replays\": [");
    }
    loop {
        let replays = if Store::is_in_use(&config.store.path) {
            ask(config, "replay", &request).await?
        } else {
            here.rehearse(&request).await?
        };
        for report in &replays.replays {
            match output {
                Output::Json => {
                    let comma = if printed > 0 { "," } else { "" };
                    print!("{comma}\n{}", serde_json::to_string_pretty(report)?);
                }
                Output::Text if is_of_one || report.verdict != Verdict::Same => {
                    println!("{report}");
                }
                Output::Text => println!("{}\n", report.line()),
            }
            printed += 1;
        }
        summary += replays.summary;
        match replays.next {
            Some(next) => request.after = Some(next),
            None => break,
        }
    }
    match output {
        Output::Json => println!("\n], \"summary\": {}}}", serde_json::to_string(&summary)?),
        Output::Text if printed == 0 && is_of_one => {
            println!("no plugin got that event; name one with --plugin");
        }
        Output::Text => {
            if !is_of_one {
                let Summary {
                    same,
                    changed,
                    failed,
                } = summary;
                println!("{printed} deliveries: {same} same, {changed} changed, {failed} failed");
            }
            println!("a dry run: nothing was sent and nothing was changed");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Without a belfry the command loads the plugins itself, and reads the store.
struct Here<'a> {
    config: &'a Config,
    values: Arc<dyn Kv>,
    sandbox: Option<Sandbox>,
    /// Those that were wanted so far, or why one cannot be had.
    plugins: HashMap<PluginName, Result<Arc<Plugin>, String>>,
}

impl<'a> Here<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            config,
            values: Arc::new(SqliteKv::new(Store::open_to_read(&config.store.path))),
            sandbox: None,
            plugins: HashMap::new(),
        }
    }

    async fn rehearse(&mut self, request: &ReplayRequest) -> anyhow::Result<Replays> {
        let path = &self.config.store.path;
        if let Some(id) = request.event_alone()? {
            let event = find(path, id)?;
            let mut replays = Replays::default();
            for name in replay::plugins_of(&event, request.plugin.as_deref()) {
                let plugin = self.plugin(&name).await?.map_err(anyhow::Error::msg)?;
                let report = replay::dry_run(&plugin, &event, Arc::clone(&self.values));
                replays.add(report.await?);
            }
            return Ok(replays);
        }
        let (selection, after) = (request.selection()?, request.after()?);
        let selected = SqliteJournal::select_file(path, &selection, after.as_ref(), PIECE)
            .with_context(|| format!("cannot read the journal {path:?}"))?;
        for id in &selected {
            // Why it cannot be had is the reason of its deliveries.
            let _ = self.plugin(&id.plugin).await?;
        }
        let (plugins, values) = (&self.plugins, &self.values);
        let piece = replay::piece(selected, |id| async move {
            let plugin = plugins.get(&id.plugin).context("it was not wanted")?;
            let plugin = plugin
                .as_ref()
                .map_err(|error| anyhow::Error::msg(error.clone()))?;
            let event = find(path, id.event)?;
            anyhow::Ok(replay::dry_run(plugin, &event, Arc::clone(values)).await?)
        });
        Ok(piece.await)
    }

    /// A plugin of the configuration, loaded when it is first wanted. The inner error is that one's own.
    async fn plugin(&mut self, name: &PluginName) -> anyhow::Result<Result<Arc<Plugin>, String>> {
        if let Some(found) = self.plugins.get(name) {
            return Ok(found.clone());
        }
        let sandbox = match &self.sandbox {
            Some(sandbox) => sandbox,
            None => self.sandbox.insert(Sandbox::new(&Engine {
                max_concurrent: 1,
                ..self.config.engine.clone()
            })?),
        };
        let loaded = load(self.config, sandbox, name).await;
        let loaded = loaded.map(Arc::new).map_err(|error| format!("{error:#}"));
        self.plugins.insert(name.clone(), loaded.clone());
        Ok(loaded)
    }
}

async fn load(config: &Config, sandbox: &Sandbox, name: &PluginName) -> anyhow::Result<Plugin> {
    let settings = config.plugins.iter().find(|plugin| plugin.name == *name);
    let settings = settings.with_context(|| format!("there is no plugin {name:?}"))?;
    let component = Component::read(&settings.component, settings.limits.component)?;
    Plugin::load(sandbox, settings.clone(), component)
        .await
        .with_context(|| format!("the plugin {name:?} cannot be loaded"))
}

fn find(path: &Path, id: EventId) -> anyhow::Result<EventRecord> {
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let events = SqliteJournal::list_file(path, &filter)
        .with_context(|| format!("cannot read the journal {path:?}"))?;
    let event = events.into_iter().next();
    event.with_context(|| format!("there is no event {id}"))
}

#[allow(clippy::print_stdout)]
async fn repair(
    config: &Config,
    request: &ReplayRequest,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let path = &config.store.path;
    let (amended, is_running) = match Store::open_at_once(path) {
        Ok(store) => {
            let journal = SqliteJournal::open(store.clone()).await?;
            let repaired = admin::repair(&journal, &config.plugins, request).await;
            store.close().await;
            (repaired?, false)
        }
        Err(StoreError::InUse(_)) => (ask(config, "replay", request).await?, true),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot open the store {path:?}"));
        }
    };
    let Amended {
        deliveries,
        running,
    } = amended;
    match output {
        Output::Json => print_json(&amended)?,
        Output::Text => {
            if request.dry_run {
                println!("{deliveries} deliveries would be repaired; add --yes");
            } else if is_running {
                println!("{deliveries} deliveries run again on the present version");
            } else {
                println!("{deliveries} deliveries run again when belfry starts");
            }
            if running > 0 {
                println!("{running} left alone, because an attempt on them runs now");
            }
        }
    }
    if request.event.is_some() && deliveries == 0 {
        bail!("there is nothing of that event to repair");
    }
    Ok(ExitCode::SUCCESS)
}
