//! Keeps calls within DingTalk's rates: each waits for its place before it leaves, and what DingTalk says of too many
//! calls holds up those that follow.

mod track;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::track::{Pause, Track, Window};
use crate::{ApiError, metric};

/// How fast an app calls. The defaults are what DingTalk documents for its standard edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Calls a second of one API; absent lifts the limit.
    pub calls: Option<NonZeroU32>,
    /// Messages a minute through one reply webhook; absent lifts the limit.
    pub robot: Option<NonZeroU32>,
    /// How long a call may wait for its place; one that would wait longer fails with [`ApiError::RateLimited`].
    pub patience: Duration,
}

impl Pace {
    /// What DingTalk documents: a second has room for 20 calls of one app and API, a minute for 20 messages of a robot.
    pub const DOCUMENTED: Option<NonZeroU32> = NonZeroU32::new(20);

    /// No limit but what DingTalk says itself, for tests and measurements.
    pub fn lifted() -> Self {
        Self {
            calls: None,
            robot: None,
            ..Self::default()
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            calls: Self::DOCUMENTED,
            robot: Self::DOCUMENTED,
            patience: Duration::from_secs(3),
        }
    }
}

/// Calls that leave a second apart may arrive closer together.
const JITTER: Duration = Duration::from_millis(100);
/// Webhooks and conversations that are remembered before the quiet ones are forgotten.
const SWEEP_AT: usize = 4096;
/// From here on a wait is worth a line that operators see.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// Which limits a call falls under.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane<'a> {
    /// Those of one API.
    Api(&'a str),
    /// Those of one API, and of the robot in one conversation, where only DingTalk itself knows the limit.
    Conversation(&'a str, Spot),
    /// Those of one reply webhook.
    Webhook(&'a str, Spot),
}

/// A webhook or a conversation. Whoever knows a webhook can write to it, so only its hash is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spot(u64);

impl<'a> Lane<'a> {
    /// The path that is called.
    pub(crate) fn path(self) -> &'a str {
        match self {
            Self::Api(path) | Self::Conversation(path, _) | Self::Webhook(path, _) => path,
        }
    }

    fn spot(self) -> Option<Spot> {
        match self {
            Self::Api(_) => None,
            Self::Conversation(_, spot) | Self::Webhook(_, spot) => Some(spot),
        }
    }
}

/// The places of one app's calls.
#[derive(Debug)]
pub(crate) struct Pacer {
    pace: Pace,
    hasher: RandomState,
    tracks: Mutex<Tracks>,
}

#[derive(Debug, Default)]
struct Tracks {
    apis: HashMap<String, Track>,
    spots: HashMap<Spot, Track>,
    /// Set when DingTalk has blocked the address that the calls come from.
    everything: Pause,
}

/// How far a complaint of DingTalk's reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// All calls from this address.
    Everything,
    /// The API that was called.
    Api,
    /// The robot in that conversation; the API where it is not known.
    Spot,
}

impl Pacer {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            hasher: RandomState::new(),
            tracks: Mutex::default(),
        }
    }

    /// The place of a webhook or conversation.
    pub(crate) fn spot(&self, name: &str) -> Spot {
        Spot(self.hasher.hash_one(name))
    }

    /// Waits until the call may leave. Places are given in the order of asking.
    pub(crate) async fn admit(&self, lane: Lane<'_>) -> Result<(), ApiError> {
        let path = metric::template(lane.path());
        let asked = Instant::now();
        let mut place = self.reserve(lane, &path, asked);
        if place.is_ok_and(|at| at <= asked) {
            return Ok(());
        }
        loop {
            match place {
                Err(wait) => {
                    metric::paced(&path, metric::Paced::Refused, wait);
                    tracing::info!(
                        %path,
                        wait_ms = wait.as_millis(),
                        "a call of dingtalk would wait too long for its place"
                    );
                    return Err(too_many(wait));
                }
                Ok(at) if at <= Instant::now() => break,
                Ok(at) => sleep_until(at).await,
            }
            // Meanwhile DingTalk may have said that it is too much.
            place = self.pause_after(lane, &path, asked);
        }
        let waited = asked.elapsed();
        metric::paced(&path, metric::Paced::Waited, waited);
        if waited >= LONG_WAIT {
            tracing::info!(
                %path,
                wait_ms = waited.as_millis(),
                "a call of dingtalk waited for its place"
            );
        }
        Ok(())
    }

    /// Takes note of what a call came to.
    pub(crate) fn heard(&self, lane: Lane<'_>, outcome: Result<(), &ApiError>) {
        let now = Instant::now();
        let path = metric::template(lane.path());
        let mut tracks = self.lock();
        let Err(error) = outcome else {
            tracks.everything.calm();
            for track in tracks.of(lane, &path) {
                track.pause.calm();
            }
            return;
        };
        let Some((reach, least)) = complaint(error) else {
            return;
        };
        let pause = match (reach, lane.spot()) {
            (Reach::Everything, _) => &mut tracks.everything,
            (Reach::Spot, Some(spot)) => &mut tracks.spots.entry(spot).or_default().pause,
            _ => &mut tracks.apis.entry(path.to_string()).or_default().pause,
        };
        let lasts = pause.strike(least, now);
        drop(tracks);
        if !lasts.is_zero() {
            tracing::warn!(
                %path,
                code = error.code(),
                pause_ms = lasts.as_millis(),
                "dingtalk says there were too many calls; they pause"
            );
        }
    }

    /// When the call may leave, or how long it would have to wait if that is too long.
    fn reserve(&self, lane: Lane<'_>, path: &str, now: Instant) -> Result<Instant, Duration> {
        let mut tracks = self.lock();
        let free = tracks.free_at(lane, path, now);
        let (track, window) = match lane {
            Lane::Api(_) | Lane::Conversation(..) => {
                let window = Window::of(self.pace.calls, Duration::from_secs(1) + JITTER);
                if !tracks.apis.contains_key(path) {
                    tracks.apis.insert(path.to_owned(), Track::default());
                }
                (tracks.apis.get_mut(path), window)
            }
            Lane::Webhook(_, spot) => {
                let window = Window::of(self.pace.robot, Duration::from_secs(60) + JITTER);
                if tracks.spots.len() >= SWEEP_AT {
                    tracks.spots.retain(|_, track| track.is_in_use(now));
                }
                (Some(tracks.spots.entry(spot).or_default()), window)
            }
        };
        match (track, window) {
            (Some(track), Some(window)) => track.take(window, free, now, self.pace.patience),
            _ if free.duration_since(now) > self.pace.patience => Err(free.duration_since(now)),
            _ => Ok(free),
        }
    }

    /// When the pauses that hold the call up are over.
    fn pause_after(&self, lane: Lane<'_>, path: &str, asked: Instant) -> Result<Instant, Duration> {
        let now = Instant::now();
        let free = self.lock().free_at(lane, path, now);
        if free > now && free.duration_since(asked) > self.pace.patience {
            return Err(free.duration_since(now));
        }
        Ok(free)
    }

    /// A panic elsewhere leaves at worst a place unused, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Tracks> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tracks {
    /// Those that a call runs on, as far as they exist.
    fn of(&mut self, lane: Lane<'_>, path: &str) -> impl Iterator<Item = &mut Track> {
        let api = self.apis.get_mut(path).into_iter();
        let spot = lane.spot().and_then(|spot| self.spots.get_mut(&spot));
        api.chain(spot)
    }

    /// The earliest time at which no pause holds a call up.
    fn free_at(&mut self, lane: Lane<'_>, path: &str, now: Instant) -> Instant {
        let everything = self.everything.end(now);
        self.of(lane, path)
            .fold(everything, |free, track| free.max(track.pause.end(now)))
    }
}

/// What an error says of the rate of calls, and how long it asks to wait. Limits that depend on who is written to are
/// not among them: they hold up nobody else.
fn complaint(error: &ApiError) -> Option<(Reach, Duration)> {
    let code = error.code();
    if code == "client.html" {
        // A failing edge shows such a page too, so it takes two of them in a row.
        return Some((Reach::Api, Duration::ZERO));
    }
    let ApiError::RateLimited { retry_after, .. } = error else {
        return None;
    };
    let reach = match code {
        "client.pace" => return None,
        "client.throttled" => Reach::Everything,
        "130101" | "410100" | "660026" => Reach::Spot,
        _ if code.contains("too.fast") || code.contains("tooFast") => Reach::Spot,
        _ if code.bytes().all(|byte| byte.is_ascii_digit()) && !code.starts_with("900") => {
            return None;
        }
        _ => Reach::Api,
    };
    Some((reach, *retry_after))
}

fn too_many(wait: Duration) -> ApiError {
    ApiError::RateLimited {
        code: "client.pace".to_owned(),
        message: format!(
            "the call was not sent: its turn under dingtalk's rate limit is {} ms away",
            wait.as_millis()
        ),
        retry_after: wait,
    }
}

#[cfg(test)]
mod tests;
