//! What a plugin may do, as `grant = { … }` says it and as it can be written back.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;

use super::section::{Entry, Section};
use crate::destination::Destination;
use crate::function::{Function, Policy};

/// Bytes that can be given.
const KV_RANGE: RangeInclusive<u64> = 1 << 10..=1 << 30;

/// How far one grant reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Not granted.
    #[default]
    Nothing,
    /// Granted for these ids only.
    Only(Vec<String>),
    /// Granted for everything the app may do.
    Everything,
}

impl Scope {
    /// Whether there is a grant at all.
    pub fn is_granted(&self) -> bool {
        *self != Self::Nothing
    }

    /// Whether the grant covers an id.
    pub fn covers(&self, id: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Only(ids) => ids.iter().any(|granted| granted == id),
            Self::Everything => true,
        }
    }
}

/// Who may be sent work notices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Recipients {
    /// Nobody: not granted.
    #[default]
    Nobody,
    /// These people, and everybody in these departments.
    Only {
        /// User ids.
        users: Vec<String>,
        /// Department ids; what is below a department gets its notices too.
        departments: Vec<String>,
    },
    /// Everybody the app may write to.
    Everybody,
}

/// The grants of one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Groups, by chat id.
    pub chat: Scope,
    /// Work notices.
    pub notice: Recipients,
    /// Approvals, by process code.
    pub approval: Scope,
    /// People and departments, by department id.
    pub contacts: Scope,
    /// Files.
    pub media: bool,
    /// The robot, by conversation id; replies are always within the grant.
    pub robot: Scope,
    /// Bytes of the plugin's own key-value store, if it has one.
    pub kv: Option<u64>,
    /// Timers of the plugin's own.
    pub schedule: bool,
    /// Where outgoing HTTP may go; empty when nowhere.
    pub http: Vec<Destination>,
    /// What happens to writes whose end is unknown, where it is not what the function itself says.
    pub ambiguous: HashMap<Function, Policy>,
}

impl Grant {
    /// Bytes that `kv = true` gives.
    pub const KV_BYTES: u64 = 16 << 20;

    /// Every interface without bounds, but no host of the network.
    pub fn everything() -> Self {
        Self {
            chat: Scope::Everything,
            notice: Recipients::Everybody,
            approval: Scope::Everything,
            contacts: Scope::Everything,
            media: true,
            robot: Scope::Everything,
            kv: Some(Self::KV_BYTES),
            schedule: true,
            ..Self::default()
        }
    }

    /// What happens to a call of the function whose end is unknown.
    pub fn policy(&self, function: Function) -> Policy {
        self.ambiguous
            .get(&function)
            .copied()
            .or(function.policy())
            .unwrap_or(Policy::Unknown)
    }
}

/// Reads `grant = { … }`.
pub(super) fn read(mut section: Section<'_>) -> Grant {
    let grant = Grant {
        chat: scope(&mut section, "chat"),
        notice: recipients(&mut section),
        approval: scope(&mut section, "approval"),
        contacts: departments(&mut section),
        media: section.boolean("media").unwrap_or_default(),
        robot: scope(&mut section, "robot"),
        kv: kv(&mut section),
        schedule: section.boolean("schedule").unwrap_or_default(),
        http: destinations(&mut section),
        ambiguous: section
            .section("ambiguous")
            .map(ambiguous)
            .unwrap_or_default(),
    };
    section.finish();
    grant
}

/// Reads `ambiguous = { "chat.send" = "resend" }`.
fn ambiguous(mut section: Section<'_>) -> HashMap<Function, Policy> {
    let mut policies = HashMap::new();
    for function in Function::all().filter(|function| !function.policies().is_empty()) {
        let line = section.line_of(function.name());
        let Some(text) = section.text(function.name()) else {
            continue;
        };
        let allowed = function.policies();
        match Policy::from_text(&text).filter(|policy| allowed.contains(policy)) {
            Some(policy) => {
                policies.insert(function, policy);
            }
            None => {
                let words: Vec<&str> = allowed.iter().map(|policy| policy.as_str()).collect();
                let wanted = format!("must be one of {}, not {text:?}", words.join(", "));
                section.report(function.name(), line, wanted);
            }
        }
    }
    section.finish();
    policies
}

fn scope(section: &mut Section<'_>, key: &str) -> Scope {
    match section.boolean_or_texts(key) {
        None | Some(Ok(false)) => Scope::Nothing,
        Some(Ok(true)) => Scope::Everything,
        Some(Err(ids)) => Scope::Only(ids),
    }
}

/// `true`, or a list of departments, which are decimal numbers as text.
fn departments(section: &mut Section<'_>) -> Scope {
    let line = section.line_of("contacts");
    let scope = scope(section, "contacts");
    if let Scope::Only(ids) = &scope
        && let Some(id) = ids.iter().find(|id| id.parse::<u64>().is_err())
    {
        let text = format!("must be department ids such as \"42\", not {id:?}");
        section.report("contacts", line, text);
    }
    scope
}

/// `true`, a list of users, or `{ users = […], departments = […] }`.
fn recipients(section: &mut Section<'_>) -> Recipients {
    if !section.is_table("notice") {
        return match scope(section, "notice") {
            Scope::Nothing => Recipients::Nobody,
            Scope::Everything => Recipients::Everybody,
            Scope::Only(users) => Recipients::Only {
                users,
                departments: Vec::new(),
            },
        };
    }
    let Some(mut named) = section.section("notice") else {
        return Recipients::Nobody;
    };
    let recipients = Recipients::Only {
        users: named.texts("users").unwrap_or_default(),
        departments: named.texts("departments").unwrap_or_default(),
    };
    named.finish();
    recipients
}

/// `true`, or `{ bytes = "1MiB" }`.
fn kv(section: &mut Section<'_>) -> Option<u64> {
    if !section.is_table("kv") {
        return section.boolean("kv")?.then_some(Grant::KV_BYTES);
    }
    let mut space = section.section("kv")?;
    let bytes = space
        .bytes_within("bytes", KV_RANGE)
        .unwrap_or(Grant::KV_BYTES);
    space.finish();
    Some(bytes)
}

/// A list of hosts, each a text or `{ host = "…", port = 8080, private = true }`.
fn destinations(section: &mut Section<'_>) -> Vec<Destination> {
    let mut destinations = Vec::new();
    for (entry, line) in section.texts_or_sections("http") {
        let parsed = match entry {
            Entry::Text(text) => Destination::parse(&text, None, false),
            Entry::Section(mut entry) => {
                let host = entry.required_text("host");
                let port = entry.integer("port", 1..=65535);
                let is_private = entry.boolean("private").unwrap_or_default();
                entry.finish();
                if host.is_empty() {
                    continue;
                }
                Destination::parse(
                    &host,
                    port.and_then(|port| port.try_into().ok()),
                    is_private,
                )
            }
        };
        match parsed {
            Ok(destination) => destinations.push(destination),
            Err(error) => section.report("http", line, error.to_string()),
        }
    }
    destinations
}

/// As it can be pasted into `bot.toml`: `grant = { chat = true, kv = true }`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let scopes = [
            ("chat", &self.chat),
            ("approval", &self.approval),
            ("contacts", &self.contacts),
            ("robot", &self.robot),
        ];
        for (key, scope) in scopes {
            match scope {
                Scope::Nothing => {}
                Scope::Only(ids) => parts.push(format!("{key} = {}", list(ids))),
                Scope::Everything => parts.push(format!("{key} = true")),
            }
        }
        match &self.notice {
            Recipients::Nobody => {}
            Recipients::Everybody => parts.push("notice = true".to_owned()),
            Recipients::Only { users, departments } if departments.is_empty() => {
                parts.push(format!("notice = {}", list(users)));
            }
            Recipients::Only { users, departments } => parts.push(format!(
                "notice = {{ users = {}, departments = {} }}",
                list(users),
                list(departments)
            )),
        }
        match self.kv {
            None => {}
            Some(Grant::KV_BYTES) => parts.push("kv = true".to_owned()),
            Some(bytes) => parts.push(format!("kv = {{ bytes = {} }}", quoted(&size(bytes)))),
        }
        if self.media {
            parts.push("media = true".to_owned());
        }
        if self.schedule {
            parts.push("schedule = true".to_owned());
        }
        if !self.http.is_empty() {
            let entries: Vec<String> = self.http.iter().map(entry).collect();
            parts.push(format!("http = [{}]", entries.join(", ")));
        }
        write!(f, "grant = {{ {} }}", parts.join(", "))
    }
}

fn entry(destination: &Destination) -> String {
    let host = quoted(&destination.to_string());
    if destination.is_private {
        format!("{{ host = {host}, private = true }}")
    } else {
        host
    }
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A TOML text on one line: JSON writes it the same way but for one character.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('\u{7f}', "\\u007f")
}

/// In the largest unit that leaves no rest.
fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
        _ => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::document::Document;
    use super::*;

    fn read_text(line: &str) -> Result<Grant, String> {
        let document = Document::parse(line, Path::new(""));
        let mut root = document.section();
        let grant = root.section("grant").map(read).unwrap();
        root.finish();
        let (problems, _) = document.into_findings();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        if told.is_empty() {
            Ok(grant)
        } else {
            Err(told.join("\n"))
        }
    }

    #[test]
    fn a_grant_is_written_as_it_is_read() {
        for line in [
            "grant = { chat = true, kv = true, schedule = true }",
            "grant = { chat = [\"chat1\", \"chat2\"], approval = [\"PROC-1\"], robot = [], notice = [\"manager\"] }",
            "grant = { notice = { users = [], departments = [\"42\"] } }",
            "grant = { notice = true, kv = { bytes = \"1MiB\" } }",
            "grant = { kv = { bytes = \"1025B\" } }",
            "grant = { contacts = true, media = true }",
            "grant = { contacts = [\"2\", \"42\"] }",
            "grant = { http = [\"api.example.com\", \"*.example.org:8443\", { host = \"http://10.0.0.5:8080\", private = true }] }",
        ] {
            assert_eq!(read_text(line).unwrap().to_string(), line);
        }
    }

    #[test]
    fn odd_ids_survive_being_written() {
        for id in [
            "a\"b",
            "a\\b",
            "a\nb",
            "a'b",
            "'''",
            "\u{7f}\u{1}",
            "{ }",
            "中文",
            "",
        ] {
            let grant = Grant {
                chat: Scope::Only(vec![id.to_owned()]),
                ..Grant::default()
            };
            let line = grant.to_string();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(read_text(&line), Ok(grant), "{line}");
        }
    }

    #[test]
    fn long_forms_mean_what_they_say() {
        let grant = read_text(
            "grant = { http = [{ host = \"intern.example\", port = 8443, private = true }], kv = {}, notice = {} }",
        )
        .unwrap();
        assert_eq!(grant.http[0].port, 8443);
        assert!(grant.http[0].is_private && grant.http[0].is_secure);
        assert_eq!(grant.kv, Some(Grant::KV_BYTES));
        assert_ne!(grant.notice, Recipients::Nobody);
    }

    #[test]
    fn departments_are_numbers() {
        let told = read_text("grant = { contacts = [\"2\", \"研发部\"] }").unwrap_err();
        assert!(told.contains("contacts: must be department ids"), "{told}");
    }

    #[test]
    fn what_is_wrong_is_told_by_key_and_line() {
        let told = read_text(
            "[grant]\nkv = { bytes = \"1\", more = 2 }\nnotice = { user = [\"a\"] }\nchat = 5\nhttp = [\n  \"10.0.0.5\",\n  7,\n  { port = 80 },\n  { host = \"a.example\", port = 0 },\n]",
        )
        .unwrap_err();
        insta::assert_snapshot!(told);
    }
}
