//! The real program as a child process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::{Doors, PATIENCE, components, wait_as_long_as, wait_until};

/// A running `belfry serve` or `belfry dev`; dropping it kills it.
pub struct Process {
    child: Child,
    log: Printed,
    output: Printed,
    /// Its doors.
    pub doors: Doors,
}

/// What a process printed so far. Clones share it.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<String>>);

impl Printed {
    fn text(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Reads on until the end, so that the process never waits for us.
    fn follow(&self, from: impl AsyncRead + Unpin + Send + 'static) {
        let printed = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(from).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut text = printed.0.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&line);
                text.push('\n');
            }
        });
    }
}

impl Process {
    /// Starts `belfry serve` and waits until it runs.
    pub async fn serve(config: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(components::belfry());
        command.args(["serve", "--config"]).arg(config);
        Self::start(command, environment).await
    }

    /// Starts `belfry dev` with its simulator at that address and waits until it runs.
    pub async fn dev(config: &Path, simulator: SocketAddr, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(components::belfry());
        command.args(["dev", "--simulator", &simulator.to_string(), "--config"]);
        command.arg(config);
        Self::start(command, environment).await
    }

    /// Starts a command that becomes one of these and waits until it runs.
    ///
    /// # Panics
    ///
    /// If it ends instead; the text has what it printed.
    pub async fn start(mut command: Command, environment: &[(&str, &str)]) -> Self {
        forget_settings(&mut command);
        command
            .envs(environment.iter().copied())
            .env("BELFRY_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (log, output) = (Printed::default(), Printed::default());
        log.follow(child.stderr.take().unwrap());
        output.follow(child.stdout.take().unwrap());
        let mut looks = 0;
        // A start compiles what it serves, beside other stories that do.
        let doors = wait_as_long_as(PATIENCE * 5, "belfry is running", async || {
            let ended = child.try_wait().unwrap();
            let text = log.text();
            // One that ran and then ended, as at a failpoint, did start; what it printed may still be on its way.
            let line = text.lines().find(|line| line.contains("belfry is running"));
            if let (Some(status), None) = (ended, line) {
                looks += 1;
                assert!(looks < 10, "belfry ended with {status}:\n{text}");
            }
            let line = line?;
            let line: Value = serde_json::from_str(line).ok()?;
            let address = |name: &str| -> Option<SocketAddr> { line[name].as_str()?.parse().ok() };
            Some(Doors::new(address("public")?, address("admin")?))
        })
        .await;
        Self {
            child,
            log,
            output,
            doors,
        }
    }

    /// Its process id.
    ///
    /// # Panics
    ///
    /// After it ended.
    pub fn id(&self) -> i32 {
        let id = self.child.id().expect("the process still runs");
        id.try_into().expect("process ids are small")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until so many attempts of the guest in its mode `sleep` run.
    pub async fn sleepers(&self, count: usize) {
        wait_until("the attempts run", async || {
            self.log().matches("falling asleep").count() >= count
        })
        .await;
    }

    /// What it printed for people so far.
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let pid = Pid::from_raw(self.id()).expect("no process has the id 0");
        kill_process(pid, Signal::TERM).expect("the process is ours");
    }

    /// Kills it without a warning and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; answers with the exit code and the log.
    pub async fn end(mut self) -> (Option<i32>, String) {
        let status = tokio::time::timeout(crate::PATIENCE * 3, self.child.wait());
        let status = status.await.expect("belfry ends in time").unwrap();
        (status.code(), self.log.text())
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

/// Runs `belfry` with these arguments to its end.
pub async fn run(arguments: &[&str]) -> Finished {
    run_with(arguments, &[]).await
}

/// As [`run`], with these variables in its environment.
pub async fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> Finished {
    let mut command = Command::new(components::belfry());
    command.args(arguments);
    finish(command, environment).await
}

/// Runs a command that becomes a `belfry` to its end.
pub(crate) async fn finish(mut command: Command, environment: &[(&str, &str)]) -> Finished {
    forget_settings(&mut command);
    command
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(crate::PATIENCE * 3, command.output());
    let output = output.await.expect("belfry ends in time").unwrap();
    Finished {
        code: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Keeps away what the environment of the story would tell a belfry.
fn forget_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BELFRY_") {
            command.env_remove(name);
        }
    }
}
