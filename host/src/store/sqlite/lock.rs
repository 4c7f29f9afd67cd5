//! Keeps a second process from using a store.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StoreError;
use crate::clock;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// Takes the lock of a store, trying for that long. It is free again when the file is dropped or the process ends.
///
/// The lock is a file of its own: SQLite drops its locks on a file when any handle on it is closed.
pub(super) fn take(store: &Path, patience: Duration) -> Result<Option<File>, StoreError> {
    let path = beside(store);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| StoreError::Disk(format!("cannot open {path:?}: {error}")))?;
    let started = clock::instant();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if started.elapsed() >= patience => {
                return Err(StoreError::InUse(store.to_owned()));
            }
            // The store may have been dropped a moment ago, and its writer is about to end.
            Err(TryLockError::WouldBlock) => wait(),
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, "this file system has no locks: see to it that only one belfry uses the store");
                return Ok(None);
            }
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "at the start of a process, before there is anything to hold up"
)]
fn wait() {
    std::thread::sleep(PAUSE);
}

fn beside(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push("-lock");
    path.into()
}
