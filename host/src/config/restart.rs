//! Which changes of a configuration need a restart.

use std::fmt::Display;
use std::path::Path;

use super::{Config, Engine, Keep, Server, Store};
use crate::retry::Policy;

/// The keys that differ and cannot change while belfry runs, each with both values.
///
/// Every field is named here, so that a new one cannot be forgotten.
pub(super) fn needed(old: &Config, new: &Config) -> Vec<String> {
    let mut keys = Vec::new();
    let mut compare = |key: &str, old: String, new: String| {
        if old != new {
            keys.push(format!("{key} changed from {old} to {new}"));
        }
    };
    let Server {
        listen,
        admin,
        max_connections,
        drain,
    } = &old.server;
    let server = &new.server;
    compare("server.listen", quoted(listen), quoted(&server.listen));
    compare("server.admin", quoted(admin), quoted(&server.admin));
    compare(
        "server.max-connections",
        max_connections.to_string(),
        server.max_connections.to_string(),
    );
    compare(
        "server.drain",
        format!("{drain:?}"),
        format!("{:?}", server.drain),
    );
    let Store { path, keep } = &old.store;
    compare("store.url", shown(path), shown(&new.store.path));
    let shown_age = |keep: &Keep| {
        keep.age
            .map_or_else(|| "forever".to_owned(), |age| format!("{age:?}"))
    };
    let shown_size = |keep: &Keep| {
        keep.size
            .map_or_else(|| "any".to_owned(), |size| size.to_string())
    };
    compare("store.keep", shown_age(keep), shown_age(&new.store.keep));
    compare(
        "store.max-size",
        shown_size(keep),
        shown_size(&new.store.keep),
    );
    let Engine {
        max_concurrent,
        cache,
    } = &old.engine;
    compare(
        "engine.max-concurrent",
        max_concurrent.to_string(),
        new.engine.max_concurrent.to_string(),
    );
    let folder = |cache: &Option<std::path::PathBuf>| {
        cache.as_deref().map_or_else(|| "none".to_owned(), shown)
    };
    compare("engine.cache", folder(cache), folder(&new.engine.cache));
    let Policy {
        max_attempts,
        first_delay,
        max_delay,
        outage,
    } = &old.retry;
    compare(
        "retry.max-attempts",
        max_attempts.to_string(),
        new.retry.max_attempts.to_string(),
    );
    compare(
        "retry.first-delay",
        format!("{first_delay:?}"),
        format!("{:?}", new.retry.first_delay),
    );
    compare(
        "retry.max-delay",
        format!("{max_delay:?}"),
        format!("{:?}", new.retry.max_delay),
    );
    compare(
        "retry.outage",
        format!("{outage:?}"),
        format!("{:?}", new.retry.outage),
    );
    keys
}

fn quoted(value: &impl Display) -> String {
    format!("\"{value}\"")
}

fn shown(path: &Path) -> String {
    quoted(&path.display())
}
