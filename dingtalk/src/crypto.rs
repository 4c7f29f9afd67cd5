//! AES, SHA and HMAC as DingTalk combines them.

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use aes::{Aes256Dec, Aes256Enc, Block};
use base64::Engine;
use base64::alphabet;
use base64::engine::{
    DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD,
};
use hmac::{Hmac, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;

const BLOCK: usize = 16;

/// 43 characters carry 258 bits: the last two are surplus, and DingTalk hands out keys in which they are not zero.
const AES_KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The key schedules of one EncodingAESKey, expanded once.
pub(crate) struct AesKey {
    encrypt: Aes256Enc,
    decrypt: Aes256Dec,
    iv: Block,
}

impl AesKey {
    /// Reads an EncodingAESKey of 43 characters.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        if text.len() != 43 {
            return None;
        }
        let key: [u8; 32] = AES_KEY.decode(text).ok()?.try_into().ok()?;
        let (iv, _) = key.split_first_chunk::<BLOCK>()?;
        Some(Self {
            encrypt: Aes256Enc::new(&key.into()),
            decrypt: Aes256Dec::new(&key.into()),
            iv: (*iv).into(),
        })
    }

    /// Decrypts in place, many blocks at a time. False, with nothing done, when the length is not a multiple of a block.
    pub(crate) fn decrypt_in_place(&self, text: &mut [u8]) -> bool {
        let (blocks, rest) = Block::slice_as_chunks_mut(text);
        if !rest.is_empty() {
            return false;
        }
        cbc::Decryptor::inner_iv_init(&self.decrypt, &self.iv).decrypt_blocks(blocks);
        true
    }

    /// Encrypts in place. Whatever lies behind the last whole block stays as it is: pad first.
    pub(crate) fn encrypt_in_place(&self, text: &mut [u8]) {
        let (blocks, rest) = Block::slice_as_chunks_mut(text);
        debug_assert!(rest.is_empty(), "the padded text is a multiple of a block");
        cbc::Encryptor::inner_iv_init(&self.encrypt, &self.iv).encrypt_blocks(blocks);
    }
}

/// Lowercase hex of the SHA-1 over `parts` in byte order, with nothing between them.
pub(crate) fn sha1_of_sorted(mut parts: [&str; 4]) -> [u8; 40] {
    parts.sort_unstable();
    let mut sha = Sha1::new();
    for part in parts {
        sha.update(part.as_bytes());
    }
    let mut hex = [0; 40];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(sha.finalize()) {
        pair.copy_from_slice(&hex_digits(byte));
    }
    hex
}

/// Lowercase hex of the SHA-256 of a text.
pub(crate) fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .into_iter()
        .flat_map(hex_digits)
        .map(char::from)
        .collect()
}

/// Base64 of the HMAC-SHA256 over a text.
pub(crate) fn hmac_sha256_base64(key: &str, text: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes())
        .expect("hmac takes keys of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Base64 of the HMAC-SHA256 that robots sign with: over timestamp, line feed and secret, keyed with the secret.
pub(crate) fn robot_signature(secret: &str, timestamp: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes())
        .expect("hmac takes keys of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b"\n");
    mac.update(secret.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn hex_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    ]
}
