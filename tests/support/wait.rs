//! Waits for a condition, with a deadline.

use std::time::{Duration, Instant};

/// How long a story waits for what should happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until a look shows something; `what` completes "it never happened that …".
///
/// # Panics
///
/// After [`PATIENCE`].
pub async fn wait_for<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    wait_as_long_as(PATIENCE, what, look).await
}

/// As [`wait_for`], for what takes a story longer, such as compilers that are busy with other stories.
///
/// # Panics
///
/// After `patience`.
pub async fn wait_as_long_as<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            started.elapsed() < patience,
            "it never happened that {what}"
        );
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until a condition holds; see [`wait_for`].
///
/// # Panics
///
/// After [`PATIENCE`].
pub async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    wait_for(what, async || holds().await.then_some(())).await;
}
