//! Seals one event, posts it to the callback address and judges the reply.

use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::describe;
use crate::clock::now_ms;
use crate::crypto::{CallbackKey, CryptoError, pad, random_head, random_text};
use crate::options::CallbackTarget;

/// A way to break a push on purpose; everything else about it stays right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tamper {
    /// The signature is another one.
    Signature,
    /// Sealed with another key.
    Key,
    /// Meant for another receiver.
    ReceiveId,
    /// The ciphertext is no base64.
    Base64,
    /// The padding is out of range.
    Padding,
    /// The frame says a length that does not fit.
    Length,
    /// The message is no JSON.
    NotJson,
}

/// The HTTP status, and whether the reply counts as `success`.
pub(crate) type Judged = (u16, Result<(), String>);

/// Sends one event; the error is for when there was no answer at all.
pub(crate) async fn send(
    client: &reqwest::Client,
    target: &CallbackTarget,
    event: &Value,
    tamper: Option<Tamper>,
) -> Result<Judged, String> {
    let key = load(target).map_err(|error| error.to_string())?;
    let sealed = seal(&key, target, event, tamper).map_err(|error| error.to_string())?;
    let (timestamp, nonce) = (now_ms().to_string(), random_text(8));
    let mut signature = key.sign(&timestamp, &nonce, &sealed);
    if tamper == Some(Tamper::Signature) {
        let swapped = if signature.starts_with('0') { "1" } else { "0" };
        signature.replace_range(..1, swapped);
    }
    let mut url = Url::parse(&target.url)
        .map_err(|error| format!("the callback address is no URL: {error}"))?;
    url.query_pairs_mut()
        .append_pair("signature", &signature)
        .append_pair("timestamp", &timestamp)
        .append_pair("nonce", &nonce);
    let response = client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .body(json!({"encrypt": sealed}).to_string())
        .send()
        .await
        .map_err(describe)?;
    let status = response.status().as_u16();
    let body = response.bytes().await.map_err(describe)?;
    if status != 200 {
        return Ok((status, Err("the status is not 200".to_owned())));
    }
    Ok((status, judge(&key, &body)))
}

fn load(target: &CallbackTarget) -> Result<CallbackKey, CryptoError> {
    CallbackKey::load(&target.token, &target.aes_key, &target.receive_id)
}

fn seal(
    key: &CallbackKey,
    target: &CallbackTarget,
    event: &Value,
    tamper: Option<Tamper>,
) -> Result<String, CryptoError> {
    let message = event.to_string().into_bytes();
    let head = random_head();
    Ok(match tamper {
        None | Some(Tamper::Signature) => key.seal(&message, head),
        Some(Tamper::Key) => {
            let other = CallbackKey::load(&target.token, &random_text(43), &target.receive_id)?;
            other.seal(&message, head)
        }
        Some(Tamper::ReceiveId) => {
            let other = format!("{}x", target.receive_id);
            CallbackKey::load(&target.token, &target.aes_key, &other)?.seal(&message, head)
        }
        Some(Tamper::Base64) => {
            // Lenient decoders skip strange characters, so one is missing as well.
            let mut sealed = key.seal(&message, head);
            sealed.pop();
            format!("*{sealed}")
        }
        Some(Tamper::Padding) => {
            let mut frame = pad(key.frame(&message, head));
            if let Some(last) = frame.last_mut() {
                *last = 200;
            }
            key.encrypt(frame)
        }
        Some(Tamper::Length) => {
            let mut frame = key.frame(&message, head);
            frame[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
            key.encrypt(pad(frame))
        }
        Some(Tamper::NotJson) => key.seal(b"this is not JSON {", head),
    })
}

/// A reply counts when it has the four texts, verifies, and decrypts to `success`.
fn judge(key: &CallbackKey, body: &[u8]) -> Result<(), String> {
    let reply: Value =
        serde_json::from_slice(body).map_err(|_| "the reply is not JSON".to_owned())?;
    let text = |name: &str| {
        reply[name]
            .as_str()
            .ok_or_else(|| format!("the reply has no text member {name:?}"))
    };
    let (signature, sealed) = (text("msg_signature")?, text("encrypt")?);
    let opened = key
        .verify(signature, (text("timeStamp")?, text("nonce")?), sealed)
        .map_err(|error| format!("the reply does not open: {error}"))?;
    if opened.message == b"success" {
        Ok(())
    } else {
        Err("the reply decrypts to something else than success".to_owned())
    }
}
