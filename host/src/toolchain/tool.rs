//! Which compilers are there, how does one get those that are not, and how are they run?

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{Error, Job};

/// How often a step that says nothing itself is reported.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// The folder that holds tools of plugin authors, one folder each: shared by all projects of a person.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    root: PathBuf,
}

/// Programs that a package registry has, in the version that this belfry is tested with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Package {
    /// What the folder is called, before the version.
    pub(super) name: &'static str,
    /// The version of the first of `packages`.
    pub(super) version: &'static str,
    pub(super) registry: Registry,
    /// What to install, with versions as the registry writes them.
    pub(super) packages: &'static [&'static str],
    /// A file below the folder that is there once it is installed.
    pub(super) program: &'static str,
}

/// Who has a package.
#[derive(Debug, Clone, Copy)]
pub(super) enum Registry {
    /// Python's, by `pip`; needs `python3`.
    Pip,
    /// Node's, by `npm`.
    Npm,
}

/// Something without which a language does not build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What it is, such as `zig 0.17.1`.
    pub(super) what: String,
    pub(super) remedy: Remedy,
}

/// What helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remedy {
    /// These commands, each as its words; `--install` runs them.
    Commands(Vec<Vec<String>>),
    /// Something that a person has to do.
    ByHand(&'static str),
}

impl Tools {
    /// Tools below this folder, which need not be there yet.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder of a package.
    pub(super) fn folder(&self, package: &Package) -> PathBuf {
        self.root
            .join(format!("{}-{}", package.name, package.version))
    }

    /// The program of a package, or what is missing.
    pub(super) fn find(&self, package: &Package) -> Result<PathBuf, Missing> {
        let folder = self.folder(package);
        let program = folder.join(package.program);
        if program.is_file() {
            return Ok(program);
        }
        let word = |text: &str| text.to_owned();
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let commands = match package.registry {
            Registry::Pip => {
                let pip = path(&folder.join("bin").join("pip"));
                let mut install = vec![pip, word("install"), word("--quiet")];
                install.extend(package.packages.iter().map(|it| word(it)));
                let venv = ["python3", "-m", "venv", &path(&folder)].map(word);
                vec![venv.to_vec(), install]
            }
            Registry::Npm => {
                let mut install = ["npm", "install", "--no-fund", "--no-audit", "--prefix"]
                    .map(word)
                    .to_vec();
                install.push(path(&folder));
                install.extend(package.packages.iter().map(|it| word(it)));
                vec![install]
            }
        };
        Err(Missing {
            what: format!("{} {}", package.name, package.version),
            remedy: Remedy::Commands(commands),
        })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; install it with", self.what)?;
        match &self.remedy {
            Remedy::Commands(commands) => commands
                .iter()
                .try_for_each(|words| write!(f, "\n    {}", words.join(" "))),
            Remedy::ByHand(text) => write!(f, "\n    {text}"),
        }
    }
}

/// Does what helps.
pub(super) async fn install(missing: &Missing, job: &Job<'_>) -> Result<(), Error> {
    let Remedy::Commands(commands) = &missing.remedy else {
        return Err(Error::Missing(vec![missing.clone()]));
    };
    job.say(&format!("installing {}", missing.what));
    for words in commands {
        let (program, arguments) = words.split_first().ok_or(Error::Missing(Vec::new()))?;
        let mut command = Command::new(program);
        command.args(arguments).stdout(Stdio::null());
        run(&mut command, job).await?;
    }
    Ok(())
}

/// Runs a command that tells its progress itself; returns its standard output, if that is piped. What it writes to
/// standard error is shown. Stopping to wait for it ends it.
pub(super) async fn run_telling(command: &mut Command, job: &Job<'_>) -> Result<Vec<u8>, Error> {
    finish(command, job, None).await
}

/// Runs a command as [`run_telling`] does, and reports now and then that it still works.
pub(super) async fn run(command: &mut Command, job: &Job<'_>) -> Result<Vec<u8>, Error> {
    finish(command, job, Some(SIGN_OF_LIFE)).await
}

async fn finish(
    command: &mut Command,
    job: &Job<'_>,
    sign_of_life: Option<Duration>,
) -> Result<Vec<u8>, Error> {
    let name = Path::new(command.as_std().get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let child = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Error::Start {
            program: name.clone(),
            source,
        })?;
    let ended = child.wait_with_output();
    tokio::pin!(ended);
    let mut waited = Duration::ZERO;
    let output = loop {
        tokio::select! {
            output = &mut ended => break output,
            () = tokio::time::sleep(sign_of_life.unwrap_or_default()), if sign_of_life.is_some() => {
                waited += sign_of_life.unwrap_or_default();
                job.say(&format!("{name} works, {} s so far", waited.as_secs()));
            }
        }
    };
    let output = output.map_err(|source| Error::Start {
        program: name.clone(),
        source,
    })?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(Error::Failed {
            program: name,
            folder: job.folder.to_owned(),
        })
    }
}

/// What a program prints when asked something; nothing if it cannot be run or fails.
pub(super) async fn ask(
    program: impl AsRef<OsStr>,
    arguments: &[&str],
    folder: &Path,
) -> Option<String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    Some(String::from_utf8_lossy(&text).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZIG: Package = Package {
        name: "zig",
        version: "1.0",
        registry: Registry::Pip,
        packages: &["ziglang==1.0"],
        program: "bin/zig",
    };

    #[test]
    fn a_missing_tool_is_named_with_the_commands_that_install_it() {
        let missing = Tools::new("/tools".into()).find(&ZIG).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "zig 1.0; install it with
    python3 -m venv /tools/zig-1.0
    /tools/zig-1.0/bin/pip install --quiet ziglang==1.0"
        );
        let jco = Package {
            name: "jco",
            registry: Registry::Npm,
            packages: &["jco@1.0", "other@2"],
            ..ZIG
        };
        let missing = Tools::new("/tools".into()).find(&jco).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "jco 1.0; install it with
    npm install --no-fund --no-audit --prefix /tools/jco-1.0 jco@1.0 other@2"
        );
    }

    #[test]
    fn a_tool_that_is_there_is_found() {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("zig-1.0/bin/zig");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, "").unwrap();
        assert_eq!(Tools::new(root.path().into()).find(&ZIG), Ok(program));
    }
}
