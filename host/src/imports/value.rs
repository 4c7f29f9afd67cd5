//! The bytes of a plugin's value as they stand in a record: as text where they are one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value: JSON text where the bytes are UTF-8, else `{"base64": "…"}`.
pub(super) enum Value {
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base64 {
    base64: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Base64(Base64),
}

impl Value {
    /// The bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => Base64 {
                base64: STANDARD.encode(bytes),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Self::Text(text)),
            Written::Base64(written) => STANDARD
                .decode(written.base64)
                .map(Self::Bytes)
                .map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read_back_as_it_was() {
        for bytes in [
            &b""[..],
            "群 7".as_bytes(),
            b"\xff\x00",
            b"{\"base64\":\"AA==\"}",
        ] {
            let text = serde_json::to_string(&Value::from(bytes.to_vec())).unwrap();
            let read: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read.into_bytes(), bytes, "{text}");
        }
    }
}
