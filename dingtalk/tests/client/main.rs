//! The client against a small server over real sockets.
#![allow(clippy::unwrap_used)]

mod approvals;
mod callbacks;
mod calls;
mod contacts;
mod failures;
mod forms;
mod h5;
mod media;
mod pace;
mod raw;
mod sent;
mod server;
mod suites;
mod tokens;
