//! The client against a small server over real sockets.
#![allow(clippy::unwrap_used)]

mod callbacks;
mod calls;
mod contacts;
mod failures;
mod media;
mod server;
mod tokens;
