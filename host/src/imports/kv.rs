//! `belfry:bot/kv`: what a plugin keeps.

use super::bindings::belfry::bot::kv::{Error, Host};
use crate::engine::{State, Task};
use crate::kv::{KvError, MAX_VALUE, Write};

impl Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let task = self.call()?;
        Ok(task
            .kv
            .get(&task.plugin, &key)
            .await
            .map_err(|error| to_guest(&task, &error)))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        let task = self.call()?;
        let write = Write {
            key,
            value: Some(value),
            expected: None,
            max_total: max_total(&task),
        };
        Ok(task
            .kv
            .write(&task.plugin, write)
            .await
            .map(|_| ())
            .map_err(|error| to_guest(&task, &error)))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), Error>> {
        let task = self.call()?;
        let write = Write {
            key,
            value: None,
            expected: None,
            max_total: max_total(&task),
        };
        Ok(task
            .kv
            .write(&task.plugin, write)
            .await
            .map(|_| ())
            .map_err(|error| to_guest(&task, &error)))
    }

    async fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let task = self.call()?;
        let write = Write {
            key,
            value: Some(value),
            expected: Some(expected),
            max_total: max_total(&task),
        };
        Ok(task
            .kv
            .write(&task.plugin, write)
            .await
            .map_err(|error| to_guest(&task, &error)))
    }

    async fn list_keys(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let task = self.call()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(task
            .kv
            .keys(&task.plugin, &prefix, after.as_deref(), limit)
            .await
            .map_err(|error| to_guest(&task, &error)))
    }
}

/// Bytes that the plugin's grant lets it keep.
fn max_total(task: &Task) -> usize {
    let bytes = task.grant.kv.unwrap_or_default();
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn to_guest(task: &Task, error: &KvError) -> Error {
    match error {
        KvError::InvalidKey => Error::InvalidKey,
        KvError::ValueTooLarge => {
            Error::ValueTooLarge(u32::try_from(MAX_VALUE).unwrap_or(u32::MAX))
        }
        KvError::Full => Error::Full(u32::try_from(max_total(task)).unwrap_or(u32::MAX)),
        KvError::Unavailable(_) => Error::Unavailable,
    }
}
