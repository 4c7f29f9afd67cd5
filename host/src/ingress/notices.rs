//! What became of sent notices: the way in for what DingTalk tells only when it is asked.

use std::sync::Arc;
use std::time::Duration;

use dingtalk::{ApiError, Client, NoticeState};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::{APPENDED, RECEIVED};
use crate::active::{Active, Snapshot};
use crate::clock::{self, UnixMs};
use crate::event::{Envelope, Kind, NOTICE_RESULT, NoticeEnd, Origin, SentNotice, Subscription};
use crate::ids::PluginName;
use crate::journal::{JournalError, NewEvent, Timer, Timers, Turn};
use crate::wake::Waker;

/// The longest sleep without a look.
const IDLE: Duration = Duration::from_secs(5);
/// The pause after the journal could not be used.
const TROUBLE: Duration = Duration::from_secs(1);
/// Notices that are asked for at one time: DingTalk allows 20 calls a second, and plugins make calls too.
const BATCH: usize = 4;
/// The pause between two such groups.
const PACE: Duration = Duration::from_millis(500);

/// Asks what became of notices and tells their plugins.
pub struct Followup {
    /// Apps, and which plugins want to hear it.
    pub snapshot: Snapshot,
    /// Where outstanding notices are kept, as timers that no plugin sees.
    pub timers: Arc<dyn Timers>,
    /// Who is told that there is something to do.
    pub waker: Waker,
    /// Who tells that a notice was sent.
    pub was_sent: Waker,
}

impl Followup {
    /// Asks until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        loop {
            let now = clock::now();
            let wait = tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look(now) => looked,
            };
            let wait = wait.unwrap_or_else(|error| {
                tracing::error!(%error, "cannot follow sent notices");
                TROUBLE
            });
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.was_sent.woken() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Looks at what is due, and says when to look again.
    async fn look(&self, now: UnixMs) -> Result<Duration, JournalError> {
        let active = self.snapshot.load();
        let keepers = keepers(&active);
        if keepers.is_empty() {
            return Ok(IDLE);
        }
        let found = self.timers.due_timers(&keepers, now, BATCH).await?;
        let due = &found.due[..found.due.len().min(BATCH)];
        let turns = join_all(due.iter().map(|timer| turn(&active, timer, now))).await;
        for turn in turns {
            self.tell(turn).await?;
        }
        if found.due.len() >= BATCH {
            return Ok(PACE);
        }
        let until_due = found.next_due.map_or(IDLE, |due| {
            Duration::from_millis(u64::try_from(due.0 - now.0).unwrap_or(0))
        });
        Ok(until_due.clamp(PACE, IDLE))
    }

    async fn tell(&self, turn: Turn) -> Result<(), JournalError> {
        let event = turn.event.as_ref();
        let event = event.map(|event| (event.envelope.id, event.envelope.app.clone()));
        let task = turn.timer.name.clone();
        if !self.timers.fire(turn).await? {
            return Ok(());
        }
        if let Some((event, app)) = event {
            let labels = [app.as_str(), Kind::Other.as_str(), Origin::Belfry.word()];
            RECEIVED.count(&labels);
            APPENDED.count(&labels);
            tracing::info!(%event, %app, notice = task, "notice did not reach everybody");
            self.waker.wake();
        }
        Ok(())
    }
}

/// Whether a plugin wants to hear what became of its notices.
pub fn wants_results(events: &[Subscription]) -> bool {
    events
        .iter()
        .any(|wanted| matches!(wanted, Subscription::EventType(name) if name == NOTICE_RESULT))
}

fn keepers(active: &Active) -> Vec<PluginName> {
    active
        .plugins
        .values()
        .filter(|plugin| wants_results(&plugin.settings().events))
        .map(|plugin| SentNotice::keeper(&plugin.settings().name))
        .collect()
}

async fn turn(active: &Active, timer: &Timer, now: UnixMs) -> Turn {
    let done = |event| Turn {
        timer: timer.clone(),
        event,
        next: None,
    };
    let Ok(sent) = serde_json::from_str::<SentNotice>(&timer.payload) else {
        tracing::error!(
            notice = timer.name,
            "what is kept of a sent notice cannot be read"
        );
        return done(None);
    };
    let answer = match active.apps.get(&timer.app) {
        Some(app) => ask(&app.client_of(sent.corp.as_deref()), sent.task_id).await,
        None => Answer::NotYet("belfry.no-app".to_owned()),
    };
    let end = match (answer, sent.next_look(now)) {
        (Answer::Ended(end), _) => end,
        (Answer::NotYet(_), Some(next)) => {
            return Turn {
                timer: timer.clone(),
                event: None,
                next: Some(next),
            };
        }
        (Answer::NotYet(code), None) => NoticeEnd::Unknown { code },
    };
    let text = sent.told(&end, &timer.app, now);
    done(text.map(|text| event_of(timer, &sent, text, now)))
}

/// What a look told.
enum Answer {
    Ended(NoticeEnd),
    NotYet(String),
}

async fn ask(client: &Client, task_id: i64) -> Answer {
    match client.notice_progress(task_id).await {
        Ok(progress) if progress.state == NoticeState::Finished => {}
        Ok(_) => return Answer::NotYet("belfry.unfinished".to_owned()),
        Err(error) => return failed(&error),
    }
    match client.notice_outcome(task_id).await {
        Ok(outcome) => Answer::Ended(outcome.into()),
        Err(error) => failed(&error),
    }
}

fn failed(error: &ApiError) -> Answer {
    let code = error.code().to_owned();
    match error {
        // Too many receivers to list, a notice that is gone: asking again tells no more.
        ApiError::Denied { .. } | ApiError::Invalid { .. } | ApiError::NotFound { .. } => {
            Answer::Ended(NoticeEnd::Unknown { code })
        }
        _ => Answer::NotYet(code),
    }
}

fn event_of(timer: &Timer, sent: &SentNotice, text: String, now: UnixMs) -> NewEvent {
    NewEvent {
        envelope: Envelope {
            id: clock::event_id(),
            app: timer.app.clone(),
            origin: Origin::Belfry,
            received_at: now,
            raw: text.into(),
        },
        kind: Kind::Other,
        // The transaction that appends it removes what is kept of the notice, so it cannot come twice.
        dedupe: None,
        key: None,
        plugins: vec![sent.plugin.as_str().into()],
    }
}
