//! What plugins keep: small values by key, each plugin in a space of its own.

use async_trait::async_trait;

use crate::ids::PluginName;
use crate::store::Recording;

pub use self::memory::MemoryKv;
pub use self::overlay::Overlay;
pub use self::sqlite::SqliteKv;

mod memory;
mod overlay;
mod sqlite;

#[cfg(test)]
mod tests;

/// Bytes of a key.
pub const MAX_KEY: usize = 512;
/// Bytes of a value.
pub const MAX_VALUE: usize = 256 << 10;
/// Bytes of all keys and values of one plugin, unless its grant says otherwise.
pub const MAX_TOTAL: usize = 16 << 20;
/// Keys of one listing.
pub const MAX_KEYS: usize = 1000;

/// Why a value was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// The key is empty or too long.
    #[error("the key is empty or longer than {MAX_KEY} bytes")]
    InvalidKey,
    /// The value is too large.
    #[error("the value is larger than {MAX_VALUE} bytes")]
    ValueTooLarge,
    /// The plugin has used up its space.
    #[error("the plugin's values would take more than {0} bytes")]
    Full(usize),
    /// The store cannot be used at the moment.
    #[error("the key-value store cannot be used: {0}")]
    Unavailable(String),
}

/// What to write under which condition.
#[derive(Debug, Clone)]
pub struct Write {
    /// The key.
    pub key: String,
    /// The new value; `None` removes it.
    pub value: Option<Vec<u8>>,
    /// Only if this is the present value: `Some(None)` for none at all, `None` for any.
    pub expected: Option<Option<Vec<u8>>>,
    /// Bytes that all keys and values of the plugin may take afterwards.
    pub max_total: usize,
}

impl Write {
    /// Whether key and value are within the limits.
    pub fn check(&self) -> Result<(), KvError> {
        check_key(&self.key)?;
        if self
            .value
            .as_ref()
            .is_some_and(|value| value.len() > MAX_VALUE)
        {
            return Err(KvError::ValueTooLarge);
        }
        Ok(())
    }
}

/// Whether a key is within the limits.
pub fn check_key(key: &str) -> Result<(), KvError> {
    if key.is_empty() || key.len() > MAX_KEY {
        Err(KvError::InvalidKey)
    } else {
        Ok(())
    }
}

/// A key-value store. What a write answered with success survives a crash, except in [`MemoryKv`] and
/// [`Overlay`].
#[async_trait]
pub trait Kv: Send + Sync {
    /// Reads a value.
    async fn get(&self, plugin: &PluginName, key: &str) -> Result<Option<Vec<u8>>, KvError>;

    /// Writes and says whether the condition held.
    async fn write(&self, plugin: &PluginName, write: Write) -> Result<bool, KvError>;

    /// Whether it has transactions that can take a record along.
    fn is_transactional(&self) -> bool {
        false
    }

    /// Writes as [`Kv::write`] does, and the record in the same transaction. What fails without a transaction, because a
    /// limit is exceeded or the store cannot be used, leaves no record. A store without transactions leaves none either.
    async fn write_recorded(
        &self,
        plugin: &PluginName,
        write: Write,
        _recording: Recording<KvError>,
    ) -> Result<bool, KvError> {
        self.write(plugin, write).await
    }

    /// Keys with a prefix in byte order, after `after`, at most `limit` and at most [`MAX_KEYS`].
    async fn keys(
        &self,
        plugin: &PluginName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvError>;
}
