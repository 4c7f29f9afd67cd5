//! Delivers events and robot messages to the apps, with retries, faults and a report.

mod callback;
mod robot;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::faults::{Fault, FaultKind};
use crate::options::App;
use crate::state::{Shared, World};

pub(crate) use callback::{Tamper, send as send_event};
pub(crate) use robot::{Conversation, Written, message_body};

/// How long DingTalk waits for the answer to a push.
const REPLY_DEADLINE: Duration = Duration::from_millis(2500);

/// How long a push that is held back waits for another one to overtake it.
const REORDER_PATIENCE: Duration = Duration::from_secs(5);

/// One thing to deliver to one app.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    pub(crate) app: String,
    pub(crate) load: Load,
    /// Fewer attempts than the schedule has.
    pub(crate) attempts: Option<usize>,
}

/// What is delivered.
#[derive(Debug, Clone)]
pub(crate) enum Load {
    /// An event for the callback address, sealed.
    Event {
        event: Value,
        tamper: Option<Tamper>,
    },
    /// A robot message, signed; `group` is where an answer is shown.
    Message { body: Value, group: String },
}

/// How a delivery went.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) delivered: bool,
    pub(crate) attempts: Vec<Attempt>,
    /// The second delivery of a `duplicate` fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) duplicates: Vec<Attempt>,
}

/// How one attempt went.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attempt {
    pub(crate) attempt: usize,
    /// The HTTP status, 0 when there was no answer.
    pub(crate) status: u16,
    pub(crate) ms: u64,
    pub(crate) success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    pub(crate) at: i64,
}

/// The client for pushes: no redirects, no proxy, one deadline.
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(REPLY_DEADLINE)
        .build()
}

/// Delivers the events of one change to one app: first attempts in order, retries on their own.
pub(crate) async fn deliver_batch(shared: Arc<Shared>, app: String, events: Vec<Value>) {
    for event in events {
        let push = Push {
            app: app.clone(),
            load: Load::Event {
                event,
                tamper: None,
            },
            attempts: None,
        };
        let (tried, first_attempt) = oneshot::channel();
        let delivery = deliver_telling(Arc::clone(&shared), push, Some(tried));
        shared.spawn(delivery);
        // A delivery that is held back drops its sender, and the next one goes ahead.
        let _ = first_attempt.await;
    }
}

/// Delivers one push and reports when its last attempt is over.
pub(crate) async fn deliver(shared: Arc<Shared>, push: Push) -> Report {
    deliver_telling(shared, push, None).await
}

async fn deliver_telling(
    shared: Arc<Shared>,
    push: Push,
    tried: Option<oneshot::Sender<()>>,
) -> Report {
    let (fault, ended) = shared.change(|world| (world.faults.take_push(), world.pushes.clone()));
    let kind = fault.map(|Fault { kind, .. }| kind);
    let mut tried = tried;
    if kind == Some(FaultKind::Reorder) {
        tried = None;
        wait_for_another(&shared).await;
    }
    let mut report = Report::default();
    let first = FirstAttempt {
        tried,
        fault: kind.as_ref(),
    };
    report.attempts = attempts(&shared, &push, first, &ended).await;
    if kind == Some(FaultKind::Duplicate) {
        let again = FirstAttempt {
            tried: None,
            fault: None,
        };
        report.duplicates = attempts(&shared, &push, again, &ended).await;
    }
    report.delivered = report
        .attempts
        .last()
        .is_some_and(|attempt| attempt.success);
    if !report.delivered && !ended.is_cancelled() {
        give_up(&shared, &push);
    }
    report
}

/// What got no success after all tries is on the failed list. DingTalk takes some minutes for that, the simulator none;
/// a push that was broken on purpose never was.
fn give_up(shared: &Arc<Shared>, push: &Push) {
    if let Load::Event {
        event,
        tamper: None,
    } = &push.load
    {
        shared.change(|world| {
            if let Some(app) = world.app(&push.app) {
                world.callbacks.fail(&app, event, now_ms());
            }
        });
    }
}

async fn wait_for_another(shared: &Shared) {
    let mut pushed = shared.pushed.subscribe();
    // Nothing overtook it in time: then it simply goes late.
    let _ = tokio::time::timeout(REORDER_PATIENCE, pushed.changed()).await;
}

/// What is special about the first attempt.
struct FirstAttempt<'a> {
    tried: Option<oneshot::Sender<()>>,
    fault: Option<&'a FaultKind>,
}

async fn attempts(
    shared: &Arc<Shared>,
    push: &Push,
    mut first: FirstAttempt<'_>,
    ended: &CancellationToken,
) -> Vec<Attempt> {
    let most = push
        .attempts
        .unwrap_or(usize::MAX)
        .min(shared.retries.len() + 1);
    let mut done = Vec::new();
    for number in 1..=most {
        let pause = number.checked_sub(2).and_then(|at| shared.retries.get(at));
        let pause = tokio::time::sleep(pause.copied().unwrap_or_default());
        if ended.run_until_cancelled(pause).await.is_none() {
            break;
        }
        let fault = first.fault.take();
        if let Some(FaultKind::Delay(ms)) = fault {
            first.tried = None;
            tokio::time::sleep(Duration::from_millis(*ms)).await;
        }
        let attempt = if fault == Some(&FaultKind::Drop) {
            failed(number, now_ms(), "a fault lost this push".to_owned())
        } else {
            attempt(shared, push, number).await
        };
        tell(shared, push, &attempt);
        if let Some(tried) = first.tried.take() {
            // Nobody waits any more when the simulator stops.
            let _ = tried.send(());
        }
        let success = attempt.success;
        done.push(attempt);
        if success {
            break;
        }
    }
    done
}

async fn attempt(shared: &Arc<Shared>, push: &Push, number: usize) -> Attempt {
    let at = now_ms();
    // Looked up each time: the app may have got its address after the push was queued.
    let Some(app) = shared.change(|world| world.app(&push.app)) else {
        return failed(number, at, format!("there is no app {:?}", push.app));
    };
    let started = Instant::now();
    let outcome = match &push.load {
        Load::Event { event, tamper } => {
            let event_type = event["EventType"].as_str().unwrap_or_default();
            match shared.change(|world| world.callbacks.target(&app, event_type)) {
                Some(target) => callback::send(&shared.client, &target, event, *tamper).await,
                None => Err(format!("app {:?} has no callback address", app.name)),
            }
        }
        Load::Message { body, group } => match robot::send(&shared.client, &app, body).await {
            Ok((status, reply)) => {
                if let Some(reply) = reply {
                    shared.change(|world| robot::show_reply(world, &app.name, group, &reply));
                }
                Ok((
                    status,
                    (200..300)
                        .contains(&status)
                        .then_some(())
                        .ok_or("the status is no success".to_owned()),
                ))
            }
            Err(error) => Err(error),
        },
    };
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Ok((status, verdict)) => Attempt {
            attempt: number,
            status,
            ms,
            success: verdict.is_ok(),
            error: verdict.err(),
            at,
        },
        Err(error) => Attempt {
            ms,
            ..failed(number, at, error)
        },
    }
}

/// The report of a push that was tried once.
pub(crate) fn report_one(sent: Result<callback::Judged, String>, ms: u64) -> Report {
    let at = now_ms();
    let attempt = match sent {
        Ok((status, verdict)) => Attempt {
            attempt: 1,
            status,
            ms,
            success: verdict.is_ok(),
            error: verdict.err(),
            at,
        },
        Err(error) => failed(1, at, error),
    };
    Report {
        delivered: attempt.success,
        attempts: vec![attempt],
        duplicates: Vec::new(),
    }
}

fn failed(attempt: usize, at: i64, error: String) -> Attempt {
    Attempt {
        attempt,
        status: 0,
        ms: 0,
        success: false,
        error: Some(error),
        at,
    }
}

fn tell(shared: &Shared, push: &Push, attempt: &Attempt) {
    let event_type = match &push.load {
        Load::Event { event, .. } => event["EventType"].as_str().unwrap_or_default(),
        Load::Message { .. } => "robot_message",
    };
    let mut update = json!(attempt);
    update["app"] = json!(push.app);
    update["eventType"] = json!(event_type);
    shared.publish("push", &update);
    shared.pushed.send_modify(|count| *count += 1);
}

/// Whether an app can take a push of this kind; the error is for the control door.
pub(crate) fn check_target(world: &World, app: &App, load: &Load) -> Result<(), String> {
    match load {
        Load::Event { .. } if !world.callbacks.has_target(app) => {
            Err(format!("app {:?} has no callback address", app.name))
        }
        Load::Message { .. } if app.robot_url.is_none() => {
            Err(format!("app {:?} has no robot address", app.name))
        }
        _ => Ok(()),
    }
}

/// Puts a transport error into words without the address, which carries the signature.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
