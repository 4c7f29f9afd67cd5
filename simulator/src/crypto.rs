//! Seals and opens callbacks and signs requests; written apart from every other implementation.

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// The padding block of the framing; the cipher's own block is 16.
const FRAME_BLOCK: usize = 32;

/// 43 characters carry two surplus bits, which DingTalk does not require to be zero.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Why a sealed text was refused or a key cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum CryptoError {
    #[error("the encoding AES key is not 43 letters and digits")]
    Key,
    #[error("the ciphertext is not base64")]
    Base64,
    #[error("the ciphertext is not whole blocks")]
    Length,
    #[error("the padding is wrong")]
    Padding,
    #[error("the message length does not fit")]
    MessageLength,
    #[error("the receive id is another one")]
    ReceiveId,
    #[error("the signature does not match")]
    Signature,
}

/// The shared secrets of one callback address.
pub(crate) struct CallbackKey {
    token: String,
    key: [u8; 32],
    receive_id: String,
}

/// What a ciphertext held.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The first 16 bytes; nothing else shows a wrong initialisation vector.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the test vectors look at it")
    )]
    pub(crate) random: [u8; 16],
    pub(crate) message: Vec<u8>,
}

impl CallbackKey {
    pub(crate) fn load(token: &str, aes_key: &str, receive_id: &str) -> Result<Self, CryptoError> {
        if aes_key.len() != 43 || !aes_key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(CryptoError::Key);
        }
        let bytes = KEY_BASE64.decode(aes_key).map_err(|_| CryptoError::Key)?;
        let key = bytes.try_into().map_err(|_| CryptoError::Key)?;
        Ok(Self {
            token: token.to_owned(),
            key,
            receive_id: receive_id.to_owned(),
        })
    }

    /// Encrypts one message in the callback framing.
    pub(crate) fn seal(&self, message: &[u8], random: [u8; 16]) -> String {
        self.encrypt(pad(self.frame(message, random)))
    }

    /// `random | length | message | receive id`, not yet padded.
    pub(crate) fn frame(&self, message: &[u8], random: [u8; 16]) -> Vec<u8> {
        let length = u32::try_from(message.len()).expect("bodies are limited far below 4 GiB");
        let mut frame =
            Vec::with_capacity(20 + message.len() + self.receive_id.len() + FRAME_BLOCK);
        frame.extend_from_slice(&random);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(message);
        frame.extend_from_slice(self.receive_id.as_bytes());
        frame
    }

    /// Encrypts a frame that is already padded to whole cipher blocks.
    pub(crate) fn encrypt(&self, mut frame: Vec<u8>) -> String {
        let length = frame.len();
        cbc::Encryptor::<Aes256>::new(&self.key.into(), &self.iv().into())
            .encrypt_padded::<NoPadding>(&mut frame, length)
            .expect("the frame is padded to whole blocks");
        STANDARD.encode(&frame)
    }

    /// Decrypts one sealed message and checks whom it is for.
    pub(crate) fn open(&self, sealed: &str) -> Result<Opened, CryptoError> {
        let mut bytes = STANDARD.decode(sealed).map_err(|_| CryptoError::Base64)?;
        if bytes.len() < FRAME_BLOCK || bytes.len() % 16 != 0 {
            return Err(CryptoError::Length);
        }
        cbc::Decryptor::<Aes256>::new(&self.key.into(), &self.iv().into())
            .decrypt_padded::<NoPadding>(&mut bytes)
            .map_err(|_| CryptoError::Length)?;
        let frame = unpad(&bytes)?;
        let (head, rest) = frame
            .split_at_checked(20)
            .ok_or(CryptoError::MessageLength)?;
        let (random, length) = head.split_at(16);
        let length = length
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let length = usize::try_from(length).map_err(|_| CryptoError::MessageLength)?;
        let (message, receive_id) = rest
            .split_at_checked(length)
            .ok_or(CryptoError::MessageLength)?;
        if receive_id != self.receive_id.as_bytes() {
            return Err(CryptoError::ReceiveId);
        }
        Ok(Opened {
            random: random.try_into().expect("the head was split at 16"),
            message: message.to_vec(),
        })
    }

    /// The signature over a sealed message, the same for requests and replies.
    pub(crate) fn sign(&self, timestamp: &str, nonce: &str, sealed: &str) -> String {
        let mut parts = [self.token.as_str(), timestamp, nonce, sealed];
        parts.sort_unstable();
        let mut hash = Sha1::new();
        for part in parts {
            hash.update(part.as_bytes());
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Checks a signature and opens what it covers.
    pub(crate) fn verify(
        &self,
        signature: &str,
        (timestamp, nonce): (&str, &str),
        sealed: &str,
    ) -> Result<Opened, CryptoError> {
        // A fake holds no secret worth a timing attack, so a plain comparison is enough.
        if self.sign(timestamp, nonce, sealed) != signature {
            return Err(CryptoError::Signature);
        }
        self.open(sealed)
    }

    fn iv(&self) -> [u8; 16] {
        let mut iv = [0; 16];
        iv.copy_from_slice(&self.key[..16]);
        iv
    }
}

/// Pads a frame to the 32-byte block of the framing.
pub(crate) fn pad(mut frame: Vec<u8>) -> Vec<u8> {
    let missing = FRAME_BLOCK - frame.len() % FRAME_BLOCK;
    let byte = u8::try_from(missing).expect("padding is 1 to 32 bytes");
    frame.resize(frame.len() + missing, byte);
    frame
}

fn unpad(bytes: &[u8]) -> Result<&[u8], CryptoError> {
    let last = usize::from(*bytes.last().ok_or(CryptoError::Length)?);
    if !(1..=FRAME_BLOCK).contains(&last) || last > bytes.len() {
        return Err(CryptoError::Padding);
    }
    Ok(&bytes[..bytes.len() - last])
}

/// The `sign` header of a robot push: it covers the time, not the body.
pub(crate) fn robot_sign(app_secret: &str, timestamp: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b"\n");
    mac.update(app_secret.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The `signature` of a call that a suite makes for a company.
pub(crate) fn suite_sign(suite_secret: &str, timestamp: &str, ticket: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(suite_secret.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(format!("{timestamp}\n{ticket}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Random letters and digits, as DingTalk's nonces, tokens and request ids are made of.
pub(crate) fn random_text(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    (0..length)
        .map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())]))
        .collect()
}

/// 16 random letters and digits for the head of a frame.
pub(crate) fn random_head() -> [u8; 16] {
    let mut head = [0; 16];
    head.copy_from_slice(random_text(16).as_bytes());
    head
}

#[cfg(test)]
mod tests;
