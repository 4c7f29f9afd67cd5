//! Knows which session webhooks were given out, for which group, and until when.

use std::collections::{HashMap, VecDeque};

use crate::crypto::random_text;

/// How long a session webhook works.
pub(crate) const LIFE_MS: i64 = 90 * 60 * 1000;

/// When this many sessions are known, the dead ones are swept out.
const SWEEP_AT: usize = 10_000;

/// How many keys of a session's messages are remembered; the oldest go first.
const KEYS_KEPT: usize = 100;

/// The living sessions by their id.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: HashMap<String, Session>,
}

/// Where a session webhook leads.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) app: String,
    pub(crate) group: String,
    pub(crate) expires: i64,
    /// The `msgUuid`s of what was said through it.
    said: VecDeque<String>,
}

impl Sessions {
    /// Opens a session and gives its id and its end.
    pub(crate) fn open(&mut self, app: &str, group: &str, now: i64) -> (String, i64) {
        if self.by_id.len() >= SWEEP_AT {
            self.by_id.retain(|_, session| session.expires > now);
        }
        let id = random_text(32);
        let expires = now + LIFE_MS;
        let session = Session {
            app: app.to_owned(),
            group: group.to_owned(),
            expires,
            said: VecDeque::new(),
        };
        self.by_id.insert(id.clone(), session);
        (id, expires)
    }

    /// The session of an id, if it still lives.
    pub(crate) fn get(&self, id: &str, now: i64) -> Option<&Session> {
        self.by_id.get(id).filter(|session| session.expires > now)
    }

    /// Whether a message with that `msgUuid` was said through the session before; from now on it was.
    pub(crate) fn repeats(&mut self, id: &str, key: &str) -> bool {
        let Some(session) = self.by_id.get_mut(id) else {
            return false;
        };
        if session.said.iter().any(|said| said == key) {
            return true;
        }
        if session.said.len() >= KEYS_KEPT {
            session.said.pop_front();
        }
        session.said.push_back(key.to_owned());
        false
    }

    /// Makes every session expired.
    pub(crate) fn expire_all(&mut self) {
        for session in self.by_id.values_mut() {
            session.expires = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_repetition_within_its_session() {
        let mut sessions = Sessions::default();
        let (one, _) = sessions.open("acme", "cid1==", 1000);
        let (other, _) = sessions.open("acme", "cid1==", 1000);
        assert!(!sessions.repeats(&one, "key"));
        assert!(sessions.repeats(&one, "key"));
        assert!(!sessions.repeats(&one, "another"));
        assert!(!sessions.repeats(&other, "key"));
        assert!(!sessions.repeats("unknown", "key"));
    }

    #[test]
    fn a_session_ends_after_ninety_minutes() {
        let mut sessions = Sessions::default();
        let (id, expires) = sessions.open("acme", "cid1==", 1000);
        assert_eq!(expires, 1000 + 5_400_000);
        assert!(sessions.get(&id, expires - 1).is_some());
        assert!(sessions.get(&id, expires).is_none());
        assert!(sessions.get("other", 1000).is_none());
    }
}
