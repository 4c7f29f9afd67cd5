//! `belfry events`: the journal, read beside a running host.

use std::process::ExitCode;

use anyhow::{Context, bail};
use belfry::call::Json;
use belfry::config::Config;
use belfry::ids::EventId;
use belfry::journal::{Change, Effect, EventRecord, Filter, Place, SqliteJournal, State};

use super::{ConfigFile, Output, print_json};

mod amend;
mod replay;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List events, newest first, with what became of them.
    List(List),
    /// Show one event with its text.
    Show(Show),
    /// Run events on the present versions of their plugins; without --repair nothing is sent.
    ///
    /// A dry run prints what the plugins would call beside what is recorded, and how many do the same. Works beside a running belfry (over its
    /// operators' listener) and without one; without one a repair runs when belfry starts.
    Replay(replay::Options),
    /// Run parked and dead deliveries again; what is pending of a single event at once.
    ///
    /// Works beside a running belfry (over its operators' listener) and without one.
    Retry(amend::Options),
    /// Take deliveries for done; they never run again.
    Skip(amend::Options),
}

#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    file: ConfigFile,

    /// How the events are printed.
    #[arg(long, default_value = "text")]
    output: Output,

    /// At most so many events.
    #[arg(long, default_value_t = 50, conflicts_with = "all")]
    limit: u32,

    /// All events, however many.
    #[arg(long)]
    all: bool,

    /// Only events in this state: pending, done, parked or dead.
    #[arg(long, value_parser = |text: &str| State::from_text(text).ok_or("must be pending, done, parked or dead"))]
    state: Option<State>,
}

#[derive(clap::Args)]
pub(super) struct Show {
    /// The event, as the list prints it.
    id: EventId,

    #[command(flatten)]
    file: ConfigFile,

    /// How the event is printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

#[allow(clippy::print_stdout)]
pub(super) async fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(list) => {
            let filter = Filter {
                limit: (!list.all).then_some(list.limit),
                state: list.state,
                id: None,
            };
            let events = read(&list.file, &filter)?;
            match list.output {
                Output::Json => print_json(&events)?,
                Output::Text => print!("{}", table(&events)),
            }
        }
        Command::Replay(options) => return replay::run(options).await,
        Command::Retry(options) => return amend::run(options, Change::Retry).await,
        Command::Skip(options) => return amend::run(options, Change::Skip).await,
        Command::Show(show) => {
            let events = read(
                &show.file,
                &Filter {
                    id: Some(show.id),
                    ..Filter::default()
                },
            )?;
            let Some(event) = events.first() else {
                bail!("there is no event {}", show.id)
            };
            match show.output {
                Output::Json => print_json(event)?,
                Output::Text => print!("{}", details(event)),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &ConfigFile, filter: &Filter) -> anyhow::Result<Vec<EventRecord>> {
    let path = Config::load(&file.config)?.store.path;
    if !path.exists() {
        bail!("there is no journal at {path:?} yet; `belfry serve` creates it");
    }
    SqliteJournal::list_file(&path, filter)
        .with_context(|| format!("cannot read the journal {path:?}"))
}

fn table(events: &[EventRecord]) -> String {
    if events.is_empty() {
        return "no events\n".to_owned();
    }
    let mut lines = format!(
        "{:<36}  {:<24}  {:<12}  {:<18}  {:<8}  deliveries\n",
        "id", "received", "app", "kind", "state"
    );
    for event in events {
        let deliveries: Vec<String> = event
            .deliveries
            .iter()
            .map(|delivery| match &delivery.reason {
                Some(reason) => format!(
                    "{} {} after {} ({reason})",
                    delivery.plugin,
                    delivery.state.as_str(),
                    delivery.attempts
                ),
                None => format!("{} {}", delivery.plugin, delivery.state.as_str()),
            })
            .collect();
        lines.push_str(&format!(
            "{:<36}  {:<24}  {:<12}  {:<18}  {:<8}  {}\n",
            event.id.to_string(),
            format!("{:.3}", event.received_at),
            event.app.as_str(),
            event.kind,
            event.state.as_str(),
            if deliveries.is_empty() {
                "no plugin wanted it".to_owned()
            } else {
                deliveries.join(", ")
            },
        ));
    }
    lines
}

fn details(event: &EventRecord) -> String {
    let mut lines = format!(
        "event     {}\napp       {}\nkind      {}\nway       {}\nreceived  {:.3}\nstate     {}\n",
        event.id,
        event.app,
        event.kind,
        event.origin,
        event.received_at,
        event.state.as_str()
    );
    for delivery in &event.deliveries {
        lines.push_str(&format!(
            "\nplugin    {}\nstate     {}\nattempts  {}\nkey       {}\n",
            delivery.plugin,
            delivery.state.as_str(),
            delivery.attempts,
            delivery.key
        ));
        if let Some(reason) = &delivery.reason {
            lines.push_str(&format!("reason    {reason}\n"));
        }
        if let Some(due_at) = delivery.due_at {
            lines.push_str(&format!("due       {due_at:.3}\n"));
        }
        lines.extend(delivery.calls.iter().map(call));
    }
    let raw = event.raw.as_deref().unwrap_or_default();
    let pretty = serde_json::from_str::<serde_json::Value>(raw)
        .and_then(|value| serde_json::to_string_pretty(&value));
    lines.push_str(&format!(
        "\n{}\n",
        pretty.unwrap_or_else(|_| raw.to_owned())
    ));
    lines
}

/// A host call with both sides, if there are two.
fn call(call: &Effect) -> String {
    let Place { run, number } = call.place;
    let (fate, answer) = match &call.answer {
        Some(answer) => (answer.fate.as_str(), answer.text.expose()),
        None => ("begun, and its end is unknown", ""),
    };
    let arguments = call
        .arguments
        .text
        .as_ref()
        .map_or("(too long to keep)", Json::expose);
    let mut lines = format!("call      {run}.{number} {}: {fate}\n", call.function);
    if let Some(of) = call.stands_for {
        lines.push_str(&format!("  stands for  {}.{}\n", of.run, of.number));
    }
    lines.push_str(&format!("  asked       {arguments}\n"));
    if !answer.is_empty() {
        lines.push_str(&format!("  answered    {answer}\n"));
    }
    if let Some(called) = &call.diverged {
        lines.push_str(&format!("  and now     {}\n", called.expose()));
    }
    lines
}
