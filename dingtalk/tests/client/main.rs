//! The client against a small server over real sockets.
#![allow(clippy::unwrap_used)]

mod approvals;
mod callbacks;
mod calls;
mod contacts;
mod failures;
mod media;
mod pace;
mod sent;
mod server;
mod tokens;
