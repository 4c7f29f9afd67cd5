//! A case: what the plugin is given, what arrives, and what the API answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::UnixMs;
use crate::event::{HookKind, Origin};

/// When things happen where a case does not say: 2026-01-01T00:00:00Z.
const START: UnixMs = UnixMs(1_767_225_600_000);

/// One case, as a TOML file has it.
#[derive(Debug, Clone)]
pub struct Case {
    /// `grant`, `limits` and `config` as in `[[plugin]]` of `bot.toml`; without `grant` everything is granted.
    pub plugin: toml::Table,
    /// What the plugin keeps already.
    pub kv: BTreeMap<String, String>,
    /// What arrives, in this order.
    pub events: Vec<Arriving>,
    /// What the API answers.
    pub answers: Vec<Scripted>,
}

/// An event of a case.
#[derive(Debug, Clone)]
pub struct Arriving {
    /// When it arrives; the plugin's clock stands there.
    pub at: UnixMs,
    from: String,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    /// A chat message, by its words.
    Words {
        text: String,
        sender: String,
        conversation: String,
    },
    /// The text of an event as DingTalk or a webhook sends it.
    Raw(String),
}

/// One answer of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripted {
    /// The function, such as `chat.send`.
    pub call: String,
    /// The answer as JSON: `{"Ok": …}` or `{"Err": …}`; `None` is the usual answer of the function.
    pub answer: Option<String>,
}

/// Why a file is no case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// It or a file it names cannot be read.
    #[error("cannot read {path:?}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// It does not say what a case says.
    #[error("{0}")]
    Wrong(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    plugin: toml::Table,
    #[serde(default)]
    kv: BTreeMap<String, String>,
    event: Vec<EventTable>,
    #[serde(default)]
    answer: Vec<AnswerTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventTable {
    from: Option<String>,
    at: Option<jiff::Timestamp>,
    text: Option<String>,
    sender: Option<String>,
    conversation: Option<String>,
    file: Option<PathBuf>,
    json: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerTable {
    call: String,
    ok: Option<Value>,
    err: Option<Value>,
}

impl Case {
    /// Reads a file; files that it names lie beside it.
    pub fn load(path: &Path) -> Result<Self, CaseError> {
        let text = read(path)?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads a text; files that it names are looked for in `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, CaseError> {
        let file: File =
            toml::from_str(text).map_err(|error| CaseError::Wrong(error.to_string()))?;
        if file.event.is_empty() {
            return Err(CaseError::Wrong("there is no [[event]]".to_owned()));
        }
        for key in ["name", "component", "app", "events", "when"] {
            if file.plugin.contains_key(key) {
                let text = format!("plugin.{key} has no place in a case: it tries no rules");
                return Err(CaseError::Wrong(text));
            }
        }
        Ok(Self {
            plugin: file.plugin,
            kv: file.kv,
            events: numbered(file.event, |table| table.read(folder), "event")?,
            answers: numbered(file.answer, AnswerTable::read, "answer")?,
        })
    }
}

fn numbered<T, U>(
    tables: Vec<T>,
    convert: impl Fn(T) -> Result<U, CaseError>,
    what: &str,
) -> Result<Vec<U>, CaseError> {
    let with_number = |(index, table)| {
        convert(table).map_err(|error| match error {
            CaseError::Wrong(text) => CaseError::Wrong(format!("{what} {}: {text}", index + 1)),
            other => other,
        })
    };
    tables.into_iter().enumerate().map(with_number).collect()
}

fn read(path: &Path) -> Result<String, CaseError> {
    std::fs::read_to_string(path).map_err(|error| CaseError::Read {
        path: path.to_owned(),
        error,
    })
}

impl EventTable {
    fn read(self, folder: &Path) -> Result<Arriving, CaseError> {
        let wrong = |text: &str| CaseError::Wrong(text.to_owned());
        if self.text.is_none() && (self.sender.is_some() || self.conversation.is_some()) {
            return Err(wrong("sender and conversation go with text"));
        }
        let (body, usual) = match (self.text, self.file, self.json) {
            (Some(text), None, None) => {
                let words = Body::Words {
                    text,
                    sender: self.sender.unwrap_or_else(|| "alice".to_owned()),
                    conversation: self.conversation.unwrap_or_else(|| "cid-team".to_owned()),
                };
                (words, Some("robot"))
            }
            (None, Some(file), None) => (Body::Raw(read(&folder.join(file))?), None),
            (None, None, Some(json)) => (Body::Raw(json.to_string()), None),
            _ => return Err(wrong("must have one of text, file and json")),
        };
        let from = self.from.or(usual.map(str::to_owned)).ok_or_else(|| {
            wrong("must say from where it comes: robot, callback, or the kind of a hook such as alertmanager")
        })?;
        if matches!(body, Body::Words { .. }) && from != "robot" {
            return Err(wrong("only a robot's message can be given as text"));
        }
        let at = self.at.map_or(START, |at| UnixMs(at.as_millisecond()));
        Ok(Arriving { at, from, body })
    }
}

impl AnswerTable {
    fn read(self) -> Result<Scripted, CaseError> {
        let answer = match (self.ok, self.err) {
            (None, None) => None,
            (Some(ok), None) => Some(json!({ "Ok": ok })),
            (None, Some(err)) => Some(json!({ "Err": err })),
            (Some(_), Some(_)) => {
                return Err(CaseError::Wrong("has both ok and err".to_owned()));
            }
        };
        Ok(Scripted {
            call: self.call,
            answer: answer.map(|answer| answer.to_string()),
        })
    }
}

impl Arriving {
    /// The way it comes.
    pub(super) fn origin(&self) -> Result<Origin, String> {
        if let Some(origin) = Origin::from_text(&self.from) {
            return Ok(origin);
        }
        let kind: HookKind = self.from.parse().map_err(|_| {
            format!(
                "{:?} is neither robot nor callback nor the kind of a hook",
                self.from
            )
        })?;
        Ok(Origin::Hook {
            name: "hook".to_owned(),
            kind,
        })
    }

    /// Its text.
    pub(super) fn raw(&self) -> Result<String, String> {
        Ok(match &self.body {
            Body::Raw(text) => text.clone(),
            Body::Words {
                text,
                sender,
                conversation,
            } => json!({
                "msgId": format!("msg-{}", self.at.0),
                "conversationId": conversation,
                "conversationType": "2",
                "conversationTitle": "Team",
                "senderStaffId": sender,
                "senderNick": sender,
                "senderCorpId": "dingcorp",
                "isAdmin": false,
                "robotCode": "dingkey",
                "createAt": self.at.0,
                "msgtype": "text",
                "text": { "content": text },
                "sessionWebhook": "https://oapi.dingtalk.com/robot/sendBySession?session=case",
                "sessionWebhookExpiredTime": self.at.0 + 5_400_000,
            })
            .to_string(),
        })
    }
}
