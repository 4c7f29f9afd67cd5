//! Says what is wrong with a journal.

use std::path::Path;

use rusqlite::{Connection, Row};

use super::{SqliteJournal, damaged, event_id, sums, text};
use crate::clock::UnixMs;
use crate::event::{Envelope, Origin};
use crate::ids::DeliveryId;
use crate::journal::JournalError;
use crate::store::sqlite::{StoreError, open_reader};

/// Findings of one check that are named one by one.
const NAMED: usize = 20;

/// What must be found nowhere, and what to say of it. Each query gives one text a row.
const RULES: [(&str, &str); 7] = [
    (
        "a delivery has no event",
        "SELECT d.plugin || ' at ' || d.seq FROM delivery d LEFT JOIN event e ON e.seq = d.seq WHERE e.seq IS NULL",
    ),
    (
        "an open delivery has an event without its text",
        "SELECT d.plugin || ' at ' || d.seq FROM delivery d JOIN event e ON e.seq = d.seq
         WHERE e.raw = '' AND d.state <> 'done'",
    ),
    (
        "a delivery has an unknown state",
        "SELECT plugin || ' at ' || seq FROM delivery WHERE state NOT IN ('pending', 'done', 'parked', 'dead')",
    ),
    (
        "not the oldest open delivery of its plugin and key is ready",
        "SELECT d.plugin || ' at ' || d.seq FROM delivery d WHERE d.state = 'pending' AND d.ready <>
         (d.seq = (SELECT min(o.seq) FROM delivery o WHERE o.plugin = d.plugin AND o.key = d.key AND o.state = 'pending'))",
    ),
    (
        "a delivery that is not open is ready",
        "SELECT plugin || ' at ' || seq FROM delivery WHERE state <> 'pending' AND ready <> 0",
    ),
    (
        "a delivery has more attempts that do not count than attempts",
        "SELECT plugin || ' at ' || seq FROM delivery WHERE attempts < spared OR spared < 0",
    ),
    (
        "an event has an id that does not belong to its place",
        "SELECT 'event at ' || seq FROM event WHERE length(id) <> 16 OR seq < 0",
    ),
];

impl SqliteJournal {
    /// Reads all of a file that another process may be writing, and says what is wrong with it; nothing if all is well.
    pub fn verify_file(path: &Path) -> Result<Vec<String>, JournalError> {
        let connection = open_reader(path)?;
        Ok(verify(&connection).map_err(StoreError::from)?)
    }
}

pub(super) fn verify(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    // One transaction, so that a writer beside us is no finding.
    let reading = connection.unchecked_transaction()?;
    let mut findings = Vec::new();
    let mut integrity = reading.prepare(&format!("PRAGMA integrity_check({NAMED})"))?;
    let mut rows = integrity.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            findings.push(format!("the file is damaged: {line}"));
        }
    }
    for (what, query) in RULES {
        if let Err(error) = check(&reading, what, query, &mut findings) {
            findings.push(format!("cannot check whether {what}: {error}"));
        }
    }
    if let Err(error) = read_events(&reading, &mut findings) {
        findings.push(format!("cannot read all events: {error}"));
    }
    Ok(findings)
}

fn check(
    connection: &Connection,
    what: &str,
    query: &str,
    findings: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare(query)?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        if count <= NAMED {
            findings.push(format!("{what}: {}", row.get::<_, String>(0)?));
        }
    }
    if count > NAMED {
        findings.push(format!("{what}: {} more", count - NAMED));
    }
    Ok(())
}

/// Reads every event and delivery as a claim would.
fn read_events(connection: &Connection, findings: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut select = connection
        .prepare("SELECT seq, id, app, origin, received_at, raw, sum FROM event WHERE raw <> ''")?;
    let mut rows = select.query([])?;
    let mut wrong = Vec::new();
    while let Some(row) = rows.next()? {
        if !is_sound_event(row).unwrap_or(false) {
            wrong.push(format!("an event is damaged: at {}", row.get::<_, i64>(0)?));
        }
    }
    let mut select = connection.prepare(
        "SELECT d.seq, e.id, d.plugin, d.key, d.sum FROM delivery d JOIN event e ON e.seq = d.seq",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if !is_sound_delivery(row).unwrap_or(false) {
            wrong.push(format!(
                "a delivery is damaged: at {}",
                row.get::<_, i64>(0)?
            ));
        }
    }
    let more = wrong.len().saturating_sub(NAMED);
    findings.extend(wrong.into_iter().take(NAMED));
    if more > 0 {
        findings.push(format!("{more} more rows are damaged"));
    }
    Ok(())
}

fn is_sound_event(row: &Row<'_>) -> rusqlite::Result<bool> {
    let envelope = Envelope {
        id: event_id(row, 1)?,
        app: text(row, 2)?.as_str().into(),
        origin: Origin::from_text(&text(row, 3)?).ok_or_else(|| damaged(3, "unknown origin"))?,
        received_at: UnixMs(row.get(4)?),
        raw: text(row, 5)?.into(),
    };
    Ok(row.get::<_, i64>(6)? == sums::of_event(&envelope))
}

fn is_sound_delivery(row: &Row<'_>) -> rusqlite::Result<bool> {
    let id = DeliveryId {
        event: event_id(row, 1)?,
        plugin: text(row, 2)?.as_str().into(),
    };
    Ok(row.get::<_, i64>(4)? == sums::of_delivery(&id, &text(row, 3)?))
}
