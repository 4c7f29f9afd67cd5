//! `belfry events replay`: an event on the present version of a plugin.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use belfry::admin::{self, ReplayRequest, Replays};
use belfry::config::{Config, Engine};
use belfry::engine::Sandbox;
use belfry::ids::EventId;
use belfry::journal::{Amended, Filter, SqliteJournal};
use belfry::kv::{Kv, SqliteKv};
use belfry::plugin::{Component, Plugin};
use belfry::replay;
use belfry::store::sqlite::{Store, StoreError};

use super::amend::{ask, time};
use crate::commands::{ConfigFile, Output, print_json};

/// What is to be run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One event, as the list prints it; without --repair always one.
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
    #[arg(long, requires = "repair")]
    reason: Option<String>,

    /// Only deliveries in this state: pending, parked, dead or done; without it parked and dead, and of one event all.
    #[arg(long, requires = "repair")]
    state: Option<String>,

    /// Only events that came at this time or later: RFC 3339, or how long ago, such as `2h`.
    #[arg(long, value_parser = time, requires = "repair")]
    since: Option<jiff::Timestamp>,

    /// Only events that came before this time.
    #[arg(long, value_parser = time, requires = "repair")]
    until: Option<jiff::Timestamp>,

    /// Every parked and dead delivery.
    #[arg(long, requires = "repair")]
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
    };
    if options.repair {
        repair(&config, &request, options.output).await
    } else {
        rehearse(&config, &request, options.output).await
    }
}

#[allow(clippy::print_stdout)]
async fn rehearse(
    config: &Config,
    request: &ReplayRequest,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let Some(id) = request.event()? else {
        bail!("a dry run is of one event: give its id, or --repair")
    };
    let replays = if Store::is_in_use(&config.store.path) {
        ask(config, "replay", request).await?
    } else {
        rehearse_here(config, id, request.plugin.as_deref()).await?
    };
    match output {
        Output::Json => print_json(&replays)?,
        Output::Text if replays.replays.is_empty() => {
            println!("no plugin got that event; name one with --plugin");
        }
        Output::Text => {
            for report in &replays.replays {
                println!("{report}");
            }
            println!("a dry run: nothing was sent and nothing was changed");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Without a belfry the command loads the plugin itself, and reads the store.
async fn rehearse_here(
    config: &Config,
    id: EventId,
    plugin: Option<&str>,
) -> anyhow::Result<Replays> {
    let path = &config.store.path;
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let events = SqliteJournal::list_file(path, &filter)
        .with_context(|| format!("cannot read the journal {path:?}"))?;
    let event = events
        .first()
        .with_context(|| format!("there is no event {id}"))?;
    let sandbox = Sandbox::new(&Engine {
        max_concurrent: 1,
        ..config.engine.clone()
    })?;
    let values: Arc<dyn Kv> = Arc::new(SqliteKv::new(Store::open_to_read(path)));
    let mut replays = Vec::new();
    for name in replay::plugins_of(event, plugin) {
        let settings = config.plugins.iter().find(|plugin| plugin.name == name);
        let settings = settings.with_context(|| format!("there is no plugin {name:?}"))?;
        let component = Component::read(&settings.component, settings.limits.component)?;
        let plugin = Plugin::load(&sandbox, settings.clone(), component)
            .await
            .with_context(|| format!("the plugin {name:?} cannot be loaded"))?;
        replays.push(replay::dry_run(&plugin, event, Arc::clone(&values)).await?);
    }
    Ok(Replays { replays })
}

#[allow(clippy::print_stdout)]
async fn repair(
    config: &Config,
    request: &ReplayRequest,
    output: Output,
) -> anyhow::Result<ExitCode> {
    if let Err(reason) = request.selection() {
        bail!(
            "{reason}: give an id, one of --plugin, --reason, --state, --since and --until, or --all"
        );
    }
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
