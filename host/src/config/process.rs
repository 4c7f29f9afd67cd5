//! The settings of the process, which cannot change without a restart: `[server]`, `[store]`, `[engine]`, `[retry]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::section::{Section, duration_of};
use crate::health;
use crate::retry::Policy;

/// `[server]`: cannot change without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The public listener.
    pub listen: SocketAddr,
    /// The listener for operators; never to be public.
    pub admin: SocketAddr,
    /// Connections at one time on the public listener.
    pub max_connections: usize,
    /// How long SIGTERM waits for running attempts.
    pub drain: Duration,
}

/// `[store]`: cannot change without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The SQLite file.
    pub path: PathBuf,
    /// How long and how much is kept.
    pub keep: Keep,
}

/// What is kept of events that are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// For so long; `None` for ever.
    pub age: Option<Duration>,
    /// As long as all together takes no more bytes; `None` for any size.
    pub size: Option<u64>,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            age: Some(Duration::from_secs(7 * 24 * 3600)),
            size: None,
        }
    }
}

/// `[engine]`: cannot change without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Attempts that run at one time.
    pub max_concurrent: u32,
    /// Where compiled components are cached; `None` compiles at every start.
    pub cache: Option<PathBuf>,
}

pub(super) fn server(root: &mut Section<'_>) -> Server {
    let mut server = Server {
        listen: ([127, 0, 0, 1], 8700).into(),
        admin: ([127, 0, 0, 1], 8701).into(),
        max_connections: 1024,
        drain: Duration::from_secs(20),
    };
    let Some(mut section) = root.section("server") else {
        return server;
    };
    let line = section.line_of("admin");
    for (key, address) in [("listen", &mut server.listen), ("admin", &mut server.admin)] {
        let wanted = "an address such as \"127.0.0.1:8700\"";
        if let Some(given) = section.parsed(key, wanted, |text| text.parse().ok()) {
            *address = given;
        }
    }
    if !server.admin.ip().is_loopback() {
        section.warn(
            "admin",
            line,
            "is not a loopback address, and everybody who reaches it can read events and reload",
        );
    }
    if let Some(number) = section.integer("max-connections", 1..=100_000) {
        server.max_connections = usize::try_from(number).unwrap_or(usize::MAX);
    }
    if let Some(drain) = section.duration("drain") {
        server.drain = drain;
    }
    section.finish();
    server
}

pub(super) fn store(root: &mut Section<'_>) -> Store {
    let (mut path, mut keep) = (root.path_from_here("belfry.db"), Keep::default());
    if let Some(mut section) = root.section("store") {
        let wanted = "\"sqlite:FILE\" (a NATS cluster is not in this version)";
        if let Some(file) = section.parsed("url", wanted, |url| {
            url.strip_prefix("sqlite:")
                .filter(|file| !file.is_empty())
                .map(str::to_owned)
        }) {
            path = section.path_from_here(&file);
        }
        let wanted = "a duration of an hour or more, such as \"7d\", or \"forever\"";
        if let Some(age) = section.parsed("keep", wanted, |text| match text {
            "forever" => Some(None),
            text => duration_of(text)
                .filter(|age| *age >= Duration::from_secs(3600))
                .map(Some),
        }) {
            keep.age = age;
        }
        if let Some(size) = section.bytes_within("max-size", 16 << 20..=1 << 40) {
            keep.size = Some(size);
        }
        section.finish();
    }
    Store { path, keep }
}

pub(super) fn engine(root: &mut Section<'_>, store: &Store) -> Engine {
    let beside_store = store.path.with_extension("cache");
    let mut engine = Engine {
        max_concurrent: 64,
        cache: Some(beside_store),
    };
    if let Some(mut section) = root.section("engine") {
        if let Some(number) = section.integer("max-concurrent", 1..=1000) {
            engine.max_concurrent = u32::try_from(number).unwrap_or(u32::MAX);
        }
        if let Some(path) = section.text("cache") {
            engine.cache =
                (!path.is_empty()).then(|| store.path.parent().unwrap_or(Path::new("")).join(path));
        }
        section.finish();
    }
    engine
}

/// When failed deliveries run again, and when failing plugins are parked.
pub(super) fn retry(root: &mut Section<'_>) -> (Policy, health::Policy) {
    let (mut policy, mut parking) = (Policy::default(), health::Policy::default());
    if let Some(mut section) = root.section("retry") {
        if let Some(number) = section.integer("max-attempts", 1..=100) {
            policy.max_attempts = u32::try_from(number).unwrap_or(1);
        }
        if let Some(delay) = section.duration("first-delay") {
            policy.first_delay = delay;
        }
        if let Some(delay) = section.duration("max-delay") {
            policy.max_delay = delay;
        }
        if let Some(outage) = section.duration("outage") {
            policy.outage = outage;
        }
        parking = park(&mut section, parking);
        section.finish();
    }
    (policy, parking)
}

/// Reads `park = { … }` of `[retry]` or of a plugin; what it does not say stays.
pub(super) fn park(section: &mut Section<'_>, mut policy: health::Policy) -> health::Policy {
    let Some(mut section) = section.section("park") else {
        return policy;
    };
    if let Some(number) = section.integer("after", 1..=1_000) {
        policy.after = u32::try_from(number).unwrap_or(1);
    }
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
    for (key, time) in [
        ("window", &mut policy.window),
        ("pause", &mut policy.pause),
        ("max-pause", &mut policy.max_pause),
    ] {
        if let Some(given) = section.duration_within(key, second..=day) {
            *time = given;
        }
    }
    section.finish();
    policy
}
