//! What is counted of the calls, for whoever installs a recorder of the crate `metrics`.

use std::borrow::Cow;
use std::time::Duration;

use reqwest::StatusCode;

/// Counts requests, by `path` and `status`.
pub const REQUESTS: &str = "dingtalk_requests_total";
/// Times requests until the answer begins, by `path`.
pub const SECONDS: &str = "dingtalk_request_duration_seconds";

/// Counts calls that did not leave at once because of the rate limits, by `path` and `end`: `waited` or `refused`.
pub const PACED: &str = "dingtalk_paced_total";
/// Times how long calls waited for their place, by `path`; for refused ones how long they would have.
pub const PACED_SECONDS: &str = "dingtalk_paced_seconds";

/// What became of a call that could not leave at once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paced {
    /// It left later.
    Waited,
    /// It would have waited too long and did not leave.
    Refused,
}

/// Notes a call that was held up by the rate limits.
pub(crate) fn paced(path: &str, end: Paced, wait: Duration) {
    let end = match end {
        Paced::Waited => "waited",
        Paced::Refused => "refused",
    };
    metrics::counter!(PACED, "path" => path.to_owned(), "end" => end).increment(1);
    metrics::histogram!(PACED_SECONDS, "path" => path.to_owned()).record(wait.as_secs_f64());
}

/// Notes a request; without a status no answer came.
pub(crate) fn sent(path: &str, status: Option<StatusCode>, took: Duration) {
    let path = template(path).into_owned();
    let status = status.map_or_else(|| "lost".to_owned(), |status| status.as_str().to_owned());
    metrics::counter!(REQUESTS, "path" => path.clone(), "status" => status).increment(1);
    metrics::histogram!(SECONDS, "path" => path).record(took.as_secs_f64());
}

/// The path with ids left out: names of the API are letters, but for its versions.
pub(crate) fn template(path: &str) -> Cow<'_, str> {
    if path.split('/').all(is_name) {
        return path.into();
    }
    let parts = path
        .split('/')
        .map(|part| if is_name(part) { part } else { ":id" });
    parts.collect::<Vec<_>>().join("/").into()
}

fn is_name(part: &str) -> bool {
    let is_word = part.bytes().all(|c| c.is_ascii_alphabetic() || c == b'_');
    let is_version = || {
        part.strip_prefix('v')
            .is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_digit() || c == b'.'))
    };
    // The older API writes versions into names, as in `asyncsend_v2`.
    let is_versioned = || {
        part.rsplit_once("_v")
            .is_some_and(|(_, number)| number.len() == 1)
    };
    is_word || is_version() || is_versioned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_left_out_of_paths() {
        for (path, expected) in [
            ("/chat/create", "/chat/create"),
            (
                "/topapi/message/corpconversation/asyncsend_v2",
                "/topapi/message/corpconversation/asyncsend_v2",
            ),
            (
                "/v1.0/robot/groupMessages/send",
                "/v1.0/robot/groupMessages/send",
            ),
            (
                "/v1.0/im/chats/cid12+x/members",
                "/v1.0/im/chats/:id/members",
            ),
        ] {
            assert_eq!(template(path), expected);
        }
    }
}
