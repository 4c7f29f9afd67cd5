//! The identities of what belfry handles.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use dingtalk::UnixMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One event: a UUID version 7, so that ids sort by the time of arrival.
///
/// Its counter (RFC 9562, section 6.2, method 1) has 18 bits: all of `rand_a` and the first six of `rand_b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct EventId(uuid::Uuid);

impl EventId {
    /// Bits of the counter.
    const COUNTER: u32 = 18;

    /// The id of that place in the order of ids, with random bits for the rest.
    pub(crate) fn at(order: i64) -> Self {
        let [at, counter] = [order >> Self::COUNTER, order & ((1 << Self::COUNTER) - 1)];
        let mut bytes = uuid::Uuid::new_v4().into_bytes();
        bytes[..6].copy_from_slice(&at.to_be_bytes()[2..]);
        let [.., high, low] = (counter >> 6).to_be_bytes();
        bytes[6] = 0x70 | high;
        bytes[7] = low;
        bytes[8] = 0x80 | (counter & 0x3f) as u8;
        Self(uuid::Uuid::from_bytes(bytes))
    }

    /// The first place of a millisecond in the order of ids.
    pub(crate) fn first_order(at: UnixMs) -> i64 {
        at.0.clamp(0, i64::MAX >> Self::COUNTER) << Self::COUNTER
    }

    /// The place in the order of ids: milliseconds and counter. No two ids of a journal have the same.
    pub fn order(&self) -> i64 {
        let bytes = self.as_bytes();
        let mut at = [0; 8];
        at[2..].copy_from_slice(&bytes[..6]);
        // The three highest bits are unused until the year 3084.
        let at = i64::from_be_bytes(at) & (i64::MAX >> Self::COUNTER);
        let counter = i64::from(bytes[6] & 0x0f) << 14
            | i64::from(bytes[7]) << 6
            | i64::from(bytes[8] & 0x3f);
        at << Self::COUNTER | counter
    }

    /// The id of these bytes.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }

    /// The id as bytes, the seed of everything that must be the same in every attempt.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not the id of an event.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an event id (36 characters, as `belfry events list` prints them)")]
pub struct NotAnEventId(String);

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for EventId {
    type Err = NotAnEventId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self)
            .map_err(|_| NotAnEventId(text.to_owned()))
    }
}

/// A name from the configuration; `T` keeps names of different things apart.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name<T>(Arc<str>, PhantomData<T>);

/// Marks the name of an `[[app]]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum App {}

/// Marks the name of a `[[plugin]]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Plugin {}

/// The name of an `[[app]]`.
pub type AppName = Name<App>;

/// The name of a `[[plugin]]`.
pub type PluginName = Name<Plugin>;

impl<T> Name<T> {
    /// The name as written in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T> From<&str> for Name<T> {
    fn from(text: &str) -> Self {
        Self(text.into(), PhantomData)
    }
}

impl<T> fmt::Display for Name<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In quotes, as messages have it.
impl<T> fmt::Debug for Name<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl<T> Serialize for Name<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// One event for one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId {
    /// The event.
    pub event: EventId,
    /// The plugin.
    pub plugin: PluginName,
}

/// The SHA-256 of a component file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PluginDigest([u8; 32]);

impl PluginDigest {
    /// Digests the bytes of a component.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest as the store keeps it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest that the store kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PluginDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PluginDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginDigest({self})")
    }
}

/// The number of a snapshot; each successful swap counts one up.
pub type Generation = u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_its_place_in_its_bits_and_is_a_uuid_of_version_7() {
        for order in [
            0,
            1,
            0x3f,
            0x40,
            (1 << 18) - 1,
            1 << 18,
            0x1234_5678_9abc_def0,
            i64::MAX,
        ] {
            let id = EventId::at(order);
            assert_eq!(id.order(), order);
            let text = id.to_string();
            assert_eq!((&text[14..15], text.parse::<EventId>().unwrap()), ("7", id));
            assert!("89ab".contains(&text[19..20]));
        }
    }

    #[test]
    fn ids_sort_like_their_places() {
        let ids = [5, 64, 1 << 18, (1 << 18) + 63, 1 << 40].map(EventId::at);
        assert!(ids.is_sorted());
        assert_ne!(EventId::at(5), EventId::at(5), "the rest is random");
    }
}
