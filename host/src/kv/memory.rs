//! The key-value store in memory: the same contract without a disk.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Kv, KvError, MAX_KEYS, Write, check_key};
use crate::ids::PluginName;

type Values = BTreeMap<String, Vec<u8>>;

/// A key-value store that forgets everything when it is dropped.
#[derive(Default)]
pub struct MemoryKv(Mutex<HashMap<PluginName, Values>>);

impl MemoryKv {
    fn plugins(&self) -> MutexGuard<'_, HashMap<PluginName, Values>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Kv for MemoryKv {
    async fn get(&self, plugin: &PluginName, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        check_key(key)?;
        let plugins = self.plugins();
        Ok(plugins
            .get(plugin)
            .and_then(|values| values.get(key))
            .cloned())
    }

    async fn write(&self, plugin: &PluginName, write: Write) -> Result<bool, KvError> {
        write.check()?;
        let mut plugins = self.plugins();
        let values = plugins.entry(plugin.clone()).or_default();
        let is_expected = |expected: Option<Vec<u8>>| expected.as_ref() == values.get(&write.key);
        if !write.expected.is_none_or(is_expected) {
            return Ok(false);
        }
        let Some(value) = write.value else {
            values.remove(&write.key);
            return Ok(true);
        };
        let others = values.iter().filter(|(key, _)| **key != write.key);
        let others: usize = others.map(|(key, value)| key.len() + value.len()).sum();
        if others + write.key.len() + value.len() > write.max_total {
            return Err(KvError::Full(write.max_total));
        }
        values.insert(write.key, value);
        Ok(true)
    }

    async fn keys(
        &self,
        plugin: &PluginName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvError> {
        let plugins = self.plugins();
        let Some(values) = plugins.get(plugin) else {
            return Ok(Vec::new());
        };
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        Ok(values
            .range::<str, _>((start, Bound::Unbounded))
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(prefix))
            .take(limit.min(MAX_KEYS))
            .cloned()
            .collect())
    }
}
