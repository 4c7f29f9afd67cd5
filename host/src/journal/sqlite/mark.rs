//! The tables `mark` and `known`: what a start need not find out by reading all events.

use rusqlite::{Connection, OptionalExtension, params};

use super::state::Shared;
use super::{is_damage, sums};
use crate::clock::UnixMs;
use crate::ids::EventId;
use crate::journal::known::{Print, Secret};

/// Bytes of a fingerprint with the place of its event.
const PAIR: usize = Print::BYTES + 8;
/// Pairs of one row when many are written at once.
const PIECE: usize = 4096;

/// How far events need not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) upto: i64,
    /// The events up to there that may have a delivery without a row.
    pub(super) unborn: Vec<i64>,
}

impl Default for Mark {
    fn default() -> Self {
        Self {
            upto: i64::MIN,
            unborn: Vec::new(),
        }
    }
}

impl Mark {
    /// The mark on disk. Without one, or with a damaged one, everything must be read.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let row = connection
            .prepare_cached("SELECT upto, unborn, sum FROM mark WHERE id = 0")?
            .query_row([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            })
            .optional();
        match row {
            Ok(Some((upto, unborn, sum))) if sum == sums::of_mark(upto, &unborn) => {
                let (places, _) = unborn.as_chunks::<8>();
                Ok(Some(Self {
                    upto,
                    unborn: places.iter().copied().map(i64::from_be_bytes).collect(),
                }))
            }
            Ok(None) => Ok(None),
            Ok(Some(_)) => Err(super::damaged(2, "its check sum is wrong")),
            Err(error) => Err(error),
        }
    }

    pub(super) fn write(&self, connection: &Connection, secret: &Secret) -> rusqlite::Result<()> {
        let unborn: Vec<u8> = self
            .unborn
            .iter()
            .flat_map(|seq| seq.to_be_bytes())
            .collect();
        let sum = sums::of_mark(self.upto, &unborn);
        connection
            .prepare_cached("INSERT OR REPLACE INTO mark (id, upto, unborn, secret, sum) VALUES (0, ?1, ?2, ?3, ?4)")?
            .execute(params![self.upto, unborn, secret, sum])?;
        Ok(())
    }
}

/// The secret in the file, if there is a usable one.
pub(super) fn secret(connection: &Connection) -> Option<Secret> {
    connection
        .query_row("SELECT secret FROM mark WHERE id = 0", [], |row| row.get(0))
        .ok()
}

/// Moves the mark on, within a transaction. Answers how far; [`settle`] must follow.
pub(super) fn advance(
    connection: &Connection,
    shared: &Shared,
    secret: &Secret,
) -> rusqlite::Result<Option<i64>> {
    let (first, pairs, mark) = {
        let mut state = shared.lock();
        let Some((first, upto, pairs)) = state.tail.begin_mark() else {
            return Ok(None);
        };
        let unborn = state.queue.unborn_up_to(upto).collect();
        (first, pairs, Mark { upto, unborn })
    };
    mark.write(connection, secret)?;
    write_known(connection, secret, first, mark.upto, &pairs)?;
    Ok(Some(mark.upto))
}

/// Takes over what came of it, on the writer's thread.
pub(super) fn settle(shared: &Shared, upto: Option<i64>) {
    shared.lock().tail.end_mark(upto);
}

/// Writes that the dedupe keys of the events from `first` to `last` are these.
pub(super) fn write_known(
    connection: &Connection,
    secret: &Secret,
    first: i64,
    last: i64,
    pairs: &[(Print, i64)],
) -> rusqlite::Result<()> {
    let mut insert = connection
        .prepare_cached("INSERT INTO known (first, last, pairs, sum) VALUES (?1, ?2, ?3, ?4)")?;
    let mut pairs = pairs.to_vec();
    pairs.sort_unstable_by_key(|pair| pair.1);
    let mut first = first;
    let pieces = pairs.len().div_ceil(PIECE).max(1);
    for piece in 0..pieces {
        let rest = &pairs[piece * PIECE..];
        let is_last = piece + 1 == pieces;
        let pairs = if is_last { rest } else { &rest[..PIECE] };
        let end = match pairs.last() {
            Some((_, seq)) if !is_last => *seq,
            _ => last,
        };
        let bytes: Vec<u8> = pairs
            .iter()
            .flat_map(|(print, seq)| {
                let mut pair = [0; PAIR];
                pair[..Print::BYTES].copy_from_slice(&print.to_bytes());
                pair[Print::BYTES..].copy_from_slice(&seq.to_be_bytes());
                pair
            })
            .collect();
        let sum = sums::of_known(secret, first, end, &bytes);
        insert.execute(params![first, end, bytes, sum])?;
        first = end.saturating_add(1);
    }
    Ok(())
}

/// A row of `known` that is as it was written.
pub(super) struct Piece {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) pairs: Vec<u8>,
}

impl Piece {
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Print, i64)> {
        let (pairs, _) = self.pairs.as_chunks::<PAIR>();
        pairs.iter().map(|pair| {
            let [a, b, c, d, e, f, seq @ ..] = *pair;
            let print = Print::from_bytes([a, b, c, d, e, f]);
            (print, i64::from_be_bytes(seq))
        })
    }
}

/// Reads the known keys, in the order of events; `each` gets a row, or the id of one that is damaged. Ends early where the
/// file cannot be read on.
pub(super) fn read_known(
    connection: &Connection,
    secret: &Secret,
    mut each: impl FnMut(Result<Piece, i64>),
) -> rusqlite::Result<()> {
    let mut select =
        connection.prepare("SELECT id, first, last, pairs, sum FROM known ORDER BY id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let piece = (|| {
            let piece = Piece {
                first: row.get(1)?,
                last: row.get(2)?,
                pairs: row.get(3)?,
            };
            let Piece {
                first, last, pairs, ..
            } = &piece;
            let is_sound = row.get::<_, i64>(4)? == sums::of_known(secret, *first, *last, pairs);
            Ok(is_sound.then_some(piece))
        })();
        match piece {
            Ok(Some(piece)) => each(Ok(piece)),
            Ok(None) => each(Err(id)),
            Err(error) if is_damage(&error) => each(Err(id)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The ranges of places that are covered by none of these.
pub(super) fn gaps(mut covered: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    covered.sort_unstable();
    let (mut gaps, mut next) = (Vec::new(), i64::MIN);
    for (first, last) in covered {
        if first > next {
            gaps.push((next, first - 1));
        }
        if last == i64::MAX {
            return gaps;
        }
        next = next.max(last + 1);
    }
    gaps.push((next, i64::MAX));
    gaps
}

/// Forgets the keys of events that are gone: rewrites a row whose events are old. Answers whether it changed something.
pub(super) fn tidy(connection: &Connection, secret: &Secret, id: i64) -> rusqlite::Result<bool> {
    let Some((first, last, bytes)) = connection
        .prepare_cached("SELECT first, last, length(pairs) FROM known WHERE id = ?1")?
        .query_row([id], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
            ))
        })
        .optional()?
    else {
        return Ok(false);
    };
    let mut select = connection.prepare_cached(
        "SELECT seq, app, dedupe FROM event WHERE seq BETWEEN ?1 AND ?2 AND dedupe IS NOT NULL ORDER BY seq",
    )?;
    let pairs = select
        .query_map([first, last], |row| {
            let (seq, app, key): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((Print::of(secret, &app, &key), seq))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if usize::try_from(bytes).unwrap_or(0) == pairs.len() * PAIR && !pairs.is_empty() {
        return Ok(false);
    }
    connection
        .prepare_cached("DELETE FROM known WHERE id = ?1")?
        .execute([id])?;
    let any: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM event WHERE seq BETWEEN ?1 AND ?2)")?
        .query_row([first, last], |row| row.get(0))?;
    // Where there are no events, nothing has to be known of them.
    if any {
        write_known(connection, secret, first, last, &pairs)?;
    }
    Ok(true)
}

/// The rows of `known` whose events all came before `before`.
pub(super) fn known_before(connection: &Connection, before: UnixMs) -> rusqlite::Result<Vec<i64>> {
    let mut select = connection.prepare("SELECT id FROM known WHERE last < ?1 ORDER BY id")?;
    let rows = select.query_map([EventId::first_order(before)], |row| row.get(0))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_is_left_out() {
        let all = (i64::MIN, i64::MAX);
        assert_eq!(gaps(vec![]), [all]);
        assert_eq!(gaps(vec![all]), []);
        let covered = vec![(10, 20), (15, 15), (21, 30), (40, 50), (42, 43)];
        assert_eq!(gaps(covered), [(i64::MIN, 9), (31, 39), (51, i64::MAX)]);
    }
}
