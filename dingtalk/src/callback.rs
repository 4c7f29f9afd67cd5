//! Verifies, decrypts and answers an encrypted callback.

use serde::Serialize;

/// What one app needs to read its callbacks and to answer them. `Debug` shows none of it.
pub struct Callback;

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

impl CallbackQuery {
    /// Reads a query string in either spelling; `msg_signature` and `timeStamp` win where both are there.
    pub fn parse(query: &str) -> Result<Self, CallbackError> {
        let _ = query;
        todo!()
    }
}

impl CallbackError {
    /// A short constant reason for a log line or an answer.
    pub fn reason(&self) -> &'static str {
        todo!()
    }
}

impl Callback {
    /// Checks token, key and receive ids. `receive_ids` are all ids the app answers to: app key, corp id, suite key.
    pub fn new(
        token: &str,
        aes_key: &str,
        receive_ids: impl IntoIterator<Item = String>,
    ) -> Result<Self, KeyError> {
        let _ = (token, aes_key, receive_ids.into_iter().count());
        todo!()
    }

    /// Verifies and decrypts a request.
    pub fn open(&self, query: &CallbackQuery, body: &[u8]) -> Result<Opened, CallbackError> {
        let _ = (query, body);
        todo!()
    }

    /// Encrypts and signs a reply; `message` is `success` for every event.
    pub fn seal(&self, message: &str, receive_id: &str, nonce: &Nonce) -> CallbackReply {
        let _ = (message, receive_id, nonce);
        todo!()
    }
}
