//! Holds the crypto to the published test vectors.
#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::*;

fn vectors() -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../tests/data/callback.json")).unwrap();
    all["vectors"].as_array().unwrap().clone()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_default()
}

fn key(vector: &Value) -> Result<CallbackKey, CryptoError> {
    CallbackKey::load(
        text(vector, "token"),
        text(vector, "encoding_aes_key"),
        text(vector, "receive_id"),
    )
}

fn plaintext(vector: &Value) -> String {
    match vector["plaintext_repeat"].as_object() {
        None => text(vector, "plaintext").to_owned(),
        Some(repeat) => repeat["unit"]
            .as_str()
            .unwrap()
            .repeat(usize::try_from(repeat["count"].as_u64().unwrap()).unwrap()),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn verify(key: &CallbackKey, vector: &Value) -> Result<Opened, CryptoError> {
    key.verify(
        text(vector, "signature"),
        (text(vector, "timestamp"), text(vector, "nonce")),
        text(vector, "encrypt"),
    )
}

#[test]
fn good_vectors_open_to_their_plaintext() {
    let mut seen = 0;
    for vector in vectors().iter().filter(|vector| vector["expect"] == "ok") {
        let opened = verify(&key(vector).unwrap(), vector).unwrap();
        assert_eq!(
            opened.message,
            plaintext(vector).as_bytes(),
            "{}",
            vector["id"]
        );
        if let Some(random) = vector["random16_hex"].as_str() {
            assert_eq!(opened.random.to_vec(), bytes(random), "{}", vector["id"]);
        }
        seen += 1;
    }
    assert_eq!(seen, 49);
}

#[test]
fn sealing_is_byte_identical_with_the_given_random() {
    let mut seen = 0;
    for vector in vectors().iter().filter(|vector| {
        vector["expect"] == "ok"
            && vector["padding_block"] == 32
            && vector["random16_hex"].is_string()
    }) {
        let key = key(vector).unwrap();
        let random = bytes(text(vector, "random16_hex")).try_into().unwrap();
        let sealed = key.seal(plaintext(vector).as_bytes(), random);
        assert_eq!(sealed, text(vector, "encrypt"), "{}", vector["id"]);
        let signature = key.sign(text(vector, "timestamp"), text(vector, "nonce"), &sealed);
        assert_eq!(signature, text(vector, "signature"), "{}", vector["id"]);
        seen += 1;
    }
    assert!(seen > 35, "{seen}");
}

#[test]
fn bad_vectors_are_refused() {
    for vector in vectors()
        .iter()
        .filter(|vector| vector["expect"] == "error")
    {
        let id = text(vector, "id");
        match text(vector, "error") {
            "key_invalid" => assert_eq!(key(vector).err(), Some(CryptoError::Key), "{id}"),
            // Those are about the HTTP body, which a sender does not read.
            "body_invalid" => {}
            // The bytes are the caller's to read as text; opening gives bytes.
            "utf8_invalid" => {
                let opened = verify(&key(vector).unwrap(), vector).unwrap();
                assert!(String::from_utf8(opened.message).is_err(), "{id}");
            }
            "signature_mismatch" => {
                let refused = verify(&key(vector).unwrap(), vector).err();
                assert_eq!(refused, Some(CryptoError::Signature), "{id}");
            }
            "receive_id_mismatch" => {
                let refused = verify(&key(vector).unwrap(), vector).err();
                assert_eq!(refused, Some(CryptoError::ReceiveId), "{id}");
            }
            _ => assert!(verify(&key(vector).unwrap(), vector).is_err(), "{id}"),
        }
    }
}

#[test]
fn doubtful_vectors_do_not_panic() {
    for vector in vectors()
        .iter()
        .filter(|vector| vector["expect"] == "either")
    {
        if let Ok(key) = key(vector) {
            let _ = verify(&key, vector);
        }
    }
}

#[test]
fn robot_signature_matches_the_published_vector() {
    assert_eq!(
        robot_sign("this is a secret", "1577262236757"),
        "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA="
    );
}
