//! End-to-end stories: a simulated DingTalk, a belfry, real sockets.
#![allow(clippy::unwrap_used, reason = "a story reports by failing")]

mod amend;
mod backfill;
mod bad_input;
mod cli;
mod compatibility;
mod dedupe;
mod delivery;
mod doctor;
mod durability;
mod effects;
mod egress;
mod inspect;
mod languages;
mod limits;
mod parking;
mod reload;
mod retry;
mod rules;
mod secrets;
mod shutdown;
mod swap;
mod timers;
mod trial;
mod zoo;
