//! Opens the file for the writer and brings its layout up to date.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::StoreError;
use crate::failpoint::{self, Point};
use crate::store::wal;

/// Statements that the writer keeps prepared: all it has.
const STATEMENTS: usize = 64;
/// Pages in the log before they are brought into the file, 4 KiB each. A page that changes in every commit, as the last
/// ones of an index do, is then copied once for many commits; the log stays below 20 MiB.
const CHECKPOINT_PAGES: u32 = 4_000;
/// The layout of the file; each entry leads from the version of its index to the next.
const MIGRATIONS: [&str; 1] = [include_str!("schema-1.sql")];

/// The connection of the writer.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Takes effect in a new file only, before anything is in it: free pages can be given back piece by piece.
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    // SQLite ignores pragmas it cannot honour, so each one is read back.
    for (pragma, value, expected) in [
        ("journal_mode", "wal", "wal"),
        ("synchronous", "full", "2"),
        ("foreign_keys", "on", "1"),
        ("mmap_size", "0", "0"),
    ] {
        connection.pragma_update(None, pragma, value)?;
        let found: String = connection.pragma_query_value(None, pragma, |row| {
            row.get::<_, String>(0)
                .or_else(|_| row.get::<_, i64>(0).map(|number| number.to_string()))
        })?;
        if found != expected {
            return Err(StoreError::Disk(format!(
                "pragma {pragma} is {found} instead of {expected}"
            )));
        }
    }
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    #[cfg(target_os = "macos")]
    connection.pragma_update(None, "fullfsync", "on")?;
    migrate(&connection, path)?;
    Ok(connection)
}

/// Says what of the log will not be read; SQLite itself does not.
pub(super) fn report_log(path: &Path) {
    match wal::survey(path) {
        Ok(Some(log)) if log.lost_a_commit => {
            tracing::error!(
                ?path,
                committed = log.committed,
                ignored = log.ignored,
                "the log of the store is damaged, and what its last part had is lost unless a crash cut it off"
            );
        }
        Ok(Some(log)) if log.ignored > 0 => {
            tracing::warn!(
                ?path,
                committed = log.committed,
                ignored = log.ignored,
                "the log of the store ends in a write that was cut off and never acknowledged"
            );
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(?path, %error, "cannot look at the log of the store"),
    }
}

fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found: version,
            known: MIGRATIONS.len(),
        });
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {migration}; PRAGMA user_version = {};",
            index + 1
        ))?;
        failpoint::pass(Point::InMigration);
        connection.execute_batch("COMMIT")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_belfry_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        open_writer(&path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        let error = open_writer(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("has version 99, this belfry knows up to 1"),
            "{error}"
        );
    }
}
