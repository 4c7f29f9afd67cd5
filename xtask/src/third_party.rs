//! Installs the clients that others wrote, which the simulator and the gateway are tested with.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// What npm installs.
const PACKAGE: &str = "@alicloud/dingtalk@2.2.27";
/// What tries the gateway. It has an environment of its own, because it brings many libraries.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Installs what is missing below `target/third-party` and answers with that folder. What cannot be installed is said
/// loudly, and its tests are skipped: not everybody has Python, Node and a registry.
pub(crate) fn install() -> Result<PathBuf> {
    let folder = shell::root().join("target/third-party");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let requirements = shell::root().join("simulator/tests/third_party/requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    keep(&folder, "venv", &wanted, || {
        python(
            &folder.join("venv"),
            [OsStr::new("-r"), requirements.as_os_str()],
        )
    });
    keep(&folder, "schemathesis", SCHEMATHESIS, || {
        python(&folder.join("schemathesis"), [SCHEMATHESIS])
    });
    keep(&folder, "npm", PACKAGE, || npm(&folder));
    Ok(folder)
}

/// Installs a part unless it is there as it is wanted.
fn keep(folder: &Path, part: &str, wanted: &str, install: impl FnOnce() -> Result<()>) {
    let stamp = folder.join(format!("{part}.installed"));
    if fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return;
    }
    // What is half there must not pass for whole.
    let _ = fs::remove_dir_all(folder.join(part));
    let installed = install().and_then(|()| Ok(fs::write(&stamp, wanted)?));
    if let Err(error) = installed {
        let _ = fs::remove_dir_all(folder.join(part));
        shell::say(&format!(
            "SKIPPED: tests with third-party clients ({part}), because they cannot be installed: {error:#}"
        ));
    }
}

/// Makes an environment and installs into it.
fn python<A: AsRef<OsStr>>(venv: &Path, what: impl IntoIterator<Item = A>) -> Result<()> {
    shell::run(&mut command(
        "python3",
        [OsStr::new("-m"), OsStr::new("venv"), venv.as_os_str()],
    ))?;
    let pip = venv.join("bin/pip");
    let mut install = Command::new(pip);
    install
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(what)
        .current_dir(shell::root());
    shell::run(&mut install)
}

fn npm(folder: &Path) -> Result<()> {
    let npm = folder.join("npm");
    fs::create_dir_all(&npm)?;
    fs::write(npm.join("package.json"), "{\"private\":true}\n")?;
    let mut install = command(
        "npm",
        ["install", "--no-audit", "--no-fund", "--silent", PACKAGE],
    );
    install.current_dir(npm);
    shell::run(&mut install)
}

fn command<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Command {
    shell::command(OsStr::new(program), arguments)
}
