//! Drives the simulator through its doors, over real sockets.
#![allow(clippy::unwrap_used)]

mod approvals;
mod callbacks;
mod chat;
mod contacts;
mod control;
mod events;
mod faults;
mod media;
mod notices;
mod robot;
mod scenes;
mod stage;
mod suites;
mod tokens;
mod workflow;
