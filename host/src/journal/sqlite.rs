//! The journal in SQLite.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::claim::{Candidate, choose, first_due, places_held};
use super::{
    Amended, Appended, Change, Claimed, Claims, Effect, Effects, Ending, EventRecord, Filter,
    Journal, JournalError, NewEvent, Open, Places, Record, Selection, State,
};
use crate::clock::{self, UnixMs};
use crate::event::{Envelope, Origin};
use crate::ids::{DeliveryId, EventId, PluginName};
use crate::store::Join;
use crate::store::sqlite::{Store, StoreError, open_reader};

mod amend;
mod backfill;
mod effects;
mod list;
mod prune;
mod sums;
mod timers;
mod verify;

pub use self::backfill::StartedApproval;

use self::list::{list, open};
use self::sums::Sums;

/// Claimed deliveries with their keys.
type Held = HashMap<DeliveryId, String>;

/// A journal in a [`Store`].
pub struct SqliteJournal {
    store: Store,
    /// Claims live in memory only: after a crash what was claimed is due again.
    claimed: Mutex<Held>,
    /// Held while deliveries are claimed or changed by a person, so that neither sees the other half done.
    gate: tokio::sync::Mutex<()>,
}

impl SqliteJournal {
    /// The journal in an open store. New event ids will come after those it has.
    pub async fn open(store: Store) -> Result<Self, JournalError> {
        let last: Option<i64> = store
            .read(|connection| {
                connection.query_row("SELECT max(seq) FROM event", [], |row| row.get(0))
            })
            .await?;
        clock::ids_go_on_after(last.unwrap_or(0));
        Ok(Self {
            store,
            claimed: Mutex::default(),
            gate: tokio::sync::Mutex::default(),
        })
    }

    /// Closes the store under it, so that another can open the file.
    #[cfg(test)]
    pub(super) async fn close_store(&self) {
        self.store.clone().close().await;
    }

    /// Lists events of a file that another process may be writing.
    pub fn list_file(path: &Path, filter: &Filter) -> Result<Vec<EventRecord>, JournalError> {
        let connection = open_reader(path)?;
        Ok(list(&connection, filter).map_err(StoreError::from)?)
    }

    fn claimed(&self) -> std::sync::MutexGuard<'_, Held> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            other => Self::Unusable(other.to_string()),
        }
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, event: NewEvent) -> Result<Appended, JournalError> {
        let sums = Sums::of(&event);
        Ok(self
            .store
            .try_write(move |connection| append(connection, &event, &sums))
            .await?)
    }

    async fn claim_due(&self, now: UnixMs, places: Places) -> Result<Claims, JournalError> {
        let _gate = self.gate.lock().await;
        let taken = self.claimed().clone();
        // Through the writer, so that nothing is claimed between the append of an event and its commit.
        let (claims, keys) = self
            .store
            .write(move |connection| claim_due(connection, &taken, now, &places))
            .await?;
        let ids = claims.due.iter().map(|claimed| claimed.id.clone());
        self.claimed().extend(ids.zip(keys));
        Ok(claims)
    }

    async fn finish(
        &self,
        id: &DeliveryId,
        ending: Ending,
        now: UnixMs,
    ) -> Result<(), JournalError> {
        let delivery = id.clone();
        self.store
            .write(move |connection| finish(connection, &delivery, &ending, now))
            .await?;
        self.claimed().remove(id);
        Ok(())
    }

    async fn amend(
        &self,
        selection: &Selection,
        change: Option<Change>,
        now: UnixMs,
    ) -> Result<Amended, JournalError> {
        let mut amended = Amended::default();
        let mut after = (i64::MIN, String::new());
        loop {
            let _gate = self.gate.lock().await;
            let (held, selection, from) = (self.claimed().clone(), selection.clone(), after);
            let batch = self.store.write(move |connection| {
                amend::amend(connection, &selection, change, now, &held, &from)
            });
            let (batch, next) = batch.await?;
            amended += batch;
            match next {
                Some(next) => after = next,
                None => return Ok(amended),
            }
        }
    }

    async fn give(&self, id: &DeliveryId, key: &str, now: UnixMs) -> Result<bool, JournalError> {
        let (id, key) = (id.clone(), key.to_owned());
        let _gate = self.gate.lock().await;
        Ok(self
            .store
            .write(move |connection| amend::give(connection, &id, &key, now))
            .await?)
    }

    async fn record(&self, id: &DeliveryId, entries: Vec<Record>) -> Result<(), JournalError> {
        let id = id.clone();
        Ok(self
            .store
            .write(move |connection| effects::record(connection, &id, &entries))
            .await?)
    }

    async fn record_later(
        &self,
        id: &DeliveryId,
        entries: Vec<Record>,
    ) -> Result<(), JournalError> {
        let id = id.clone();
        Ok(self
            .store
            .write_later(move |connection| effects::record(connection, &id, &entries))
            .await?)
    }

    fn join(&self, id: &DeliveryId, before: Vec<Record>, call: Effect) -> Box<dyn Join> {
        Box::new(effects::Joined {
            id: id.clone(),
            before,
            call,
        })
    }

    async fn effects(&self, id: &DeliveryId) -> Result<Effects, JournalError> {
        let id = id.clone();
        Ok(self
            .store
            .read(move |connection| effects::load(connection, &id))
            .await?)
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<EventRecord>, JournalError> {
        let filter = filter.clone();
        Ok(self
            .store
            .read(move |connection| list(connection, &filter))
            .await?)
    }

    async fn open(&self) -> Result<Open, JournalError> {
        Ok(self.store.read(open).await?)
    }

    async fn probe(&self, now: UnixMs) -> Result<(), JournalError> {
        let probe = "INSERT INTO probe VALUES (0, ?1) ON CONFLICT DO UPDATE SET at = excluded.at";
        self.store
            .try_write(move |connection| connection.execute(probe, [now.0]))
            .await?;
        Ok(())
    }
}

fn append(connection: &Connection, event: &NewEvent, sums: &Sums) -> rusqlite::Result<Appended> {
    let NewEvent {
        envelope,
        dedupe,
        key,
        plugins,
        ..
    } = event;
    let received_at = envelope.received_at.0;
    // Nearly every event is new, so the index is asked while inserting and not before.
    if !insert(connection, event, sums)? {
        let (seq, id, first): (i64, EventId, i64) = connection
            .prepare_cached(
                "SELECT seq, id, received_at FROM event WHERE app = ?1 AND dedupe = ?2",
            )?
            .query_row(
                params![
                    envelope.app.as_str(),
                    dedupe.as_ref().map(|dedupe| &dedupe.key)
                ],
                |row| Ok((row.get(0)?, event_id(row, 1)?, row.get(2)?)),
            )?;
        let window = dedupe.as_ref().and_then(|dedupe| dedupe.window);
        let age = u128::try_from(received_at.saturating_sub(first)).unwrap_or(0);
        if window.is_none_or(|window| age < window.as_millis()) {
            return Ok(Appended::Duplicate(id));
        }
        connection
            .prepare_cached("UPDATE event SET dedupe = NULL WHERE seq = ?1")?
            .execute([seq])?;
        insert(connection, event, sums)?;
    }
    let own_key = envelope.id.to_string();
    let key = key.as_deref().unwrap_or(&own_key);
    let mut insert = connection.prepare_cached(
        "INSERT INTO delivery (seq, plugin, key, state, ready, due_at, sum) VALUES (?1, ?2, ?3, 'pending',
         NOT EXISTS (SELECT 1 FROM delivery WHERE plugin = ?2 AND key = ?3 AND state = 'pending'), ?4, ?5)",
    )?;
    let due = first_due(envelope.received_at, plugins);
    for ((plugin, due_at), sum) in due.zip(&sums.deliveries) {
        insert.execute(params![
            envelope.id.order(),
            plugin.as_str(),
            key,
            due_at.0,
            sum
        ])?;
    }
    Ok(Appended::New)
}

/// Whether the event was inserted; not if another one has its dedupe key.
fn insert(connection: &Connection, event: &NewEvent, sums: &Sums) -> rusqlite::Result<bool> {
    let NewEvent {
        envelope,
        kind,
        dedupe,
        ..
    } = event;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO event (seq, id, app, kind, origin, received_at, dedupe, sum, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (app, dedupe) WHERE dedupe IS NOT NULL DO NOTHING",
        )?
        .execute(params![
            envelope.id.order(),
            envelope.id.as_bytes(),
            envelope.app.as_str(),
            kind.as_str(),
            envelope.origin.to_text(),
            envelope.received_at.0,
            dedupe.as_ref().map(|dedupe| &dedupe.key),
            sums.event,
            &*envelope.raw,
        ])?;
    Ok(inserted == 1)
}

fn claim_due(
    connection: &Connection,
    taken: &Held,
    now: UnixMs,
    places: &Places,
) -> rusqlite::Result<(Claims, Vec<String>)> {
    let held = places_held(taken.keys());
    let held_keys: HashSet<(&str, &str)> = taken
        .iter()
        .map(|(id, key)| (id.plugin.as_str(), key.as_str()))
        .collect();
    let mut candidates = Vec::new();
    for plugin in plugins_with_open_deliveries(connection)? {
        let already = held.get(&plugin).copied().unwrap_or(0);
        let room = (places.most)(&plugin).saturating_sub(already);
        if room == 0 {
            continue;
        }
        // No plugin gets more than half of the free places, so a long queue costs no more than a short one.
        let enough = already + (places.free / 2 + 1).min(room) + 1;
        match ready(connection, &plugin, enough) {
            // It may be another one than the claimed one, if a person made an older delivery run again.
            Ok(ready) => candidates.extend(ready.into_iter().filter(|candidate| {
                let key = candidate.value.2.as_str();
                !held_keys.contains(&(plugin.as_str(), key))
            })),
            // The queues of the others may be sound.
            Err(error) if is_damage(&error) => {
                tracing::error!(%plugin, %error, "the queue of a plugin is damaged; `belfry journal verify` says more");
            }
            Err(error) => return Err(error),
        }
    }
    candidates.sort_by_key(|candidate| (candidate.due_at, candidate.value.0));
    let (chosen, next_due) = choose(candidates, held, now, places);
    let (mut due, mut keys) = (Vec::new(), Vec::new());
    for (seq, id, key) in chosen {
        match claimed(connection, seq, &id, &key) {
            Ok(claimed) => {
                due.push(claimed);
                keys.push(key);
            }
            Err(error) if is_damage(&error) => {
                let (event, plugin) = (id.event, &id.plugin);
                tracing::error!(%event, %plugin, %error, "a delivery is damaged and parked");
                park_damaged(connection, seq, plugin, &key)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((Claims { due, next_due }, keys))
}

/// What is ready of a plugin, at most so many.
fn ready(
    connection: &Connection,
    plugin: &PluginName,
    most: usize,
) -> rusqlite::Result<Vec<Candidate<(i64, DeliveryId, String)>>> {
    let mut select = connection.prepare_cached(
        "SELECT d.seq, e.id, d.due_at, d.key FROM delivery d JOIN event e ON e.seq = d.seq
         WHERE d.plugin = ?1 AND d.state = 'pending' AND d.ready = 1 ORDER BY d.due_at, d.seq LIMIT ?2",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = select.query(params![plugin.as_str(), most])?;
    let mut ready = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let (event, key) = match (event_id(row, 1), text(row, 3)) {
            (Ok(event), Ok(key)) => (event, key),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%plugin, seq, %error, "a delivery is damaged and left out");
                continue;
            }
        };
        ready.push(Candidate {
            due_at: UnixMs(row.get(2)?),
            plugin: plugin.clone(),
            value: (
                seq,
                DeliveryId {
                    event,
                    plugin: plugin.clone(),
                },
                key,
            ),
        });
    }
    Ok(ready)
}

/// Whether the file has something in it that nobody wrote.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows,
        Utf8Error,
    };
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt)
        || matches!(
            error,
            FromSqlConversionFailure(..)
                | IntegralValueOutOfRange(..)
                | InvalidColumnType(..)
                | QueryReturnedNoRows
                | Utf8Error(..)
        )
}

/// What a plugin must not see waits for a person, and lets its key go.
fn park_damaged(
    connection: &Connection,
    seq: i64,
    plugin: &PluginName,
    key: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE delivery SET state = 'parked', ready = 0, reason = 'it is damaged on disk' WHERE seq = ?1 AND plugin = ?2",
        )?
        .execute(params![seq, plugin.as_str()])?;
    amend::elect(connection, plugin, key)
}

/// From one plugin to the next along the index, past however many deliveries each has.
fn plugins_with_open_deliveries(connection: &Connection) -> rusqlite::Result<Vec<PluginName>> {
    let mut next = connection.prepare_cached(
        "SELECT min(plugin) FROM delivery WHERE state = 'pending' AND ready = 1 AND plugin > CAST(?1 AS TEXT)",
    )?;
    let (mut plugins, mut last) = (Vec::new(), Vec::new());
    loop {
        let found: Option<Vec<u8>> = next.query_row([&last], |row| {
            Ok(row
                .get_ref(0)?
                .as_bytes_or_null()
                .ok()
                .flatten()
                .map(<[u8]>::to_vec))
        })?;
        // A name that decayed is no plugin's, and no reason to stop at.
        let Some(found) = found.filter(|found| *found > last) else {
            return Ok(plugins);
        };
        if let Ok(plugin) = std::str::from_utf8(&found) {
            plugins.push(plugin.into());
        }
        last = found;
    }
}

fn claimed(
    connection: &Connection,
    seq: i64,
    id: &DeliveryId,
    key: &str,
) -> rusqlite::Result<Claimed> {
    let mut select = connection.prepare_cached(
        "SELECT d.attempts, e.app, e.origin, e.received_at, e.raw, d.spared, d.sum, e.sum
         FROM delivery d JOIN event e ON e.seq = d.seq WHERE d.seq = ?1 AND d.plugin = ?2",
    )?;
    select.query_row(params![seq, id.plugin.as_str()], |row| {
        let envelope = Envelope {
            id: id.event,
            app: text(row, 1)?.as_str().into(),
            origin: Origin::from_text(&text(row, 2)?)
                .ok_or_else(|| damaged(2, "unknown origin"))?,
            received_at: UnixMs(row.get(3)?),
            raw: text(row, 4)?.into(),
        };
        let found: (i64, i64) = (row.get(6)?, row.get(7)?);
        if found != (sums::of_delivery(id, key), sums::of_event(&envelope)) {
            return Err(damaged(7, "its check sum is wrong"));
        }
        Ok(Claimed {
            has_effects: effects::exist(connection, id)?,
            id: id.clone(),
            attempts: row.get(0)?,
            spared: row.get(5)?,
            envelope,
        })
    })
}

fn finish(
    connection: &Connection,
    id: &DeliveryId,
    ending: &Ending,
    now: UnixMs,
) -> rusqlite::Result<()> {
    let (state, reason, due_at) = match ending {
        Ending::Done => (State::Done, None, now),
        Ending::Retry { at, reason, .. } => (State::Pending, Some(reason), *at),
        Ending::Parked { reason } => (State::Parked, Some(reason), now),
        Ending::Dead { reason } => (State::Dead, Some(reason), now),
    };
    let open = state == State::Pending;
    let spared = matches!(ending, Ending::Retry { spared: true, .. });
    let key: String = connection
        .prepare_cached(
            "UPDATE delivery SET state = ?3, reason = ?4, due_at = ?5, attempts = attempts + 1, ready = ?6, finished_at = ?7, spared = spared + ?8
             WHERE seq = ?1 AND plugin = ?2 RETURNING key",
        )?
        .query_row(
            params![id.event.order(), id.plugin.as_str(), state.as_str(), reason, due_at.0, open, (!open).then_some(now.0), spared],
            |row| row.get(0),
        )?;
    if open {
        // An older one may wait, if a person made it run again meanwhile.
        return amend::elect(connection, &id.plugin, &key);
    }
    connection
        .prepare_cached(
            "UPDATE delivery SET ready = 1 WHERE plugin = ?1 AND ready = 0 AND seq =
             (SELECT min(seq) FROM delivery WHERE plugin = ?1 AND key = ?2 AND state = 'pending')",
        )?
        .execute(params![id.plugin.as_str(), key])?;
    Ok(())
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    row.get(column)
}

fn event_id(row: &Row<'_>, column: usize) -> rusqlite::Result<EventId> {
    row.get(column).map(EventId::from_bytes)
}

fn damaged(column: usize, text: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, text.into())
}
