//! Reads the events of claimed deliveries.

use rusqlite::{Connection, params};

use super::load::names;
use super::sums::{self, Stored};
use super::{damaged, effects};
use crate::clock::UnixMs;
use crate::ids::DeliveryId;
use crate::journal::Claimed;
use crate::journal::State;
use crate::journal::queue::Turn;

/// The event of a delivery whose turn it is, and what else an attempt needs; an error if any of it is damaged.
pub(super) fn read(connection: &Connection, turn: &Turn) -> rusqlite::Result<Claimed> {
    let Turn { id, entry } = turn;
    let stored = connection
        .prepare_cached(&format!(
            "SELECT {} FROM event WHERE seq = ?1",
            Stored::COLUMNS
        ))?
        .query_row([id.event.order()], Stored::read)?;
    let plugins = names(&stored.plugins);
    let is_sound = if entry.has_row {
        let (key, sum): (Option<String>, i64) = connection
            .prepare_cached("SELECT key, sum FROM delivery WHERE seq = ?1 AND plugin = ?2")?
            .query_row(params![id.event.order(), id.plugin.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        sums::is_sound(id, &plugins, key.as_deref(), sum)
    } else {
        plugins.contains(&id.plugin)
    };
    if stored.envelope.id != id.event || !is_sound {
        return Err(damaged(0, "its check sum is wrong"));
    }
    Ok(Claimed {
        has_effects: effects::exist(connection, id)?,
        id: id.clone(),
        attempts: entry.attempts,
        spared: entry.spared,
        envelope: stored.envelope,
    })
}

/// The row of a delivery that something happened to.
pub(super) struct DeliveryRow {
    pub(super) id: DeliveryId,
    pub(super) state: State,
    pub(super) attempts: u32,
    pub(super) spared: u32,
    pub(super) due_at: UnixMs,
    pub(super) reason: Option<String>,
    pub(super) finished_at: Option<UnixMs>,
    /// For a row that is new.
    pub(super) sum: i64,
}

impl DeliveryRow {
    /// Of one that waits for a person, because a plugin must not see what it has.
    pub(super) fn damaged(id: DeliveryId, attempts: u32, spared: u32, now: UnixMs) -> Self {
        Self {
            sum: sums::of_delivery(&id, None),
            id,
            state: State::Parked,
            attempts,
            spared,
            due_at: now,
            reason: Some("it is damaged on disk".to_owned()),
            finished_at: Some(now),
        }
    }

    /// Of one that was done at the first attempt.
    pub(super) fn done(id: DeliveryId, at: UnixMs) -> Self {
        Self {
            state: State::Done,
            attempts: 1,
            reason: None,
            ..Self::damaged(id, 0, 0, at)
        }
    }

    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO delivery (seq, plugin, state, attempts, spared, due_at, reason, finished_at, sum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT DO UPDATE SET state = excluded.state, attempts = excluded.attempts, spared = excluded.spared,
                 due_at = excluded.due_at, reason = excluded.reason, finished_at = excluded.finished_at",
            )?
            .execute(params![
                self.id.event.order(),
                self.id.plugin.as_str(),
                self.state.as_str(),
                self.attempts,
                self.spared,
                self.due_at.0,
                self.reason,
                self.finished_at.map(|at| at.0),
                self.sum,
            ])?;
        Ok(())
    }
}
