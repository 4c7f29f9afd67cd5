//! Disks that go bad under a real belfry: one that answers with errors, and one that is full.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{Process, Stage, components};

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
        let [library, order] = [&self.library, &self.order].map(|path| path.to_str().unwrap());
        stage
            .serve(&[("LD_PRELOAD", library), ("BROKEN_DISK", order)])
            .await
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

/// A belfry whose store lies on a small file system of its own.
pub struct SmallDisk {
    /// The belfry.
    pub process: Process,
    /// What takes the room.
    pub filler: Filler,
}

/// A file that takes all the room there is.
#[derive(Debug, Clone)]
pub struct Filler(PathBuf);

impl SmallDisk {
    /// Starts a belfry on a file system of 3 MiB in memory; `None` where the system lets nobody mount one.
    pub async fn serve(stage: &Stage) -> Option<Self> {
        let folder = stage.file("small");
        fs::create_dir(&folder).unwrap();
        let unshare = |script: &str| {
            let mut command = Command::new("unshare");
            command
                .args(["--map-root-user", "--mount", "sh", "-c", script])
                .args([components::belfry(), folder.clone(), stage.file("bot.toml")]);
            command
        };
        let mount = r#"mount -t tmpfs -o size=3m tmpfs "$1""#;
        let can = unshare(mount).output();
        if !can.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let script = format!(r#"{mount} && exec "$0" serve --config "$2""#);
        let store = [("BELFRY_STORE__URL", "sqlite:small/belfry.db")];
        let process = Process::start(unshare(&script).into(), &store).await;
        stage.push_to(process.doors.public);
        // Its mounts are its own, and this is how others see them.
        let root = PathBuf::from(format!("/proc/{}/root", process.id()));
        let filler = root.join(folder.strip_prefix("/").unwrap()).join("filler");
        Some(Self {
            process,
            filler: Filler(filler),
        })
    }
}

impl Filler {
    /// Fills the disk up.
    pub fn fill(&self) {
        use std::io::Write;
        let mut file = fs::File::create(&self.0).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let piece = vec![b'x'; size];
            while file.write_all(&piece).is_ok() {}
        }
    }

    /// Makes room.
    pub fn empty(&self) {
        fs::remove_file(&self.0).unwrap();
    }
}
