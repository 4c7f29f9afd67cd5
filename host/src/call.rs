//! What a host call is given and what comes of it, as it is recorded and compared.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

/// Longer arguments are kept as their digest only: enough to compare them, too little to show them.
const MAX_ARGUMENTS: usize = 64 << 10;

/// A JSON text of a plugin or of DingTalk. It may be a message, so nothing prints it by the way. Short ones, as most answers
/// are, lie where it lies.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Json(SmolStr);

impl Json {
    /// Takes a JSON text.
    pub fn new(text: impl Into<SmolStr>) -> Self {
        Self(text.into())
    }

    /// Writes a value. It fails if that has a map whose keys are no texts.
    pub fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::to_string(value).map(Self::new)
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self::new(value.get()))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(value) => value.serialize(serializer),
            // Only a damaged store has a text here that is no JSON.
            Err(_) => serializer.serialize_str(&self.0),
        }
    }
}

/// What a plugin gave with a call.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// The SHA-256 of their canonical JSON, unless that is what is kept.
    pub digest: Option<[u8; 32]>,
    /// The JSON, unless it is too long to keep.
    pub text: Option<Json>,
}

impl Arguments {
    /// Takes a canonical JSON text.
    pub fn new(text: &str) -> Self {
        if text.len() <= MAX_ARGUMENTS {
            Self {
                digest: None,
                text: Some(Json::new(text)),
            }
        } else {
            Self {
                digest: Some(sha256(text)),
                text: None,
            }
        }
    }

    /// Writes what was given as canonical JSON; see [`Json::of`].
    pub fn of(given: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::to_string(given).map(|text| Self::new(&text))
    }

    /// Digests a canonical JSON text and keeps another one to show, which leaves out what nobody should see.
    pub fn shown_as(text: &str, shown: String) -> Self {
        Self {
            digest: Some(sha256(text)),
            text: (shown.len() <= MAX_ARGUMENTS).then(|| Json::new(shown)),
        }
    }

    fn canonical_digest(&self) -> [u8; 32] {
        let text = self.text.as_ref().map_or("", Json::expose);
        self.digest.unwrap_or_else(|| sha256(text))
    }
}

/// Compares the canonical JSON of two calls, whatever is kept of it.
impl PartialEq for Arguments {
    fn eq(&self, other: &Self) -> bool {
        match (self.digest, other.digest) {
            (None, None) => self.text == other.text,
            _ => self.canonical_digest() == other.canonical_digest(),
        }
    }
}

impl Eq for Arguments {}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_equal_if_their_canonical_texts_are() {
        let text = r#"{"key":"a"}"#;
        let digested = Arguments {
            digest: Some(sha256(text)),
            text: Some(Json::new(text)),
        };
        assert_eq!(Arguments::new(text), digested);
        assert_ne!(Arguments::new(r#"{"key":"b"}"#), digested);
        let long = |last: char| Arguments::new(&("x".repeat(MAX_ARGUMENTS) + &last.to_string()));
        assert!(long('a').text.is_none());
        assert_eq!(long('a'), long('a'));
        assert_ne!(long('a'), long('b'));
        let shown = |secret: &str| Arguments::shown_as(secret, "{}".to_owned());
        assert_eq!(shown("a"), shown("a"));
        assert_ne!(shown("a"), shown("b"));
    }
}

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It was done.
    Done,
    /// It was refused and certainly not done.
    Refused,
    /// Nobody knows, and the plugin was told so.
    Unknown,
}

impl Fate {
    const NAMES: [(&'static str, Self); 3] = [
        ("done", Self::Done),
        ("refused", Self::Refused),
        ("unknown", Self::Unknown),
    ];

    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, fate)| *fate == self)
            .map_or("", |(name, _)| name)
    }

    /// The fate of that word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, fate)| *fate)
    }
}

/// What a plugin was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What the call came to.
    pub fate: Fate,
    /// The answer as JSON.
    pub text: Json,
}
