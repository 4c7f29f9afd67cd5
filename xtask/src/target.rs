//! Makes sure Rust can compile for WebAssembly components.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Result, bail};

use crate::shell;

/// What plugins are compiled for: WebAssembly components with WASI 0.2.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Adds the target through rustup unless it is there; otherwise says what a person has to do.
pub(crate) fn ensure() -> Result<()> {
    if is_installed() {
        return Ok(());
    }
    shell::say(&format!(
        "the Rust target {TARGET} is missing, adding it (once)"
    ));
    let problem = match shell::run(&mut shell::command(
        OsStr::new("rustup"),
        ["target", "add", TARGET],
    )) {
        Ok(()) if is_installed() => return Ok(()),
        Ok(()) => "rustup added the target, but to another toolchain than the one cargo uses here"
            .to_owned(),
        Err(error) => format!("{error:#}"),
    };
    bail!("{}", advice(&problem));
}

/// Keeps the place of cargo's own folder out of components, which name the source files of crates where they panic.
pub(crate) fn without_home() -> impl Iterator<Item = String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let flags = home.map(|home| {
        let flag = format!("--remap-path-prefix={}=cargo", home.display());
        [
            "--config".to_owned(),
            format!("target.{TARGET}.rustflags=[{flag:?}]"),
        ]
    });
    flags.into_iter().flatten()
}

/// Asks the compiler itself, which also knows the targets of a toolchain that rustup did not install.
fn is_installed() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = shell::command(&rustc, ["--print", "target-libdir", "--target", TARGET])
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn advice(problem: &str) -> String {
    format!(
        "cannot compile plugins, because the Rust target {TARGET} is missing: {problem}

With rustup (https://rustup.rs), when the network is there:
    rustup target add {TARGET}
Behind a proxy set HTTPS_PROXY; with a mirror set RUSTUP_DIST_SERVER to its address first.

With Debian's packages, for core modules that `wasm-tools component new` turns into components, in plugins/:
    apt-get install rustc-web cargo-web rust-web-src lld-22
    RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-22 /usr/bin/cargo build \
     --release --target wasm32-unknown-unknown -Zbuild-std=std,panic_abort"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_names_the_problem_and_both_ways_out() {
        let text = advice("cannot start `rustup`");
        for part in [
            "cannot start `rustup`",
            "rustup target add wasm32-wasip2",
            "apt-get install rustc-web",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
