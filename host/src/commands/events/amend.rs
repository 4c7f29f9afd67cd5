//! `belfry events retry` and `belfry events skip`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use belfry::admin::AmendRequest;
use belfry::clock::{self, UnixMs};
use belfry::config::Config;
use belfry::ids::EventId;
use belfry::journal::{Amended, Change, Journal, SqliteJournal};
use belfry::store::sqlite::{Store, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::commands::{ConfigFile, Output, print_json};

/// Which deliveries are meant: those to which everything given applies.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One event, as the list prints it; also what is still pending of it.
    id: Option<EventId>,

    #[command(flatten)]
    file: ConfigFile,

    /// Only deliveries to this plugin.
    #[arg(long)]
    plugin: Option<String>,

    /// Only deliveries whose reason has this text.
    #[arg(long)]
    reason: Option<String>,

    /// Only deliveries in this state: pending, parked or dead; without it parked and dead.
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

    /// Change them. Without it, several are only counted; one event is changed at once.
    #[arg(long)]
    yes: bool,

    /// How the count is printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

pub(super) fn time(text: &str) -> Result<jiff::Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago: jiff::SignedDuration = text.parse().map_err(|_| {
        "must be a time such as 2026-11-22T09:00:00+08:00, or how long ago, such as 2h".to_owned()
    })?;
    let UnixMs(now) = clock::now();
    jiff::Timestamp::from_millisecond(now)
        .and_then(|now| now.checked_sub(ago))
        .map_err(|error| error.to_string())
}

#[allow(clippy::print_stdout)]
pub(super) async fn run(options: &Options, change: Change) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.file.config)?;
    let request = AmendRequest {
        all: options.all,
        event: options.id.map(|id| id.to_string()),
        plugin: options.plugin.clone(),
        states: options.state.iter().cloned().collect(),
        reason: options.reason.clone(),
        since: options.since,
        until: options.until,
        dry_run: options.id.is_none() && !options.yes,
    };
    if let Err(reason) = request.selection() {
        bail!(
            "{reason}: give an id, one of --plugin, --reason, --state, --since and --until, or --all"
        );
    }
    let amended = send(&config, &request, change).await?;
    let Amended {
        deliveries,
        running,
    } = amended;
    match options.output {
        Output::Json => print_json(&amended)?,
        Output::Text => {
            let done = match change {
                Change::Retry => "run again",
                Change::Skip => "skipped",
            };
            if request.dry_run {
                println!("{deliveries} deliveries would be {done}; add --yes");
            } else {
                println!("{deliveries} deliveries {done}");
            }
            if running > 0 {
                println!("{running} left alone, because an attempt on them runs now");
            }
        }
    }
    if options.id.is_some() && deliveries == 0 {
        bail!("there is nothing of that event to change");
    }
    Ok(ExitCode::SUCCESS)
}

/// Alone with the store it is changed here; a belfry that runs has it and does it itself.
async fn send(config: &Config, request: &AmendRequest, change: Change) -> anyhow::Result<Amended> {
    let path = &config.store.path;
    if !path.exists() {
        bail!("there is no journal at {path:?} yet; `belfry serve` creates it");
    }
    match Store::open_at_once(path) {
        Ok(store) => {
            let journal = SqliteJournal::open(store.clone()).await?;
            let selection = request.selection().map_err(anyhow::Error::msg)?;
            let change = (!request.dry_run).then_some(change);
            let amended = journal.amend(&selection, change, clock::now()).await?;
            store.close().await;
            Ok(amended)
        }
        Err(StoreError::InUse(_)) => {
            let word = match change {
                Change::Retry => "retry",
                Change::Skip => "skip",
            };
            ask(config, word, request).await
        }
        Err(error) => Err(error).with_context(|| format!("cannot open the store {path:?}")),
    }
}

/// Lets the belfry that runs do it.
pub(super) async fn ask<T: DeserializeOwned>(
    config: &Config,
    word: &str,
    request: &impl Serialize,
) -> anyhow::Result<T> {
    let url = format!("http://{}/api/events/{word}", config.server.admin);
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client.post(&url).json(request).send().await;
    let answer = answer.with_context(|| {
        format!("the store is in use, but no belfry answers at {url} (server.admin in bot.toml)")
    })?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("belfry refuses: {}", text.trim());
    }
    serde_json::from_str(&text).with_context(|| format!("no belfry answers at {url}"))
}
