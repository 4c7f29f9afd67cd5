//! `[gateway]`: who may call DingTalk through belfry, and what.

use std::collections::{BTreeSet, HashSet};

use sha2::{Digest, Sha256};

use super::section::Section;
use crate::ids::AppName;

/// Calls a second that a key may make, unless it says otherwise.
const CALLS: u32 = 50;

/// `[gateway]`: the door for other services of the company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The app whose credentials it uses.
    pub app: AppName,
    /// Who may call.
    pub keys: Vec<Key>,
}

/// A `[[gateway.key]]`: one caller. Only the digest of its key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Who it is, in logs and metrics.
    pub name: String,
    /// The SHA-256 of what it sends.
    pub digest: [u8; 32],
    /// The families of APIs that it may call.
    pub scopes: BTreeSet<&'static str>,
    /// Calls a second.
    pub rate: u32,
}

/// The families that the gateway has APIs of.
const SCOPES: [&str; 6] = ["chat", "notice", "contacts", "approval", "callback", "isv"];

pub(super) fn gateway(root: &mut Section<'_>, apps: &HashSet<&str>) -> Option<Gateway> {
    let mut section = root.section("gateway")?;
    let app = section.app_reference(apps);
    let keys = section.sections("key").into_iter().map(key).collect();
    let gateway = Gateway {
        app: app.as_str().into(),
        keys,
    };
    if gateway.keys.is_empty() {
        let text = "is missing, so nobody can call the gateway; write [[gateway.key]] with name, key and scopes";
        section.warn("key", None, text);
    }
    let mut names = HashSet::new();
    for key in &gateway.keys {
        if !key.name.is_empty() && !names.insert(key.name.as_str()) {
            section.report(&format!("key.{}", key.name), None, "the name is used twice");
        }
    }
    section.finish();
    Some(gateway)
}

fn key(mut section: Section<'_>) -> Key {
    let name = section.name();
    let given = section.has("key") || section.has("sha256");
    let line = section.line_of("key");
    let secret = section.secret("key");
    let digest = section.parsed("sha256", "64 hexadecimal digits", |text| {
        digest_of_hex(text.trim())
    });
    let digest = match (secret, digest) {
        (Some(_), Some(_)) => {
            section.report("sha256", None, "is there beside key; give one of them");
            [0; 32]
        }
        (Some(secret), None) => {
            if secret.expose().is_empty() {
                section.report("key", line, "is empty");
            } else if secret.expose().len() < 16 {
                let text =
                    "is shorter than 16 characters, and this listener can be tried from outside";
                section.warn("key", line, text);
            }
            Sha256::digest(secret.expose()).into()
        }
        (None, Some(digest)) => digest,
        (None, None) => {
            if !given {
                section.report("key", None, "is missing; give key or sha256");
            }
            [0; 32]
        }
    };
    let line = section.line_of("scopes");
    let mut scopes = BTreeSet::new();
    for word in section.texts("scopes").unwrap_or_default() {
        match SCOPES.iter().find(|scope| **scope == word) {
            Some(scope) => {
                scopes.insert(*scope);
            }
            None => {
                let known = SCOPES.join("\", \"");
                section.report(
                    "scopes",
                    line,
                    format!("must be of \"{known}\", not {word:?}"),
                );
            }
        }
    }
    if scopes.is_empty() {
        section.warn("scopes", line, "is empty, so the key may call nothing");
    }
    let rate = section.integer("rate", 1..=100_000);
    let key = Key {
        name,
        digest,
        scopes,
        rate: rate.and_then(|rate| rate.try_into().ok()).unwrap_or(CALLS),
    };
    section.finish();
    key
}

fn digest_of_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;

    const APP: &str =
        "[[app]]\nname = \"acme\"\ncorp-id = \"c\"\napp-key = \"k\"\napp-secret = \"s\"\n";

    fn parse(gateway: &str) -> Result<Config, Vec<String>> {
        Config::parse(&format!("{APP}{gateway}"), Path::new(""), [])
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keys_are_kept_as_digests_however_they_are_written() {
        let digest: [u8; 32] = Sha256::digest("a-key-of-sixteen").into();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!(
            "[gateway]\napp = \"acme\"\n[[gateway.key]]\nname = \"crm\"\nkey = \"a-key-of-sixteen\"\nscopes = [\"chat\"]\n\
             [[gateway.key]]\nname = \"erp\"\nsha256 = \"{hex}\"\nscopes = [\"contacts\", \"notice\"]\nrate = 5\n"
        );
        let gateway = parse(&text).unwrap().gateway.unwrap();
        assert_eq!(gateway.keys[0].digest, digest);
        assert_eq!(gateway.keys[1].digest, digest);
        assert_eq!((gateway.keys[0].rate, gateway.keys[1].rate), (CALLS, 5));
        assert!(gateway.keys[1].scopes.contains("notice"));
        assert!(!format!("{gateway:?}").contains("a-key-of-sixteen"));
    }

    #[test]
    fn a_short_key_is_warned_of() {
        let key = "[[gateway.key]]\nname = \"crm\"\nkey = \"short\"\nscopes = [\"chat\"]\n";
        let config = parse(&format!("[gateway]\napp = \"acme\"\n{key}")).unwrap();
        let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        let expected = "gateway.key.crm.key: is shorter than 16 characters";
        assert!(
            warnings.iter().any(|warning| warning.contains(expected)),
            "{warnings:?}"
        );
    }

    #[test]
    fn every_mistake_in_a_key_is_named() {
        let text = "[gateway]\napp = \"acme\"\n[[gateway.key]]\nname = \"a\"\nkey = \"short\"\nscopes = [\"everything\"]\n\
                    [[gateway.key]]\nname = \"a\"\nscopes = [\"chat\"]\n\
                    [[gateway.key]]\nname = \"b\"\nsha256 = \"zz\"\nscopes = [\"chat\"]\nlimit = 1\n\
                    [[gateway.key]]\nname = \"c\"\nkey = \"\"\nscopes = [\"chat\"]\n";
        let problems = parse(text).unwrap_err().join("\n");
        for part in [
            "gateway.key.a.scopes: must be of \"chat\", \"notice\"",
            "gateway.key.a.key: is missing; give key or sha256",
            "gateway.key.a: the name is used twice",
            "gateway.key.b.sha256: must be 64 hexadecimal digits",
            "gateway.key.c.key: is empty",
            "gateway.key.b.limit: is not a key belfry knows",
        ] {
            assert!(problems.contains(part), "{part}\nis not in\n{problems}");
        }
        let problems = parse("[gateway]\napp = \"other\"\n").unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}
