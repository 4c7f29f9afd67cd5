//! How do Python files become a component? componentize-py puts CPython and the imported modules into one.

use std::fs;
use std::process::Stdio;

use tokio::process::Command;

use super::tool::{Missing, Package, Registry, run};
use super::{Error, Job, Tools, at};

const COMPONENTIZE: Package = Package {
    name: "componentize-py",
    version: "0.25.1",
    registry: Registry::Pip,
    packages: &["componentize-py==0.25.1"],
    program: "bin/componentize-py",
};

/// A folder with this file is a plugin in Python. It cannot be called as the world is.
pub(super) const MARK: &str = "app.py";

pub(super) fn missing(tools: &Tools) -> Option<Missing> {
    tools.find(&COMPONENTIZE).err()
}

/// Runs the imports of `app.py` and keeps what they left in memory; bindings for editors go to `gen`.
pub(super) async fn compile(job: &Job<'_>) -> Result<Vec<u8>, Error> {
    let program = job
        .tools
        .find(&COMPONENTIZE)
        .map_err(|missing| Error::Missing(vec![missing]))?;
    let componentize = |words: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(["-q", "-d", "wit", "-w", "plugin"])
            .args(words)
            .current_dir(job.folder)
            .stdout(Stdio::null());
        command
    };
    // It refuses to write where something is.
    let generated = job.folder.join("gen");
    if generated.exists() {
        fs::remove_dir_all(&generated).map_err(at(&generated))?;
    }
    run(&mut componentize(&["bindings", "gen"]), job).await?;
    let component = generated.join("app.wasm");
    // Not with --stub-wasi: a traceback, `print`, the clock and `logging` all need WASI, and belfry's leads nowhere.
    let words = ["componentize", "app", "-p", ".", "-o", "gen/app.wasm"];
    run(&mut componentize(&words), job).await?;
    fs::read(&component).map_err(at(&component))
}
