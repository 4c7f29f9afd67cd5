//! How do JavaScript and TypeScript files become a component? componentize-qjs puts QuickJS and the imported modules into
//! one; TypeScript is checked and compiled before.

use std::fs;
use std::process::Stdio;

use tokio::process::Command;

use super::bindings::{World, write};
use super::tool::{Missing, Package, Registry, run};
use super::{Error, Job, Tools, at};

const COMPONENTIZE: Package = Package {
    name: "componentize-qjs",
    version: "0.4.5",
    registry: Registry::Npm,
    packages: &["componentize-qjs@0.4.5"],
    program: "node_modules/.bin/componentize-qjs",
};

const TYPESCRIPT: Package = Package {
    name: "typescript",
    version: "6.0.3",
    registry: Registry::Npm,
    packages: &["typescript@6.0.3"],
    program: "node_modules/.bin/tsc",
};

/// A folder with this file is a plugin in JavaScript.
pub(super) const MARK: &str = "plugin.js";

/// A folder with this file is a plugin in TypeScript.
pub(super) const TYPED_MARK: &str = "plugin.ts";

pub(super) fn missing(tools: &Tools) -> Option<Missing> {
    tools.find(&COMPONENTIZE).err()
}

pub(super) fn missing_for_types(tools: &Tools) -> impl Iterator<Item = Missing> {
    [&TYPESCRIPT, &COMPONENTIZE]
        .into_iter()
        .filter_map(|package| tools.find(package).err())
}

/// Loads `plugin.js` and keeps what that left in memory; declarations for editors go to `gen`.
pub(super) async fn compile(job: &Job<'_>) -> Result<Vec<u8>, Error> {
    declare(job)?;
    componentize(job, MARK).await
}

/// Checks and compiles what `tsconfig.json` names, into `gen/js`, and goes on as with JavaScript.
pub(super) async fn compile_typed(job: &Job<'_>) -> Result<Vec<u8>, Error> {
    declare(job)?;
    let mut tsc = Command::new(tool(job, &TYPESCRIPT)?);
    tsc.args(["--project", "tsconfig.json", "--pretty", "false"])
        .args(["--noEmitOnError", "--outDir", "gen/js"])
        .current_dir(job.folder)
        // It tells mistakes on standard output, which is for the names of components.
        .stdout(Stdio::from(std::io::stderr()));
    run(&mut tsc, job).await?;
    componentize(job, "gen/js/plugin.js").await
}

fn declare(job: &Job<'_>) -> Result<(), Error> {
    let declarations = World::read(job.folder)?.declarations();
    write(&job.folder.join("gen/world.d.ts"), declarations.as_bytes())
}

async fn componentize(job: &Job<'_>, entry: &str) -> Result<Vec<u8>, Error> {
    let component = job.folder.join("gen").join("plugin.wasm");
    let mut command = Command::new(tool(job, &COMPONENTIZE)?);
    // Not with --stub-wasi: what an exception says and the clock need WASI, and belfry's leads nowhere.
    command
        .args(["--wit", "wit", "--world", "plugin", "--sync"])
        .args(["--module-root", ".", "--js", entry, "--output"])
        .arg(&component)
        .current_dir(job.folder)
        .stdout(Stdio::null());
    run(&mut command, job).await?;
    fs::read(&component).map_err(at(&component))
}

fn tool(job: &Job<'_>, package: &Package) -> Result<std::path::PathBuf, Error> {
    job.tools
        .find(package)
        .map_err(|missing| Error::Missing(vec![missing]))
}
