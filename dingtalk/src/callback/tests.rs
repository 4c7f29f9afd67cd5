#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;

const VECTORS: &str = include_str!("../../tests/data/callback.json");

fn vectors(group: impl Fn(&Value) -> bool) -> Vec<Value> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let all = file["vectors"].as_array().unwrap();
    assert_eq!(all.len(), 104);
    all.iter().filter(|vector| group(vector)).cloned().collect()
}

fn text<'a>(vector: &'a Value, member: &str) -> &'a str {
    vector[member].as_str().unwrap()
}

fn callback(vector: &Value) -> Callback {
    let receive_id = text(vector, "receive_id").to_owned();
    Callback::new(
        text(vector, "token"),
        text(vector, "encoding_aes_key"),
        [receive_id],
    )
    .unwrap()
}

fn open(vector: &Value) -> Result<Opened, CallbackError> {
    let query = CallbackQuery {
        signature: text(vector, "signature").to_owned(),
        timestamp: text(vector, "timestamp").to_owned(),
        nonce: text(vector, "nonce").to_owned(),
    };
    let body = match vector["body_raw"].as_str() {
        Some(raw) => raw.to_owned(),
        None => serde_json::json!({"encrypt": text(vector, "encrypt")}).to_string(),
    };
    callback(vector).open(&query, body.as_bytes())
}

fn plaintext(vector: &Value) -> String {
    if let Some(plain) = vector["plaintext"].as_str() {
        return plain.to_owned();
    }
    let repeat = &vector["plaintext_repeat"];
    let count = usize::try_from(repeat["count"].as_u64().unwrap()).unwrap();
    let plain = text(repeat, "unit").repeat(count);
    let digest: String = Sha256::digest(&plain)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(digest, text(vector, "plaintext_sha256"));
    plain
}

#[test]
fn every_good_vector_opens_to_its_plaintext() {
    let good = vectors(|vector| vector["expect"] == "ok");
    assert_eq!(good.len(), 49);
    for vector in good {
        let opened = open(&vector).unwrap_or_else(|error| panic!("{}: {error}", vector["id"]));
        assert!(opened.message == plaintext(&vector), "{}", vector["id"]);
        assert_eq!(
            opened.message.len() as u64,
            vector["plaintext_bytes"].as_u64().unwrap()
        );
        assert_eq!(opened.receive_id, text(&vector, "receive_id"));
    }
}

#[test]
fn every_padded_vector_is_sealed_byte_for_byte() {
    let padded =
        vectors(|vector| vector["random16_hex"].is_string() && vector["padding_block"] == 32);
    assert!(padded.len() > 40);
    for vector in padded {
        let hex = text(&vector, "random16_hex");
        let random: Vec<u8> = (0..32)
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let nonce = Nonce {
            timestamp: text(&vector, "timestamp").to_owned(),
            nonce: text(&vector, "nonce").to_owned(),
            random: random.try_into().unwrap(),
        };
        let reply =
            callback(&vector).seal(&plaintext(&vector), text(&vector, "receive_id"), &nonce);
        assert_eq!(reply.encrypt, text(&vector, "encrypt"), "{}", vector["id"]);
        assert_eq!(
            reply.msg_signature,
            text(&vector, "signature"),
            "{}",
            vector["id"]
        );
    }
}

#[test]
fn every_bad_vector_is_refused_with_its_own_error() {
    let bad = vectors(|vector| vector["expect"] == "error" && vector["error"] != "key_invalid");
    assert_eq!(bad.len(), 44);
    for vector in bad {
        let error = open(&vector).map(|_| ()).unwrap_err();
        let allowed: &[CallbackError] = match text(&vector, "error") {
            "signature_mismatch" => &[CallbackError::Signature],
            "receive_id_mismatch" => &[CallbackError::ReceiveId],
            "base64_invalid" => &[CallbackError::Base64],
            "ciphertext_length_invalid" => &[CallbackError::CiphertextLength],
            "padding_invalid" => &[CallbackError::Padding],
            "message_length_invalid" => &[CallbackError::MessageLength],
            "body_invalid" => &[CallbackError::Body],
            // What garbage looks like after decryption depends on the garbage.
            "padding_or_id" => &[
                CallbackError::Padding,
                CallbackError::MessageLength,
                CallbackError::ReceiveId,
            ],
            other => panic!("{}: unknown class {other}", vector["id"]),
        };
        assert!(allowed.contains(&error), "{}: {error}", vector["id"]);
    }
}

#[test]
fn vectors_left_to_policy_open_to_a_right_text_or_are_refused() {
    let either = vectors(|vector| vector["expect"] == "either");
    assert_eq!(either.len(), 6);
    for vector in either {
        let refused = match text(&vector, "error") {
            "padding_invalid" | "none" => None,
            "base64_invalid" => Some(CallbackError::Base64),
            "utf8_invalid" => Some(CallbackError::Utf8),
            other => panic!("unknown class {other}"),
        };
        assert_eq!(open(&vector).err(), refused, "{}", vector["id"]);
    }
}

#[test]
fn every_bad_key_is_refused_when_it_is_configured() {
    let bad = vectors(|vector| vector["error"] == "key_invalid");
    assert_eq!(bad.len(), 5);
    for vector in bad {
        let key = text(&vector, "encoding_aes_key");
        let error = Callback::new("token", key, ["ding".to_owned()])
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error, KeyError::AesKey, "{}", vector["id"]);
    }
}

const KEY: &str = "1234567890123456789012345678901234567890123";

fn sample() -> Callback {
    Callback::new("123456", KEY, ["dingkey".to_owned(), "dingcorp".to_owned()]).unwrap()
}

fn request(callback: &Callback, message: &str, receive_id: &str) -> (CallbackQuery, Vec<u8>) {
    let reply = callback.seal(
        message,
        receive_id,
        &Nonce::fresh(UnixMs(1_614_767_836_000)),
    );
    let query = CallbackQuery {
        signature: reply.msg_signature,
        timestamp: reply.timestamp,
        nonce: reply.nonce,
    };
    (
        query,
        serde_json::to_vec(&serde_json::json!({"encrypt": reply.encrypt})).unwrap(),
    )
}

#[test]
fn tokens_and_receive_ids_are_checked_when_they_are_configured() {
    let ids = || ["ding".to_owned()];
    for token in ["", "ab", &"x".repeat(64)] {
        assert_eq!(
            Callback::new(token, KEY, ids()).map(|_| ()).unwrap_err(),
            KeyError::Token
        );
    }
    for ids in [vec![], vec![String::new()]] {
        assert_eq!(
            Callback::new("abc", KEY, ids).map(|_| ()).unwrap_err(),
            KeyError::ReceiveIds
        );
    }
    assert!(Callback::new("abc", KEY, ids()).is_ok());
    assert!(Callback::new(&"x".repeat(63), KEY, ids()).is_ok());
}

#[test]
fn any_of_several_receive_ids_is_accepted_and_named() {
    let callback = sample();
    for id in ["dingkey", "dingcorp"] {
        let (query, body) = request(&callback, "{}", id);
        assert_eq!(callback.open(&query, &body).unwrap().receive_id, id);
    }
    let (query, body) = request(&callback, "{}", "dingother");
    assert_eq!(
        callback.open(&query, &body).unwrap_err(),
        CallbackError::ReceiveId
    );
}

#[test]
fn query_names_are_read_in_both_spellings() {
    let check = |query: &str, expected: Result<(&str, &str, &str), CallbackError>| {
        let got = CallbackQuery::parse(query).map(|q| (q.signature, q.timestamp, q.nonce));
        let expected = expected.map(|(s, t, n)| (s.to_owned(), t.to_owned(), n.to_owned()));
        assert_eq!(got, expected, "{query}");
    };
    check("signature=a&timestamp=1&nonce=n", Ok(("a", "1", "n")));
    check(
        "msg_signature=b&timeStamp=2&nonce=n&x=y",
        Ok(("b", "2", "n")),
    );
    check(
        "signature=a&msg_signature=b&timestamp=1&timeStamp=2&nonce=n",
        Ok(("b", "2", "n")),
    );
    check("signature=&timestamp=1&nonce=n", Ok(("", "1", "n")));
    check("signature=%61&timestamp=1&nonce=n%26", Ok(("a", "1", "n&")));
    check(
        "timestamp=1&nonce=n",
        Err(CallbackError::Query("signature")),
    );
    check(
        "signature=a&nonce=n",
        Err(CallbackError::Query("timestamp")),
    );
    check(
        "signature=a&timestamp=1",
        Err(CallbackError::Query("nonce")),
    );
    check("", Err(CallbackError::Query("signature")));
}

#[test]
fn an_array_is_no_body_even_if_it_holds_the_ciphertext() {
    let callback = sample();
    let (query, body) = request(&callback, "{}", "dingkey");
    let object: Value = serde_json::from_slice(&body).unwrap();
    let array = serde_json::to_vec(&[&object["encrypt"]]).unwrap();
    assert_eq!(
        callback.open(&query, &array).unwrap_err(),
        CallbackError::Body
    );
}

#[test]
fn bodies_are_told_apart_by_what_they_are_not_by_how_they_are_written() {
    let member = |body: &str| encrypt_member(body.as_bytes()).map(Cow::into_owned);
    for body in [
        r#"{"encrypt":"a/b+c="}"#,
        " {\n \"encrypt\" :\t\"a/b+c=\" }\r\n",
        r#"{"encrypt":"a\/b\u002bc="}"#,
        r#"{"encrypt":"a/b+c=","x":"y"}"#,
        r#"{"x":"y","encrypt":"a/b+c="}"#,
        r#"{"x":{"encrypt":"no"},"encrypt":"a/b+c="}"#,
    ] {
        assert_eq!(member(body).as_deref(), Ok("a/b+c="), "{body}");
    }
    assert_eq!(member(r#"{"encrypt":""}"#).as_deref(), Ok(""));
    for body in [
        r#"{"encrypt":"}"#,
        r#"{"encrypt":"a"}"}"#,
        r#"{"encrypt":"a"}}"#,
        r#"{"encrypt":"a"},{"x":"y"}"#,
        r#"{"encrypt":"a","encrypt":"b"}"#,
        r#"{"encrypt":{"x":"y"}}"#,
        r#"{"encrypt":"\q"}"#,
        r#"{"Encrypt":"a"}"#,
        r#"{"encrypt""a"}"#,
    ] {
        assert_eq!(member(body), Err(CallbackError::Body), "{body}");
    }
    assert_eq!(
        encrypt_member(b"{\"encrypt\":\"\xff\"}").unwrap_err(),
        CallbackError::Body
    );
}

#[test]
fn escaped_and_spaced_bodies_are_read_too() {
    let callback = sample();
    let (query, body) = request(&callback, "好", "dingkey");
    let object: Value = serde_json::from_slice(&body).unwrap();
    let escaped = text(&object, "encrypt")
        .replace('/', "\\/")
        .replace('+', "\\u002b");
    let body = format!(" {{ \"x\": [1], \"encrypt\" : \"{escaped}\" }} ");
    assert_eq!(
        callback.open(&query, body.as_bytes()).unwrap().message,
        "好"
    );
}

#[test]
fn the_reply_serializes_to_the_four_members_dingtalk_reads() {
    let nonce = Nonce {
        timestamp: "1".into(),
        nonce: "n".into(),
        random: [0; 16],
    };
    let reply = serde_json::to_value(sample().seal("success", "dingkey", &nonce)).unwrap();
    let members: Vec<&String> = reply.as_object().unwrap().keys().collect();
    assert_eq!(members, ["encrypt", "msg_signature", "nonce", "timeStamp"]);
    assert_eq!(reply["timeStamp"], "1");
}

#[test]
fn debug_output_shows_no_secret_and_no_message() {
    let callback = sample();
    let (query, body) = request(&callback, "hush", "dingkey");
    let opened = callback.open(&query, &body).unwrap();
    let shown = format!("{callback:?} {opened:?}");
    for secret in ["123456", KEY, "hush"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn what_was_sealed_opens_to_the_same(message: String, random: [u8; 16], timestamp: String, nonce: String) {
        let callback = sample();
        let nonce = Nonce { timestamp, nonce, random };
        let reply = callback.seal(&message, "dingcorp", &nonce);
        let body = serde_json::to_vec(&reply).unwrap();
        let query = CallbackQuery {
            signature: reply.msg_signature,
            timestamp: reply.timestamp,
            nonce: reply.nonce,
        };
        let opened = callback.open(&query, &body).unwrap();
        prop_assert!(opened.message == message);
    }

    #[test]
    fn opening_random_bytes_never_panics(query: String, body: Vec<u8>) {
        if let Ok(query) = CallbackQuery::parse(&query) {
            let _ = sample().open(&query, &body);
        }
        let query = CallbackQuery { signature: query, timestamp: String::new(), nonce: String::new() };
        prop_assert!(sample().open(&query, &body).is_err());
    }

    #[test]
    fn a_signed_random_plaintext_never_panics(mut plain in proptest::collection::vec(any::<u8>(), 0..200)) {
        plain.resize(plain.len().next_multiple_of(16), 7);
        let callback = sample();
        callback.key.encrypt_in_place(&mut plain);
        let encrypt = STANDARD.encode(plain);
        let signature = callback.sign("1", "n", &encrypt).map(char::from).iter().collect();
        let query = CallbackQuery { signature, timestamp: "1".into(), nonce: "n".into() };
        let body = serde_json::to_vec(&serde_json::json!({"encrypt": encrypt})).unwrap();
        let _ = callback.open(&query, &body);
    }
}
