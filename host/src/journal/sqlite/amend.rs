//! A person's changes in SQLite.

use std::collections::HashSet;

use rusqlite::{Connection, ToSql, params, params_from_iter};

use super::{Held, effects, event_id, sums};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, PluginName};
use crate::journal::State;
use crate::journal::amend::{Amended, BATCH, Change, SKIPPED, Selection};

/// Where a change goes on: after this delivery, in the order of events.
pub(super) type Cursor = (i64, String);

struct Found {
    seq: i64,
    id: DeliveryId,
    key: String,
}

/// Changes a batch of what is selected. Answers with where to go on, if there may be more.
pub(super) fn amend(
    connection: &Connection,
    selection: &Selection,
    change: Option<Change>,
    now: UnixMs,
    held: &Held,
    after: &Cursor,
) -> rusqlite::Result<(Amended, Option<Cursor>)> {
    let found = find(connection, selection, after)?;
    let mut amended = Amended::default();
    let mut keys = HashSet::new();
    for delivery in &found {
        if held.contains_key(&delivery.id) {
            amended.running += 1;
            continue;
        }
        amended.deliveries += 1;
        if let Some(change) = change {
            set(connection, delivery, change, now)?;
            keys.insert((&delivery.id.plugin, &delivery.key));
        }
    }
    for (plugin, key) in keys {
        elect(connection, plugin, key)?;
    }
    let next = found
        .last()
        .filter(|_| found.len() == BATCH)
        .map(|last| (last.seq, last.id.plugin.to_string()));
    Ok((amended, next))
}

fn find(
    connection: &Connection,
    selection: &Selection,
    after: &Cursor,
) -> rusqlite::Result<Vec<Found>> {
    // The words come from the enum, never from outside.
    let states: Vec<String> = selection
        .states()
        .iter()
        .map(|state| format!("'{}'", state.as_str()))
        .collect();
    let mut sql = format!(
        "SELECT d.seq, e.id, d.plugin, d.key FROM delivery d JOIN event e ON e.seq = d.seq
         WHERE d.state IN ({}) AND e.raw <> '' AND (d.seq, d.plugin) > (?, ?)",
        states.join(", ")
    );
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(after.0), Box::new(after.1.clone())];
    let mut narrow = |condition: &str, value: Box<dyn ToSql>| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(event) = selection.event {
        narrow("d.seq = ?", Box::new(event.order()));
        narrow("e.id = ?", Box::new(*event.as_bytes()));
    }
    if let Some(plugin) = &selection.plugin {
        narrow("d.plugin = ?", Box::new(plugin.to_string()));
    }
    if let Some(reason) = &selection.reason {
        narrow(
            "instr(lower(d.reason), lower(?)) > 0",
            Box::new(reason.clone()),
        );
    }
    if let Some(since) = selection.since {
        narrow("e.received_at >= ?", Box::new(since.0));
    }
    if let Some(until) = selection.until {
        narrow("e.received_at < ?", Box::new(until.0));
    }
    sql.push_str(&format!(" ORDER BY d.seq, d.plugin LIMIT {BATCH}"));
    let mut select = connection.prepare(&sql)?;
    let found = select.query_map(params_from_iter(values), |row| {
        let plugin: String = row.get(2)?;
        Ok(Found {
            seq: row.get(0)?,
            id: DeliveryId {
                event: event_id(row, 1)?,
                plugin: plugin.as_str().into(),
            },
            key: row.get(3)?,
        })
    })?;
    found.collect()
}

fn set(
    connection: &Connection,
    delivery: &Found,
    change: Change,
    now: UnixMs,
) -> rusqlite::Result<()> {
    let place = (delivery.seq, delivery.id.plugin.as_str());
    if change == Change::Retry {
        effects::release(connection, &delivery.id)?;
    }
    match change {
        Change::Retry => connection
            .prepare_cached(
                "UPDATE delivery SET state = 'pending', ready = 0, attempts = 0, spared = 0, due_at = ?3,
                 finished_at = NULL WHERE seq = ?1 AND plugin = ?2",
            )?
            .execute(params![place.0, place.1, now.0])?,
        Change::Skip => connection
            .prepare_cached(
                "UPDATE delivery SET state = ?3, ready = 0, reason = ?4, finished_at = ?5 WHERE seq = ?1 AND plugin = ?2",
            )?
            .execute(params![place.0, place.1, State::Done.as_str(), SKIPPED, now.0])?,
    };
    Ok(())
}

/// Adds a delivery of an event that is there with its text.
pub(super) fn give(
    connection: &Connection,
    id: &DeliveryId,
    key: &str,
    now: UnixMs,
) -> rusqlite::Result<bool> {
    let given = connection
        .prepare_cached(
            "INSERT INTO delivery (seq, plugin, key, state, ready, due_at, sum)
             SELECT seq, ?3, ?4, 'pending', 0, ?5, ?6 FROM event WHERE seq = ?1 AND id = ?2 AND raw <> ''
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            id.event.order(),
            id.event.as_bytes(),
            id.plugin.as_str(),
            key,
            now.0,
            sums::of_delivery(id, key),
        ])?;
    if given == 1 {
        elect(connection, &id.plugin, key)?;
    }
    Ok(given == 1)
}

/// Makes the oldest open delivery of a plugin and key the one that is ready, and no other.
pub(super) fn elect(
    connection: &Connection,
    plugin: &PluginName,
    key: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE delivery SET ready = 0 WHERE plugin = ?1 AND key = ?2 AND state = 'pending' AND ready = 1",
        )?
        .execute(params![plugin.as_str(), key])?;
    connection
        .prepare_cached(
            "UPDATE delivery SET ready = 1 WHERE plugin = ?1 AND seq =
             (SELECT min(seq) FROM delivery WHERE plugin = ?1 AND key = ?2 AND state = 'pending')",
        )?
        .execute(params![plugin.as_str(), key])?;
    Ok(())
}
