//! Timers in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::append::{NewRow, Written, append, settle};
use super::state::Shared;
use super::{SqliteJournal, damaged, text};
use crate::clock::UnixMs;
use crate::ids::PluginName;
use crate::journal::timers::{
    DueTimers, MAX_TIMERS, Missed, Repeat, Timer, TimerChange, TimerError, Timers, Turn,
};
use crate::journal::{Appended, JournalError};
use crate::store::Recording;
use crate::store::sqlite::StoreError;

impl From<StoreError> for TimerError {
    fn from(error: StoreError) -> Self {
        Self::Journal(error.into())
    }
}

#[async_trait]
impl Timers for SqliteJournal {
    async fn change(&self, change: TimerChange) -> Result<bool, TimerError> {
        let changed = self
            .store
            .write(move |connection| apply(connection, &change));
        changed.await?
    }

    fn is_transactional(&self) -> bool {
        true
    }

    async fn change_recorded(
        &self,
        change: TimerChange,
        mut recording: Recording<TimerError>,
    ) -> Result<bool, TimerError> {
        let changed = self.store.write(move |connection| {
            let outcome = apply(connection, &change)?;
            recording.sqlite(connection, &outcome)?;
            Ok(outcome)
        });
        changed.await?
    }

    async fn timers(&self, plugin: &PluginName) -> Result<Vec<Timer>, TimerError> {
        let plugin = plugin.clone();
        let timers = self.store.read(move |connection| {
            connection
                .prepare_cached(&select("WHERE plugin = ?1 ORDER BY name"))?
                .query_map([plugin.as_str()], timer)?
                .collect::<rusqlite::Result<Vec<_>>>()
        });
        Ok(timers.await?)
    }

    async fn due_timers(
        &self,
        plugins: &[PluginName],
        now: UnixMs,
        limit: usize,
    ) -> Result<DueTimers, JournalError> {
        let plugins = plugins.to_vec();
        let found = self
            .store
            .read(move |connection| due(connection, &plugins, now, limit));
        Ok(found.await?)
    }

    async fn fire(&self, turn: Turn) -> Result<bool, JournalError> {
        let Turn { timer, event, next } = turn;
        if let Some(event) = &event {
            self.check_room(event.plugins.len())?;
        }
        let row = event.map(|event| Arc::new(NewRow::of(event, &self.secret)));
        let (of_settle, shared) = (row.clone(), Arc::clone(&self.shared));
        let fired = self.store.write_then(
            {
                let shared = Arc::clone(&shared);
                move |connection| fire(connection, &timer, next, row.as_deref(), &shared)
            },
            move |fired| {
                if let Some(row) = of_settle {
                    settle(
                        &row,
                        fired.and_then(|fired| fired.written.as_ref()),
                        &shared,
                    );
                }
            },
        );
        let fired = fired.await?;
        self.mark_if_wanted();
        Ok(fired.moved)
    }
}

fn select(condition: &str) -> String {
    format!(
        "SELECT plugin, name, app, due_at, pattern, time_zone, missed, payload, revision FROM timer {condition}"
    )
}

fn timer(row: &Row<'_>) -> rusqlite::Result<Timer> {
    let pattern: Option<String> = row.get(4)?;
    let time_zone: Option<String> = row.get(5)?;
    Ok(Timer {
        plugin: text(row, 0)?.as_str().into(),
        name: text(row, 1)?,
        app: text(row, 2)?.as_str().into(),
        due_at: UnixMs(row.get(3)?),
        repeat: pattern
            .zip(time_zone)
            .map(|(pattern, time_zone)| Repeat { pattern, time_zone }),
        missed: Missed::from_text(&text(row, 6)?).ok_or_else(|| damaged(6, "unknown policy"))?,
        payload: text(row, 7)?.into(),
        revision: row.get(8)?,
    })
}

/// The inner result is the plugin's, the outer one the store's.
fn apply(
    connection: &Connection,
    change: &TimerChange,
) -> rusqlite::Result<Result<bool, TimerError>> {
    match change {
        TimerChange::Set(timer) => set(connection, timer),
        TimerChange::Cancel { plugin, name } => {
            let removed = connection
                .prepare_cached("DELETE FROM timer WHERE plugin = ?1 AND name = ?2")?
                .execute(params![plugin.as_str(), name])?;
            Ok(Ok(removed == 1))
        }
    }
}

fn set(connection: &Connection, new: &Timer) -> rusqlite::Result<Result<bool, TimerError>> {
    let present = connection
        .prepare_cached(&select("WHERE plugin = ?1 AND name = ?2"))?
        .query_row(params![new.plugin.as_str(), new.name], timer)
        .optional()?;
    if present.is_none() {
        let count: i64 = connection
            .prepare_cached("SELECT count(*) FROM timer WHERE plugin = ?1")?
            .query_row([new.plugin.as_str()], |row| row.get(0))?;
        if usize::try_from(count).unwrap_or(usize::MAX) >= MAX_TIMERS {
            return Ok(Err(TimerError::Full));
        }
    }
    let due_at = present
        .filter(|present| present.repeat.is_some() && present.repeat == new.repeat)
        .map_or(new.due_at, |present| present.due_at);
    let repeat = new.repeat.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO timer (plugin, name, app, due_at, pattern, time_zone, missed, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET app = excluded.app, due_at = excluded.due_at, pattern = excluded.pattern,
             time_zone = excluded.time_zone, missed = excluded.missed, payload = excluded.payload, revision = revision + 1",
        )?
        .execute(params![
            new.plugin.as_str(),
            new.name,
            new.app.as_str(),
            due_at.0,
            repeat.map(|repeat| &repeat.pattern),
            repeat.map(|repeat| &repeat.time_zone),
            new.missed.as_str(),
            &*new.payload,
        ])?;
    Ok(Ok(true))
}

fn due(
    connection: &Connection,
    plugins: &[PluginName],
    now: UnixMs,
    limit: usize,
) -> rusqlite::Result<DueTimers> {
    let mut found = DueTimers::default();
    let mut passed = connection.prepare_cached(&select(
        "WHERE plugin = ?1 AND due_at <= ?2 ORDER BY due_at, name LIMIT ?3",
    ))?;
    let mut next = connection
        .prepare_cached("SELECT min(due_at) FROM timer WHERE plugin = ?1 AND due_at > ?2")?;
    for plugin in plugins {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = passed.query_map(params![plugin.as_str(), now.0, limit], timer)?;
        found
            .due
            .extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        let next: Option<i64> =
            next.query_row(params![plugin.as_str(), now.0], |row| row.get(0))?;
        found.next_due = found.next_due.into_iter().chain(next.map(UnixMs)).min();
    }
    found.due.sort_by_key(|timer| timer.due_at);
    Ok(found)
}

/// What became of a timer that was due.
#[derive(Default)]
struct Fired {
    /// Whether it was as it had been read, and is moved now.
    moved: bool,
    /// Its event.
    written: Option<Written>,
}

fn fire(
    connection: &Connection,
    timer: &Timer,
    next: Option<UnixMs>,
    event: Option<&NewRow>,
    shared: &Shared,
) -> rusqlite::Result<Fired> {
    let same = params![timer.plugin.as_str(), timer.name, timer.revision];
    let moved = match next {
        Some(next) => connection
            .prepare_cached(
                "UPDATE timer SET due_at = ?4, revision = revision + 1 WHERE plugin = ?1 AND name = ?2 AND revision = ?3",
            )?
            .execute(params![timer.plugin.as_str(), timer.name, timer.revision, next.0])?,
        None => connection
            .prepare_cached("DELETE FROM timer WHERE plugin = ?1 AND name = ?2 AND revision = ?3")?
            .execute(same)?,
    };
    if moved == 0 {
        return Ok(Fired::default());
    }
    let written = event
        .map(|event| append(connection, event, shared))
        .transpose()?;
    debug_assert!(
        written.is_none_or(|written| written.appended == Appended::New),
        "events of timers have no dedupe key"
    );
    Ok(Fired {
        moved: true,
        written,
    })
}
