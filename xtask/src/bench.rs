//! `cargo xtask bench`: the benchmark program, with what it needs.

use anyhow::{Result, bail};

use crate::{plugins, shell};

/// What `bench` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Arguments for the benchmark program, as they are.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "BENCHMARK ARGUMENTS"
    )]
    pub(crate) bench: Vec<String>,
}

/// Builds the sample plugins, then becomes the benchmark program.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !shell::root().join("bench").join("Cargo.toml").is_file() {
        bail!("this checkout has no benchmarks: bench/Cargo.toml is missing");
    }
    plugins::build_samples()?;
    shell::say("building the benchmarks with optimisations (several minutes the first time)");
    let mut command = shell::cargo(["run", "--release", "--package", "belfry-bench", "--"]);
    shell::become_command(command.args(&options.bench))
}
