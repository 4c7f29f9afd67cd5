//! `cargo xtask`: everything a checkout needs, in one place.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod browser;
mod ci;
mod crash;
mod dev;
mod plugins;
mod shell;
mod target;
mod test;
mod third_party;

/// Builds, runs and checks belfry from a checkout.
///
/// A fresh machine needs git, a C compiler and rustup (from rustup.rs); each command fetches or builds whatever
/// else it needs and says so while it works.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the bot on this machine, with a simulated DingTalk and the sample plugins.
    ///
    /// Builds the sample plugins and the bot, then starts `belfry dev`: the host, the simulator and its group-chat page
    /// in one process. No DingTalk account is needed. The addresses to open are printed once it is up; Ctrl-C stops it.
    Dev(dev::Options),

    /// Build what the tests need, then run every test.
    ///
    /// Builds the sample plugins and the badly behaved guests, then runs the tests of the workspace (with cargo-nextest
    /// if it is installed, otherwise with `cargo test`), the documentation tests, and the native tests of the plugins.
    /// All of them run even if one fails; the exit code tells whether all passed.
    Test(test::Options),

    /// Build the sample plugins to plugins/NAME.wasm.
    ///
    /// Every plugin in plugins/ is compiled to a WebAssembly component: those in Rust by cargo, the sample `hello` in
    /// other languages by belfry, which is built for that and installs their compilers. A file is replaced in one step and only if
    /// it changed, so a running bot picks up whole files and nothing else.
    Plugins,

    /// Run the benchmarks and print a table of ratios.
    ///
    /// Builds the sample plugins and the benchmark program with optimisations, which takes a while. Raw figures are
    /// written as JSON to target/bench/.
    Bench(bench::Options),

    /// Kill belfry many times while events arrive, and tell what became of them.
    ///
    /// Numbered events come in over every way while belfry is killed at any time and at failpoints, and started again. The
    /// simulator's record of API calls is the judge: what was acknowledged must have been done, and once. Prints a table
    /// and writes it as JSON to target/crash/; the exit code is 1 if anything was lost or done twice.
    Crash(crash::Options),

    /// Check formatting, lints, documentation and dependencies.
    ///
    /// What continuous integration runs after the tests. The same steps as plain cargo commands are in CONTRIBUTING.md.
    Ci,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Dev(options) => dev::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Plugins => plugins::build_all(),
        Task::Bench(options) => bench::run(&options),
        Task::Crash(options) => crash::run(&options),
        Task::Ci => ci::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn arguments_for_the_test_runner_follow_two_dashes() {
        let arguments =
            Arguments::try_parse_from(["xtask", "test", "--quick", "--", "-E", "test(retry)"])
                .unwrap();
        let Task::Test(options) = arguments.task else {
            panic!("parsed as another task")
        };
        assert!(options.quick);
        assert_eq!(options.runner, ["-E", "test(retry)"]);
    }

    #[test]
    fn arguments_of_dev_reach_belfry_as_they_are() {
        let arguments = Arguments::try_parse_from(["xtask", "dev", "--output", "json"]).unwrap();
        let Task::Dev(options) = arguments.task else {
            panic!("parsed as another task")
        };
        assert_eq!(options.belfry, ["--output", "json"]);
    }
}
