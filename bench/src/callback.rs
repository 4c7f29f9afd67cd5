//! Verifying and decrypting a callback, against OpenSSL's SHA-1 and AES-256-CBC on the same bytes.
//!
//! OpenSSL works in a process of its own, because nothing belfry is built from may bring it in. It hashes and decrypts
//! bytes that lie ready; belfry reads the JSON of the request, decodes the base64 and checks every part besides.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use belfry::clock;
use dingtalk::{Callback, CallbackQuery, Nonce};
use serde_json::{Value, json};

use crate::places::Places;
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};

const TOKEN: &str = "token-of-the-benchmarks";
const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const RECEIVE_ID: &str = "dingkey";

/// How many callbacks are opened between two looks at the clock.
const BATCH: u32 = 16;

/// Measures both sizes.
pub(crate) fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let folder = places.fresh("callback")?;
    let openssl = places.openssl()?;
    let mut lines = Vec::new();
    for (name, size) in [("1KiB", 1 << 10), ("64KiB", 64 << 10)] {
        let case = Case::new(size)?;
        let rounds = rounds.take_blocking(|side, time| match side {
            Side::Ours => case.open_for(time),
            Side::Yardstick => case.yardstick(name, &openssl, &folder, time),
        })?;
        lines.push(Line::compared(
            format!("callback {name}"),
            Unit::PerSecond,
            Goal::RatioAtLeast(0.7),
            rounds,
        ));
    }
    Ok(lines)
}

/// A callback of a given size.
struct Case {
    callback: Callback,
    query: CallbackQuery,
    body: Vec<u8>,
    encrypt: String,
}

impl Case {
    /// A callback with a message of `size` bytes.
    fn new(size: usize) -> anyhow::Result<Self> {
        let callback = Callback::new(TOKEN, &STANDARD_NO_PAD.encode(KEY), [RECEIVE_ID.to_owned()])?;
        let reply = callback.seal(&message(size), RECEIVE_ID, &Nonce::fresh(clock::now()));
        let query = CallbackQuery {
            signature: reply.msg_signature,
            timestamp: reply.timestamp,
            nonce: reply.nonce,
        };
        let case = Self {
            callback,
            query,
            body: serde_json::to_vec(&json!({ "encrypt": reply.encrypt }))?,
            encrypt: reply.encrypt,
        };
        let opened = case.callback.open(&case.query, &case.body)?;
        ensure!(
            opened.message.len() == size,
            "the callback was opened wrongly"
        );
        Ok(case)
    }

    /// Callbacks opened per second.
    fn open_for(&self, time: Duration) -> anyhow::Result<f64> {
        let start = Instant::now();
        let mut opened = 0_u32;
        while start.elapsed() < time {
            for _ in 0..BATCH {
                black_box(
                    self.callback
                        .open(black_box(&self.query), black_box(&self.body))?,
                );
            }
            opened += BATCH;
        }
        Ok(f64::from(opened) / start.elapsed().as_secs_f64())
    }

    /// Callbacks that OpenSSL hashes and decrypts per second.
    fn yardstick(
        &self,
        name: &str,
        openssl: &Path,
        folder: &Path,
        time: Duration,
    ) -> anyhow::Result<f64> {
        let path: PathBuf = folder.join(format!("{name}.json"));
        let case = json!({
            "name": name,
            "signed": [TOKEN, self.query.timestamp, self.query.nonce, self.encrypt],
            "key_hex": KEY.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "cipher_base64": self.encrypt,
        });
        let input = json!({ "cases": [case], "seconds": time.as_secs_f64() });
        std::fs::write(&path, input.to_string())
            .with_context(|| format!("cannot write {}", path.display()))?;
        let output = Command::new(openssl)
            .arg(&path)
            .output()
            .with_context(|| format!("cannot start {}", openssl.display()))?;
        ensure!(
            output.status.success(),
            "the yardstick failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        let ns = answer[name]["ns"]
            .as_f64()
            .context("the yardstick gave no figure")?;
        Ok(1e9 / ns)
    }
}

/// An approval event as DingTalk sends it, its remark stretched to the size: mostly ASCII, some of it Chinese.
fn message(size: usize) -> String {
    let mut event = json!({
        "EventType": "bpms_instance_change",
        "processInstanceId": "ad253df6-e175-42e0-8ae2-6b8a6b8a6b8a",
        "corpId": "dingcorp",
        "createTime": 1_795_000_000_000_i64,
        "title": "王小明提交的请假申请",
        "type": "finish",
        "result": "agree",
        "staffId": "alice",
        "url": "https://aflow.dingtalk.com/dingtalk/mobile/homepage.htm",
        "processCode": "PROC-LEAVE",
        "remark": "",
    });
    let rest = size.saturating_sub(event.to_string().len());
    let sentence = "请假两天 because of a family matter, back on Thursday. ";
    let mut remark = sentence.repeat(rest / sentence.len());
    remark.push_str(&".".repeat(rest % sentence.len()));
    event["remark"] = Value::String(remark);
    event.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_the_size_it_is_named_after() {
        for size in [1 << 10, 64 << 10] {
            assert_eq!(message(size).len(), size);
            assert!(Case::new(size).is_ok());
        }
    }
}
