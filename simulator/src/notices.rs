//! Keeps work notices and drops, silently as DingTalk does, what is over a person's quota.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use crate::clock::beijing_day;

/// Notices that one person can get in a day of one of the company's apps.
pub(crate) const OWN_A_DAY: u32 = 500;
/// And of a third-party app, as its calls have it; the table of results says 50.
pub(crate) const THIRD_PARTY_A_DAY: u32 = 100;
/// Sends of one app to the whole company in a day.
const TO_ALL_A_DAY: u32 = 3;

/// Over the person's quota of the day.
pub(crate) const OVER_QUOTA: i64 = 143_105;
/// The same content to the same person on the same day.
pub(crate) const SAME_CONTENT: i64 = 143_106;

/// One accepted send.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notice {
    pub(crate) task_id: i64,
    pub(crate) agent_id: i64,
    pub(crate) at: i64,
    pub(crate) receivers: Vec<String>,
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) msg: Value,
    pub(crate) recalled: bool,
    #[serde(skip)]
    pub(crate) unknown_users: Vec<String>,
    #[serde(skip)]
    pub(crate) unknown_departments: Vec<i64>,
}

/// A person who gets nothing although the call succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Dropped {
    pub(crate) userid: String,
    pub(crate) code: i64,
}

/// A send before the quotas were looked at.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) app: &'a str,
    pub(crate) agent_id: i64,
    pub(crate) people: Vec<String>,
    pub(crate) unknown_users: Vec<String>,
    pub(crate) unknown_departments: Vec<i64>,
    pub(crate) msg: Value,
    /// How many of them one person can get in a day.
    pub(crate) a_day: u32,
}

/// All notices, oldest first, with the counts of the day.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    sent: Vec<Notice>,
    day: i64,
    counts: HashMap<(String, String), u32>,
    seen: HashSet<(String, String, String)>,
    to_all: HashMap<String, u32>,
}

impl Notices {
    /// Accepts a send and decides for each person whether it arrives.
    pub(crate) fn send(&mut self, mut draft: Draft<'_>, now: i64) -> &Notice {
        self.turn_day(now);
        let content = draft.msg.to_string();
        let (mut receivers, mut dropped) = (Vec::new(), Vec::new());
        for userid in std::mem::take(&mut draft.people) {
            match self.admit(&draft, &userid, &content) {
                Ok(()) => receivers.push(userid),
                Err(code) => dropped.push(Dropped { userid, code }),
            }
        }
        let task_id = i64::try_from(self.sent.len()).map_or(i64::MAX, |count| count + 1);
        self.sent.push(Notice {
            task_id,
            agent_id: draft.agent_id,
            at: now,
            receivers,
            dropped,
            msg: draft.msg,
            recalled: false,
            unknown_users: draft.unknown_users,
            unknown_departments: draft.unknown_departments,
        });
        self.sent.last().expect("a notice was just added")
    }

    /// Counts a send to the whole company; `false` when the day's are used up.
    pub(crate) fn admit_to_all(&mut self, app: &str, now: i64) -> bool {
        self.turn_day(now);
        let count = self.to_all.entry(app.to_owned()).or_default();
        *count += 1;
        *count <= TO_ALL_A_DAY
    }

    /// The notice of a task, if this agent sent it.
    pub(crate) fn find(&mut self, agent_id: i64, task_id: i64) -> Option<&mut Notice> {
        self.sent
            .iter_mut()
            .find(|notice| notice.task_id == task_id && notice.agent_id == agent_id)
    }

    /// All of them, oldest first.
    pub(crate) fn list(&self) -> &[Notice] {
        &self.sent
    }

    fn admit(&mut self, draft: &Draft<'_>, userid: &str, content: &str) -> Result<(), i64> {
        let app = draft.app;
        let key = (app.to_owned(), userid.to_owned());
        let count = self.counts.entry(key).or_default();
        if *count >= draft.a_day {
            return Err(OVER_QUOTA);
        }
        if !self
            .seen
            .insert((app.to_owned(), userid.to_owned(), content.to_owned()))
        {
            return Err(SAME_CONTENT);
        }
        *count += 1;
        Ok(())
    }

    fn turn_day(&mut self, now: i64) {
        let today = beijing_day(now);
        if today != self.day {
            self.day = today;
            self.counts.clear();
            self.seen.clear();
            self.to_all.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::DAY_MS;

    fn draft(text: &str) -> Draft<'_> {
        Draft {
            app: "acme",
            agent_id: 1,
            people: vec!["alice".to_owned()],
            unknown_users: Vec::new(),
            unknown_departments: Vec::new(),
            msg: json!(text),
            a_day: OWN_A_DAY,
        }
    }

    #[test]
    fn the_same_content_reaches_a_person_once_a_day() {
        let mut notices = Notices::default();
        assert_eq!(notices.send(draft("a"), 0).receivers, ["alice"]);
        let second = notices.send(draft("a"), 1);
        assert_eq!(
            second.dropped,
            [Dropped {
                userid: "alice".to_owned(),
                code: SAME_CONTENT
            }]
        );
        assert_eq!(notices.send(draft("a"), DAY_MS).receivers, ["alice"]);
    }

    #[test]
    fn a_person_gets_five_hundred_a_day() {
        let mut notices = Notices::default();
        for number in 0..OWN_A_DAY {
            assert!(
                notices
                    .send(draft(&number.to_string()), 0)
                    .dropped
                    .is_empty()
            );
        }
        assert_eq!(
            notices.send(draft("one more"), 0).dropped[0].code,
            OVER_QUOTA
        );
    }
}
