//! End-to-end stories: a simulated DingTalk, a belfry, real sockets.
#![allow(clippy::unwrap_used, reason = "a story reports by failing")]

mod amend;
mod approvals;
mod backfill;
mod bad_input;
mod cli;
mod compatibility;
mod contacts;
mod crash;
mod dedupe;
mod delivery;
mod doctor;
mod durability;
mod effects;
mod egress;
mod faults;
mod inspect;
mod isv;
mod languages;
mod limits;
mod media;
mod notices;
mod pace;
mod parking;
mod pushes;
mod reload;
mod replay;
mod retry;
mod robots;
mod rules;
mod secrets;
mod shutdown;
mod swap;
mod timers;
mod trial;
mod zoo;
