//! Counts calls a second for each app and API.

use std::collections::{HashMap, VecDeque};

/// The calls of the last second.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    recent: HashMap<(String, String), VecDeque<i64>>,
}

impl RateLimits {
    /// Counts a call; `false` when the second is full, and then it does not count.
    pub(crate) fn admit(&mut self, app: &str, path: &str, limit: u32, now: i64) -> bool {
        let calls = self
            .recent
            .entry((app.to_owned(), path.to_owned()))
            .or_default();
        while calls.front().is_some_and(|at| now - at >= 1000) {
            calls.pop_front();
        }
        let admitted = u32::try_from(calls.len()).is_ok_and(|count| count < limit);
        if admitted {
            calls.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_so_many_calls_of_one_app_and_api() {
        let mut limits = RateLimits::default();
        assert!((0..20).all(|at| limits.admit("acme", "/chat/send", 20, at)));
        assert!(!limits.admit("acme", "/chat/send", 20, 999));
        assert!(limits.admit("acme", "/chat/get", 20, 999));
        assert!(limits.admit("other", "/chat/send", 20, 999));
        assert!(limits.admit("acme", "/chat/send", 20, 1000));
        assert!(!limits.admit("acme", "/chat/send", 20, 1000));
    }
}
