//! Disks that go bad under a real belfry: one that answers with errors, and one that is full.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::process::finish;
use crate::{Finished, Process, Stage, components, run_with};

/// No space left on the device.
pub const FULL: i32 = 28;
/// The file system is read-only.
pub const READ_ONLY: i32 = 30;
/// The device has failed.
pub const FAILED: i32 = 5;

/// A disk that can be told to answer the store with errors. It stands between belfry and the C library, so SQLite meets
/// them where a real disk reports them.
pub struct BrokenDisk {
    library: PathBuf,
    order: PathBuf,
}

impl BrokenDisk {
    /// A disk that is sound for now.
    ///
    /// # Panics
    ///
    /// If there is no C compiler, without which belfry cannot be built either.
    pub fn new(stage: &Stage) -> Self {
        let source = components::checkout().join("tests/disk/broken.c");
        let library = stage.file("broken-disk.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status();
        assert!(built.is_ok_and(|status| status.success()), "cc {source:?}");
        Self {
            library,
            order: stage.file("broken-disk"),
        }
    }

    /// Starts a belfry on it.
    pub async fn serve(&self, stage: &Stage) -> Process {
        stage.serve(&self.environment()).await
    }

    /// Starts a belfry on it that does not come to run.
    pub async fn refuse(&self, stage: &Stage) -> Finished {
        let config = stage.file("bot.toml");
        let arguments = ["serve", "--config", config.to_str().unwrap()];
        run_with(&arguments, &self.environment()).await
    }

    fn environment(&self) -> [(&str, &str); 2] {
        let [library, order] = [&self.library, &self.order].map(|path| path.to_str().unwrap());
        [("LD_PRELOAD", library), ("BROKEN_DISK", order)]
    }

    /// From now on nothing is opened for writing, but fails with this error.
    pub fn refuses_opens(&self, error: i32) {
        self.tell(&format!("open {error}"));
    }

    /// From now on writes fail with this error.
    pub fn refuses_writes(&self, error: i32) {
        self.tell(&format!("write {error}"));
    }

    /// From now on syncs fail with this error.
    pub fn refuses_syncs(&self, error: i32) {
        self.tell(&format!("sync {error}"));
    }

    /// From now on it works.
    pub fn is_mended(&self) {
        fs::remove_file(&self.order).unwrap();
    }

    fn tell(&self, order: &str) {
        let fresh = self.order.with_extension("new");
        fs::write(&fresh, order).unwrap();
        fs::rename(fresh, &self.order).unwrap();
    }
}

/// Where the store lies on a small disk.
const STORE: [(&str, &str); 1] = [("BELFRY_STORE__URL", "sqlite:small/belfry.db")];

/// A small file system of its own, in memory, for as long as this lives.
pub struct SmallDisk {
    /// A shell among whose mounts it is.
    shell: Child,
    /// Where the shell sees it.
    mounted: PathBuf,
    /// Where everybody else sees it.
    folder: PathBuf,
}

impl SmallDisk {
    /// A file system of 3 MiB; `None` where the system lets nobody mount one.
    pub fn mount(stage: &Stage) -> Option<Self> {
        let mounted = stage.file("small");
        fs::create_dir(&mounted).unwrap();
        let shell = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let root = PathBuf::from(format!("/proc/{}/root", shell.id()));
        let mut disk = Self {
            shell,
            folder: root.join(mounted.strip_prefix("/").unwrap()),
            mounted,
        };
        disk.asks("mount -t tmpfs -o size=3m tmpfs").then_some(disk)
    }

    /// Whether a command succeeds on it in the shell.
    fn asks(&mut self, command: &str) -> bool {
        let mounted = &self.mounted;
        let asked = writeln!(
            self.shell.stdin.as_mut().unwrap(),
            "{command} {mounted:?} 2>&1 >/dev/null; echo $?"
        );
        let mut answer = String::new();
        let read = BufReader::new(self.shell.stdout.as_mut().unwrap()).read_line(&mut answer);
        asked.is_ok() && read.is_ok() && answer.trim() == "0"
    }

    /// Starts a belfry whose store lies on it.
    pub async fn serve(&self, stage: &Stage) -> Process {
        let process = Process::start(self.command(stage), &STORE).await;
        stage.push_to(process.doors.public);
        process
    }

    /// Starts a belfry whose store lies on it and that does not come to run.
    pub async fn refuse(&self, stage: &Stage) -> Finished {
        finish(self.command(stage), &STORE).await
    }

    /// Among the mounts of the shell, because SQLite finds the way out of any other path to them.
    fn command(&self, stage: &Stage) -> tokio::process::Command {
        let shell = self.shell.id().to_string();
        let mut command = tokio::process::Command::new("nsenter");
        command
            .args([
                "--preserve-credentials",
                "--user",
                "--mount",
                "--target",
                &shell,
            ])
            .arg(components::belfry())
            .args(["serve", "--config"])
            .arg(stage.file("bot.toml"));
        command
    }

    /// Fills it up.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.folder.join("filler")).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let piece = vec![b'x'; size];
            while file.write_all(&piece).is_ok() {}
        }
    }

    /// Makes room.
    pub fn empty(&self) {
        fs::remove_file(self.folder.join("filler")).unwrap();
    }

    /// Takes writing away, or gives it back.
    ///
    /// # Panics
    ///
    /// If the system does not do it.
    pub fn remount(&mut self, how: &str) {
        assert!(self.asks(&format!("mount -o remount,{how}")), "{how}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
