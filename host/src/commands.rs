//! The command line.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use belfry::failpoint::{self, NotAFailpoint};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tracing_subscriber::EnvFilter;

mod call;
mod callback;
mod check;
mod dev;
mod doctor;
mod events;
mod journal;
mod plugin;
mod rebuild;
mod rules;
mod serve;
mod simulator;

/// A DingTalk (钉钉) bot host: durable events, sandboxed WebAssembly plugins, live changes.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// How log lines are written to standard error; BELFRY_LOG sets which (such as `info` or `belfry=debug`).
    #[arg(long, global = true, env = "BELFRY_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// How a command prints its data.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// The configuration a command reads.
#[derive(clap::Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(long, default_value = "bot.toml")]
    config: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Run the host until SIGTERM or Ctrl-C.
    ///
    /// Changes of bot.toml and of component files are taken over while it runs; SIGHUP looks for them at once.
    Serve(ConfigFile),

    /// Run host and simulator in one process and rebuild plugins when their sources change.
    ///
    /// A plugin whose component is plugins/NAME.wasm is rebuilt when plugins/NAME/ holds its sources, in any language
    /// that `belfry plugin build` knows.
    Dev(dev::Options),

    /// Run the simulated DingTalk alone.
    ///
    /// With --config it learns the apps, their keys and their callback addresses from the configuration.
    Simulator(simulator::Options),

    /// Read the configuration, load every plugin and report every problem; exit code 1 if there is any.
    Check(check::Options),

    /// Try whether DingTalk and the configuration agree: credentials, clock, permissions, callback; exit code 1 if something
    /// fails.
    Doctor(doctor::Options),

    /// Register, show or remove the address to which DingTalk pushes the events of an app.
    #[command(subcommand)]
    Callback(callback::Command),

    /// Make and build plugins.
    #[command(subcommand)]
    Plugin(plugin::Command),

    /// Look into the journal, and run dead or parked deliveries again.
    #[command(subcommand)]
    Events(events::Command),

    /// Copy or check the file of the journal.
    #[command(subcommand)]
    Journal(journal::Command),

    /// Ask the rules about an event.
    #[command(subcommand)]
    Rules(rules::Command),

    /// Call DingTalk with an app's credentials.
    ///
    /// For looking and for repairs. What is called here goes past the journal: a write that is repeated is done twice.
    Call(call::Options),

    /// Print what makes a shell complete commands and names of APIs.
    ///
    /// For example: belfry completions bash > /etc/bash_completion.d/belfry
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Runs the command that the arguments name.
pub(crate) async fn run() -> ExitCode {
    let arguments = Arguments::parse();
    start_logging(arguments.log_format);
    if let Err(error) = arm_failpoints() {
        eprintln!("belfry: {error}");
        return ExitCode::FAILURE;
    }
    let result = match arguments.command {
        Command::Serve(options) => serve::run(&options.config).await,
        Command::Dev(options) => dev::run(options).await,
        Command::Simulator(options) => simulator::run(options).await,
        Command::Check(options) => check::run(options).await,
        Command::Doctor(options) => doctor::run(options).await,
        Command::Callback(command) => callback::run(command).await,
        Command::Plugin(command) => plugin::run(command).await,
        Command::Events(command) => events::run(&command).await,
        Command::Journal(command) => journal::run(&command),
        Command::Rules(command) => rules::run(command),
        Command::Call(options) => call::run(options).await,
        Command::Completions { shell } => {
            complete(shell);
            Ok(ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("belfry: {error:#}");
        ExitCode::FAILURE
    })
}

fn complete(shell: Shell) {
    let mut command = Arguments::command();
    // The others are taught no values of arguments, only commands.
    if !matches!(shell, Shell::Bash | Shell::Zsh) {
        command = command.mut_subcommand("call", call::with_apis_as_commands);
    }
    clap_complete::generate(shell, &mut command, "belfry", &mut std::io::stdout());
}

/// Only what is built for tests dies on request.
fn arm_failpoints() -> Result<(), NotAFailpoint> {
    if cfg!(debug_assertions)
        && let Ok(list) = std::env::var("BELFRY_FAILPOINTS")
    {
        return failpoint::arm(&list);
    }
    Ok(())
}

fn start_logging(format: LogFormat) {
    let mut filter =
        EnvFilter::try_from_env("BELFRY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // At their lowest levels these write headers and addresses, in which tokens travel.
    for quiet in [
        "h2=info",
        "hyper=info",
        "hyper_util=info",
        "reqwest=info",
        "rustls=info",
    ] {
        filter = filter.add_directive(
            quiet
                .parse()
                .expect("a target and a level make a directive"),
        );
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Prints data as JSON on standard output.
#[allow(clippy::print_stdout)]
fn print_json(data: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(data)?);
    Ok(())
}
