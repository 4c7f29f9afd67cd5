//! What the journal knows of events that may never have arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteJournal;
use crate::clock::UnixMs;
use crate::event::{Content, Kind, Origin};
use crate::function::Function;
use crate::ids::{AppName, EventId};
use crate::journal::JournalError;
use crate::journal::known::Print;

/// Texts that one question reads at most.
const MOST_TEXTS: u32 = 20_000;

/// An approval that a plugin started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedApproval {
    /// The instance.
    pub instance_id: String,
    /// Its template, where the record of the call still has it.
    pub process_code: Option<String>,
    /// The organisation that the event was of at which it was started.
    pub corp_id: Option<String>,
}

impl SqliteJournal {
    /// Approvals that plugins of an app started since that time, by the records of their calls, without those of whose
    /// end there is an event.
    pub async fn open_approvals(
        &self,
        app: &AppName,
        since: UnixMs,
    ) -> Result<Vec<StartedApproval>, JournalError> {
        let (app, secret, shared) = (app.clone(), self.secret, Arc::clone(&self.shared));
        let read = self.store.read(move |connection| {
            let events = |key: &str| {
                let print = Print::of(&secret, app.as_str(), key);
                shared.lock().known.events(print).collect()
            };
            open_approvals(connection, &app, since, events)
        });
        Ok(read.await?)
    }

    /// The texts of an app's events of a kind that came in a span of time.
    pub async fn texts(
        &self,
        app: &AppName,
        kind: Kind,
        (from, to): (UnixMs, UnixMs),
    ) -> Result<Vec<String>, JournalError> {
        let app = app.clone();
        let read = self.store.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT raw FROM event WHERE seq >= ?1 AND seq < ?2 AND app = ?3 AND kind = ?4 AND raw <> '' LIMIT ?5",
            )?;
            let (from, to) = (EventId::first_order(from), EventId::first_order(to));
            let texts = select.query_map(
                params![from, to, app.as_str(), kind.as_str(), MOST_TEXTS],
                |row| row.get(0),
            )?;
            texts.collect::<rusqlite::Result<Vec<String>>>()
        });
        Ok(read.await?)
    }
}

fn open_approvals(
    connection: &Connection,
    app: &AppName,
    since: UnixMs,
    events_of: impl Fn(&str) -> Vec<i64>,
) -> rusqlite::Result<Vec<StartedApproval>> {
    // Ids ascend, so older events need not be looked at.
    let mut first = *EventId::at(EventId::first_order(since)).as_bytes();
    first[6..].fill(0);
    let mut select = connection.prepare_cached(
        "SELECT event, arguments, answer FROM effect
         WHERE event >= ?1 AND function = ?2 AND fate = 'done' AND answer IS NOT NULL",
    )?;
    let mut event_of =
        connection.prepare_cached("SELECT app, origin, raw FROM event WHERE seq = ?1")?;
    // A key in memory is a fingerprint; the event has the key itself.
    let mut known = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM event WHERE seq = ?1 AND app = ?2 AND dedupe = ?3)",
    )?;
    let mut rows = select.query(params![first, Function::ApprovalCreate.name()])?;
    let mut open = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let event = EventId::from_bytes(row.get(0)?);
        let of: Option<(String, String, String)> = event_of
            .query_row([event.order()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let answer: String = row.get(2)?;
        // A call that was repeated answers as the first one did; the plugin was told the id of the instance.
        let Ok(Ok(instance_id)) = serde_json::from_str::<Told>(&answer) else {
            continue;
        };
        let Some((_, origin, raw)) = of.filter(|(of, ..)| of == app.as_str()) else {
            continue;
        };
        let end = dingtalk::approval_end_key(&instance_id);
        let mut has_ended = false;
        for seq in events_of(&end) {
            let is_end =
                known.query_row(params![seq, app.as_str(), end], |row| row.get::<_, bool>(0))?;
            has_ended |= is_end;
        }
        if !has_ended {
            let arguments: Option<String> = row.get(1)?;
            open.entry(instance_id.clone())
                .or_insert_with(|| StartedApproval {
                    instance_id,
                    process_code: arguments.and_then(|text| process_code(&text)),
                    corp_id: corp_id(&origin, &raw),
                });
        }
    }
    Ok(open.into_values().collect())
}

fn corp_id(origin: &str, raw: &str) -> Option<String> {
    let content = Content::parse(&Origin::from_text(origin)?, raw).ok()?;
    content.corp_id().map(str::to_owned)
}

/// What a plugin is told by `approval.create`, as it is recorded.
type Told = Result<String, serde_json::Value>;

fn process_code(arguments: &str) -> Option<String> {
    let arguments: serde_json::Value = serde_json::from_str(arguments).ok()?;
    arguments["process_code"].as_str().map(str::to_owned)
}
