//! A sent notice whose end is still to be asked for, and what its plugin hears when somebody did not get it.

use std::time::Duration;

use dingtalk::NoticeOutcome;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock::UnixMs;
use crate::ids::{AppName, PluginName};

/// The `EventType` of the event; a plugin that names it in `events` is told, and only its notices are asked about.
pub const NOTICE_RESULT: &str = "belfry.notice-result";

/// When it is asked for the first time.
const FIRST: Duration = Duration::from_secs(1);
/// DingTalk answers for so long.
const LAST: Duration = Duration::from_hours(24);

/// A notice that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentNotice {
    /// Who sent it.
    pub plugin: String,
    /// DingTalk's task id.
    pub task_id: i64,
    /// When, in Unix milliseconds.
    pub sent_at: i64,
    /// In which organisation, by a third-party app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corp: Option<String>,
}

/// How a notice ended, as far as its plugin must hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeEnd {
    /// Nobody was refused.
    Delivered,
    /// Somebody did not get it.
    Refused(NoticeOutcome),
    /// DingTalk would not say within its time.
    Unknown {
        /// The last thing it said, as a code.
        code: String,
    },
}

impl SentNotice {
    /// Under which name outstanding notices of a plugin are kept among the timers. No plugin can reach it, because names
    /// have no `/`.
    pub fn keeper(plugin: &PluginName) -> PluginName {
        format!("{plugin}/notice-results").as_str().into()
    }

    /// The name by which it is kept; task ids are an organisation's own.
    pub fn name(&self) -> String {
        match &self.corp {
            Some(corp) => format!("{corp}/{}", self.task_id),
            None => self.task_id.to_string(),
        }
    }

    /// When it is asked for the first time.
    pub fn first_look(&self) -> UnixMs {
        after(self.sent_at, FIRST)
    }

    /// When it is asked for again after a look at `now` that told nothing: each time three times as late as the time
    /// before, eleven times in all. `None` when DingTalk does not answer any more.
    pub fn next_look(&self, now: UnixMs) -> Option<UnixMs> {
        let age = (now.0 - self.sent_at).max(i64::try_from(FIRST.as_millis()).unwrap_or(1));
        let next = self.sent_at.saturating_add(age.saturating_mul(3));
        (next < after(self.sent_at, LAST).0).then_some(UnixMs(next))
    }

    /// The text of the event, if there is anything to tell.
    pub fn told(&self, end: &NoticeEnd, app: &AppName, now: UnixMs) -> Option<String> {
        let mut text = json!({
            "EventType": NOTICE_RESULT,
            "TimeStamp": now.0.to_string(),
            "app": app.as_str(),
            "notice": self.task_id.to_string(),
            "sentAt": self.sent_at,
        });
        if let Some(corp) = &self.corp {
            text["CorpId"] = json!(corp);
        }
        match end {
            NoticeEnd::Delivered => return None,
            NoticeEnd::Unknown { code } => {
                text["state"] = json!("unknown");
                text["code"] = json!(code);
            }
            NoticeEnd::Refused(outcome) => {
                let refused = outcome.refused.iter();
                let refused: Vec<_> = refused
                    .map(|refusal| json!({"userId": refusal.user_id, "code": refusal.code}))
                    .collect();
                text["state"] = json!("refused");
                text["refused"] = json!(refused);
                text["invalidUsers"] = json!(outcome.invalid_users);
                text["invalidDepartments"] = json!(outcome.invalid_departments);
                text["failedUsers"] = json!(outcome.failed_users);
            }
        }
        Some(text.to_string())
    }
}

impl From<NoticeOutcome> for NoticeEnd {
    fn from(outcome: NoticeOutcome) -> Self {
        let all_well = outcome.refused.is_empty()
            && outcome.invalid_users.is_empty()
            && outcome.invalid_departments.is_empty()
            && outcome.failed_users.is_empty();
        if all_well {
            Self::Delivered
        } else {
            Self::Refused(outcome)
        }
    }
}

fn after(at: i64, pause: Duration) -> UnixMs {
    let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    UnixMs(at.saturating_add(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> SentNotice {
        SentNotice {
            plugin: "alerts".to_owned(),
            task_id: 7,
            sent_at: 1_000_000,
            corp: None,
        }
    }

    #[test]
    fn looks_grow_rare_and_end_within_a_day() {
        let sent = sent();
        let mut ages = Vec::new();
        let mut next = Some(sent.first_look());
        while let Some(at) = next {
            ages.push((at.0 - sent.sent_at) / 1000);
            next = sent.next_look(at);
        }
        assert_eq!(ages, [1, 3, 9, 27, 81, 243, 729, 2187, 6561, 19683, 59049]);
        // After a long outage the next look is a last one, or there is none.
        assert_eq!(sent.next_look(UnixMs(sent.sent_at + 86_400_000)), None);
        assert_eq!(sent.next_look(UnixMs(0)), Some(UnixMs(sent.sent_at + 3000)));
    }

    #[test]
    fn only_what_went_wrong_is_told() {
        let told = |outcome: NoticeOutcome| {
            let text = sent().told(&outcome.into(), &"acme".into(), UnixMs(5))?;
            Some(serde_json::from_str::<serde_json::Value>(&text).unwrap())
        };
        let read = NoticeOutcome {
            read_users: vec!["a".to_owned()],
            unread_users: vec!["b".to_owned()],
            ..NoticeOutcome::default()
        };
        assert_eq!(told(read), None);
        let failed = NoticeOutcome {
            failed_users: vec!["a".to_owned()],
            ..NoticeOutcome::default()
        };
        let told = told(failed).unwrap();
        assert_eq!(
            (
                &told["EventType"],
                &told["state"],
                &told["notice"],
                &told["failedUsers"]
            ),
            (
                &json!(NOTICE_RESULT),
                &json!("refused"),
                &json!("7"),
                &json!(["a"])
            )
        );
    }
}
