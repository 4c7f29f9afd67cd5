//! `cargo xtask test`: what the tests need, then every test.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{browser, plugins, shell, third_party};

/// What `test` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run the tests of the workspace only: no documentation tests, no tests of the plugins, no clients that others
    /// wrote, no guests that are slow to build (Python).
    #[arg(long)]
    pub(crate) quick: bool,

    /// Arguments for the runner of the workspace's tests, such as a part of a test's name.
    #[arg(last = true, value_name = "RUNNER ARGUMENTS")]
    pub(crate) runner: Vec<String>,
}

/// Builds guests and programs, runs all test suites, and fails if any of them did.
pub(crate) fn run(options: &Options) -> Result<()> {
    browser::look();
    plugins::build_samples()?;
    plugins::build_guests()?;
    // The stories start the real program, which cargo does not build for another package's tests. Built together with the
    // tests, it shares its libraries with them; alone, cargo would compile tokio and what uses it a second time.
    let belfry = plugins::build_belfry()?;
    plugins::build_languages(&belfry, !options.quick)?;

    let clients = match options.quick {
        true => None,
        false => Some(third_party::install()?),
    };
    let mut steps = vec![(
        "tests of the workspace",
        workspace_tests(options, clients.as_deref()),
    )];
    if !options.quick {
        steps.push((
            "documentation tests",
            shell::cargo(["test", "--workspace", "--doc"]),
        ));
        let mut native = shell::cargo(["test", "--workspace"]);
        native.current_dir(shell::root().join("plugins"));
        steps.push(("tests of the plugins", native));
    }
    let result = shell::run_all(steps);
    browser::look();
    result
}

fn workspace_tests(options: &Options, clients: Option<&Path>) -> Command {
    let mut command = if shell::succeeds(&mut shell::cargo(["nextest", "--version"])) {
        shell::cargo(["nextest", "run", "--workspace"])
    } else {
        shell::say("cargo-nextest is not installed, so the tests run with `cargo test`");
        shell::say(
            "nextest is faster and stops tests that hang: `cargo install --locked cargo-nextest`",
        );
        shell::cargo([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ])
    };
    command.args(&options.runner);
    if options.quick {
        command.env("BELFRY_TEST_QUICK", "1");
    }
    if let Some(folder) = clients {
        command.env("BELFRY_THIRD_PARTY", folder);
    }
    command
}
