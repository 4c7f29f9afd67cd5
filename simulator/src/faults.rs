//! Remembers which calls and pushes are to go wrong, and how.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One trouble that was asked for; `times` counts down.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fault {
    pub(crate) path: String,
    pub(crate) times: u32,
    #[serde(flatten)]
    pub(crate) kind: FaultKind,
    /// Whether a delay or a lost answer comes before the call takes effect.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) before: bool,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// DingTalk answers with this code and nothing happens.
    Errcode {
        errcode: i64,
        errmsg: Option<String>,
        sub_code: Option<String>,
    },
    /// An HTTP status without a usable body.
    Status(u16),
    /// The answer is late.
    Delay(u64),
    /// A page for people in place of JSON.
    Html,
    /// The connection is closed without an answer.
    Drop,
    /// A push arrives twice.
    Duplicate,
    /// A push arrives after the next one.
    Reorder,
    /// A stream connection is asked to go.
    Disconnect,
}

/// The faults in the order they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: Vec<Fault>,
}

/// The body of `POST /_sim/faults`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    path: String,
    #[serde(default = "once")]
    times: u32,
    errcode: Option<i64>,
    errmsg: Option<String>,
    sub_code: Option<String>,
    status: Option<u16>,
    delay_ms: Option<u64>,
    #[serde(default)]
    html: bool,
    #[serde(default)]
    drop: bool,
    #[serde(default)]
    duplicate: bool,
    #[serde(default)]
    reorder: bool,
    #[serde(default)]
    disconnect: bool,
    #[serde(default)]
    before: bool,
}

fn once() -> u32 {
    1
}

impl Faults {
    /// Takes a request of the control door; the error is for its reader.
    pub(crate) fn ask(&mut self, body: Value) -> Result<(), String> {
        let request: Request = serde_json::from_value(body).map_err(|error| error.to_string())?;
        if request.times == 0 {
            self.active.retain(|fault| fault.path != request.path);
            return Ok(());
        }
        let kind = request.kind()?;
        kind.check_path(&request.path)?;
        self.active.push(Fault {
            path: request.path,
            times: request.times,
            kind,
            before: request.before,
        });
        Ok(())
    }

    /// Uses up one turn of the first fault that meets an API path.
    pub(crate) fn take_call(&mut self, path: &str) -> Option<Fault> {
        self.take(|fault| fault.path == path || fault.path == "*")
    }

    /// Uses up one turn of the first fault that meets pushes.
    pub(crate) fn take_push(&mut self) -> Option<Fault> {
        self.take(|fault| fault.path == "push")
    }

    /// The faults that still have turns left.
    pub(crate) fn list(&self) -> &[Fault] {
        &self.active
    }

    fn take(&mut self, meets: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let at = self.active.iter().position(meets)?;
        let fault = &mut self.active[at];
        fault.times -= 1;
        let taken = fault.clone();
        if taken.times == 0 {
            self.active.remove(at);
        }
        Some(taken)
    }
}

impl Request {
    fn kind(&self) -> Result<FaultKind, String> {
        if self.errcode.is_none() && (self.errmsg.is_some() || self.sub_code.is_some()) {
            return Err("errmsg and sub_code need errcode".to_owned());
        }
        let errcode = self.errcode.map(|errcode| FaultKind::Errcode {
            errcode,
            errmsg: self.errmsg.clone(),
            sub_code: self.sub_code.clone(),
        });
        let mut kinds = [
            errcode,
            self.status.map(FaultKind::Status),
            self.delay_ms.map(FaultKind::Delay),
            self.html.then_some(FaultKind::Html),
            self.drop.then_some(FaultKind::Drop),
            self.duplicate.then_some(FaultKind::Duplicate),
            self.reorder.then_some(FaultKind::Reorder),
            self.disconnect.then_some(FaultKind::Disconnect),
        ]
        .into_iter()
        .flatten();
        match (kinds.next(), kinds.next()) {
            (Some(FaultKind::Status(status)), None) if !(200..=599).contains(&status) => {
                Err(format!("status {status} is not between 200 and 599"))
            }
            (Some(kind), None) => Ok(kind),
            (None, _) => Err(
                "no kind of fault: give one of errcode, status, delay_ms, html, drop, \
                              duplicate, reorder, disconnect"
                    .to_owned(),
            ),
            (Some(_), Some(_)) => Err("more than one kind of fault".to_owned()),
        }
    }
}

impl FaultKind {
    /// The name of the member that asks for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Errcode { .. } => "errcode",
            Self::Status(_) => "status",
            Self::Delay(_) => "delay_ms",
            Self::Html => "html",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Disconnect => "disconnect",
        }
    }

    fn check_path(&self, path: &str) -> Result<(), String> {
        let fits = match path {
            "push" => matches!(
                self,
                Self::Delay(_) | Self::Drop | Self::Duplicate | Self::Reorder
            ),
            "stream" => matches!(self, Self::Delay(_) | Self::Drop | Self::Disconnect),
            "*" => !matches!(self, Self::Duplicate | Self::Reorder | Self::Disconnect),
            path if path.starts_with('/') => {
                !matches!(self, Self::Duplicate | Self::Reorder | Self::Disconnect)
            }
            _ => {
                return Err(format!(
                    "path {path:?} is no API path, \"*\", \"push\" or \"stream\""
                ));
            }
        };
        if fits {
            Ok(())
        } else {
            Err(format!("{} does not apply to {path:?}", self.name()))
        }
    }
}

impl Serialize for FaultKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = Map::new();
        let value = match self {
            Self::Errcode {
                errcode,
                errmsg,
                sub_code,
            } => {
                if let Some(errmsg) = errmsg {
                    members.insert("errmsg".to_owned(), json!(errmsg));
                }
                if let Some(sub_code) = sub_code {
                    members.insert("sub_code".to_owned(), json!(sub_code));
                }
                json!(errcode)
            }
            Self::Status(status) => json!(status),
            Self::Delay(ms) => json!(ms),
            _ => json!(true),
        };
        members.insert(self.name().to_owned(), value);
        members.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_count_down_and_go() {
        let mut faults = Faults::default();
        assert_eq!(
            faults.ask(json!({"path": "/chat/send", "times": 2, "status": 503})),
            Ok(())
        );
        assert!(faults.take_call("/chat/get").is_none());
        assert!(faults.take_call("/chat/send").is_some());
        assert!(faults.take_call("/chat/send").is_some());
        assert!(faults.take_call("/chat/send").is_none());
    }

    #[test]
    fn times_zero_takes_the_faults_of_a_path_back() {
        let mut faults = Faults::default();
        assert_eq!(
            faults.ask(json!({"path": "*", "times": 5, "drop": true})),
            Ok(())
        );
        assert_eq!(faults.ask(json!({"path": "*", "times": 0})), Ok(()));
        assert!(faults.list().is_empty());
    }

    #[test]
    fn senseless_faults_are_refused() {
        let mut faults = Faults::default();
        for body in [
            json!({"path": "/chat/send"}),
            json!({"path": "/chat/send", "sometimes": true}),
            json!({"path": "/chat/send", "status": 503, "html": true}),
            json!({"path": "/chat/send", "duplicate": true}),
            json!({"path": "push", "errcode": 88}),
            json!({"path": "chat", "html": true}),
            json!({"path": "/x", "status": 99}),
            json!({"path": "/x", "sub_code": "40014"}),
            json!([]),
        ] {
            assert!(faults.ask(body.clone()).is_err(), "{body}");
        }
        assert!(faults.list().is_empty());
    }
}
