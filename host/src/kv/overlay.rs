//! Values over those of another store, which stays as it is: for a dry run that must see what it wrote.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Kv, KvError, MAX_KEYS, Write, check_key};
use crate::ids::PluginName;

/// Values by plugin and key; `None` for what was removed.
type Written = BTreeMap<(PluginName, String), Option<Vec<u8>>>;

/// A key-value store that reads through to another one and keeps its own writes in memory.
pub struct Overlay {
    below: Arc<dyn Kv>,
    written: Mutex<Written>,
    /// Only one write at a time looks at the present value and changes it.
    writing: tokio::sync::Mutex<()>,
}

impl Overlay {
    /// Nothing over that store.
    pub fn new(below: Arc<dyn Kv>) -> Self {
        Self {
            below,
            written: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all keys and values of the plugin. It reads all of them, as only a store itself can keep a sum.
    async fn used(&self, plugin: &PluginName) -> Result<usize, KvError> {
        let (mut used, mut after) = (0, None::<String>);
        loop {
            let keys = self.keys(plugin, "", after.as_deref(), MAX_KEYS).await?;
            for key in &keys {
                let value = self.get(plugin, key).await?;
                used += key.len() + value.map_or(0, |value| value.len());
            }
            match keys.last() {
                Some(last) if keys.len() == MAX_KEYS => after = Some(last.clone()),
                _ => return Ok(used),
            }
        }
    }
}

#[async_trait]
impl Kv for Overlay {
    async fn get(&self, plugin: &PluginName, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        check_key(key)?;
        let place = (plugin.clone(), key.to_owned());
        let written = self.written().get(&place).cloned();
        match written {
            Some(value) => Ok(value),
            None => self.below.get(plugin, key).await,
        }
    }

    async fn write(&self, plugin: &PluginName, write: Write) -> Result<bool, KvError> {
        write.check()?;
        let _writing = self.writing.lock().await;
        let present = self.get(plugin, &write.key).await?;
        if write.expected.is_some_and(|expected| expected != present) {
            return Ok(false);
        }
        if let Some(value) = &write.value {
            let freed = present.map_or(0, |present| present.len() + write.key.len());
            let used = self.used(plugin).await?;
            if (used + write.key.len() + value.len()).saturating_sub(freed) > write.max_total {
                return Err(KvError::Full(write.max_total));
            }
        }
        self.written()
            .insert((plugin.clone(), write.key), write.value);
        Ok(true)
    }

    async fn keys(
        &self,
        plugin: &PluginName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvError> {
        let limit = limit.min(MAX_KEYS);
        let (mut found, mut last) = (Vec::new(), after.map(str::to_owned));
        loop {
            let below = self
                .below
                .keys(plugin, prefix, last.as_deref(), MAX_KEYS)
                .await?;
            let ends = below.len() < MAX_KEYS;
            last = below.last().cloned().or(last);
            found.extend(below);
            if ends || found.len() >= limit + self.written().len() {
                break;
            }
        }
        let written = self.written();
        let own = written.iter().filter(|((owner, key), _)| {
            owner == plugin && key.starts_with(prefix) && after.is_none_or(|after| **key > *after)
        });
        for ((_, key), value) in own {
            match (found.binary_search(key), value) {
                (Err(place), Some(_)) => found.insert(place, key.clone()),
                (Ok(place), None) => {
                    found.remove(place);
                }
                _ => {}
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}
