//! Writes and reads the table `effect`: the recorded host calls.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::damaged;
use crate::call::{Answer, Arguments, Fate, Json};
use crate::clock::UnixMs;
use crate::function::Function;
use crate::ids::{DeliveryId, PluginDigest};
use crate::journal::{Effect, Effects, Place, Record};
use crate::store::Join;

/// A row with this number begins its run and is no call.
const BEGINS: u32 = 0;
/// Stands in the place of the digest of arguments that are kept as they are.
const NONE: &[u8] = &[];
/// Stands in the place of the function where a person began the run.
const BY_A_PERSON: &str = "released";

/// Writes in order. A call that is there already stays as it is: the same record may come in two ways.
pub(super) fn record(
    connection: &Connection,
    id: &DeliveryId,
    entries: &[Record],
) -> rusqlite::Result<()> {
    entries
        .iter()
        .try_for_each(|entry| record_one(connection, id, entry))
}

fn record_one(connection: &Connection, id: &DeliveryId, entry: &Record) -> rusqlite::Result<()> {
    let (event, plugin) = (id.event.as_bytes(), id.plugin.as_str());
    match entry {
        Record::Call(effect) => {
            let (fate, answer) = columns(effect.answer.as_ref());
            connection
                .prepare_cached(
                    "INSERT INTO effect (event, plugin, run, number, function, digest, arguments_sha256, arguments,
                     for_run, for_number, started_at, fate, answer)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    event,
                    plugin,
                    effect.place.run,
                    effect.place.number,
                    effect.function.name(),
                    effect.digest.as_bytes(),
                    effect.arguments.digest.as_ref().map_or(NONE, |digest| digest),
                    effect.arguments.text.as_ref().map(Json::expose),
                    effect.stands_for.map(|place| place.run),
                    effect.stands_for.map(|place| place.number),
                    effect.started_at.0,
                    fate,
                    answer,
                ])?;
        }
        Record::End { place, answer } => {
            update(
                connection,
                id,
                *place,
                "fate = ?5, answer = ?6",
                &[&answer.fate.as_str(), &answer.text.expose()],
            )?;
        }
        Record::Diverged { place, called } => {
            update(connection, id, *place, "diverged = ?5", &[&called.expose()])?;
        }
        Record::Run(run) => {
            connection
                .prepare_cached(
                    "INSERT INTO effect (event, plugin, run, number, function, digest, arguments_sha256, started_at)
                     VALUES (?1, ?2, ?3, ?4, '', x'', x'', 0) ON CONFLICT DO NOTHING",
                )?
                .execute(params![event, plugin, run, BEGINS])?;
        }
    }
    Ok(())
}

/// Begins a run on whatever version of the plugin there is, if anything is recorded of the delivery.
pub(super) fn release(connection: &Connection, id: &DeliveryId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO effect (event, plugin, run, number, function, digest, arguments_sha256, started_at)
             SELECT ?1, ?2, max(run) + 1, ?3, ?4, x'', x'', 0 FROM effect WHERE event = ?1 AND plugin = ?2
             HAVING count(*) > 0",
        )?
        .execute(params![id.event.as_bytes(), id.plugin.as_str(), BEGINS, BY_A_PERSON])?;
    Ok(())
}

fn update(
    connection: &Connection,
    id: &DeliveryId,
    place: Place,
    set: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<()> {
    let sql = format!(
        "UPDATE effect SET {set} WHERE event = ?1 AND plugin = ?2 AND run = ?3 AND number = ?4"
    );
    let (event, plugin) = (id.event.as_bytes(), id.plugin.as_str());
    let mut all: Vec<&dyn ToSql> = vec![event, &plugin, &place.run, &place.number];
    all.extend(values);
    connection.prepare_cached(&sql)?.execute(all.as_slice())?;
    Ok(())
}

fn columns(answer: Option<&Answer>) -> (Option<&'static str>, Option<&str>) {
    answer
        .map(|answer| (answer.fate.as_str(), answer.text.expose()))
        .unzip()
}

/// Whether anything is recorded of a delivery.
pub(super) fn exist(connection: &Connection, id: &DeliveryId) -> rusqlite::Result<bool> {
    let found = connection
        .prepare_cached("SELECT 1 FROM effect WHERE event = ?1 AND plugin = ?2 LIMIT 1")?
        .query_row(params![id.event.as_bytes(), id.plugin.as_str()], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Everything that is recorded of a delivery.
pub(super) fn load(connection: &Connection, id: &DeliveryId) -> rusqlite::Result<Effects> {
    let mut select = connection.prepare_cached(
        "SELECT run, number, function, digest, arguments_sha256, arguments, for_run, for_number, started_at, fate,
         answer, diverged FROM effect WHERE event = ?1 AND plugin = ?2 ORDER BY run, number",
    )?;
    let mut rows = select.query(params![id.event.as_bytes(), id.plugin.as_str()])?;
    let mut effects = Effects::default();
    while let Some(row) = rows.next()? {
        effects.run = row.get(0)?;
        if row.get::<_, u32>(1)? != BEGINS {
            effects.calls.push(effect(row)?);
        } else if row.get_ref(2)?.as_str()? == BY_A_PERSON {
            effects.released = effects.run;
        }
    }
    Ok(effects)
}

fn effect(row: &Row<'_>) -> rusqlite::Result<Effect> {
    let text = |column| row.get::<_, Option<String>>(column);
    let name: String = row.get(2)?;
    let answer = match (text(9)?, text(10)?) {
        (Some(fate), Some(answer)) => Some(Answer {
            fate: Fate::from_text(&fate).ok_or_else(|| damaged(9, "unknown fate"))?,
            text: Json::new(answer),
        }),
        _ => None,
    };
    Ok(Effect {
        place: Place {
            run: row.get(0)?,
            number: row.get(1)?,
        },
        function: Function::from_name(&name).ok_or_else(|| damaged(2, "unknown function"))?,
        digest: PluginDigest::from_bytes(row.get(3)?),
        arguments: Arguments {
            digest: digest_of(row.get_ref(4)?)?,
            text: text(5)?.map(Json::new),
        },
        stands_for: match (row.get(6)?, row.get(7)?) {
            (Some(run), Some(number)) => Some(Place { run, number }),
            _ => None,
        },
        started_at: UnixMs(row.get(8)?),
        answer,
        diverged: text(11)?.map(Json::new),
    })
}

fn digest_of(column: ValueRef<'_>) -> rusqlite::Result<Option<[u8; 32]>> {
    match column.as_blob()? {
        NONE => Ok(None),
        digest => {
            let digest = digest.try_into();
            digest.map(Some).map_err(|_| damaged(4, "no SHA-256"))
        }
    }
}

/// Records a call in the transaction that does it.
pub(super) struct Joined {
    pub(super) id: DeliveryId,
    pub(super) before: Vec<Record>,
    pub(super) call: Effect,
}

impl Join for Joined {
    fn sqlite(&mut self, connection: &Connection, answer: Answer) -> rusqlite::Result<()> {
        record(connection, &self.id, &self.before)?;
        self.call.answer = Some(answer);
        record_one(connection, &self.id, &Record::Call(self.call.clone()))
    }
}
