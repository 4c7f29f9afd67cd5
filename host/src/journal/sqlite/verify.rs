//! Says what is wrong with a journal.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::load::names;
use super::mark::{self, Mark, Piece};
use super::sums::{self, Stored};
use super::{SqliteJournal, text};
use crate::ids::DeliveryId;
use crate::journal::JournalError;
use crate::journal::known::Print;
use crate::store::sqlite::{StoreError, open_reader};

/// Findings of one check that are named one by one.
const NAMED: usize = 20;

/// What must be found nowhere, and what to say of it. Each query gives one text a row.
const RULES: [(&str, &str); 6] = [
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
        "an event without its text is for a plugin",
        "SELECT 'event at ' || seq FROM event WHERE raw = '' AND plugins <> ''",
    ),
    (
        "a delivery has an unknown state",
        "SELECT plugin || ' at ' || seq FROM delivery WHERE state NOT IN ('pending', 'done', 'parked', 'dead')",
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

/// Reads every event and delivery as a start and a claim would.
fn read_events(connection: &Connection, findings: &mut Vec<String>) -> rusqlite::Result<()> {
    let mark = match Mark::read(connection) {
        Ok(mark) => mark.unwrap_or_default(),
        Err(error) => {
            findings.push(format!("the mark is damaged: {error}"));
            Mark::default()
        }
    };
    let mut known = KnownKeys::read(connection, findings)?;
    let mut wrong = Vec::new();
    let mut select = connection.prepare(&format!(
        "SELECT {}, seq FROM event WHERE raw <> '' ORDER BY seq",
        Stored::COLUMNS
    ))?;
    let mut deliveries =
        connection.prepare("SELECT plugin, key, sum FROM delivery WHERE seq = ?1")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(10)?;
        let Ok(stored) = Stored::read(row) else {
            wrong.push(format!("an event is damaged: at {seq}"));
            continue;
        };
        let plugins = names(&stored.plugins);
        let is_sound = |row: &Row<'_>| -> rusqlite::Result<bool> {
            let id = DeliveryId {
                event: stored.envelope.id,
                plugin: text(row, 0)?.as_str().into(),
            };
            let key: Option<String> = row.get(1)?;
            Ok(sums::is_sound(&id, &plugins, key.as_deref(), row.get(2)?))
        };
        let mut born = 0;
        let mut rows = deliveries.query([seq])?;
        while let Some(row) = rows.next()? {
            let is_given = !matches!(row.get_ref(1)?, ValueRef::Null);
            born += usize::from(!is_given);
            if !is_sound(row).unwrap_or(false) {
                wrong.push(format!("a delivery is damaged: at {seq}"));
            }
        }
        if born < plugins.len() && seq <= mark.upto && mark.unborn.binary_search(&seq).is_err() {
            wrong.push(format!("a delivery is missing: at {seq}"));
        }
        if let (Some(key), true) = (&stored.dedupe, seq <= mark.upto)
            && !known.has(seq, stored.envelope.app.as_str(), key)
        {
            wrong.push(format!("a dedupe key is not known: at {seq}"));
        }
    }
    let more = wrong.len().saturating_sub(NAMED);
    findings.extend(wrong.into_iter().take(NAMED));
    if more > 0 {
        findings.push(format!("{more} more rows are damaged"));
    }
    Ok(())
}

/// The table `known`, by events.
struct KnownKeys {
    secret: crate::journal::known::Secret,
    prints: HashMap<i64, Print>,
}

impl KnownKeys {
    fn read(connection: &Connection, findings: &mut Vec<String>) -> rusqlite::Result<Self> {
        let secret = mark::secret(connection).unwrap_or_default();
        let mut prints = HashMap::new();
        mark::read_known(connection, &secret, |piece| match piece {
            Ok(piece) => prints.extend(Piece::pairs(&piece).map(|(print, seq)| (seq, print))),
            Err(id) => findings.push(format!("known dedupe keys are damaged: row {id}")),
        })?;
        Ok(Self { secret, prints })
    }

    fn has(&mut self, seq: i64, app: &str, key: &str) -> bool {
        self.prints.remove(&seq) == Some(Print::of(&self.secret, app, key))
    }
}
