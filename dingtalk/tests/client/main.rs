//! The client against a small server over real sockets.
#![allow(clippy::unwrap_used)]

mod calls;
mod failures;
mod raw;
mod server;
mod tokens;
