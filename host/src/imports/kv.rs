//! `belfry:bot/kv`: what a plugin keeps.

use serde::Serialize;

use super::bindings::belfry::bot::kv::{Error, Host};
use super::recorded::Own;
use super::value::Value;
use crate::engine::{State, Task};
use crate::function::Function;
use crate::journal::JournalError;
use crate::kv::{KvError, MAX_VALUE, Write};
use crate::store::Recording;

impl Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let call = self.asks(Function::KvGet, &Get { key: &key })?;
        let task = call.task();
        let told: Result<Option<Value>, Error> = call
            .read(async {
                let found = task.kv.get(&task.plugin, &key).await;
                found
                    .map(|value| value.map(Value::from))
                    .map_err(|error| to_guest(&error))
            })
            .await?;
        Ok(told.map(|value| value.map(Value::into_bytes)))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        let value = Value::from(value);
        let asked = Set {
            key: &key,
            value: &value,
        };
        let call = self.asks(Function::KvSet, &asked)?;
        let write = Write {
            key,
            value: Some(value.into_bytes()),
            expected: None,
            max_total: max_total(&call.task()),
        };
        call.change(async { Ok(write) }).await
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), Error>> {
        let call = self.asks(Function::KvDelete, &Get { key: &key })?;
        let write = Write {
            key,
            value: None,
            expected: None,
            max_total: max_total(&call.task()),
        };
        call.change(async { Ok(write) }).await
    }

    async fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let (value, expected) = (Value::from(value), expected.map(Value::from));
        let asked = CompareAndSet {
            key: &key,
            expected: expected.as_ref(),
            value: &value,
        };
        let call = self.asks(Function::KvCompareAndSet, &asked)?;
        let write = Write {
            key,
            value: Some(value.into_bytes()),
            expected: Some(expected.map(Value::into_bytes)),
            max_total: max_total(&call.task()),
        };
        call.change(async { Ok(write) }).await
    }

    async fn list_keys(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let asked = ListKeys {
            prefix: &prefix,
            after: after.as_deref(),
            limit,
        };
        let call = self.asks(Function::KvListKeys, &asked)?;
        let task = call.task();
        call.read(async {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let keys = task.kv.keys(&task.plugin, &prefix, after.as_deref(), limit);
            keys.await.map_err(|error| to_guest(&error))
        })
        .await
    }
}

#[derive(Serialize)]
struct Get<'a> {
    key: &'a str,
}

#[derive(Serialize)]
struct Set<'a> {
    key: &'a str,
    value: &'a Value,
}

#[derive(Serialize)]
struct CompareAndSet<'a> {
    key: &'a str,
    expected: Option<&'a Value>,
    value: &'a Value,
}

#[derive(Serialize)]
struct ListKeys<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: u32,
}

impl Own for Write {
    type Error = KvError;
    type Heard = Error;
    const IS_CONDITIONAL: bool = true;

    fn to_guest(error: &KvError) -> Error {
        to_guest(error)
    }

    fn check(&self) -> Result<(), KvError> {
        Write::check(self)
    }

    fn unusable(error: &KvError) -> Option<JournalError> {
        match error {
            KvError::Unavailable(reason) => Some(JournalError::Unusable(reason.clone())),
            _ => None,
        }
    }

    async fn make(self, task: &Task) -> Result<bool, KvError> {
        task.kv.write(&task.plugin, self).await
    }

    fn is_transactional(task: &Task) -> bool {
        task.kv.is_transactional()
    }

    async fn make_recorded(
        self,
        task: &Task,
        recording: Recording<KvError>,
    ) -> Result<bool, KvError> {
        task.kv.write_recorded(&task.plugin, self, recording).await
    }
}

fn to_guest(error: &KvError) -> Error {
    match error {
        KvError::InvalidKey => Error::InvalidKey,
        KvError::ValueTooLarge => {
            Error::ValueTooLarge(u32::try_from(MAX_VALUE).unwrap_or(u32::MAX))
        }
        KvError::Full(most) => Error::Full(u32::try_from(*most).unwrap_or(u32::MAX)),
        KvError::Unavailable(_) => Error::Unavailable,
    }
}

/// Bytes that the grant gives.
fn max_total(task: &Task) -> usize {
    task.grant
        .kv
        .map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}
