//! How do C files become a component? zig's C compiler, which brings its own libc, makes the core module.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;

use super::bindings::{Parts, World, encode};
use super::tool::{Missing, Package, Registry, run};
use super::{Error, Job, Tools, at};

const ZIG: Package = Package {
    name: "zig",
    version: "0.17.1",
    registry: Registry::Pip,
    packages: &["ziglang==0.17.1"],
    // A small program that becomes the compiler, wherever pip put that.
    program: "bin/python-zig",
};

/// A folder with a file of this kind is a plugin in C.
pub(super) const MARK: &str = "*.c";

/// The host clears the first 256 KiB of a memory after each event and gives the rest back to the system, which costs much
/// more; and what is cleared pushes other things out of the caches. With a stack of 64 KiB, and room for a heap from the
/// start, a plugin needs no rest.
const SMALL: [&str; 2] = ["-Wl,-z,stack-size=65536", "-Wl,--initial-memory=131072"];

/// Tests have a `main` of their own and are left out.
const TEST: &str = "test.c";

pub(super) fn marks(folder: &Path) -> bool {
    sources(folder).is_ok_and(|sources| !sources.is_empty())
}

pub(super) fn missing(tools: &Tools) -> Option<Missing> {
    tools.find(&ZIG).err()
}

/// Compiles every C file of the folder with the bindings for its world, which go to `gen`.
pub(super) async fn compile(job: &Job<'_>) -> Result<Vec<u8>, Error> {
    let generated = job.folder.join("gen");
    World::read(job.folder)?
        .write_bindings(wit_bindgen_c::Opts::default().build().as_mut(), &generated)?;

    let zig = job
        .tools
        .find(&ZIG)
        .map_err(|missing| Error::Missing(vec![missing]))?;
    let core = generated.join("core.wasm");
    let mut cc = Command::new(zig);
    cc.args(["cc", "-target", "wasm32-wasi", "-mexec-model=reactor"])
        .args(["-std=c17", "-Wall", "-Wextra", "-Os", "-s", "-Igen"])
        .args(SMALL)
        .arg("-o")
        .arg(&core)
        .args(sources(job.folder).map_err(at(job.folder))?)
        .args(["gen/plugin.c", "gen/plugin_component_type.o"])
        .current_dir(job.folder);
    run(&mut cc, job).await?;
    let module = fs::read(&core).map_err(at(&core))?;
    // It is used only if the module imports something of WASI, as printf does.
    let wasi = Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
    encode(
        &module,
        &Parts {
            wasi,
            ..Parts::default()
        },
    )
}

/// The folder's own C files, sorted, without tests.
fn sources(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_test = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().ends_with(TEST));
        if path.extension() == Some(OsStr::new("c")) && !is_test {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
