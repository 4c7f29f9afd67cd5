//! `cargo xtask crash`: kills belfry many times and tells what became of the events.
#![allow(clippy::print_stdout, reason = "its table is its output")]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use belfry_tests::crash::{self, Options};
use clap::Parser;

/// Kills belfry while events arrive, and judges by the simulator's record. Exit code 1 if anything was lost or done twice.
#[derive(Parser)]
struct Arguments {
    /// How often belfry is killed.
    #[arg(long, default_value_t = 1000)]
    kills: u32,
    /// Decides what is sent and where belfry is killed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the figures are written as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = crash::run(Options {
        kills: arguments.kills,
        seed: arguments.seed,
        progress: true,
    })
    .await;
    println!("{report}");
    if let Some(file) = arguments.json {
        let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
        let written = folder.and_then(|()| fs::write(&file, format!("{:#}\n", report.to_json())));
        if let Err(error) = written {
            eprintln!("cannot write {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
        eprintln!("figures: {}", file.display());
    }
    if report.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
