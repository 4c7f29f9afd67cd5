//! What the journal has, for people and for gauges.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, ToSql};

use super::load::names;
use super::mark::Mark;
use super::{damaged, effects, event_id, is_damage, text};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, PluginName};
use crate::journal::claim::first_due;
use crate::journal::{DeliveryRecord, EventRecord, Filter, State};

/// Deliveries in a state, along the partial index.
pub(super) fn count(connection: &Connection, state: State) -> rusqlite::Result<u64> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM delivery WHERE state = ?1 AND state <> 'done'")?
        .query_row([state.as_str()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

pub(super) fn list(connection: &Connection, filter: &Filter) -> rusqlite::Result<Vec<EventRecord>> {
    // One transaction, so that a writer beside us changes nothing between two queries.
    let connection = &*connection.unchecked_transaction()?;
    let limit = filter.limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let mut events = Vec::new();
    match (filter.id, filter.state) {
        (Some(id), _) => read(
            connection,
            filter,
            limit,
            "seq = ?1 AND id = ?2",
            &[&id.order(), id.as_bytes()],
            &mut events,
        )?,
        (None, None | Some(State::Done)) => {
            read(connection, filter, limit, "TRUE", &[], &mut events)?;
        }
        (None, Some(state)) => {
            for seq in candidates(connection, state)? {
                read(connection, filter, limit, "seq = ?1", &[&seq], &mut events)?;
                if events.len() >= limit {
                    break;
                }
            }
        }
    }
    Ok(events)
}

/// The events that can be in a state which is not `done`, the last one first: past however many are done.
fn candidates(connection: &Connection, state: State) -> rusqlite::Result<Vec<i64>> {
    let mut found: Vec<i64> = connection
        .prepare_cached("SELECT seq FROM delivery WHERE state = ?1 AND state <> 'done'")?
        .query_map([state.as_str()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if state == State::Pending {
        let mark = match Mark::read(connection) {
            Err(error) if is_damage(&error) => Mark::default(),
            mark => mark?.unwrap_or_default(),
        };
        found.extend(mark.unborn);
        let mut after = connection.prepare_cached("SELECT seq FROM event WHERE seq > ?1")?;
        let after = after.query_map([mark.upto], |row| row.get::<_, i64>(0))?;
        found.extend(after.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.dedup();
    Ok(found)
}

/// Adds the events to which a condition applies, until there are enough.
fn read(
    connection: &Connection,
    filter: &Filter,
    limit: usize,
    condition: &str,
    values: &[&dyn ToSql],
    events: &mut Vec<EventRecord>,
) -> rusqlite::Result<()> {
    // An event whose text is gone is kept for its dedupe key only.
    let mut select = connection.prepare_cached(&format!(
        "SELECT seq, id, app, kind, origin, received_at, key, plugins, raw FROM event
         WHERE raw <> '' AND {condition} ORDER BY seq DESC"
    ))?;
    let mut rows = select.query(values)?;
    while events.len() < limit
        && let Some(row) = rows.next()?
    {
        let deliveries = deliveries(connection, row, filter.id.is_some())?;
        let state = State::of_event(deliveries.iter().map(|delivery| delivery.state));
        if filter.state.is_some_and(|wanted| wanted != state) {
            continue;
        }
        events.push(EventRecord {
            id: event_id(row, 1)?,
            app: text(row, 2)?.as_str().into(),
            kind: row.get(3)?,
            origin: row.get(4)?,
            received_at: timestamp(row.get(5)?),
            state,
            deliveries,
            raw: if filter.id.is_some() {
                Some(row.get(8)?)
            } else {
                None
            },
        });
    }
    Ok(())
}

/// The deliveries of an event: those with a row, and those that were never attempted.
fn deliveries(
    connection: &Connection,
    event: &Row<'_>,
    with_calls: bool,
) -> rusqlite::Result<Vec<DeliveryRecord>> {
    let id = event_id(event, 1)?;
    let key = event.get::<_, Option<String>>(6)?;
    let key = key.unwrap_or_else(|| id.to_string());
    let plugins = names(&text(event, 7)?);
    let mut found: BTreeMap<PluginName, DeliveryRecord> =
        first_due(UnixMs(event.get(5)?), &plugins)
            .map(|(plugin, due_at)| {
                let never = DeliveryRecord {
                    plugin: plugin.clone(),
                    state: State::Pending,
                    attempts: 0,
                    reason: None,
                    key: key.clone(),
                    due_at: Some(timestamp(due_at.0)),
                    calls: Vec::new(),
                };
                (plugin.clone(), never)
            })
            .collect();
    let mut rows = connection.prepare_cached(
        "SELECT plugin, state, attempts, reason, due_at, key FROM delivery WHERE seq = ?1",
    )?;
    let rows = rows.query_map([event.get::<_, i64>(0)?], |row| {
        let state = State::from_text(&text(row, 1)?).ok_or_else(|| damaged(1, "unknown state"))?;
        Ok(DeliveryRecord {
            plugin: text(row, 0)?.as_str().into(),
            state,
            attempts: row.get(2)?,
            reason: row.get(3)?,
            key: row
                .get::<_, Option<String>>(5)?
                .unwrap_or_else(|| key.clone()),
            due_at: if state == State::Pending {
                Some(timestamp(row.get(4)?))
            } else {
                None
            },
            calls: Vec::new(),
        })
    })?;
    for row in rows {
        let row = row?;
        found.insert(row.plugin.clone(), row);
    }
    let mut found: Vec<DeliveryRecord> = found.into_values().collect();
    if with_calls {
        for delivery in &mut found {
            let plugin = delivery.plugin.clone();
            let id = DeliveryId { event: id, plugin };
            delivery.calls = effects::load(connection, &id)?.calls;
        }
    }
    Ok(found)
}

fn timestamp(ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default()
}
