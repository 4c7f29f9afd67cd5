//! Where the benchmarks find what they measure and put what they write.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Folders and programs of the checkout.
pub(crate) struct Places {
    root: PathBuf,
    work: PathBuf,
}

impl Places {
    /// Finds the checkout and makes the folder `target/bench`.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the benchmarks lie in no checkout")?
            .to_owned();
        let work = root.join("target").join("bench");
        fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
        Ok(Self { root, work })
    }

    /// What the benchmarks write lies here.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    /// An empty folder for one benchmark.
    pub(crate) fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    /// The component of a sample plugin.
    pub(crate) fn plugin(&self, name: &str) -> anyhow::Result<PathBuf> {
        exists(self.root.join("plugins").join(format!("{name}.wasm")))
    }

    /// The OpenSSL yardstick.
    pub(crate) fn openssl(&self) -> anyhow::Result<PathBuf> {
        exists(
            self.root
                .join("tests/openssl/target/release/openssl-yardstick"),
        )
    }

    /// The program `belfry`, built beside this one.
    pub(crate) fn belfry(&self) -> anyhow::Result<PathBuf> {
        let own = std::env::current_exe().context("cannot find this program")?;
        exists(own.with_file_name("belfry"))
    }
}

fn exists(path: PathBuf) -> anyhow::Result<PathBuf> {
    if !path.is_file() {
        bail!(
            "{} is missing; `cargo xtask bench` builds it",
            path.display()
        );
    }
    Ok(path)
}
