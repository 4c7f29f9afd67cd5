//! Sets a simulator and a belfry up in a folder of their own, and speaks to both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a story reports by failing"
)]

pub mod bot;
mod browser;
pub mod components;
pub mod crash;
mod dingtalk;
pub mod disk;
mod doors;
mod process;
mod relay;
mod stage;
mod wait;
mod web;
pub mod zoo;

pub use bot::{AES_KEY, Bot, CALLBACK_TOKEN, Plugin};
pub use browser::Browser;
pub use dingtalk::{DEV, Dingtalk, ONCALL, bots_texts, text_of};
pub use doors::Doors;
pub use process::{Finished, Process, run, run_with};
pub use relay::Relay;
pub use stage::{Hosted, Stage};
pub use wait::{PATIENCE, wait_as_long_as, wait_for, wait_until};
pub use web::{File, Web};
