//! Verifies, decrypts and answers an encrypted callback.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::crypto::{AesKey, sha1_of_sorted};
use crate::{Secret, UnixMs};

/// Random bytes and length field in front of the message.
const HEADER: usize = 20;
/// DingTalk pads to multiples of 32 although the cipher's block is 16.
const MAX_PADDING: usize = 32;

/// What one app needs to read its callbacks and to answer them. `Debug` shows neither token nor key.
pub struct Callback {
    token: Secret,
    key: AesKey,
    receive_ids: Vec<String>,
}

/// Why a callback cannot be configured so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The token must be 3 to 63 characters long.
    #[error("callback token is not 3 to 63 characters long")]
    Token,
    /// The key must be 43 characters of base64.
    #[error("callback aes key is not 43 characters of base64")]
    AesKey,
    /// At least one receive id is needed, and none may be empty.
    #[error("callback has no receive id or an empty one")]
    ReceiveIds,
}

/// The query of a callback request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackQuery {
    /// `msg_signature`, else `signature`.
    pub signature: String,
    /// `timeStamp`, else `timestamp`; opaque text.
    pub timestamp: String,
    /// `nonce`; opaque text.
    pub nonce: String,
}

/// Why a callback request was refused, in the order the checks are made. The texts tell the sender nothing but that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The query lacks the signature, the timestamp or the nonce.
    #[error("query lacks {0}")]
    Query(&'static str),
    /// The body is not a JSON object with a string `encrypt`.
    #[error("body is not an encrypted callback")]
    Body,
    /// The signature is wrong.
    #[error("signature does not match")]
    Signature,
    /// `encrypt` is not strict standard base64.
    #[error("encrypt is not base64")]
    Base64,
    /// The ciphertext is empty or not a number of whole blocks.
    #[error("ciphertext has the wrong length")]
    CiphertextLength,
    /// The padding is not 1 to 32 bytes, or longer than the text.
    #[error("padding is invalid")]
    Padding,
    /// The length field promises more than there is.
    #[error("message length is invalid")]
    MessageLength,
    /// The message is for somebody else.
    #[error("receive id does not match")]
    ReceiveId,
    /// The message is not UTF-8.
    #[error("message is not utf-8")]
    Utf8,
}

/// An opened callback.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The decrypted message, usually JSON.
    pub message: String,
    /// Which of the accepted receive ids it was for; the reply needs it.
    pub receive_id: String,
}

/// The changing parts of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// Digits; seconds or milliseconds.
    pub timestamp: String,
    /// Some letters and digits.
    pub nonce: String,
    /// Random bytes at the start of the plaintext.
    pub random: [u8; 16],
}

/// The body of the answer to a callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallbackReply {
    /// Signs the other three.
    pub msg_signature: String,
    /// As in [`Nonce`].
    #[serde(rename = "timeStamp")]
    pub timestamp: String,
    /// As in [`Nonce`].
    pub nonce: String,
    /// The encrypted message.
    pub encrypt: String,
}

impl Nonce {
    /// A nonce of its own kind: `now` as timestamp, 16 random letters and digits, 16 random bytes.
    pub fn fresh(now: UnixMs) -> Self {
        let nonce = rand::rng()
            .sample_iter(Alphanumeric)
            .take(16)
            .map(char::from)
            .collect();
        Self {
            timestamp: now.0.to_string(),
            nonce,
            random: rand::random(),
        }
    }
}

impl CallbackQuery {
    /// Reads a query string in either spelling; `msg_signature` and `timeStamp` win where both are there, the first
    /// where one comes twice. Other parameters are left alone.
    pub fn parse(query: &str) -> Result<Self, CallbackError> {
        let find = |name: &str| {
            url::form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        Ok(Self {
            signature: find("msg_signature")
                .or_else(|| find("signature"))
                .ok_or(CallbackError::Query("signature"))?,
            timestamp: find("timeStamp")
                .or_else(|| find("timestamp"))
                .ok_or(CallbackError::Query("timestamp"))?,
            nonce: find("nonce").ok_or(CallbackError::Query("nonce"))?,
        })
    }
}

impl CallbackError {
    /// A short constant word for a log field or a metric label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Query(_) => "query",
            Self::Body => "body",
            Self::Signature => "signature",
            Self::Base64 => "base64",
            Self::CiphertextLength => "ciphertext-length",
            Self::Padding => "padding",
            Self::MessageLength => "message-length",
            Self::ReceiveId => "receive-id",
            Self::Utf8 => "utf-8",
        }
    }
}

impl Callback {
    /// Checks token, key and receive ids. `receive_ids` are all ids the app answers to: app key, corp id, suite key.
    pub fn new(
        token: &str,
        aes_key: &str,
        receive_ids: impl IntoIterator<Item = String>,
    ) -> Result<Self, KeyError> {
        if !(3..=63).contains(&token.len()) {
            return Err(KeyError::Token);
        }
        let key = AesKey::decode(aes_key).ok_or(KeyError::AesKey)?;
        let receive_ids: Vec<String> = receive_ids.into_iter().collect();
        if receive_ids.is_empty() || receive_ids.iter().any(String::is_empty) {
            return Err(KeyError::ReceiveIds);
        }
        Ok(Self {
            token: Secret::new(token),
            key,
            receive_ids,
        })
    }

    /// Verifies and decrypts a request. How old its timestamp is is not checked: DingTalk documents no window.
    pub fn open(&self, query: &CallbackQuery, body: &[u8]) -> Result<Opened, CallbackError> {
        let encrypt = encrypt_member(body)?;
        let signature = self.sign(&query.timestamp, &query.nonce, &encrypt);
        if !bool::from(signature.ct_eq(query.signature.as_bytes())) {
            return Err(CallbackError::Signature);
        }
        // Scalar base64 and UTF-8 would cost as much as the cryptography.
        let mut text = base64_simd::STANDARD
            .decode_to_vec(encrypt.as_bytes())
            .map_err(|_| CallbackError::Base64)?;
        if text.is_empty() || !self.key.decrypt_in_place(&mut text) {
            return Err(CallbackError::CiphertextLength);
        }

        unpad(&mut text)?;
        let id_start = message_end(&text).ok_or(CallbackError::MessageLength)?;
        let receive_id = self
            .accepted(&text[id_start..])
            .ok_or(CallbackError::ReceiveId)?
            .to_owned();
        let message = simdutf8::basic::from_utf8(&text[HEADER..id_start])
            .map_err(|_| CallbackError::Utf8)?
            .to_owned();
        Ok(Opened {
            message,
            receive_id,
        })
    }

    /// Encrypts and signs a reply; `message` is `success` for every event, `receive_id` that of the request.
    pub fn seal(&self, message: &str, receive_id: &str, nonce: &Nonce) -> CallbackReply {
        let length = HEADER + message.len() + receive_id.len();
        let padding = MAX_PADDING - length % MAX_PADDING;
        let mut text = Vec::with_capacity(length + padding);
        text.extend(nonce.random);
        let message_length = u32::try_from(message.len()).expect("a reply is shorter than 4 GiB");
        text.extend(message_length.to_be_bytes());
        text.extend(message.as_bytes());
        text.extend(receive_id.as_bytes());
        let fill = u8::try_from(padding).expect("padding is at most 32");
        text.resize(length + padding, fill);

        self.key.encrypt_in_place(&mut text);
        let encrypt = STANDARD.encode(text);
        let signature = self.sign(&nonce.timestamp, &nonce.nonce, &encrypt);
        CallbackReply {
            msg_signature: signature.map(char::from).iter().collect(),
            timestamp: nonce.timestamp.clone(),
            nonce: nonce.nonce.clone(),
            encrypt,
        }
    }

    fn sign(&self, timestamp: &str, nonce: &str, encrypt: &str) -> [u8; 40] {
        sha1_of_sorted([self.token.expose(), timestamp, nonce, encrypt])
    }

    fn accepted(&self, receive_id: &[u8]) -> Option<&str> {
        self.receive_ids
            .iter()
            .map(String::as_str)
            .find(|id| id.as_bytes() == receive_id)
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("receive_ids", &self.receive_ids)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("bytes", &self.message.len())
            .field("receive_id", &self.receive_id)
            .finish_non_exhaustive()
    }
}

/// The member `encrypt` of the body, borrowed unless it is written with escapes.
fn encrypt_member(body: &[u8]) -> Result<Cow<'_, str>, CallbackError> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        encrypt: Cow<'a, str>,
    }

    if let Some(encrypt) = lone_member(body) {
        return Ok(Cow::Borrowed(encrypt));
    }
    // A derived struct would also be read from an array.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(CallbackError::Body);
    }
    let body: Body<'_> = serde_json::from_slice(body).map_err(|_| CallbackError::Body)?;
    Ok(body.encrypt)
}

/// The same for a body that has no other member and no escape, as all bodies seen from DingTalk: the search for quotes
/// is several times as fast as a JSON parser.
fn lone_member(body: &[u8]) -> Option<&str> {
    let rest = body.trim_ascii().strip_prefix(b"{")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"encrypt\"")?.trim_ascii_start();
    let rest = rest
        .strip_prefix(b":")?
        .trim_ascii_start()
        .strip_prefix(b"\"")?;
    let encrypt = rest
        .strip_suffix(b"}")?
        .trim_ascii_end()
        .strip_suffix(b"\"")?;
    if memchr::memchr2(b'"', b'\\', encrypt).is_some() {
        return None;
    }
    simdutf8::basic::from_utf8(encrypt).ok()
}

/// Takes the padding off. Only its last byte is looked at, as in DingTalk's own libraries; the signature has already
/// vouched for the rest.
fn unpad(text: &mut Vec<u8>) -> Result<(), CallbackError> {
    let padding = usize::from(*text.last().ok_or(CallbackError::Padding)?);
    if !(1..=MAX_PADDING).contains(&padding) || padding > text.len() {
        return Err(CallbackError::Padding);
    }
    text.truncate(text.len() - padding);
    Ok(())
}

/// Where the message ends and the receive id begins. Nothing if the length field promises more than there is.
fn message_end(text: &[u8]) -> Option<usize> {
    let length: [u8; 4] = text.get(HEADER - 4..HEADER)?.try_into().ok()?;
    // In 64 bits, where header and length cannot overflow.
    let end = HEADER as u64 + u64::from(u32::from_be_bytes(length));
    usize::try_from(end).ok().filter(|end| *end <= text.len())
}

#[cfg(test)]
mod tests;
