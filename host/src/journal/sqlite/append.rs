//! Appends an event: one row.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::state::Shared;
use super::sums::{self, Stored};
use super::{is_damage, mark};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, EventId, PluginName};
use crate::journal::claim::first_due;
use crate::journal::known::{Print, Secret};
use crate::journal::queue::Entry;
use crate::journal::{Appended, NewEvent, State};

/// An event with everything that is worked out before the writer gets it, because the writer does one job at a time.
pub(super) struct NewRow {
    stored: Stored,
    origin: String,
    sum: i64,
    plugins: Vec<PluginName>,
    print: Option<Print>,
    window: Option<std::time::Duration>,
    secret: Secret,
}

/// What became of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) appended: Appended,
    /// Whether its deliveries have rows, because a mark is past it.
    is_late: bool,
}

impl NewRow {
    pub(super) fn of(event: NewEvent, secret: &Secret) -> Self {
        let NewEvent {
            envelope,
            kind,
            dedupe,
            key,
            plugins,
        } = event;
        let names: Vec<&str> = plugins.iter().map(PluginName::as_str).collect();
        let origin = envelope.origin.to_text();
        let window = dedupe.as_ref().and_then(|dedupe| dedupe.window);
        let stored = Stored {
            kind: kind.as_str().to_owned(),
            dedupe: dedupe.map(|dedupe| dedupe.key),
            key,
            plugins: names.join(","),
            envelope,
        };
        let app = stored.envelope.app.as_str();
        let print = |key: &String| Print::of(secret, app, key);
        Self {
            print: stored.dedupe.as_ref().map(print),
            sum: stored.sum(&origin),
            stored,
            origin,
            plugins,
            window,
            secret: *secret,
        }
    }

    pub(super) fn received_at(&self) -> UnixMs {
        self.stored.envelope.received_at
    }

    /// Its deliveries.
    pub(super) fn ids(&self) -> impl Iterator<Item = DeliveryId> {
        let event = self.stored.envelope.id;
        let plugins = self.plugins.iter().cloned();
        plugins.map(move |plugin| DeliveryId { event, plugin })
    }

    fn seq(&self) -> i64 {
        self.stored.envelope.id.order()
    }

    fn deliveries(&self) -> impl Iterator<Item = (&PluginName, UnixMs)> {
        first_due(self.stored.envelope.received_at, &self.plugins)
    }
}

/// Appends within a transaction; [`settle`] must follow.
pub(super) fn append(
    connection: &Connection,
    row: &NewRow,
    shared: &Shared,
) -> rusqlite::Result<Written> {
    let (is_late, same_print) = {
        let mut state = shared.lock();
        let same = row.print.map(|print| state.known.events(print).collect());
        (state.tail.begin(row.seq()), same.unwrap_or_default())
    };
    if let Some(first) = find_first(connection, row, same_print)? {
        let appended = Appended::Duplicate(first);
        return Ok(Written { appended, is_late });
    }
    insert(connection, row)?;
    if let Some(print) = row.print {
        // Before the commit, for the next event of this transaction. If the transaction is given up, its row is not there,
        // and a key without a row is nobody's.
        shared.lock().known.insert(print, row.seq());
    }
    if is_late {
        for (plugin, due_at) in row.deliveries() {
            bear(connection, row.stored.envelope.id, plugin, due_at)?;
        }
        let pairs: Vec<(Print, i64)> = row
            .print
            .map(|print| (print, row.seq()))
            .into_iter()
            .collect();
        mark::write_known(connection, &row.secret, row.seq(), row.seq(), &pairs)?;
    }
    let appended = Appended::New;
    Ok(Written { appended, is_late })
}

/// Takes over what came of it, on the writer's thread.
pub(super) fn settle(row: &NewRow, written: Option<&Written>, shared: &Shared) {
    let mut state = shared.lock();
    let Some(Written {
        appended: Appended::New,
        is_late,
    }) = written
    else {
        state.tail.give_up(row.seq());
        if let (None, Some(print)) = (written, row.print) {
            state.known.remove(print, row.seq());
        }
        return;
    };
    let envelope = &row.stored.envelope;
    state.tail.appended(row.seq(), row.print);
    state.recent.put(envelope, row.plugins.len());
    let key: Option<Arc<str>> = row.stored.key.as_deref().map(Into::into);
    for (plugin, due_at) in row.deliveries() {
        let mut entry = Entry::new(envelope.id, key.clone(), envelope.received_at, due_at).fresh();
        entry.has_row = *is_late;
        state.queue.insert(plugin, entry);
    }
    shared.want_mark(&mut state);
}

/// The event that came before and is the same, if there is one and it counts.
fn find_first(
    connection: &Connection,
    row: &NewRow,
    same_print: Vec<i64>,
) -> rusqlite::Result<Option<EventId>> {
    let envelope = &row.stored.envelope;
    // The last one first: with a window, the earlier ones count no more.
    for seq in same_print {
        match first_at(connection, row, seq) {
            Ok(None) => {}
            Ok(Some((id, first))) => {
                let age = envelope.received_at.0.saturating_sub(first);
                let age = u128::try_from(age).unwrap_or(0);
                let counts = row.window.is_none_or(|window| age < window.as_millis());
                return Ok(counts.then_some(id));
            }
            Err(error) if is_damage(&error) => {
                tracing::warn!(seq, %error, "an event is damaged, so one that may be the same is taken for a new one");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn first_at(
    connection: &Connection,
    row: &NewRow,
    seq: i64,
) -> rusqlite::Result<Option<(EventId, i64)>> {
    connection
        .prepare_cached(
            "SELECT id, received_at FROM event WHERE seq = ?1 AND app = ?2 AND dedupe = ?3",
        )?
        .query_row(
            params![seq, row.stored.envelope.app.as_str(), row.stored.dedupe],
            |found| Ok((EventId::from_bytes(found.get(0)?), found.get(1)?)),
        )
        .optional()
}

fn insert(connection: &Connection, row: &NewRow) -> rusqlite::Result<()> {
    let Stored {
        envelope,
        kind,
        dedupe,
        key,
        plugins,
    } = &row.stored;
    connection
        .prepare_cached(
            "INSERT INTO event (seq, id, app, kind, origin, received_at, dedupe, key, plugins, sum, raw)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            row.seq(),
            envelope.id.as_bytes(),
            envelope.app.as_str(),
            kind,
            row.origin,
            envelope.received_at.0,
            dedupe,
            key,
            plugins,
            row.sum,
            &*envelope.raw,
        ])?;
    Ok(())
}

/// Writes the row of a delivery that was never attempted, if it has none.
pub(super) fn bear(
    connection: &Connection,
    event: EventId,
    plugin: &PluginName,
    due_at: UnixMs,
) -> rusqlite::Result<()> {
    let id = DeliveryId {
        event,
        plugin: plugin.clone(),
    };
    connection
        .prepare_cached(
            "INSERT INTO delivery (seq, plugin, state, attempts, spared, due_at, sum) VALUES (?1, ?2, ?3, 0, 0, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            event.order(),
            plugin.as_str(),
            State::Pending.as_str(),
            due_at.0,
            sums::of_delivery(&id, None),
        ])?;
    Ok(())
}
