//! Timers that are due: the way in for what nobody sends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::{APPENDED, RECEIVED};
use crate::active::{Active, Snapshot};
use crate::clock::{self, UnixMs};
use crate::event::{self, Envelope, Kind, Origin};
use crate::failpoint::{self, Point};
use crate::ids::PluginName;
use crate::journal::{JournalError, NewEvent, Timer, Timers, Turn};
use crate::wake::Waker;

#[cfg(test)]
mod tests;

/// The longest sleep without a look: what a change of the system's clock or of `bot.toml` can cost.
const IDLE: Duration = Duration::from_secs(5);
/// The pause after the journal could not be used.
const TROUBLE: Duration = Duration::from_secs(1);
/// Timers of one plugin that are fired in one go.
const BATCH: usize = 64;

/// Fires timers.
pub struct Clockwork {
    /// Which plugins are there.
    pub snapshot: Snapshot,
    /// The timers.
    pub timers: Arc<dyn Timers>,
    /// Who is told that there is something to do.
    pub waker: Waker,
    /// Who tells that a timer was set.
    pub was_set: Waker,
}

impl Clockwork {
    /// Fires until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        loop {
            let now = clock::now();
            let plugins = may_have_timers(&self.snapshot.load());
            let wait = match fire_due(&*self.timers, &plugins, now).await {
                Ok(pass) => {
                    if pass.fired > 0 {
                        self.waker.wake();
                    }
                    pass.wait(now)
                }
                Err(error) => {
                    tracing::error!(%error, "cannot fire timers");
                    TROUBLE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.was_set.woken() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// Plugins with the grant. The timers of others sleep until it is there again.
fn may_have_timers(active: &Active) -> Vec<PluginName> {
    active
        .plugins
        .values()
        .filter(|plugin| plugin.settings().grant.schedule)
        .map(|plugin| plugin.settings().name.clone())
        .collect()
}

/// What one look did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pass {
    fired: usize,
    next_due: Option<UnixMs>,
    /// Whether more was due than one look fires.
    more: bool,
}

impl Pass {
    fn wait(&self, now: UnixMs) -> Duration {
        if self.more {
            return Duration::ZERO;
        }
        let until_due = self.next_due.map_or(IDLE, |due| {
            Duration::from_millis(u64::try_from(due.0 - now.0).unwrap_or(0))
        });
        until_due.min(IDLE)
    }
}

async fn fire_due(
    timers: &dyn Timers,
    plugins: &[PluginName],
    now: UnixMs,
) -> Result<Pass, JournalError> {
    let found = timers.due_timers(plugins, now, BATCH).await?;
    let mut pass = Pass {
        fired: 0,
        next_due: found.next_due,
        more: found.due.len() >= BATCH,
    };
    // Together, so that they share a commit.
    let fired = join_all(found.due.iter().map(|timer| fire(timers, timer, now)));
    for outcome in fired.await {
        let (fired, next) = outcome?;
        pass.fired += usize::from(fired);
        pass.next_due = pass.next_due.into_iter().chain(next).min();
    }
    Ok(pass)
}

/// Says whether an event came of it, and when the timer is due again.
async fn fire(
    timers: &dyn Timers,
    timer: &Timer,
    now: UnixMs,
) -> Result<(bool, Option<UnixMs>), JournalError> {
    let turn = turn(timer, now);
    let (event, next) = (
        turn.event.as_ref().map(|event| event.envelope.id),
        turn.next,
    );
    failpoint::pass(Point::BeforeAppend);
    if !timers.fire(turn).await? {
        // It was set anew or cancelled meanwhile; the next look sees what it is now.
        return Ok((false, None));
    }
    failpoint::pass(Point::AfterAppend);
    let (plugin, name, late_ms) = (&timer.plugin, &timer.name, now.0 - timer.due_at.0);
    match event {
        Some(event) => {
            let labels = [
                timer.app.as_str(),
                Kind::Timer.as_str(),
                Origin::Timer.word(),
            ];
            RECEIVED.count(&labels);
            APPENDED.count(&labels);
            tracing::info!(%event, %plugin, timer = name, late_ms, "timer fired");
        }
        None => tracing::warn!(%plugin, timer = name, late_ms, "timer was missed and skipped"),
    }
    Ok((event.is_some(), next))
}

fn turn(timer: &Timer, now: UnixMs) -> Turn {
    let plan = timer.plan(now);
    let event = plan.fires.then(|| event_of(timer, now));
    Turn {
        timer: timer.clone(),
        event,
        next: plan.next,
    }
}

fn event_of(timer: &Timer, now: UnixMs) -> NewEvent {
    let content = event::Timer::new(
        timer.plugin.as_str(),
        &timer.name,
        timer.due_at,
        &timer.payload,
    );
    NewEvent {
        envelope: Envelope {
            id: clock::event_id(),
            app: timer.app.clone(),
            origin: Origin::Timer,
            received_at: now,
            raw: content.to_raw().into(),
        },
        kind: Kind::Timer,
        // The transaction that appends it moves the timer, so it cannot come twice.
        dedupe: None,
        key: event::Content::Timer(content).key(),
        plugins: vec![timer.plugin.clone()],
    }
}
