//! Drives the simulator through its doors, over real sockets.
#![allow(clippy::unwrap_used)]

mod approvals;
mod callbacks;
mod chat;
mod control;
mod events;
mod faults;
mod notices;
mod robot;
mod stage;
mod tokens;
