//! The journal in SQLite.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rusqlite::Row;

use self::append::{NewRow, append, settle};
use self::claim::DeliveryRow;
use self::list::{count, list};
use self::state::Shared;
use super::known::Secret;
use super::queue::Turn;
use super::{
    Amended, Appended, Change, Claimed, Claims, Effect, Effects, Ending, EventRecord, Filter,
    Journal, JournalError, NewEvent, Open, Places, Record, Selection, State,
};
use crate::clock::{self, UnixMs};
use crate::ids::{DeliveryId, EventId};
use crate::store::Join;
use crate::store::sqlite::{Store, StoreError, open_reader};

mod amend;
mod append;
mod backfill;
mod claim;
mod effects;
mod list;
mod load;
mod mark;
mod prune;
mod state;
mod sums;
mod timers;
mod verify;

pub use self::backfill::StartedApproval;

/// A journal in a [`Store`].
///
/// The file has what arrived and what became of it. What is open and which dedupe keys are known is kept in memory as well,
/// filled from the file at the start and changed by the writer's thread right after each commit: a claim asks no table whose
/// turn it is. Claims live in memory only: after a crash what was claimed is due again.
pub struct SqliteJournal {
    store: Store,
    shared: Arc<Shared>,
    secret: Secret,
}

impl SqliteJournal {
    /// The journal in an open store. New event ids will come after those it has.
    pub async fn open(store: Store) -> Result<Self, JournalError> {
        let found = store
            .read(|connection| Ok(mark::secret(connection)))
            .await?;
        // A new one comes into the file with the first mark.
        let secret = found.unwrap_or_else(clock::secret);
        let load::Loaded {
            state,
            last,
            damaged,
            repair,
            mark,
        } = store
            .read(move |connection| load::load(connection, &secret))
            .await?;
        clock::ids_go_on_after(last);
        let journal = Self {
            store,
            shared: Arc::new(Shared::new(state)),
            secret,
        };
        if !repair.is_empty() {
            let mark = found.is_none().then_some(mark);
            let repaired = journal
                .store
                .write(move |connection| repair.write(connection, &secret, mark.as_ref()));
            if let Err(error) = repaired.await {
                tracing::error!(%error, "cannot write anew what is known of dedupe keys");
            }
        }
        for id in damaged {
            let (event, plugin) = (id.event, &id.plugin);
            tracing::error!(%event, %plugin, "a delivery is damaged and parked");
            let row = DeliveryRow::damaged(id, 0, 0, clock::now());
            let parked = journal.store.write(move |connection| row.write(connection));
            if let Err(error) = parked.await {
                // It is in no queue, so it does not run in this process either way.
                tracing::error!(%error, "cannot park a damaged delivery");
            }
        }
        // After damage everything was read; the next start shall be quick again.
        journal.shared.want_mark(&mut journal.shared.lock());
        journal.mark_if_wanted();
        Ok(journal)
    }

    /// Closes the store under it, so that another can open the file.
    #[cfg(test)]
    pub(super) async fn close_store(&self) {
        self.store.clone().close().await;
    }

    /// Appends very many events in few transactions, done or open: how a benchmark comes to a large journal.
    #[doc(hidden)]
    pub async fn fill(&self, events: Vec<NewEvent>, are_done: bool) -> Result<(), JournalError> {
        let rows: Vec<NewRow> = events
            .into_iter()
            .map(|event| NewRow::of(event, &self.secret))
            .collect();
        let rows = Arc::new(rows);
        let (of_settle, shared) = (Arc::clone(&rows), Arc::clone(&self.shared));
        let filled = self.store.write_then(
            {
                let shared = Arc::clone(&shared);
                move |connection| {
                    let mut all = Vec::with_capacity(rows.len());
                    for row in &*rows {
                        all.push(append(connection, row, &shared)?);
                        let done = row.ids().filter(|_| are_done);
                        done.map(|id| DeliveryRow::done(id, row.received_at()))
                            .try_for_each(|done| done.write(connection))?;
                    }
                    Ok(all)
                }
            },
            move |written| {
                for (index, row) in of_settle.iter().enumerate() {
                    settle(row, written.and_then(|all| all.get(index)), &shared);
                    let mut state = shared.lock();
                    for id in row.ids().filter(|_| are_done && written.is_some()) {
                        state.queue.remove(&id);
                    }
                }
            },
        );
        filled.await?;
        self.mark_if_wanted();
        Ok(())
    }

    /// Makes a fingerprint that is not its own lead to an event.
    #[cfg(test)]
    pub(super) fn confuse(&self, app: &str, key: &str, event: EventId) {
        let print = super::known::Print::of(&self.secret, app, key);
        self.shared.lock().known.insert(print, event.order());
    }

    /// How many dedupe keys are kept in memory.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> usize {
        self.shared.lock().known.len()
    }

    /// Changes the file behind the journal's back.
    #[cfg(test)]
    pub(super) async fn execute(&self, sql: &'static str) -> usize {
        let changed = self
            .store
            .write(move |connection| connection.execute(sql, []));
        changed.await.unwrap()
    }

    /// Answers a query of one number.
    #[cfg(test)]
    pub(super) async fn number(&self, sql: &'static str) -> i64 {
        let number = self
            .store
            .read(move |connection| connection.query_row(sql, [], |row| row.get(0)));
        number.await.unwrap()
    }

    /// How SQLite goes about a query.
    #[cfg(test)]
    pub(super) async fn plan(&self, query: &'static str) -> String {
        let plan = self.store.read(move |connection| {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}"))?;
            let mut rows = explain.raw_query();
            let mut plan = String::new();
            while let Some(row) = rows.next()? {
                plan.push_str(&row.get::<_, String>(3)?);
                plan.push('\n');
            }
            Ok(plan)
        });
        plan.await.unwrap()
    }

    /// Takes no more open deliveries than these.
    #[cfg(test)]
    pub(super) fn limit(&self, room: usize) {
        self.shared.lock().queue.limit(room);
    }

    /// Lists events of a file that another process may be writing.
    pub fn list_file(path: &Path, filter: &Filter) -> Result<Vec<EventRecord>, JournalError> {
        let connection = open_reader(path)?;
        Ok(list(&connection, filter).map_err(StoreError::from)?)
    }

    /// As [`Journal::select`], of a file that another process may be writing.
    pub fn select_file(
        path: &Path,
        selection: &Selection,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryId>, JournalError> {
        let connection = open_reader(path)?;
        let found = amend::select(&connection, selection, after, limit);
        Ok(found.map_err(StoreError::from)?)
    }

    /// Whether so many more deliveries may be open.
    fn check_room(&self, deliveries: usize) -> Result<(), JournalError> {
        let has_room = self.shared.lock().queue.has_room(deliveries);
        has_room.then_some(()).ok_or(JournalError::Full)
    }

    /// Has a mark written, if it is time for one.
    fn mark_if_wanted(&self) {
        if !self.shared.takes_mark() {
            return;
        }
        let (secret, shared) = (self.secret, Arc::clone(&self.shared));
        let of_settle = Arc::clone(&shared);
        let sent = self.store.try_write_later_then(
            move |connection| mark::advance(connection, &shared, &secret),
            move |upto| mark::settle(&of_settle, upto.copied().flatten()),
        );
        if sent.is_err() {
            mark::settle(&self.shared, None);
        }
    }

    /// Parks what a plugin must not see.
    async fn park_damaged(
        &self,
        turn: Turn,
        error: &rusqlite::Error,
        now: UnixMs,
    ) -> Result<(), JournalError> {
        let Turn { id, entry } = turn;
        let (event, plugin) = (id.event, &id.plugin);
        tracing::error!(%event, %plugin, %error, "a delivery is damaged and parked");
        let row = DeliveryRow::damaged(id.clone(), entry.attempts, entry.spared, now);
        let shared = Arc::clone(&self.shared);
        let parked = self.store.write_then(
            move |connection| row.write(connection),
            move |done| match done {
                Some(()) => drop(shared.lock().queue.remove(&id)),
                None => shared.lock().queue.release(&id),
            },
        );
        Ok(parked.await?)
    }
}

/// Gives back what was claimed and did not reach whoever claimed it.
struct Unclaim<'a> {
    shared: &'a Shared,
    turns: Vec<DeliveryId>,
}

impl Drop for Unclaim<'_> {
    fn drop(&mut self) {
        if self.turns.is_empty() {
            return;
        }
        let mut state = self.shared.lock();
        for id in &self.turns {
            state.queue.release(id);
        }
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
        self.check_room(event.plugins.len())?;
        let row = Arc::new(NewRow::of(event, &self.secret));
        let (of_settle, shared) = (Arc::clone(&row), Arc::clone(&self.shared));
        let written = self.store.try_write_then(
            {
                let shared = Arc::clone(&shared);
                move |connection| append(connection, &row, &shared)
            },
            move |written| settle(&of_settle, written, &shared),
        );
        let written = written.await?;
        self.mark_if_wanted();
        Ok(written.appended)
    }

    async fn claim_due(&self, now: UnixMs, places: Places) -> Result<Claims, JournalError> {
        let (turns, mut claimed, next_due) = {
            let mut state = self.shared.lock();
            let (turns, next_due) = state.queue.claim(now, &places);
            let claimed: Vec<Option<Claimed>> = turns
                .iter()
                .map(|Turn { id, entry }| {
                    let envelope = entry.is_fresh.then(|| state.recent.take(id.event))??;
                    Some(Claimed {
                        id: id.clone(),
                        attempts: entry.attempts,
                        spared: entry.spared,
                        has_effects: false,
                        envelope,
                    })
                })
                .collect();
            (turns, claimed, next_due)
        };
        let mut unclaim = Unclaim {
            shared: &self.shared,
            turns: turns.iter().map(|turn| turn.id.clone()).collect(),
        };
        let mut next_due = next_due;
        let unread: Vec<(usize, Turn)> = turns
            .into_iter()
            .enumerate()
            .filter(|(index, _)| claimed[*index].is_none())
            .collect();
        if !unread.is_empty() {
            let read = self.store.read(move |connection| {
                let read = unread.into_iter().map(|(index, turn)| {
                    let found = match claim::read(connection, &turn) {
                        Err(error) if !is_damage(&error) => return Err(error),
                        found => found,
                    };
                    Ok((index, turn, found))
                });
                read.collect::<rusqlite::Result<Vec<_>>>()
            });
            for (index, turn, found) in read.await? {
                match found {
                    Ok(found) => claimed[index] = Some(found),
                    Err(error) => {
                        // It lets its key go, so there may be more at once.
                        next_due = Some(now);
                        self.park_damaged(turn, &error, now).await?;
                    }
                }
            }
        }
        unclaim.turns.clear();
        let due = claimed.into_iter().flatten().collect();
        Ok(Claims { due, next_due })
    }

    async fn finish(
        &self,
        id: &DeliveryId,
        ending: Ending,
        now: UnixMs,
    ) -> Result<(), JournalError> {
        let (attempts, spared) = {
            let state = self.shared.lock();
            let entry = state.queue.get(id).ok_or_else(|| no_delivery(id))?;
            (entry.attempts, entry.spared)
        };
        let is_spared = matches!(ending, Ending::Retry { spared: true, .. });
        let (state, reason, due_at) = match ending {
            Ending::Done => (State::Done, None, now),
            Ending::Retry { at, reason, .. } => (State::Pending, Some(reason), at),
            Ending::Parked { reason } => (State::Parked, Some(reason), now),
            Ending::Dead { reason } => (State::Dead, Some(reason), now),
        };
        let open = state == State::Pending;
        let row = DeliveryRow {
            sum: sums::of_delivery(id, None),
            id: id.clone(),
            state,
            attempts: attempts + 1,
            spared: spared + u32::from(is_spared),
            due_at,
            reason,
            finished_at: (!open).then_some(now),
        };
        let (id, shared) = (id.clone(), Arc::clone(&self.shared));
        let written = self.store.write_then(
            move |connection| row.write(connection),
            move |done| {
                let mut state = shared.lock();
                match done {
                    // It stays claimed until its end is on disk.
                    None => {}
                    Some(()) if open => state.queue.retry(&id, due_at, is_spared),
                    Some(()) => drop(state.queue.remove(&id)),
                }
            },
        );
        Ok(written.await?)
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
            let held = Arc::new(Mutex::default());
            let piece = amend::Piece {
                selection: selection.clone(),
                change,
                now,
                after,
                held: Arc::clone(&held),
            };
            let shared = Arc::clone(&self.shared);
            let (amending, settling) = (Arc::clone(&shared), shared);
            let done = self.store.write_then(
                move |connection| amend::amend(connection, &piece, &amending),
                move |done| amend::settle(&held, change, now, done, &settling),
            );
            let done = done.await?;
            amended += done.amended;
            match done.next {
                Some(next) => after = next,
                None => return Ok(amended),
            }
        }
    }

    async fn select(
        &self,
        selection: &Selection,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryId>, JournalError> {
        let (selection, after) = (selection.clone(), after.cloned());
        let found = self
            .store
            .read(move |connection| amend::select(connection, &selection, after.as_ref(), limit));
        Ok(found.await?)
    }

    async fn give(&self, id: &DeliveryId, key: &str, now: UnixMs) -> Result<bool, JournalError> {
        let (id, key, shared) = (id.clone(), key.to_owned(), Arc::clone(&self.shared));
        let (of_settle, its_key) = (id.clone(), key.clone());
        let given = self.store.write_then(
            move |connection| amend::give(connection, &id, &key, now),
            move |given| {
                let received_at = given.copied().flatten();
                amend::settle_given(&of_settle, &its_key, now, received_at, &shared);
            },
        );
        Ok(given.await?.is_some())
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
        let counted = self.store.read(|connection| {
            Ok((
                count(connection, State::Parked)?,
                count(connection, State::Dead)?,
            ))
        });
        let (parked, dead) = counted.await?;
        let pending = self.shared.lock().queue.len();
        Ok(Open {
            pending: u64::try_from(pending).unwrap_or(u64::MAX),
            parked,
            dead,
        })
    }

    async fn probe(&self, now: UnixMs) -> Result<(), JournalError> {
        let probe = "INSERT INTO probe VALUES (0, ?1) ON CONFLICT DO UPDATE SET at = excluded.at";
        self.store
            .try_write(move |connection| connection.execute(probe, [now.0]))
            .await?;
        Ok(())
    }
}

fn no_delivery(id: &DeliveryId) -> JournalError {
    JournalError::Unusable(format!(
        "there is no open delivery of {} to {}",
        id.event, id.plugin
    ))
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

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    row.get(column)
}

fn event_id(row: &Row<'_>, column: usize) -> rusqlite::Result<EventId> {
    row.get(column).map(EventId::from_bytes)
}

fn damaged(column: usize, text: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, text.into())
}
