//! End-to-end stories: a simulated DingTalk, a belfry, real sockets.
#![allow(clippy::unwrap_used, reason = "a story reports by failing")]

mod amend;
mod bad_input;
mod cli;
mod dedupe;
mod delivery;
mod durability;
mod effects;
mod languages;
mod limits;
mod reload;
mod retry;
mod secrets;
mod shutdown;
mod timers;
