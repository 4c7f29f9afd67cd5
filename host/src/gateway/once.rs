//! Makes sure that a call with an `Idempotency-Key` is done once.
//!
//! Before the call leaves, its key is on disk; afterwards its answer is. Whoever asks again with the same key and body
//! gets that answer. A key without an answer whose call is not under way belongs to a call that a crash or a lost answer
//! left in doubt: nothing is sent, and the caller is told so. **Invariant:** for one key at most one call leaves, unless
//! the answer to the one before said that nothing was done.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dingtalk::catalog::{Access, Api, Call};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;

use super::answer::{Answer, Refused};
use crate::clock::{self, UnixMs};
use crate::config::Key;
use crate::ids::PluginName;
use crate::kv::{Kv, KvError, MAX_VALUE, Write};

/// The space of the records; no plugin can have this name.
const SPACE: &str = "(gateway)";
/// How long an answer is kept.
const KEEP: Duration = Duration::from_secs(24 * 3600);
/// Bytes of all records.
const MAX_TOTAL: usize = 64 << 20;
/// Bytes of an answer that is kept.
const MAX_ANSWER: usize = MAX_VALUE - 1024;
/// Old records that go at one time.
const SWEEP: usize = 200;
/// The least time between two sweeps.
const SWEEP_PAUSE: Duration = Duration::from_secs(60);

/// The value of the header, if it is there.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| Refused::IdempotencyKey)?;
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.is_empty() || text.len() > 255 || !is_visible {
        return Err(Refused::IdempotencyKey);
    }
    Ok(Some(text.to_owned()))
}

/// The digest of what is asked for: the API, the path and the arguments with their names in order.
pub(super) fn digest(api: &Api, call: &Call, arguments: &Map<String, Value>) -> String {
    let mut hash = Sha256::new();
    hash.update(api.name);
    hash.update([0]);
    hash.update(call.path);
    hash.update([0]);
    hash.update(canonical(&Value::Object(arguments.clone())));
    hex(&hash.finalize())
}

/// JSON whose objects have their members in order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            let members = names.iter().map(|name| {
                let value = members.get(*name).map(canonical).unwrap_or_default();
                format!("{}:{value}", Value::from(name.as_str()))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is kept of a key.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    digest: String,
    at: i64,
    /// Status and body; absent while nobody knows.
    answer: Option<(u16, Value)>,
}

/// What became of asking for a call.
pub(super) enum Begun {
    /// It was made before, or is in doubt.
    Known(Answer),
    /// It is to be made now.
    New(Ticket),
}

/// The right to make a call, and the duty to say what came of it.
pub(super) struct Ticket {
    place: String,
    digest: String,
    at: UnixMs,
    _seat: Seat,
}

/// Marks a key as under way in this process until it is dropped.
struct Seat {
    under_way: Arc<Mutex<HashSet<String>>>,
    place: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.place);
    }
}

/// The records. Clones share them.
#[derive(Clone)]
pub(super) struct Once {
    kv: Arc<dyn Kv>,
    tasks: TaskTracker,
    under_way: Arc<Mutex<HashSet<String>>>,
    swept_at: Arc<Mutex<UnixMs>>,
}

impl Once {
    pub(super) fn new(kv: Arc<dyn Kv>, tasks: TaskTracker) -> Self {
        Self {
            kv,
            tasks,
            under_way: Arc::default(),
            swept_at: Arc::new(Mutex::new(UnixMs(0))),
        }
    }

    /// Looks what a key stands for, and takes it for this call if it is new.
    pub(super) async fn begin(
        &self,
        caller: &Key,
        text: &str,
        digest: String,
        access: Access,
    ) -> Result<Begun, Refused> {
        // Callers have their keys each for itself.
        let place = format!("k/{}/{}", caller.name, hex(&Sha256::digest(text)));
        let seat = self.seat(&place).ok_or(Refused::UnderWay)?;
        let now = clock::now();
        self.sweep(now);
        let before = self.kv.get(&SPACE.into(), &place).await?;
        let known = before
            .as_deref()
            .and_then(|bytes| serde_json::from_slice::<Record>(bytes).ok());
        if let Some(record) = known
            && record.at > clock::earlier(now, KEEP).0
        {
            if record.digest != digest {
                return Err(Refused::OtherBody);
            }
            match record.answer {
                Some((status, body)) => {
                    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
                    return Ok(Begun::Known(Answer::replay(status, body)));
                }
                None if access == Access::Write => return Ok(Begun::Known(in_doubt())),
                None => {}
            }
        }
        let record = Record {
            digest: digest.clone(),
            at: now.0,
            answer: None,
        };
        // The way to find it when it is old; without a record it leads nowhere and does no harm.
        let trail = Write {
            key: format!("t/{:013}/{place}", now.0),
            value: Some(Vec::new()),
            expected: None,
            max_total: MAX_TOTAL,
        };
        let taken = Write {
            value: Some(serde_json::to_vec(&record).unwrap_or_default()),
            expected: Some(before),
            ..write(&place)
        };
        let space = PluginName::from(SPACE);
        // Asked for together, they share a commit; the trail comes first.
        let (trail, taken) =
            tokio::join!(self.kv.write(&space, trail), self.kv.write(&space, taken));
        trail?;
        if !taken? {
            // Another belfry on the same store was faster.
            return Err(Refused::UnderWay);
        }
        Ok(Begun::New(Ticket {
            place,
            digest,
            at: now,
            _seat: seat,
        }))
    }

    /// Records what came of a call.
    pub(super) async fn finish(&self, ticket: Ticket, answer: &Answer) {
        if answer.is_unknown {
            // The record stays without an answer, which says just that.
            return;
        }
        let value = (!answer.may_repeat).then(|| {
            let body = &answer.body;
            let body = if body.to_string().len() > MAX_ANSWER {
                json!({"success": true, "data": null, "msg": "it was done; the answer was too large to keep"})
            } else {
                body.clone()
            };
            let record = Record {
                digest: ticket.digest.clone(),
                at: ticket.at.0,
                answer: Some((answer.status.as_u16(), body)),
            };
            serde_json::to_vec(&record).unwrap_or_default()
        });
        let done = Write {
            value,
            ..write(&ticket.place)
        };
        if let Err(error) = self.kv.write(&SPACE.into(), done).await {
            // The call will count as in doubt, which is the safe side.
            tracing::error!(%error, "the answer to a call with an idempotency key was not kept");
        }
    }

    fn seat(&self, place: &str) -> Option<Seat> {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.insert(place.to_owned()).then(|| Seat {
            under_way: Arc::clone(&self.under_way),
            place: place.to_owned(),
        })
    }

    /// Begins to remove what is too old, once a minute at most.
    fn sweep(&self, now: UnixMs) {
        {
            let mut swept_at = self.swept_at.lock().unwrap_or_else(PoisonError::into_inner);
            if clock::later(*swept_at, SWEEP_PAUSE) > now {
                return;
            }
            *swept_at = now;
        }
        let once = self.clone();
        self.tasks.spawn(async move {
            if let Err(error) = once.remove_before(clock::earlier(now, KEEP)).await {
                tracing::warn!(%error, "old answers of the gateway were not removed");
            }
        });
    }

    async fn remove_before(&self, limit: UnixMs) -> Result<(), KvError> {
        let space = PluginName::from(SPACE);
        loop {
            let trails = self.kv.keys(&space, "t/", None, SWEEP).await?;
            let count = trails.len();
            for trail in trails {
                let Some((at, place)) = trail
                    .strip_prefix("t/")
                    .and_then(|rest| rest.split_once('/'))
                else {
                    continue;
                };
                if at.parse::<i64>().is_ok_and(|at| at > limit.0) {
                    return Ok(());
                }
                // A key that was taken anew has a trail of its own.
                let record = self.kv.get(&space, place).await?;
                let is_old = record
                    .as_deref()
                    .and_then(|bytes| serde_json::from_slice::<Record>(bytes).ok())
                    .is_none_or(|record| record.at <= limit.0);
                if is_old {
                    let removal = Write {
                        expected: Some(record),
                        ..write(place)
                    };
                    self.kv.write(&space, removal).await?;
                }
                self.kv.write(&space, write(&trail)).await?;
            }
            if count < SWEEP {
                return Ok(());
            }
        }
    }
}

/// A write that removes; others say what they put there.
fn write(key: &str) -> Write {
    Write {
        key: key.to_owned(),
        value: None,
        expected: None,
        max_total: MAX_TOTAL,
    }
}

fn in_doubt() -> Answer {
    let error = dingtalk::ApiError::OutcomeUnknown {
        code: "gateway.outcome-unknown".to_owned(),
        message: "the call with this Idempotency-Key left, and its answer was lost".to_owned(),
    };
    Answer {
        is_replay: true,
        ..Answer::of(Err(error))
    }
}

#[cfg(test)]
mod tests;
