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
    open(path, &MIGRATIONS)
}

fn open(path: &Path, migrations: &[&str]) -> Result<Connection, StoreError> {
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
    migrate(&connection, path, migrations)?;
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

fn migrate(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > migrations.len() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found: version,
            known: migrations.len(),
        });
    }
    for (index, migration) in migrations.iter().enumerate().skip(version) {
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
    use std::process::Command;

    use super::*;

    /// A layout two versions on, which the store has to be brought to from the present one.
    const UPGRADES: [&str; 3] = [
        MIGRATIONS[0],
        "CREATE TABLE seen (at INTEGER NOT NULL) STRICT; INSERT INTO seen SELECT at FROM probe; DROP TABLE probe",
        "ALTER TABLE seen ADD COLUMN twice INTEGER NOT NULL DEFAULT 0; UPDATE seen SET twice = 2 * at",
    ];
    /// Names the store to the process that is to be killed.
    const VICTIM: &str = "BELFRY_TEST_UPGRADED_STORE";

    fn version(connection: &Connection) -> u32 {
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        version.unwrap()
    }

    fn number(connection: &Connection, sql: &str) -> i64 {
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

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

    /// The process starts itself once more for each kill, as only a process can be killed.
    #[test]
    fn a_kill_within_an_upgrade_leaves_the_version_before_and_the_next_start_goes_on() {
        if let Some(path) = std::env::var_os(VICTIM) {
            failpoint::arm("in-migration").unwrap();
            let _ = open(Path::new(&path), &UPGRADES);
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let old = open_writer(&path).unwrap();
        old.execute("INSERT INTO probe VALUES (0, 7)", []).unwrap();
        drop(old);
        let (_, module) = module_path!().split_once("::").unwrap();
        let name = format!(
            "{module}::a_kill_within_an_upgrade_leaves_the_version_before_and_the_next_start_goes_on"
        );
        let kill = || {
            let victim = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &name])
                .env(VICTIM, &path)
                .output()
                .unwrap();
            assert_eq!(victim.status.code(), None, "{victim:?}");
        };
        // It dies when the second layout is written and not committed.
        kill();
        let found = Connection::open(&path).unwrap();
        assert_eq!(
            (version(&found), number(&found, "SELECT at FROM probe")),
            (1, 7)
        );
        drop(found);
        // Here a start came as far as the second, and the next one dies within the third.
        drop(open(&path, &UPGRADES[..2]).unwrap());
        kill();
        let found = Connection::open(&path).unwrap();
        assert_eq!(
            (version(&found), number(&found, "SELECT at FROM seen")),
            (2, 7)
        );
        assert!(found.prepare("SELECT twice FROM seen").is_err());
        drop(found);
        let upgraded = open(&path, &UPGRADES).unwrap();
        assert_eq!(
            (
                version(&upgraded),
                number(&upgraded, "SELECT twice FROM seen")
            ),
            (3, 14)
        );
    }
}
