//! Times OpenSSL's SHA-1 and AES-256-CBC on the bytes of a callback.
//!
//! `openssl-yardstick CASES.json` reads
//! `{"cases":[{"name":"1KiB","signed":["…4 strings…"],"key_hex":"…","cipher_base64":"…"}],"seconds":1.0}`
//! and prints `{"1KiB":{"ns":1234.5}}`: nanoseconds per operation, the median of many batches. One operation is SHA-1
//! over the sorted, joined strings, and the decryption of the decoded bytes without looking at their padding. All that
//! a program can do once is done before: buffers, fetching the algorithms, expanding the key. That makes it the
//! fastest OpenSSL can do, and a hard yardstick for a whole callback, which decodes and checks on top of it.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::sha::Sha1;
use serde::{Deserialize, Serialize};

/// How long one batch takes, so that reading the clock costs nothing in comparison.
const BATCH: Duration = Duration::from_millis(5);

/// What the file on the command line says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    cases: Vec<Case>,
    /// How long to measure each case.
    seconds: f64,
}

/// One callback.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Token, timestamp, nonce and ciphertext, in any order.
    signed: Vec<String>,
    key_hex: String,
    cipher_base64: String,
}

/// The figure of one case.
#[derive(Serialize)]
struct Timing {
    /// Nanoseconds per operation.
    ns: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(output) => {
            println!("{output}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("openssl-yardstick: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String> {
    let path = std::env::args_os()
        .nth(1)
        .context("usage: openssl-yardstick CASES.json")?;
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let input: Input = serde_json::from_slice(&text)
        .with_context(|| format!("cannot understand {}", path.display()))?;
    let time = Duration::try_from_secs_f64(input.seconds).context("seconds is not a duration")?;
    let mut timings = BTreeMap::new();
    for case in &input.cases {
        let ns =
            measure(case, time).with_context(|| format!("cannot measure case {:?}", case.name))?;
        timings.insert(&case.name, Timing { ns });
    }
    Ok(serde_json::to_string(&timings)?)
}

fn measure(case: &Case, time: Duration) -> Result<f64> {
    let mut operation = Operation::prepare(case)?;
    operation.run()?;

    let mut size = 1_u32;
    while batch(&mut operation, size)? < BATCH && size < 1 << 24 {
        size *= 2;
    }
    let start = Instant::now();
    let mut figures = Vec::new();
    while figures.is_empty() || start.elapsed() < time {
        figures.push(batch(&mut operation, size)?.as_secs_f64() * 1e9 / f64::from(size));
    }
    figures.sort_by(f64::total_cmp);
    Ok(figures[figures.len() / 2])
}

fn batch(operation: &mut Operation, size: u32) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..size {
        operation.run()?;
    }
    Ok(start.elapsed())
}

/// One callback, ready to be verified and decrypted again and again.
struct Operation {
    joined: Vec<u8>,
    ciphertext: Vec<u8>,
    iv: [u8; 16],
    cipher: CipherCtx,
    plaintext: Vec<u8>,
}

impl Operation {
    fn prepare(case: &Case) -> Result<Self> {
        ensure!(
            case.signed.len() == 4,
            "signed has {} strings instead of 4",
            case.signed.len()
        );
        let mut signed = case.signed.clone();
        signed.sort();
        let key = key(&case.key_hex)?;
        let ciphertext = openssl::base64::decode_block(&case.cipher_base64)
            .context("cipher_base64 is not base64")?;
        ensure!(
            !ciphertext.is_empty() && ciphertext.len().is_multiple_of(16),
            "{} bytes of ciphertext are not whole AES blocks",
            ciphertext.len()
        );
        // DingTalk takes the first half of the key as the initialisation vector.
        let (iv, _) = key.split_first_chunk::<16>().expect("the key has 32 bytes");
        let mut cipher = CipherCtx::new()?;
        let algorithm = Cipher::fetch(None, "AES-256-CBC", None)?;
        cipher.decrypt_init(Some(&algorithm), Some(&key), Some(iv))?;
        cipher.set_padding(false);
        Ok(Self {
            joined: signed.concat().into_bytes(),
            // OpenSSL asks for room for one more block than it writes.
            plaintext: vec![0; ciphertext.len() + 16],
            ciphertext,
            iv: *iv,
            cipher,
        })
    }

    fn run(&mut self) -> Result<()> {
        // OpenSSL's own structure on the stack, without the indirection of its EVP interface.
        let mut hash = Sha1::new();
        hash.update(black_box(&self.joined));
        black_box(hash.finish());

        self.cipher.decrypt_init(None, None, Some(&self.iv))?;
        let written = self
            .cipher
            .cipher_update(black_box(&self.ciphertext), Some(&mut self.plaintext))?;
        self.cipher.cipher_final(&mut self.plaintext[written..])?;
        black_box(&self.plaintext);
        Ok(())
    }
}

fn key(hex: &str) -> Result<[u8; 32]> {
    ensure!(
        hex.len() == 64 && hex.is_ascii(),
        "key_hex is not 64 hexadecimal digits"
    );
    let mut key = [0; 32];
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16)
            .context("key_hex is not 64 hexadecimal digits")?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_decrypts_with_the_first_half_of_the_key_as_iv() {
        let key: Vec<u8> = (0..32).collect();
        let plaintext = [7; 48];
        let cipher = openssl::symm::Cipher::aes_256_cbc();
        let padded = openssl::symm::encrypt(cipher, &key, Some(&key[..16]), &plaintext).unwrap();
        let case = Case {
            name: "48".to_owned(),
            signed: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            key_hex: key.iter().map(|byte| format!("{byte:02x}")).collect(),
            cipher_base64: openssl::base64::encode_block(&padded[..48]),
        };
        let mut operation = Operation::prepare(&case).unwrap();
        for _ in 0..3 {
            operation.run().unwrap();
            assert_eq!(operation.plaintext[..48], plaintext);
            operation.plaintext.fill(0);
        }
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        assert!(key(&"0f".repeat(32)).is_ok());
        for wrong in ["", "0f", &"zz".repeat(32), &"é".repeat(32)] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }
}
