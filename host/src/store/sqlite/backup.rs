//! Copies a store while another process may be writing it.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{StoreError, open_reader};

/// Copies everything that is committed now to a new file.
///
/// All pages are read in one transaction: in write-ahead mode that keeps no writer from writing, and writers do not make
/// it begin again.
pub fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        return Err(StoreError::Disk(format!("{to:?} is there already")));
    }
    let done = copy(from, to);
    if done.is_err() {
        // Half a copy must not be taken for one.
        let _ = std::fs::remove_file(to);
    }
    done
}

fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let from = open_reader(from)?;
    let mut to = Connection::open(to)?;
    {
        let copy = Backup::new(&from, &mut to)?;
        match copy.step(-1)? {
            StepResult::Done => {}
            other => {
                return Err(StoreError::Disk(format!("the copy stopped: {other:?}")));
            }
        }
    }
    to.busy_timeout(Duration::ZERO)?;
    let sound: String = to.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if sound != "ok" {
        return Err(StoreError::Disk(format!("the copy is damaged: {sound}")));
    }
    Ok(())
}
