//! End-to-end stories: a simulated DingTalk, a belfry, real sockets.
#![allow(clippy::unwrap_used, reason = "a story reports by failing")]

mod delivery;
