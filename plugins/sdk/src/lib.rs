//! Write belfry plugins in Rust.
//!
//! A plugin is a WebAssembly component. It says what it is ([`Plugin::describe`]), gets one [`Event`](event::Event) at a
//! time ([`Plugin::handle`]), and acts through host functions: [`robot`] answers in a chat, [`chat`] makes groups and
//! writes to them, [`notice`] reaches people, [`approval`] runs approvals, [`contacts`] knows who there is, [`media`]
//! uploads and fetches files, [`kv`] keeps things between events,
//! [`schedule`] wakes the plugin up, [`config`] reads the plugin's table in `bot.toml`, and [`log`] writes for the operator. Using one of them is a request;
//! `bot.toml` grants it.
//!
//! This is a whole plugin:
//!
//! ```
//! use belfry_plugin::prelude::*;
//!
//! struct Hello;
//!
//! impl Plugin for Hello {
//!     fn describe() -> Description {
//!         Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).on(EventKind::ChatMessage)
//!     }
//!
//!     fn handle(event: Event) -> Result<(), Failure> {
//!         if let EventBody::ChatMessage(message) = event.body {
//!             reply_text(&format!("你好, {}!", message.sender_nick))?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! belfry_plugin::export!(Hello);
//! # fn main() {}
//! ```
//!
//! Each attempt runs in a fresh instance, so `static` variables do not last; [`kv`] does. An event that ends in
//! [`Failure::Retry`] comes again later, one that ends in [`Failure::Permanent`] becomes a dead letter, and `?` turns an
//! [`api::Error`] into whichever of the two fits.
//!
//! On any target but WebAssembly the crate compiles and its types work, but every host function panics. Keep decisions
//! in functions of plain values and `cargo test` runs them.

mod description;
mod failure;
mod plugin;

pub mod config;
#[cfg(feature = "http")]
pub mod http;
pub mod markdown;
pub mod robot;
pub mod schedule;

#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin",
        pub_export_macro: true,
        default_bindings_module: "belfry_plugin::bindings",
        additional_derives: [PartialEq],
    });
}

pub use bindings::belfry::bot::{
    api, approval, chat, contacts, delivery, event, kv, log, media, message, notice,
};
pub use bindings::exports::belfry::bot::handler::{Command, Description, Failure, Retry};
pub use plugin::Plugin;

/// What nearly every plugin uses: `use belfry_plugin::prelude::*;`.
pub mod prelude {
    pub use crate::event::{Event, EventBody, EventKind};
    pub use crate::message::{Markdown, Message, RobotMessage};
    pub use crate::robot::{reply_markdown, reply_text};
    pub use crate::{
        Description, Failure, Plugin, api, approval, chat, config, contacts, delivery, kv, log,
        media, notice, robot, schedule,
    };
}
