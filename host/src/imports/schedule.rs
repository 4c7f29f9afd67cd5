//! `belfry:bot/schedule`: times at which the plugin wants an event.

use std::time::Duration;

use serde::Serialize;

use super::bindings::belfry::bot::schedule::{self as wit, Entry, Error, Host};
use super::recorded::Own;
use super::{from_f64, to_f64};
use crate::clock::{self, UnixMs, later};
use crate::cron::Cron;
use crate::engine::{State, Task};
use crate::function::Function;
use crate::journal::{JournalError, MAX_TIMERS, Missed, Repeat, Timer, TimerChange, TimerError};
use crate::store::Recording;

impl Host for State {
    async fn set(&mut self, timer: wit::Timer) -> wasmtime::Result<Result<(), Error>> {
        let call = self.asks(Function::ScheduleSet, &timer)?;
        let task = call.task();
        call.change(async move {
            let timer = read(&task, timer).await.map_err(Error::Invalid)?;
            Ok(TimerChange::Set(timer))
        })
        .await
    }

    async fn cancel(&mut self, name: String) -> wasmtime::Result<Result<bool, Error>> {
        let call = self.asks(Function::ScheduleCancel, &Cancel { name: &name })?;
        let task = call.task();
        call.change(async move {
            let plugin = task.plugin.clone();
            Ok(TimerChange::Cancel { plugin, name })
        })
        .await
    }

    async fn list_timers(&mut self) -> wasmtime::Result<Result<Vec<Entry>, Error>> {
        let call = self.asks(Function::ScheduleListTimers, &ListTimers {})?;
        let task = call.task();
        call.read(async {
            let timers = task.schedule.timers(&task.plugin).await;
            timers
                .map(|timers| timers.into_iter().map(entry).collect())
                .map_err(|error| to_guest(&error))
        })
        .await
    }
}

impl Own for TimerChange {
    type Error = TimerError;
    type Heard = Error;
    const IS_CONDITIONAL: bool = false;

    fn to_guest(error: &TimerError) -> Error {
        to_guest(error)
    }

    fn check(&self) -> Result<(), TimerError> {
        TimerChange::check(self)
    }

    fn unusable(error: &TimerError) -> Option<JournalError> {
        match error {
            TimerError::Journal(error) => Some(error.clone()),
            _ => None,
        }
    }

    async fn make(self, task: &Task) -> Result<bool, TimerError> {
        task.schedule.change(self).await
    }

    fn is_transactional(task: &Task) -> bool {
        task.schedule.is_transactional()
    }

    async fn make_recorded(
        self,
        task: &Task,
        recording: Recording<TimerError>,
    ) -> Result<bool, TimerError> {
        task.schedule.change_recorded(self, recording).await
    }
}

#[derive(Serialize)]
struct Cancel<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct ListTimers {}

async fn read(task: &Task, timer: wit::Timer) -> Result<Timer, String> {
    let (due_at, repeat) = match timer.rule {
        wit::Rule::At(at) => {
            let at = from_f64(at)
                .map_err(|_| "the time is not a whole number of milliseconds since 1970")?;
            (at, None)
        }
        // From the plugin's own clock, so that another attempt sets the same time.
        wit::Rule::AfterMs(ms) => {
            let wait = Duration::from_millis(ms.into());
            (later(task.envelope.received_at, wait), None)
        }
        wit::Rule::Cron(cron) => {
            let (now, asked) = (clock::now(), cron.clone());
            // A pattern for a day that no calendar has is given up after milliseconds only.
            let due_at = tokio::task::spawn_blocking(move || first_time(&asked, now))
                .await
                .map_err(|_| "the cron pattern cannot be worked out")??;
            let repeat = Repeat {
                pattern: cron.pattern,
                time_zone: cron.time_zone,
            };
            (due_at, Some(repeat))
        }
    };
    Ok(Timer {
        plugin: task.plugin.clone(),
        name: timer.name,
        app: task.envelope.app.clone(),
        due_at,
        repeat,
        missed: match timer.missed {
            wit::Missed::Once => Missed::Once,
            wit::Missed::Skip => Missed::Skip,
        },
        payload: timer.payload.into(),
        revision: 0,
    })
}

fn first_time(cron: &wit::Cron, now: UnixMs) -> Result<UnixMs, String> {
    let rule = Cron::parse(&cron.pattern, &cron.time_zone).map_err(|error| error.to_string())?;
    rule.next_after(now).ok_or_else(|| {
        format!(
            "the cron pattern {:?} names no day of the calendar",
            cron.pattern
        )
    })
}

fn entry(timer: Timer) -> Entry {
    Entry {
        name: timer.name,
        due_at: to_f64(timer.due_at),
        cron: timer.repeat.map(|repeat| wit::Cron {
            pattern: repeat.pattern,
            time_zone: repeat.time_zone,
        }),
        payload: timer.payload.to_string(),
    }
}

fn to_guest(error: &TimerError) -> Error {
    match error {
        TimerError::Invalid(reason) => Error::Invalid(reason.clone()),
        TimerError::Full => Error::Full(u32::try_from(MAX_TIMERS).unwrap_or(u32::MAX)),
        TimerError::Journal(error) => {
            tracing::warn!(%error, "a timer cannot be kept");
            Error::Unavailable
        }
    }
}
