//! Fills the memory of the journal from its file.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::mark::{self, Mark};
use super::state::{State, Tail};
use super::{event_id, is_damage, sums, text};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, EventId, PluginName};
use crate::journal::claim::first_due;
use crate::journal::known::{Known, Pair, Print, Secret};
use crate::journal::queue::{Entry, Queue};

/// What a file has.
pub(super) struct Loaded {
    pub(super) state: State,
    /// The place of the last event.
    pub(super) last: i64,
    /// Deliveries of which nobody knows whether they were attempted.
    pub(super) damaged: Vec<DeliveryId>,
    pub(super) repair: Repair,
    /// The mark of the file.
    pub(super) mark: Mark,
}

/// From, to, and the keys of the events between.
type Keys = (i64, i64, Vec<Pair>);

/// What is written anew in the table `known`.
#[derive(Default)]
pub(super) struct Repair {
    /// Rows that are damaged.
    drop: Vec<i64>,
    /// What they should have had.
    add: Vec<Keys>,
}

/// What a start needs of an event.
struct Head {
    id: EventId,
    received_at: UnixMs,
    key: Option<Arc<str>>,
    plugins: Vec<PluginName>,
}

impl Head {
    /// What [`Head::read`] reads, beside `seq`.
    const COLUMNS: &str = "seq, id, received_at, key, plugins";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: event_id(row, 1)?,
            received_at: UnixMs(row.get(2)?),
            key: row.get::<_, Option<String>>(3)?.map(Into::into),
            plugins: names(&text(row, 4)?),
        })
    }
}

/// The plugins in a column of an event.
pub(super) fn names(text: &str) -> Vec<PluginName> {
    let names = text.split(',').filter(|name| !name.is_empty());
    names.map(Into::into).collect()
}

/// Reads what is open and which dedupe keys are known. Damage is reported and left out.
pub(super) fn load(connection: &Connection, secret: &Secret) -> rusqlite::Result<Loaded> {
    let reading = connection.unchecked_transaction()?;
    let last: Option<i64> =
        reading.query_row("SELECT max(seq) FROM event", [], |row| row.get(0))?;
    let mark = match Mark::read(&reading) {
        Ok(mark) => mark.unwrap_or_default(),
        Err(error) if is_damage(&error) => {
            tracing::error!(%error, "the mark of the journal is damaged, so all events are read");
            Mark::default()
        }
        Err(error) => return Err(error),
    };
    let (known, recent_keys, repair) = load_known(&reading, secret, &mark)?;
    let mut queue = Queue::default();
    load_open(&reading, &mut queue)?;
    let mut unborn = Unborn {
        connection: &reading,
        queue,
        damaged: Vec::new(),
    };
    for seq in &mark.unborn {
        unborn.scan((*seq, *seq), &mut |_| ())?;
    }
    let mut tail = Tail::after(mark.upto);
    let mut keys: HashMap<i64, Print> = recent_keys.into_iter().collect();
    unborn.scan((mark.upto.saturating_add(1), i64::MAX), &mut |seq| {
        tail.appended(seq, keys.remove(&seq));
    })?;
    let Unborn { queue, damaged, .. } = unborn;
    Ok(Loaded {
        state: State {
            queue,
            known,
            tail,
            ..State::default()
        },
        last: last.unwrap_or(0),
        damaged,
        repair,
        mark,
    })
}

/// The known keys; those of the events after the mark; and what has to be written anew.
#[allow(clippy::type_complexity)]
fn load_known(
    connection: &Connection,
    secret: &Secret,
    mark: &Mark,
) -> rusqlite::Result<(Known, Vec<(i64, Print)>, Repair)> {
    let (mut known, mut repair) = (Known::default(), Repair::default());
    let (mut pieces, mut covered) = (Vec::new(), Vec::new());
    let read = mark::read_known(connection, secret, |piece| match piece {
        Ok(piece) => {
            covered.push((piece.first, piece.last));
            pieces.push(piece);
        }
        Err(id) => repair.drop.push(id),
    });
    match read {
        Err(error) if is_damage(&error) => {
            tracing::error!(%error, "the known dedupe keys are damaged and read from the events");
        }
        read => read?,
    }
    if !repair.drop.is_empty() {
        let rows = repair.drop.len();
        tracing::error!(
            rows,
            "known dedupe keys are damaged and read from the events"
        );
    }
    known.extend(pieces.iter().flat_map(mark::Piece::pairs));
    // Without a mark the next one has a piece for all events, which must have all of their keys.
    let mut recent: Vec<(i64, Print)> = pieces
        .iter()
        .flat_map(mark::Piece::pairs)
        .filter(|pair| pair.1 > mark.upto)
        .map(|(print, seq)| (seq, print))
        .collect();
    drop(pieces);
    for (first, last) in mark::gaps(covered) {
        let mut pairs = Vec::new();
        let sql =
            "SELECT seq, app, dedupe FROM event WHERE seq BETWEEN ?1 AND ?2 AND dedupe IS NOT NULL";
        scan(connection, sql, (first, last), &mut |row| {
            let (seq, app, key): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            pairs.push((Print::of(secret, &app, &key), seq));
            Ok(())
        })?;
        let after = pairs.iter().filter(|pair| pair.1 > mark.upto);
        recent.extend(after.map(|(print, seq)| (*seq, *print)));
        known.extend(pairs.iter().copied());
        pairs.retain(|pair| pair.1 <= mark.upto);
        if !pairs.is_empty() {
            repair.add.push((first, last.min(mark.upto), pairs));
        }
    }
    Ok((known, recent, repair))
}

/// Puts in the deliveries whose rows say that they are open.
fn load_open(connection: &Connection, queue: &mut Queue) -> rusqlite::Result<()> {
    let mut first = Ok(());
    for index in ["", "NOT INDEXED"] {
        // The condition of the index, word for word.
        let sql = format!(
            "SELECT d.seq, e.id, e.received_at, coalesce(d.key, e.key), d.plugin, d.attempts, d.spared, d.due_at
             FROM delivery d {index} CROSS JOIN event e ON e.seq = d.seq WHERE d.state = 'pending' AND d.state <> 'done'"
        );
        first = pass(connection, &sql, &[], &mut |row| {
            let plugin = PluginName::from(text(row, 4)?.as_str());
            let mut entry = Entry::new(
                event_id(row, 1)?,
                row.get::<_, Option<String>>(3)?.map(Into::into),
                UnixMs(row.get(2)?),
                UnixMs(row.get(7)?),
            );
            (entry.attempts, entry.spared) = (row.get(5)?, row.get(6)?);
            entry.has_row = true;
            queue.insert(&plugin, entry);
            Ok(())
        });
        match &first {
            // Perhaps only the index is damaged.
            Err(error) if is_damage(error) => {
                tracing::error!(%error, "the open deliveries are damaged; `belfry journal verify` says more");
            }
            _ => break,
        }
    }
    match first {
        Err(error) if !is_damage(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Finds deliveries without a row.
struct Unborn<'a> {
    connection: &'a Connection,
    queue: Queue,
    damaged: Vec<DeliveryId>,
}

impl Unborn<'_> {
    /// Looks at all events of a range; `each` gets their places.
    fn scan(&mut self, range: (i64, i64), each: &mut dyn FnMut(i64)) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT {} FROM event WHERE seq BETWEEN ?1 AND ?2",
            Head::COLUMNS
        );
        let connection = self.connection;
        scan(connection, &sql, range, &mut |row| {
            each(row.get(0)?);
            self.look(&Head::read(row)?)
        })
    }

    fn look(&mut self, head: &Head) -> rusqlite::Result<()> {
        if head.plugins.is_empty() {
            return Ok(());
        }
        let rows = self
            .connection
            .prepare_cached("SELECT plugin, key, sum FROM delivery WHERE seq = ?1")?
            .query_map([head.id.order()], |row| {
                let key: Option<String> = row.get(1)?;
                Ok((text(row, 0)?, key, row.get::<_, i64>(2)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let delivery = |plugin: &PluginName| DeliveryId {
            event: head.id,
            plugin: plugin.clone(),
        };
        // A row that is not what it was may be that of any delivery.
        let is_sound = rows.iter().all(|(plugin, key, sum)| {
            let id = delivery(&plugin.as_str().into());
            sums::is_sound(&id, &head.plugins, key.as_deref(), *sum)
        });
        for (plugin, due_at) in first_due(head.received_at, &head.plugins) {
            if rows.iter().any(|(found, ..)| found == plugin.as_str()) {
                continue;
            }
            if !is_sound {
                self.damaged.push(delivery(plugin));
                continue;
            }
            let entry = Entry::new(head.id, head.key.clone(), head.received_at, due_at);
            self.queue.insert(plugin, entry);
        }
        Ok(())
    }
}

/// Runs a query on a range of events, whose place is its first column. Where the file cannot be read on, it goes on from
/// the other end.
fn scan(
    connection: &Connection,
    sql: &str,
    (from, to): (i64, i64),
    each: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut reached = from;
    let forward = pass(
        connection,
        &format!("{sql} ORDER BY seq"),
        &[from, to],
        &mut |row| {
            reached = row.get::<_, i64>(0)?.saturating_add(1);
            each(row)
        },
    );
    let Err(error) = forward else { return Ok(()) };
    if !is_damage(&error) {
        return Err(error);
    }
    tracing::error!(%error, from = reached, "events are damaged and left out; `belfry journal verify` says more");
    let backward = pass(
        connection,
        &format!("{sql} ORDER BY seq DESC"),
        &[reached, to],
        each,
    );
    match backward {
        Err(error) if !is_damage(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Gives each row of a query away. One that is damaged is reported and left out; a file that is ends the pass.
fn pass(
    connection: &Connection,
    sql: &str,
    values: &[i64],
    each: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(rusqlite::params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        match each(row) {
            Err(error) if is_damage(&error) => {
                let seq: i64 = row.get(0)?;
                tracing::error!(seq, %error, "an event is damaged and left out; `belfry journal verify` says more");
            }
            done => done?,
        }
    }
    Ok(())
}

impl Repair {
    pub(super) fn is_empty(&self) -> bool {
        self.drop.is_empty() && self.add.is_empty()
    }

    /// With the mark as well, if that had no secret: the pieces mean nothing without the one that is in the file.
    pub(super) fn write(
        &self,
        connection: &Connection,
        secret: &Secret,
        mark: Option<&Mark>,
    ) -> rusqlite::Result<()> {
        if let Some(mark) = mark {
            mark.write(connection, secret)?;
        }
        for id in &self.drop {
            connection.execute("DELETE FROM known WHERE id = ?1", params![id])?;
        }
        for (first, last, pairs) in &self.add {
            mark::write_known(connection, secret, *first, *last, pairs)?;
        }
        Ok(())
    }
}
