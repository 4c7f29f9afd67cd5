//! Removes what is old, in pieces that hold nobody up.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::{SqliteJournal, mark};
use crate::clock::UnixMs;
use crate::ids::EventId;
use crate::journal::known::{Print, Secret};
use crate::journal::{JournalError, State};

/// Events that one transaction removes.
const BATCH: usize = 128;
/// Free pages that one transaction gives back to the file system.
const PAGES: u32 = 256;
/// Free pages that stay for new events.
const RESERVE: i64 = 1024;

/// What the file takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Bytes in use.
    pub used: u64,
    /// Bytes in the file that nothing uses.
    pub free: u64,
}

/// Which events may go.
#[derive(Debug, Clone, Copy)]
struct Reach {
    before: UnixMs,
    /// Whether a dead delivery keeps its event.
    spares_dead: bool,
}

impl SqliteJournal {
    /// Removes events that came before `before` and are done, or also dead if `spares_dead` is not set; never one with an
    /// open or parked delivery. What came after `keys_before` keeps its dedupe key. Answers with how many were removed.
    pub async fn prune(
        &self,
        before: UnixMs,
        spares_dead: bool,
        keys_before: UnixMs,
        most: usize,
    ) -> Result<usize, JournalError> {
        let reach = Reach {
            before,
            spares_dead,
        };
        let (mut removed, mut after) = (0, i64::MIN);
        while removed < most {
            // Looking is for readers, so that a long look holds up no writer.
            let mut found = self
                .store
                .read(move |connection| find(connection, reach, after, keys_before))
                .await?;
            let Some(last) = found.last() else { break };
            after = *last;
            // What was never attempted has no row that says that it is open.
            {
                let state = self.shared.lock();
                found.retain(|seq| !state.queue.has_unborn(*seq));
            }
            let secret = self.secret;
            let shared = Arc::clone(&self.shared);
            let gone = self.store.write_then(
                move |connection| remove(connection, &found, reach, keys_before, &secret),
                move |gone| {
                    let mut state = shared.lock();
                    for (print, seq) in gone.iter().flat_map(|gone| &gone.keys) {
                        state.known.remove(*print, *seq);
                    }
                },
            );
            removed += gone.await?.events;
        }
        self.tidy(keys_before).await?;
        Ok(removed)
    }

    /// Takes the keys of events that are gone out of the file.
    async fn tidy(&self, before: UnixMs) -> Result<(), JournalError> {
        let old = self
            .store
            .read(move |connection| mark::known_before(connection, before))
            .await?;
        for id in old {
            let secret = self.secret;
            self.store
                .write(move |connection| mark::tidy(connection, &secret, id))
                .await?;
        }
        Ok(())
    }

    /// What the file takes.
    pub async fn size(&self) -> Result<Size, JournalError> {
        Ok(self.store.read(size).await?)
    }

    /// Gives free pages back to the file system, a piece of them; says whether there are more.
    pub async fn shrink(&self) -> Result<bool, JournalError> {
        let shrunk = self.store.write(|connection| {
            let (pages, free) = (
                pragma(connection, "page_count")?,
                pragma(connection, "freelist_count")?,
            );
            let incremental = pragma(connection, "auto_vacuum")? == 2;
            if !incremental || free <= RESERVE.max(pages / 10) {
                return Ok(false);
            }
            connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
            Ok(true)
        });
        Ok(shrunk.await?)
    }
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn size(connection: &Connection) -> rusqlite::Result<Size> {
    let page = pragma(connection, "page_size")?;
    let free = pragma(connection, "freelist_count")?;
    let used = pragma(connection, "page_count")? - free;
    let bytes = |pages: i64| u64::try_from(pages * page).unwrap_or(0);
    Ok(Size {
        used: bytes(used),
        free: bytes(free),
    })
}

/// Events that may go, oldest first.
fn find(
    connection: &Connection,
    reach: Reach,
    after: i64,
    keys_before: UnixMs,
) -> rusqlite::Result<Vec<i64>> {
    let kept = kept_states(reach);
    let mut select = connection.prepare(&format!(
        "SELECT seq FROM event WHERE seq > ?1 AND seq < ?2 AND (raw <> '' OR seq < ?3)
         AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.seq = event.seq AND d.state IN ({kept}))
         ORDER BY seq LIMIT {BATCH}"
    ))?;
    let end = EventId::first_order(reach.before);
    let keys_end = EventId::first_order(keys_before);
    let rows = select.query_map(params![after, end, keys_end], |row| row.get(0))?;
    rows.collect()
}

fn kept_states(reach: Reach) -> String {
    let mut kept = vec![State::Pending, State::Parked];
    if reach.spares_dead {
        kept.push(State::Dead);
    }
    let words: Vec<String> = kept
        .iter()
        .map(|state| format!("'{}'", state.as_str()))
        .collect();
    words.join(", ")
}

/// What one transaction removed.
#[derive(Default)]
struct Gone {
    events: usize,
    /// The dedupe keys that went with them.
    keys: Vec<(Print, i64)>,
}

fn remove(
    connection: &Connection,
    events: &[i64],
    reach: Reach,
    keys_before: UnixMs,
    secret: &Secret,
) -> rusqlite::Result<Gone> {
    let keys_end = EventId::first_order(keys_before);
    let kept = kept_states(reach);
    // A person may have made one run again since it was found.
    let mut is_kept = connection.prepare_cached(&format!(
        "SELECT EXISTS (SELECT 1 FROM delivery WHERE seq = ?1 AND state IN ({kept}))"
    ))?;
    let mut deliveries = connection.prepare_cached("DELETE FROM delivery WHERE seq = ?1")?;
    let mut effects = connection
        .prepare_cached("DELETE FROM effect WHERE event = (SELECT id FROM event WHERE seq = ?1)")?;
    let mut whole = connection.prepare_cached(
        "DELETE FROM event WHERE seq = ?1 AND (dedupe IS NULL OR seq < ?2) RETURNING app, dedupe",
    )?;
    let mut text =
        connection.prepare_cached("UPDATE event SET raw = '', plugins = '' WHERE seq = ?1")?;
    let mut gone = Gone::default();
    for seq in events {
        if is_kept.query_row([seq], |row| row.get(0))? {
            continue;
        }
        deliveries.execute([seq])?;
        effects.execute([seq])?;
        let key = whole
            .query_row([seq, &keys_end], |row| {
                // One that decayed goes all the same; its key in memory is nobody's then.
                let (app, key) = (row.get::<_, String>(0), row.get::<_, String>(1));
                Ok(app
                    .ok()
                    .zip(key.ok())
                    .map(|(app, key)| Print::of(secret, &app, &key)))
            })
            .optional()?;
        match key {
            None => {
                text.execute([seq])?;
            }
            Some(key) => gone.keys.extend(key.map(|print| (print, *seq))),
        }
        gone.events += 1;
    }
    Ok(gone)
}
