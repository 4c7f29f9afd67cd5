//! Opens callbacks made of arbitrary bytes. The first byte picks how far the rest gets: a raw request, a signed
//! ciphertext, a signed and encrypted plaintext, or a plaintext with a right layout whose length field is arbitrary.
#![no_main]

use std::sync::LazyLock;

use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dingtalk::{Callback, CallbackQuery, Event, Nonce};
use libfuzzer_sys::fuzz_target;
use sha1::{Digest, Sha1};

const TOKEN: &str = "123456";
/// The last character carries no surplus bits, so that the strict decoder below reads it.
const KEY: &str = "123456789012345678901234567890123456789012A";
const RECEIVE_ID: &str = "dingkey";

static CALLBACK: LazyLock<Callback> = LazyLock::new(|| {
    Callback::new(TOKEN, KEY, [RECEIVE_ID.to_owned()]).expect("the key is valid")
});

fn signed(encrypt: &str) -> CallbackQuery {
    let mut parts = [TOKEN, "1700000000000", "nonce", encrypt];
    parts.sort_unstable();
    let digest = Sha1::digest(parts.concat());
    CallbackQuery {
        signature: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        timestamp: "1700000000000".to_owned(),
        nonce: "nonce".to_owned(),
    }
}

fn open_signed(ciphertext: &[u8]) -> bool {
    let encrypt = STANDARD.encode(ciphertext);
    let body = format!(r#"{{"encrypt":"{encrypt}"}}"#);
    CALLBACK.open(&signed(&encrypt), body.as_bytes()).is_ok()
}

fn encrypted(mut plain: Vec<u8>) -> Vec<u8> {
    let key: [u8; 32] = STANDARD
        .decode(format!("{KEY}="))
        .expect("the key is base64")
        .try_into()
        .expect("the key has 32 bytes");
    let iv: [u8; 16] = key[..16].try_into().expect("half of 32 bytes");
    plain.resize(plain.len().next_multiple_of(16), 0);
    let (blocks, _) = aes::Block::slice_as_chunks_mut(&mut plain);
    cbc::Encryptor::<aes::Aes256>::new(&key.into(), &iv.into()).encrypt_blocks(blocks);
    plain
}

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    match mode % 5 {
        // A query and a body, divided at the first zero byte.
        0 => {
            let at = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            let (query, body) = rest.split_at(at);
            if let Ok(query) = CallbackQuery::parse(&String::from_utf8_lossy(query)) {
                assert!(CALLBACK.open(&query, body).is_err(), "nobody guesses a signature");
            }
            let _ = CALLBACK.open(&signed(""), body);
        }
        // Text in the place of the base64, rightly signed.
        1 => {
            let text = String::from_utf8_lossy(rest);
            let body = serde_json::json!({ "encrypt": text }).to_string();
            let _ = CALLBACK.open(&signed(&text), body.as_bytes());
        }
        2 => {
            open_signed(rest);
        }
        // Any plaintext: its last byte is the padding, its length field whatever it is.
        3 => {
            open_signed(&encrypted(rest.to_vec()));
        }
        // A layout that comes through, and what comes out must be what went in.
        _ => {
            let message = String::from_utf8_lossy(rest).into_owned();
            let nonce = Nonce {
                timestamp: "1700000000000".to_owned(),
                nonce: "nonce".to_owned(),
                random: [*mode; 16],
            };
            let reply = CALLBACK.seal(&message, RECEIVE_ID, &nonce);
            let query = CallbackQuery {
                signature: reply.msg_signature,
                timestamp: reply.timestamp,
                nonce: reply.nonce,
            };
            let body = format!(r#"{{"encrypt":"{}"}}"#, reply.encrypt);
            let opened = CALLBACK.open(&query, body.as_bytes()).expect("what was sealed opens");
            assert!(opened.message == message);
            let _ = Event::parse(&opened.message);
        }
    }
});
