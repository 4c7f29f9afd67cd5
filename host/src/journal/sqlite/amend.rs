//! A person's changes in SQLite.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

use super::append::bear;
use super::load::names;
use super::state::Shared;
use super::{effects, event_id, sums, text};
use crate::clock::UnixMs;
use crate::ids::DeliveryId;
use crate::journal::State;
use crate::journal::amend::{Amended, BATCH, Change, SKIPPED, Selection};
use crate::journal::queue::{Entry, Turn};

/// Where a change goes on: after this delivery, in the order of events.
pub(super) type Cursor = (i64, String);

struct Found {
    id: DeliveryId,
    key: Option<Arc<str>>,
    received_at: UnixMs,
}

/// A piece of a change.
pub(super) struct Piece {
    pub(super) selection: Selection,
    pub(super) change: Option<Change>,
    pub(super) now: UnixMs,
    pub(super) after: Cursor,
    /// What is kept from being claimed until the change is on disk.
    pub(super) held: Arc<Mutex<Vec<DeliveryId>>>,
}

/// What a piece came to.
#[derive(Default)]
pub(super) struct Done {
    pub(super) amended: Amended,
    /// Where to go on, if there may be more.
    pub(super) next: Option<Cursor>,
    born: Vec<DeliveryId>,
    changed: Vec<Found>,
}

/// Changes a batch of what is selected, within a transaction; [`settle`] must follow.
pub(super) fn amend(
    connection: &Connection,
    piece: &Piece,
    shared: &Shared,
) -> rusqlite::Result<Done> {
    let mut done = Done {
        born: bear_selected(connection, piece, shared)?,
        ..Done::default()
    };
    let found = find(connection, &piece.selection, &piece.after, BATCH, "TRUE")?;
    done.next = found
        .last()
        .filter(|_| found.len() == BATCH)
        .map(|last| cursor(&last.id));
    for delivery in found {
        {
            let mut state = shared.lock();
            if !state.queue.hold(&delivery.id) {
                done.amended.running += 1;
                continue;
            }
        }
        let mut held = piece.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.push(delivery.id.clone());
        drop(held);
        done.amended.deliveries += 1;
        if let Some(change) = piece.change {
            set(connection, &delivery.id, change, piece.now)?;
            done.changed.push(delivery);
        }
    }
    Ok(done)
}

/// Takes over what came of it, on the writer's thread.
pub(super) fn settle(
    held: &Mutex<Vec<DeliveryId>>,
    change: Option<Change>,
    now: UnixMs,
    done: Option<&Done>,
    shared: &Shared,
) {
    let mut state = shared.lock();
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    for id in held.drain(..) {
        state.queue.let_go(&id);
    }
    let Some(done) = done else { return };
    for id in &done.born {
        state.queue.has_row(id);
    }
    for Found {
        id,
        key,
        received_at,
    } in &done.changed
    {
        state.queue.remove(id);
        if change == Some(Change::Retry) {
            let entry = Entry::new(id.event, key.clone(), *received_at, now);
            state.queue.insert(&id.plugin, entry.stored());
        }
    }
}

/// Writes the rows of selected deliveries that have none, so that the rest need not know of them.
fn bear_selected(
    connection: &Connection,
    piece: &Piece,
    shared: &Shared,
) -> rusqlite::Result<Vec<DeliveryId>> {
    let selection = &piece.selection;
    if !selection.states().contains(&State::Pending) {
        return Ok(Vec::new());
    }
    let unborn: Vec<Turn> =
        shared
            .lock()
            .queue
            .unborn_after(&piece.after, BATCH, |plugin, entry| {
                let of_plugin = selection.plugin.as_ref();
                of_plugin.is_none_or(|wanted| wanted == plugin)
                    && selection.event.is_none_or(|wanted| wanted == entry.event)
                    && selection.covers_reason(None)
                    && selection.covers_time(entry.received_at)
            });
    for Turn { id, entry } in &unborn {
        bear(connection, id.event, &id.plugin, entry.due_at)?;
    }
    Ok(unborn.into_iter().map(|turn| turn.id).collect())
}

/// What is selected and was attempted, a piece at a time.
pub(super) fn select(
    connection: &Connection,
    selection: &Selection,
    after: Option<&DeliveryId>,
    limit: usize,
) -> rusqlite::Result<Vec<DeliveryId>> {
    let after = after.map_or((i64::MIN, String::new()), cursor);
    let attempted = "(d.state <> 'pending' OR d.attempts > 0)";
    let found = find(connection, selection, &after, limit, attempted)?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

fn cursor(id: &DeliveryId) -> Cursor {
    (id.event.order(), id.plugin.to_string())
}

/// Asks for each state on its own, which leads along its index in order: what is left is not sorted again for each piece.
fn find(
    connection: &Connection,
    selection: &Selection,
    after: &Cursor,
    limit: usize,
    condition: &str,
) -> rusqlite::Result<Vec<Found>> {
    let mut found = Vec::new();
    for state in selection.states() {
        // The words come from the enum, never from outside; the condition of the index is repeated word for word.
        let (state, of_index) = match state {
            State::Done => (state.as_str(), "TRUE"),
            open => (open.as_str(), "d.state <> 'done'"),
        };
        let condition = format!("d.state = '{state}' AND {of_index} AND {condition}");
        found.extend(find_where(connection, selection, after, limit, &condition)?);
    }
    found.sort_by_cached_key(|found| cursor(&found.id));
    found.truncate(limit);
    Ok(found)
}

fn find_where(
    connection: &Connection,
    selection: &Selection,
    after: &Cursor,
    limit: usize,
    condition: &str,
) -> rusqlite::Result<Vec<Found>> {
    let mut sql = format!(
        "SELECT e.id, d.plugin, coalesce(d.key, e.key), e.received_at FROM delivery d JOIN event e ON e.seq = d.seq
         WHERE {condition} AND e.raw <> '' AND (d.seq, d.plugin) > (?, ?)"
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
    sql.push_str(&format!(" ORDER BY d.seq, d.plugin LIMIT {limit}"));
    let mut select = connection.prepare(&sql)?;
    let found = select.query_map(params_from_iter(values), |row| {
        let plugin: String = row.get(1)?;
        Ok(Found {
            id: DeliveryId {
                event: event_id(row, 0)?,
                plugin: plugin.as_str().into(),
            },
            key: row.get::<_, Option<String>>(2)?.map(Into::into),
            received_at: UnixMs(row.get(3)?),
        })
    })?;
    found.collect()
}

fn set(
    connection: &Connection,
    id: &DeliveryId,
    change: Change,
    now: UnixMs,
) -> rusqlite::Result<()> {
    let place = (id.event.order(), id.plugin.as_str());
    if change == Change::Retry {
        effects::release(connection, id)?;
    }
    match change {
        Change::Retry => connection
            .prepare_cached(
                "UPDATE delivery SET state = 'pending', attempts = 0, spared = 0, due_at = ?3, finished_at = NULL
                 WHERE seq = ?1 AND plugin = ?2",
            )?
            .execute(params![place.0, place.1, now.0])?,
        Change::Skip => connection
            .prepare_cached(
                "UPDATE delivery SET state = ?3, reason = ?4, finished_at = ?5 WHERE seq = ?1 AND plugin = ?2",
            )?
            .execute(params![place.0, place.1, State::Done.as_str(), SKIPPED, now.0])?,
    };
    Ok(())
}

/// Adds a delivery of an event that is there with its text. Answers with when the event came, if it did; [`settle_given`]
/// must follow.
pub(super) fn give(
    connection: &Connection,
    id: &DeliveryId,
    key: &str,
    now: UnixMs,
) -> rusqlite::Result<Option<UnixMs>> {
    let event = connection
        .prepare_cached(
            "SELECT plugins, received_at FROM event WHERE seq = ?1 AND id = ?2 AND raw <> ''",
        )?
        .query_row(params![id.event.order(), id.event.as_bytes()], |row| {
            Ok((names(&text(row, 0)?), UnixMs(row.get(1)?)))
        })
        .optional()?;
    let Some((plugins, received_at)) = event else {
        return Ok(None);
    };
    // A delivery that was never attempted has no row.
    if plugins.contains(&id.plugin) {
        return Ok(None);
    }
    let given = connection
        .prepare_cached(
            "INSERT INTO delivery (seq, plugin, key, state, attempts, spared, due_at, sum)
             VALUES (?1, ?2, ?3, 'pending', 0, 0, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            id.event.order(),
            id.plugin.as_str(),
            key,
            now.0,
            sums::of_delivery(id, Some(key)),
        ])?;
    Ok((given == 1).then_some(received_at))
}

/// Takes over what came of it, on the writer's thread.
pub(super) fn settle_given(
    id: &DeliveryId,
    key: &str,
    now: UnixMs,
    received_at: Option<UnixMs>,
    shared: &Shared,
) {
    if let Some(received_at) = received_at {
        let entry = Entry::new(id.event, Some(key.into()), received_at, now);
        shared.lock().queue.insert(&id.plugin, entry.stored());
    }
}
