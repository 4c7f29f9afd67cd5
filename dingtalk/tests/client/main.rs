//! The client against a small server over real sockets.
#![allow(clippy::unwrap_used)]

mod callbacks;
mod calls;
mod failures;
mod server;
mod tokens;
