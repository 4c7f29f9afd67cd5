//! `cargo xtask bench`: the benchmark program, with what it measures.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{plugins, shell};

/// What `bench` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Arguments for the benchmark program, as they are: names of benchmarks, `--seconds S`, `--rounds N`.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "BENCHMARK ARGUMENTS"
    )]
    pub(crate) bench: Vec<String>,
}

/// Builds the samples in every language, the guests of the zoo, the OpenSSL yardstick and belfry, then becomes the benchmark program.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !shell::root().join("bench").join("Cargo.toml").is_file() {
        bail!("this checkout has no benchmarks: bench/Cargo.toml is missing");
    }
    plugins::build_samples()?;
    plugins::build_guests()?;
    build_yardstick()?;
    shell::say("building belfry with optimisations (several minutes the first time)");
    let program = build_belfry()?;
    let languages = plugins::build_languages(&program.with_file_name("belfry"), true);
    if let Err(error) = languages {
        shell::say(&format!("{error:#}; what was not built is not measured"));
    }
    shell::become_command(&mut shell::command(program.as_os_str(), &options.bench))
}

/// Builds the bot and the benchmark program and says where the latter is.
fn build_belfry() -> Result<PathBuf> {
    // In one go: built apart, they would be built with other features of the same crates.
    let output = shell::cargo(["build", "--release"])
        .args(["--package", "belfry", "--package", "belfry-bench"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cannot build the benchmarks ({})", output.status);
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(program)
        .context("cargo built no benchmark program")
}

/// The benchmark program, if one of cargo's messages speaks of it.
fn program(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["target"]["name"] != "belfry-bench" {
        return None;
    }
    message["executable"].as_str().map(PathBuf::from)
}

/// Builds the program that times OpenSSL, with the system's OpenSSL if there is one to build with.
fn build_yardstick() -> Result<()> {
    let folder = shell::root().join("tests").join("openssl");
    let build = |features: &[&str]| {
        let mut command = shell::cargo(["build", "--release", "--target-dir"]);
        command.arg(folder.join("target")).args(features);
        shell::run(command.current_dir(&folder))
    };
    if build(&[]).is_ok() {
        return Ok(());
    }
    shell::say("no OpenSSL to build with on this machine, compiling it (needs perl and make)");
    build(&["--features", "vendored"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_benchmark_program_is_told_from_other_artifacts() {
        let message = |name: &str, executable: Value| {
            serde_json::json!({"target": {"name": name}, "executable": executable}).to_string()
        };
        let check = |message: &str, expected: Option<&str>| {
            assert_eq!(program(message), expected.map(PathBuf::from), "{message}");
        };
        check(&message("belfry-bench", "/t/b".into()), Some("/t/b"));
        check(&message("belfry", "/t/a".into()), None);
        check(&message("belfry-bench", Value::Null), None);
        check("not json", None);
    }
}
