//! Measures belfry against yardsticks. Every figure is a ratio of two sides measured in turns in one run, so that a slow
//! or busy machine slows both.
//!
//! Usually run by `cargo xtask bench`, which builds what is measured first.

mod ack;
mod callback;
mod desk;
mod gateway;
mod instance;
mod journal;
mod journal_memory;
mod journal_scale;
mod languages;
mod machine;
mod memory;
mod places;
mod process;
mod push;
mod report;
mod restart;
mod retention;
mod rounds;
mod routing;
mod settings;
mod start;
mod swap;
mod throughput;
mod upstream;
mod walk;
mod zoo;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};

use crate::machine::Machine;
use crate::places::Places;
use crate::report::{Line, Report};
use crate::rounds::Rounds;

/// Measures belfry against yardsticks and prints a table of ratios.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    /// What to measure; everything when none is named.
    names: Vec<Name>,
    /// How long each comparison measures, both sides together.
    #[arg(long, value_name = "S", default_value_t = 21.0)]
    seconds: f64,
    /// How often the two sides of a comparison take turns.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(7..))]
    rounds: u32,
    /// How many events the journals of `journal-scale`, `restart` and `retention` have.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1_000..))]
    events: Option<u32>,
}

/// One benchmark.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Verifying and decrypting a callback, against OpenSSL.
    Callback,
    /// One event in a fresh instance, against bare wasmtime.
    Instance,
    /// The sample `hello` in every language, against bare wasmtime.
    Languages,
    /// From HTTP push to recorded API call, against the same handler without wasm.
    Throughput,
    /// Durable appends, against raw inserts.
    Journal,
    /// Events per second with the journal in its file, against the journal in memory.
    JournalMemory,
    /// Appends and claims in a journal of 5 million events, against an empty one.
    JournalScale,
    /// Starting with 1,000,000 finished and 10,000 open deliveries.
    Restart,
    /// Acknowledgements while 10,000 deliveries wait, against none.
    Ack,
    /// Acknowledgements while old events are removed and the file shrinks, against none of that.
    Retention,
    /// Resident memory with ten plugins.
    Memory,
    /// What a plugin's events take beside hostile plugins, against without.
    Zoo,
    /// Routing an event with 1,000 plugins, against 10.
    Routing,
    /// Swapping a plugin under load, against an ordinary second.
    Swap,
    /// Starting with 20 plugins whose compilation is cached.
    Start,
    /// Walking the contacts of a company of 100,000 people.
    Walk,
    /// Calls of the gateway, against a bare reverse proxy.
    Gateway,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let report = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
        .and_then(|runtime| runtime.block_on(measure(&options)));
    match report {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A missed goal is in the table and no failure of the program: the figures are for people to read.
async fn measure(options: &Options) -> anyhow::Result<()> {
    let seconds = Duration::try_from_secs_f64(options.seconds)
        .context("--seconds is not a length of time")?;
    if seconds.is_zero() {
        bail!("--seconds must be more than nothing");
    }
    if cfg!(debug_assertions) {
        eprintln!("bench: this build is not optimised, its figures say nothing");
    }
    let places = Places::prepare()?;
    let rounds = Rounds::new(options.rounds, seconds);
    let mut report = Report::new(Machine::read());
    for name in Name::value_variants() {
        if !options.names.is_empty() && !options.names.contains(name) {
            continue;
        }
        let title = name
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned());
        eprintln!("bench: {title}");
        let lines = run(*name, &places, rounds, options.events).await;
        report.add(lines.with_context(|| format!("cannot measure {title}"))?);
    }
    report.print();
    let path = report.save(&places)?;
    eprintln!("bench: raw figures in {}", path.display());
    Ok(())
}

async fn run(
    name: Name,
    places: &Places,
    rounds: Rounds,
    events: Option<u32>,
) -> anyhow::Result<Vec<Line>> {
    match name {
        Name::Callback => callback::measure(places, rounds),
        Name::Instance => instance::measure(places, rounds).await,
        Name::Languages => languages::measure(places, rounds).await,
        Name::Throughput => throughput::measure(places, rounds).await,
        Name::Journal => journal::measure(places, rounds).await,
        Name::JournalMemory => journal_memory::measure(places, rounds).await,
        Name::JournalScale => journal_scale::measure(places, rounds, events).await,
        Name::Restart => restart::measure(places, rounds, events).await,
        Name::Ack => ack::measure(places, rounds).await,
        Name::Retention => retention::measure(places, rounds, events).await,
        Name::Memory => memory::measure(places).await,
        Name::Zoo => zoo::measure(places, rounds).await,
        Name::Routing => routing::measure(places, rounds).await,
        Name::Swap => swap::measure(places, rounds).await,
        Name::Start => start::measure(places, rounds).await,
        Name::Walk => walk::measure(places).await,
        Name::Gateway => gateway::measure(places, rounds).await,
    }
}
