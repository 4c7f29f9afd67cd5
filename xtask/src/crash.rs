//! `cargo xtask crash`: belfry is killed many times, and what became of the events is told.

use anyhow::Result;

use crate::{plugins, shell};

/// What `crash` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often belfry is killed; a kill takes about a second.
    #[arg(long, default_value_t = 1000)]
    pub(crate) kills: u32,

    /// Decides what is sent and where belfry is killed. When exactly, the machine decides with it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Builds the guests and belfry with its failpoints, then becomes the driver.
pub(crate) fn run(options: &Options) -> Result<()> {
    plugins::build_guests()?;
    let belfry = plugins::build_belfry()?;
    // Built by the same command, so it lies beside it.
    let driver = belfry.with_file_name("belfry-crash");
    let (kills, seed) = (options.kills.to_string(), options.seed.to_string());
    shell::become_command(&mut shell::command(
        driver.as_os_str(),
        [
            "--kills",
            &kills,
            "--seed",
            &seed,
            "--json",
            "target/crash/crash.json",
        ],
    ))
}
