//! The key-value store in SQLite.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Kv, KvError, MAX_KEYS, Write, check_key};
use crate::ids::PluginName;
use crate::store::Recording;
use crate::store::sqlite::{Store, StoreError};

/// A key-value store in a [`Store`].
pub struct SqliteKv(Store);

impl SqliteKv {
    /// A key-value store in an open store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }
}

impl From<StoreError> for KvError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

#[async_trait]
impl Kv for SqliteKv {
    async fn get(&self, plugin: &PluginName, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        check_key(key)?;
        let (plugin, key) = (plugin.to_string(), key.to_owned());
        Ok(self
            .0
            .read(move |connection| get(connection, &plugin, &key))
            .await?)
    }

    async fn write(&self, plugin: &PluginName, write: Write) -> Result<bool, KvError> {
        write.check()?;
        let plugin = plugin.to_string();
        self.0
            .write(move |connection| apply(connection, &plugin, &write))
            .await?
    }

    fn is_transactional(&self) -> bool {
        true
    }

    async fn write_recorded(
        &self,
        plugin: &PluginName,
        write: Write,
        mut recording: Recording<KvError>,
    ) -> Result<bool, KvError> {
        write.check()?;
        let plugin = plugin.to_string();
        let written = self.0.write(move |connection| {
            let outcome = apply(connection, &plugin, &write)?;
            recording.sqlite(connection, &outcome)?;
            Ok(outcome)
        });
        written.await?
    }

    async fn keys(
        &self,
        plugin: &PluginName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvError> {
        let (plugin, prefix, after) = (
            plugin.to_string(),
            prefix.to_owned(),
            after.unwrap_or_default().to_owned(),
        );
        let limit = limit.min(MAX_KEYS);
        let keys = self.0.read(move |connection| {
            let sql =
                "SELECT key FROM kv WHERE plugin = ?1 AND key >= ?2 AND key > ?3 ORDER BY key";
            let mut select = connection.prepare_cached(sql)?;
            let mut rows = select.query(params![plugin, prefix, after])?;
            let mut keys = Vec::new();
            while keys.len() < limit
                && let Some(row) = rows.next()?
            {
                let key: String = row.get(0)?;
                if !key.starts_with(&prefix) {
                    break;
                }
                keys.push(key);
            }
            Ok(keys)
        });
        Ok(keys.await?)
    }
}

fn get(connection: &Connection, plugin: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut select =
        connection.prepare_cached("SELECT value FROM kv WHERE plugin = ?1 AND key = ?2")?;
    select
        .query_row(params![plugin, key], |row| row.get(0))
        .optional()
}

/// The inner result is the plugin's, the outer one the store's.
fn apply(
    connection: &Connection,
    plugin: &str,
    write: &Write,
) -> rusqlite::Result<Result<bool, KvError>> {
    let present = get(connection, plugin, &write.key)?;
    if write
        .expected
        .as_ref()
        .is_some_and(|expected| *expected != present)
    {
        return Ok(Ok(false));
    }
    let Some(value) = &write.value else {
        connection
            .prepare_cached("DELETE FROM kv WHERE plugin = ?1 AND key = ?2")?
            .execute(params![plugin, write.key])?;
        return Ok(Ok(true));
    };
    let used: Option<i64> = connection
        .prepare_cached("SELECT bytes FROM kv_usage WHERE plugin = ?1")?
        .query_row([plugin], |row| row.get(0))
        .optional()?;
    let freed = present.map_or(0, |present| present.len() + write.key.len());
    let used = usize::try_from(used.unwrap_or(0)).unwrap_or(0);
    if (used + write.key.len() + value.len()).saturating_sub(freed) > write.max_total {
        return Ok(Err(KvError::Full(write.max_total)));
    }
    connection
        .prepare_cached(
            "INSERT INTO kv VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute(params![plugin, write.key, value])?;
    Ok(Ok(true))
}
