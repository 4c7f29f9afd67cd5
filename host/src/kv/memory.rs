//! The key-value store in memory: the same contract without a disk.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Kv, KvError, MAX_KEYS, Write, check_key};
use crate::ids::PluginName;

/// A key-value store that forgets everything when it is dropped.
#[derive(Default)]
pub struct MemoryKv(Mutex<BTreeMap<(PluginName, String), Vec<u8>>>);

impl MemoryKv {
    fn values(&self) -> MutexGuard<'_, BTreeMap<(PluginName, String), Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Kv for MemoryKv {
    async fn get(&self, plugin: &PluginName, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        check_key(key)?;
        Ok(self
            .values()
            .get(&(plugin.clone(), key.to_owned()))
            .cloned())
    }

    async fn write(&self, plugin: &PluginName, write: Write) -> Result<bool, KvError> {
        write.check()?;
        let mut values = self.values();
        let place = (plugin.clone(), write.key);
        if write
            .expected
            .is_some_and(|expected| expected.as_ref() != values.get(&place))
        {
            return Ok(false);
        }
        let Some(value) = write.value else {
            values.remove(&place);
            return Ok(true);
        };
        let others: usize = values
            .iter()
            .filter(|(other, _)| other.0 == *plugin && **other != place)
            .map(|((_, key), value)| key.len() + value.len())
            .sum();
        if others + place.1.len() + value.len() > write.max_total {
            return Err(KvError::Full(write.max_total));
        }
        values.insert(place, value);
        Ok(true)
    }

    async fn keys(
        &self,
        plugin: &PluginName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvError> {
        let values = self.values();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded((plugin.clone(), after.to_owned())),
            _ => Bound::Included((plugin.clone(), prefix.to_owned())),
        };
        Ok(values
            .range((start, Bound::Unbounded))
            .map(|(place, _)| place)
            .take_while(|(owner, key)| owner == plugin && key.starts_with(prefix))
            .take(limit.min(MAX_KEYS))
            .map(|(_, key)| key.clone())
            .collect())
    }
}
