//! What `wasi:http` keeps in a store, and how much of it a guest may have.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::State;
use crate::config::Limits;

/// Bytes of one set of headers, counted as they lie in memory.
const FIELDS: usize = 32 << 10;
/// Bytes and pieces of a request's body that wait to be taken; the guest waits when they are full. Both are small because a
/// guest can begin hundreds of bodies that it never sends.
const PIECE: usize = 16 << 10;
const PIECES: usize = 4;

/// What an attempt has done over HTTP.
pub struct Http {
    context: WasiHttpCtx,
    hooks: Hooks,
    concurrent: u32,
    answers: usize,
    /// Most attempts make no request.
    purse: OnceLock<Purse>,
}

/// What an attempt may still have.
struct Purse {
    places: Arc<Semaphore>,
    bytes: Arc<Mutex<usize>>,
}

impl Http {
    /// Nothing done yet, within the limits of the plugin.
    pub(super) fn new(limits: &Limits) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(FIELDS);
        Self {
            context,
            hooks: Hooks,
            concurrent: limits.http_concurrent,
            answers: limits.http_answers,
            purse: OnceLock::new(),
        }
    }

    /// A share of at most `bytes`; none when as many requests are under way as may be.
    pub fn share(&self, bytes: usize) -> Option<Share> {
        let purse = self.purse.get_or_init(|| Purse {
            places: Arc::new(Semaphore::new(self.concurrent as usize)),
            bytes: Arc::new(Mutex::new(self.answers)),
        });
        let place = Arc::clone(&purse.places).try_acquire_owned().ok()?;
        let mut left = purse.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = bytes.min(*left);
        *left -= bytes;
        Some(Share {
            _place: place,
            bytes,
            left: Arc::clone(&purse.bytes),
        })
    }
}

/// The right to have one request under way, and to receive an answer of so many bytes.
pub struct Share {
    _place: OwnedSemaphorePermit,
    bytes: usize,
    left: Arc<Mutex<usize>>,
}

impl Share {
    /// Bytes that the answer may have.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives back what the answer did not need.
    pub fn spend(mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.http.hooks,
            table: &mut self.table,
            ctx: &mut self.http.context,
        }
    }
}

struct Hooks;

impl WasiHttpHooks for Hooks {
    /// Requests go through `imports::http`, which knows the delivery and its budgets; nothing comes here.
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = wasmtime_wasi_http::Result<Sent>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        PIECES
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        PIECE
    }
}

type Sent = (
    http::Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_has_so_many_requests_under_way_and_so_many_bytes_in_all() {
        let limits = Limits {
            http_concurrent: 3,
            http_answers: 5 << 20,
            ..Limits::default()
        };
        let http = Http::new(&limits);
        let shares: Vec<Share> = (0..3).map(|_| http.share(1 << 20).unwrap()).collect();
        assert!(http.share(1).is_none());
        for share in shares {
            share.spend(1 << 20);
        }
        // What is not spent comes back, what is spent does not.
        http.share(1 << 20).unwrap().spend(10);
        drop(http.share(1 << 20).unwrap());
        let rest = http.share(usize::MAX).unwrap();
        assert_eq!(rest.bytes(), (2 << 20) - 10);
        assert_eq!(http.share(usize::MAX).unwrap().bytes(), 0);
    }
}
