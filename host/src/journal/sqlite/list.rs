//! What the journal has, for people and for gauges.

use rusqlite::{Connection, Row, ToSql};

use super::{damaged, effects, event_id, text};
use crate::ids::DeliveryId;
use crate::journal::{DeliveryRecord, EventRecord, Filter, Open, State};

/// Along the partial indexes, past however many deliveries are done.
pub(super) fn open(connection: &Connection) -> rusqlite::Result<Open> {
    let count = |state: &str| -> rusqlite::Result<u64> {
        // The word is written out, because a parameter would keep SQLite from using a partial index.
        let sql = format!("SELECT count(*) FROM delivery WHERE state = '{state}'");
        let count: i64 = connection
            .prepare_cached(&sql)?
            .query_row([], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    Ok(Open {
        pending: count(State::Pending.as_str())?,
        parked: count(State::Parked.as_str())?,
        dead: count(State::Dead.as_str())?,
    })
}

pub(super) fn list(connection: &Connection, filter: &Filter) -> rusqlite::Result<Vec<EventRecord>> {
    let mut sql =
        // An event whose text is gone is kept for its dedupe key only.
        "SELECT seq, id, app, kind, origin, received_at, raw FROM event WHERE raw <> ''".to_owned();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(id) = filter.id {
        values.push(Box::new(id.order()));
        values.push(Box::new(*id.as_bytes()));
        sql.push_str(" AND seq = ?1 AND id = ?2");
    }
    match filter.state {
        None => {}
        Some(State::Done) => sql.push_str(" AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.seq = event.seq AND d.state <> 'done')"),
        Some(state) => {
            // The word comes from the enum, never from outside.
            sql.push_str(&format!(" AND seq IN (SELECT seq FROM delivery WHERE state = '{}')", state.as_str()));
        }
    }
    sql.push_str(" ORDER BY seq DESC");
    let mut deliveries =
        connection.prepare("SELECT plugin, state, attempts, reason, key, due_at FROM delivery WHERE seq = ?1 ORDER BY plugin")?;
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query(rusqlite::params_from_iter(values))?;
    let mut events = Vec::new();
    let limit = filter.limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    while events.len() < limit
        && let Some(row) = rows.next()?
    {
        let mut deliveries = deliveries
            .query_map([row.get::<_, i64>(0)?], delivery_record)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if let Some(event) = filter.id {
            for delivery in &mut deliveries {
                let plugin = delivery.plugin.clone();
                delivery.calls = effects::load(connection, &DeliveryId { event, plugin })?.calls;
            }
        }
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
                Some(row.get(6)?)
            } else {
                None
            },
        });
    }
    Ok(events)
}

fn delivery_record(row: &Row<'_>) -> rusqlite::Result<DeliveryRecord> {
    let state = State::from_text(&text(row, 1)?).ok_or_else(|| damaged(1, "unknown state"))?;
    Ok(DeliveryRecord {
        plugin: text(row, 0)?.as_str().into(),
        state,
        attempts: row.get(2)?,
        reason: row.get(3)?,
        key: row.get(4)?,
        due_at: if state == State::Pending {
            Some(timestamp(row.get(5)?))
        } else {
            None
        },
        calls: Vec::new(),
    })
}

fn timestamp(ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default()
}
