//! The plugin's `config` table in `bot.toml`.

use crate::Failure;
pub use crate::bindings::belfry::bot::config::{get, json};

/// An entry that must be there and not empty.
///
/// # Errors
///
/// A permanent failure that names the missing key.
pub fn require(key: &str) -> Result<String, Failure> {
    required(key, get(key))
}

/// An entry, or `default` where there is none.
pub fn get_or(key: &str, default: &str) -> String {
    get(key).unwrap_or_else(|| default.to_owned())
}

/// An entry that must be an array of strings.
///
/// # Errors
///
/// A permanent failure that names the key when it is missing or something else.
pub fn require_list(key: &str) -> Result<Vec<String>, Failure> {
    strings(key, &require(key)?)
}

fn required(key: &str, value: Option<String>) -> Result<String, Failure> {
    value
        .filter(|value| !value.trim().is_empty())
        .ok_or_else(|| Failure::permanent(format!("config `{key}` is missing")))
}

fn strings(key: &str, json: &str) -> Result<Vec<String>, Failure> {
    serde_json::from_str(json)
        .map_err(|_| Failure::permanent(format!("config `{key}` is not an array of strings")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_entry_is_as_good_as_none() {
        for value in [None, Some(" ".to_owned())] {
            assert_eq!(
                required("chat", value),
                Err(Failure::permanent("config `chat` is missing"))
            );
        }
        assert_eq!(
            required("chat", Some("chat1".to_owned())),
            Ok("chat1".to_owned())
        );
    }

    #[test]
    fn a_list_is_a_json_array_of_strings() {
        assert_eq!(
            strings("members", r#"["a","b"]"#),
            Ok(vec!["a".to_owned(), "b".to_owned()])
        );
        for wrong in ["a,b", r#"{"a":1}"#, "[1]", ""] {
            assert_eq!(
                strings("members", wrong),
                Err(Failure::permanent(
                    "config `members` is not an array of strings"
                ))
            );
        }
    }
}
