//! The WASI that standard libraries always import, virtualised: clock and randomness are functions of the delivery;
//! there are no files, no environment, no arguments and no sockets; what is printed goes to the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use super::words::LastWords;
use crate::clock::UnixMs;
use crate::ids::PluginName;

/// Bytes of randomness in one request.
const MAX_RANDOM: u64 = 64 << 10;
/// Bytes of one printed piece that reach the log.
const MAX_PRINTED: usize = 4096;

pub(super) fn virtual_context(
    plugin: &PluginName,
    seed: [u8; 16],
    now: UnixMs,
    most_printed: usize,
    last_words: &LastWords,
) -> WasiCtx {
    let left = Arc::new(AtomicUsize::new(most_printed));
    let printed = |last_words| Printed {
        plugin: plugin.clone(),
        left: Arc::clone(&left),
        last_words,
    };
    let mut wide = [0; 32];
    wide[..16].copy_from_slice(&seed);
    let now = Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    WasiCtx::builder()
        .secure_random(ChaCha8Rng::from_seed(wide))
        .insecure_random(ChaCha8Rng::from_seed(wide))
        .insecure_random_seed(u128::from_be_bytes(seed))
        .max_random_size(MAX_RANDOM)
        .wall_clock(Standing(now))
        .monotonic_clock(Stepping(AtomicU64::new(0)))
        .stdout(printed(None))
        .stderr(printed(Some(last_words.clone())))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}

/// A wall clock that stands at the arrival of the event.
struct Standing(Duration);

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// A monotonic clock that goes on by a microsecond each time it is read, so that loops on it end.
struct Stepping(AtomicU64);

impl HostMonotonicClock for Stepping {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

/// Standard output and error together: pieces as they are written become log lines of the plugin, as long as it may.
#[derive(Clone)]
struct Printed {
    plugin: PluginName,
    /// Bytes that may still be printed.
    left: Arc<AtomicUsize>,
    /// Of standard error only.
    last_words: Option<LastWords>,
}

impl Printed {
    /// What is too much is dropped, and said once.
    fn print(&self, bytes: &[u8]) {
        let plugin = &self.plugin;
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return;
        }
        self.left
            .store(left.saturating_sub(bytes.len()), Ordering::Relaxed);
        let piece = &bytes[..bytes.len().min(left).min(MAX_PRINTED)];
        let text = String::from_utf8_lossy(piece);
        let text = text.trim_end();
        if !text.is_empty() {
            tracing::debug!(%plugin, text, "plugin printed");
        }
        if left <= bytes.len() {
            tracing::debug!(%plugin, "the plugin may print no more in this attempt");
        }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    /// Without the task that would write for an asynchronous stream.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if let Some(last_words) = &self.last_words {
            last_words.hear(&bytes);
        }
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_PRINTED)
    }
}
