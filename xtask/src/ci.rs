//! `cargo xtask ci`: what must hold beside the tests.

use anyhow::Result;

use crate::{shell, target};

/// Runs every check even if one fails; CONTRIBUTING.md lists the same commands.
pub(crate) fn run() -> Result<()> {
    target::ensure()?;
    let root = shell::root();
    let plugins = root.join("plugins");
    let guests = root.join("tests").join("guests");

    let mut steps = vec![(
        "formatting of the workspace",
        shell::cargo(["fmt", "--all", "--check"]),
    )];
    for (name, folder) in [
        ("formatting of the plugins", &plugins),
        ("formatting of the guests", &guests),
        (
            "formatting of the OpenSSL yardstick",
            &root.join("tests").join("openssl"),
        ),
    ] {
        if folder.join("Cargo.toml").is_file() {
            let mut format = shell::cargo(["fmt", "--all", "--check"]);
            format.current_dir(folder);
            steps.push((name, format));
        }
    }

    let lint = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    steps.push(("lints of the workspace", shell::cargo(lint)));
    // Without --all-targets: test harnesses do not run on the plugins' target.
    let lint = [
        "clippy",
        "--workspace",
        "--target",
        target::TARGET,
        "--",
        "-D",
        "warnings",
    ];
    for (name, folder) in [
        ("lints of the plugins", &plugins),
        ("lints of the guests", &guests),
    ] {
        if folder.join("Cargo.toml").is_file() {
            let mut clippy = shell::cargo(lint);
            clippy.current_dir(folder);
            steps.push((name, clippy));
        }
    }

    let mut doc = shell::cargo(["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    steps.push(("documentation", doc));

    // Advisories change without the code changing, so they are for a nightly run, not for this one.
    let deny = ["deny", "check", "bans", "licenses", "sources"];
    if shell::succeeds(&mut shell::cargo(["deny", "--version"])) {
        steps.push(("dependencies", shell::cargo(deny)));
        return shell::run_all(steps);
    }
    let result = shell::run_all(steps);
    shell::say("left out: `cargo deny check`, because cargo-deny is not installed");
    result
}
