//! Times at which the plugin wants an event.

use std::time::Duration;

pub use crate::bindings::belfry::bot::schedule::{
    Cron, Entry, Error, Missed, Rule, Timer, cancel, list_timers, set,
};

/// Sets a timer that fires once, `wait` after the event that is being handled was received; late if need be.
///
/// # Errors
///
/// As [`set`].
pub fn after(name: &str, wait: Duration, payload: &str) -> Result<(), Error> {
    let ms = u32::try_from(wait.as_millis())
        .map_err(|_| Error::Invalid("the time is longer than 49 days".to_owned()))?;
    once(name, Rule::AfterMs(ms), payload)
}

/// Sets a timer that fires once, at a time in Unix milliseconds; late if need be.
///
/// # Errors
///
/// As [`set`].
pub fn at(name: &str, unix_ms: f64, payload: &str) -> Result<(), Error> {
    once(name, Rule::At(unix_ms), payload)
}

/// Sets a timer that fires again and again, such as `cron("standup", "30 9 * * MON-FRI", "Asia/Shanghai", "")`.
///
/// # Errors
///
/// As [`set`].
pub fn cron(name: &str, pattern: &str, time_zone: &str, payload: &str) -> Result<(), Error> {
    let cron = Cron {
        pattern: pattern.to_owned(),
        time_zone: time_zone.to_owned(),
    };
    once(name, Rule::Cron(cron), payload)
}

/// Of several times that were missed, one event comes.
fn once(name: &str, rule: Rule, payload: &str) -> Result<(), Error> {
    set(&Timer {
        name: name.to_owned(),
        rule,
        missed: Missed::Once,
        payload: payload.to_owned(),
    })
}
