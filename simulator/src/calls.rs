//! Keeps the API calls in order, for tests and for the page.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

/// How many calls are kept; the oldest go first.
const CAPACITY: usize = 100_000;

/// One API call and its answer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CallRecord {
    pub(crate) seq: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Value,
    /// The HTTP status, 0 when the connection was closed before the call took effect.
    pub(crate) status: u16,
    pub(crate) response: Value,
    pub(crate) at: i64,
    /// The fault that decided or disturbed the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<&'static str>,
}

/// The last calls, oldest first.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    calls: VecDeque<CallRecord>,
    last: u64,
}

/// Which calls are asked for.
#[derive(Debug, Default)]
pub(crate) struct CallFilter {
    pub(crate) path: Option<String>,
    pub(crate) since: Option<i64>,
}

impl CallLog {
    /// Numbers a call and keeps it.
    pub(crate) fn append(&mut self, mut call: CallRecord) -> &CallRecord {
        self.last += 1;
        call.seq = self.last;
        if self.calls.len() == CAPACITY {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
        self.calls.back().expect("a call was just appended")
    }

    /// The calls that match, in order.
    pub(crate) fn list(&self, filter: &CallFilter) -> Vec<CallRecord> {
        self.calls
            .iter()
            .filter(|call| filter.matches(call))
            .cloned()
            .collect()
    }
}

impl CallFilter {
    fn matches(&self, call: &CallRecord) -> bool {
        let path = self.path.as_ref().is_none_or(|path| *path == call.path);
        path && self.since.is_none_or(|since| {
            // No clock has stood below this since 2001, and no log reaches it: it tells a number from a time.
            if since < 1_000_000_000_000 {
                i64::try_from(call.seq).is_ok_and(|seq| seq >= since)
            } else {
                call.at >= since
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(path: &str, at: i64) -> CallRecord {
        CallRecord {
            seq: 0,
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: BTreeMap::new(),
            body: Value::Null,
            status: 200,
            response: Value::Null,
            at,
            fault: None,
        }
    }

    #[test]
    fn calls_are_filtered_by_path_number_and_time() {
        let mut log = CallLog::default();
        log.append(call("/a", 1_763_800_000_000));
        log.append(call("/b", 1_763_800_000_001));
        log.append(call("/a", 1_763_800_000_002));
        let count = |path: Option<&str>, since| {
            log.list(&CallFilter {
                path: path.map(str::to_owned),
                since,
            })
            .len()
        };
        assert_eq!(count(None, None), 3);
        assert_eq!(count(Some("/a"), None), 2);
        assert_eq!(count(None, Some(3)), 1);
        assert_eq!(count(Some("/a"), Some(1_763_800_000_001)), 1);
    }

    #[test]
    fn oldest_calls_leave_a_full_log() {
        let mut log = CallLog::default();
        for _ in 0..=CAPACITY {
            log.append(call("/a", 0));
        }
        let calls = log.list(&CallFilter::default());
        assert_eq!(calls.len(), CAPACITY);
        assert_eq!(calls[0].seq, 2);
    }
}
