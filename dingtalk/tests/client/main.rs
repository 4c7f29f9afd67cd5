//! The client against a small server over real sockets.
#![allow(clippy::unwrap_used)]

mod calls;
mod contacts;
mod failures;
mod h5;
mod media;
mod raw;
mod server;
mod tokens;
