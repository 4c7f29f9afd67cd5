//! The host functions, one file per WIT interface.

use dingtalk::ApiError;
use wasmtime::component::{HasSelf, Linker};

use crate::capability::Capability;
use crate::engine::State;

pub use self::bindings::PluginPre;
pub use self::event::event as to_guest;
pub use self::handler::GuestPre;
pub use self::recorded::{HOST_CALLS, count};

mod approval;
mod chat;
mod config;
mod contacts;
mod delivery;
mod event;
mod handler;
mod http;
mod kv;
mod log;
mod media;
mod message;
mod notice;
mod recorded;
mod robot;
mod schedule;
mod told;
mod upstream;
mod value;

/// Generated from `wit/`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        require_store_data_send: true,
        additional_derives: [serde::Serialize, serde::Deserialize],
    });
}

use self::bindings::belfry::bot::{self, api};
use self::upstream::upstream;

/// A linker with what every plugin gets: WASI without sockets, its log, its settings and its delivery.
pub fn base_linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    bot::api::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    bot::message::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    bot::event::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    bot::delivery::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    bot::config::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    bot::log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// Adds one granted interface. What is not granted is not linked, so it cannot be called.
pub fn link(linker: &mut Linker<State>, capability: Capability) -> wasmtime::Result<()> {
    match capability {
        Capability::Chat => bot::chat::add_to_linker::<_, HasSelf<State>>(linker, |state| state),
        Capability::Notice => {
            bot::notice::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
        }
        Capability::Approval => {
            bot::approval::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
        }
        Capability::Contacts => {
            bot::contacts::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
        }
        Capability::Media => bot::media::add_to_linker::<_, HasSelf<State>>(linker, |state| state),
        Capability::Robot => bot::robot::add_to_linker::<_, HasSelf<State>>(linker, |state| state),
        Capability::Kv => bot::kv::add_to_linker::<_, HasSelf<State>>(linker, |state| state),
        Capability::Schedule => {
            bot::schedule::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
        }
        Capability::Http => http::link(linker),
    }
}

impl api::Host for State {}
impl bot::message::Host for State {}
impl bot::event::Host for State {}

/// What a plugin hears of a failed call of DingTalk.
fn api_error(error: ApiError) -> api::Error {
    // To a plugin the client is a part of belfry.
    let code = match error.code().strip_prefix("client.") {
        Some(ours) => format!("belfry.{ours}"),
        None => error.code().to_owned(),
    };
    let detail = api::Detail {
        code,
        message: error.message().to_owned(),
    };
    match error {
        ApiError::Denied { .. } => api::Error::Denied(detail),
        ApiError::RateLimited { retry_after, .. } => api::Error::RateLimited(api::TooMany {
            detail,
            retry_after_ms: u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX),
        }),
        ApiError::Invalid { .. } => api::Error::Invalid(detail),
        ApiError::NotFound { .. } => api::Error::NotFound(detail),
        ApiError::OutcomeUnknown { .. } => api::Error::OutcomeUnknown(detail),
        // Wrong credentials are the operator's business; for the plugin DingTalk is not available.
        _ => api::Error::Unavailable(detail),
    }
}

/// What a plugin hears of a call that its grant does not cover.
fn not_granted(key: &str, what: &str) -> api::Error {
    api::Error::Denied(api::Detail {
        code: "belfry.grant".to_owned(),
        message: format!("the plugin's grant `{key}` in bot.toml does not cover {what}"),
    })
}

/// What a plugin hears of an argument that belfry itself finds wrong.
fn invalid(message: impl Into<String>) -> api::Error {
    api::Error::Invalid(api::Detail {
        code: "belfry.argument".to_owned(),
        message: message.into(),
    })
}

/// What a plugin hears of a write whose end nobody knows and which is not made again.
fn outcome_unknown(message: impl Into<String>) -> api::Error {
    api::Error::OutcomeUnknown(api::Detail {
        code: "belfry.outcome".to_owned(),
        message: message.into(),
    })
}

/// Times cross to guests as floating-point milliseconds, exact for the next 285,000 years.
#[allow(clippy::cast_precision_loss)]
fn to_f64(at: dingtalk::UnixMs) -> f64 {
    at.0 as f64
}

fn from_f64(at: f64) -> Result<dingtalk::UnixMs, api::Error> {
    if !(0.0..=9_007_199_254_740_992.0).contains(&at) || at.fract() != 0.0 {
        return Err(invalid(
            "a time is not a whole number of milliseconds since 1970",
        ));
    }
    #[allow(clippy::cast_possible_truncation)]
    Ok(dingtalk::UnixMs(at as i64))
}
