//! Runs other programs from the root of the checkout and says which.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the checkout, wherever the task was started from.
pub(crate) fn root() -> PathBuf {
    // cargo sets the variable when it runs a program; without it the place of the build counts.
    let package =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let mut root = PathBuf::from(package);
    root.pop();
    root
}

/// Announces a piece of work that may take a while.
pub(crate) fn say(text: &str) {
    eprintln!("==> {text}");
}

/// A command of the cargo that runs this task, in the root of the checkout.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    command(&cargo, arguments)
}

/// A command of any program, in the root of the checkout.
pub(crate) fn command<A: AsRef<OsStr>>(
    program: &OsStr,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Shows the command and runs it; anything but success is an error that names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    say(&line);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Whether the command can be started and succeeds; its output is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Becomes the command, so that signals and the exit code are its own. Returns only if that failed.
pub(crate) fn become_command(command: &mut Command) -> Result<()> {
    let line = line(command);
    say(&line);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(command.exec()).with_context(|| format!("cannot start `{line}`"))
    }
    #[cfg(not(unix))]
    {
        let status = command
            .status()
            .with_context(|| format!("cannot start `{line}`"))?;
        std::process::exit(status.code().unwrap_or(1));
    }
}

/// Runs every named step even if one fails, then prints how each ended and fails if any did.
pub(crate) fn run_all(steps: Vec<(&str, Command)>) -> Result<()> {
    let mut endings = Vec::new();
    for (name, mut command) in steps {
        let result = run(&mut command);
        if let Err(error) = &result {
            eprintln!("xtask: {error:#}");
        }
        endings.push((name, result.is_ok()));
    }
    eprintln!();
    for (name, passed) in &endings {
        say(&format!(
            "{} {name}",
            if *passed { "passed:" } else { "FAILED:" }
        ));
    }
    let failed: Vec<&str> = endings
        .iter()
        .filter(|(_, passed)| !passed)
        .map(|(name, _)| *name)
        .collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program
        .file_stem()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    let mut words = vec![name];
    for argument in command.get_args() {
        let word = argument.to_string_lossy();
        words.push(
            if word.is_empty() || word.contains([' ', '(', ')', '\'', '"', '*', '|', '&']) {
                format!("{word:?}")
            } else {
                word.into_owned()
            },
        );
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let command = command(
            OsStr::new("/usr/bin/cargo"),
            ["nextest", "run", "-E", "test(a b)"],
        );
        assert_eq!(line(&command), "cargo nextest run -E \"test(a b)\"");
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.lock").is_file());
    }

    #[test]
    fn steps_after_a_failed_one_still_run() {
        let folder = env::temp_dir().join(format!("xtask-steps-{}", std::process::id()));
        let mut touch = cargo(["--version"]);
        touch.stdout(std::fs::File::create(&folder).unwrap());
        let steps = vec![("first", cargo(["no-such-command"])), ("second", touch)];
        let error = run_all(steps).unwrap_err();
        assert_eq!(error.to_string(), "failed: first");
        assert_ne!(std::fs::read(&folder).unwrap(), b"");
        std::fs::remove_file(&folder).unwrap();
    }
}
