//! `belfry:bot/notice`: work notices.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::bindings::belfry::bot::api::Error;
use super::bindings::belfry::bot::message::Message;
use super::bindings::belfry::bot::notice::State as Stage;
use super::bindings::belfry::bot::notice::{
    Host, NamedRecipients, NoticeId, PlaceValue, Recipients, Refusal, SendingOutcome,
    SendingProgress,
};
use super::{invalid, not_granted, upstream};
use crate::clock::UnixMs;
use crate::engine::{State, Task};
use crate::event::SentNotice;
use crate::function::Function;
use crate::ids::PluginName;
use crate::journal::{Missed, Timer, TimerChange};
use crate::kv::{KvError, MAX_KEYS, MAX_TOTAL, Write};
use crate::{clock, config};

impl Host for State {
    async fn send(
        &mut self,
        recipients: Recipients,
        message: Message,
    ) -> wasmtime::Result<Result<NoticeId, Error>> {
        let asked = Send {
            recipients: &recipients,
            message: &message,
        };
        let call = self.asks(Function::NoticeSend, &asked)?;
        let recipients = match recipients {
            Recipients::Named(people) => dingtalk::Recipients::Named(named(people)),
            Recipients::Everyone => dingtalk::Recipients::Everyone,
        };
        let task = call.task();
        let allowed = covered(&task.grant.notice, &recipients);
        let message = dingtalk::Message::from(message);
        let values = (recipients, message);
        call.write_alike(
            async { allowed },
            values,
            |task, (recipients, message)| async move {
                let sent = upstream(&task, task.client.notice_send(&recipients, &message)).await;
                Ok(note(&task, sent?).await)
            },
        )
        .await
    }

    async fn send_template(
        &mut self,
        recipients: NamedRecipients,
        template_id: String,
        values: Vec<PlaceValue>,
    ) -> wasmtime::Result<Result<NoticeId, Error>> {
        let asked = SendTemplate {
            recipients: &recipients,
            template_id: &template_id,
            values: &values,
        };
        let call = self.asks(Function::NoticeSendTemplate, &asked)?;
        let recipients = named(recipients);
        let task = call.task();
        let everybody = dingtalk::Recipients::Named(recipients.clone());
        let allowed = covered(&task.grant.notice, &everybody);
        let values: BTreeMap<String, String> = values
            .into_iter()
            .map(|place| (place.name, place.value))
            .collect();
        let values = (recipients, template_id, values);
        call.write_alike(
            async { allowed },
            values,
            |task, (recipients, id, values)| async move {
                let sent = task.client.notice_send_template(&recipients, &id, &values);
                let sent = upstream(&task, sent).await;
                Ok(note(&task, sent?).await)
            },
        )
        .await
    }

    async fn progress(
        &mut self,
        notice: NoticeId,
    ) -> wasmtime::Result<Result<SendingProgress, Error>> {
        let call = self.asks(Function::NoticeProgress, &About { notice: &notice })?;
        let task = call.task();
        call.read(async {
            let id = own(&task, &notice).await?;
            let progress = upstream(&task, task.client.notice_progress(id)).await?;
            Ok(SendingProgress {
                percent: progress.percent,
                state: match progress.state {
                    dingtalk::NoticeState::Waiting => Stage::Waiting,
                    dingtalk::NoticeState::Running => Stage::Running,
                    dingtalk::NoticeState::Finished => Stage::Finished,
                },
            })
        })
        .await
    }

    async fn outcome(
        &mut self,
        notice: NoticeId,
    ) -> wasmtime::Result<Result<SendingOutcome, Error>> {
        let call = self.asks(Function::NoticeOutcome, &About { notice: &notice })?;
        let task = call.task();
        call.read(async {
            let id = own(&task, &notice).await?;
            let outcome = upstream(&task, task.client.notice_outcome(id)).await?;
            Ok(SendingOutcome {
                invalid_users: outcome.invalid_users,
                invalid_departments: outcome.invalid_departments,
                refused: outcome
                    .refused
                    .into_iter()
                    .map(|refusal| Refusal {
                        user_id: refusal.user_id,
                        code: refusal.code,
                    })
                    .collect(),
                failed_users: outcome.failed_users,
                read_users: outcome.read_users,
                unread_users: outcome.unread_users,
            })
        })
        .await
    }

    async fn recall(&mut self, notice: NoticeId) -> wasmtime::Result<Result<(), Error>> {
        let call = self.asks(Function::NoticeRecall, &About { notice: &notice })?;
        let (task, about) = (call.task(), notice.clone());
        let allowed = async { own(&task, &about).await.map(|_| ()) };
        call.write_alike(allowed, notice, |task, notice| async move {
            upstream(&task, task.client.notice_recall(number(&notice)?)).await
        })
        .await
    }

    async fn update_status_bar(
        &mut self,
        notice: NoticeId,
        value: String,
        color: Option<String>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let asked = StatusBar {
            notice: &notice,
            value: &value,
            color: color.as_deref(),
        };
        let call = self.asks(Function::NoticeUpdateStatusBar, &asked)?;
        let (task, about) = (call.task(), notice.clone());
        let allowed = async { own(&task, &about).await.map(|_| ()) };
        let values = (notice, value, color);
        call.write_alike(allowed, values, |task, (notice, value, color)| async move {
            let id = number(&notice)?;
            let update = task.client.notice_status_bar(id, &value, color.as_deref());
            upstream(&task, update).await
        })
        .await
    }
}

#[derive(Serialize)]
struct Send<'a> {
    recipients: &'a Recipients,
    message: &'a Message,
}

fn named(named: NamedRecipients) -> dingtalk::NamedRecipients {
    dingtalk::NamedRecipients {
        users: named.users,
        departments: named.departments,
    }
}

/// The id of a notice that is out, which belfry keeps in mind.
async fn note(task: &Task, task_id: i64) -> NoticeId {
    follow(task, task_id).await;
    let id = task_id.to_string();
    if task.grant.notice != config::Recipients::Everybody
        && let Err(error) = remember(task, &id).await
    {
        // The notice is out, so the plugin must hear its id; only asking for it later will be refused.
        tracing::error!(event = %task.envelope.id, plugin = %task.plugin, %error, "cannot record a sent notice");
    }
    id
}

#[derive(Serialize)]
struct SendTemplate<'a> {
    recipients: &'a NamedRecipients,
    template_id: &'a str,
    values: &'a [PlaceValue],
}

#[derive(Serialize)]
struct StatusBar<'a> {
    notice: &'a str,
    value: &'a str,
    color: Option<&'a str>,
}

#[derive(Serialize)]
struct About<'a> {
    notice: &'a str,
}

/// DingTalk answers questions about a notice for a day.
const KEPT: Duration = Duration::from_hours(25);
/// Old notices that are forgotten when a new one is sent.
const FORGOTTEN_AT_ONCE: usize = 20;

/// A plugin whose grant names people may ask about the notices it sent, and take back those. Their ids stand beside its
/// values, by time, in a space that no plugin name can reach because names have no `/`.
fn own_notices(plugin: &PluginName) -> PluginName {
    format!("{plugin}/sent-notices").as_str().into()
}

/// The end of a notice's key is its id, the beginning is of fixed length.
fn key(at: UnixMs, id: &str) -> String {
    format!("{:015}/{id}", at.0)
}

async fn remember(task: &Task, id: &str) -> Result<(), KvError> {
    let (space, now) = (own_notices(&task.plugin), clock::now());
    let write = |key: String, value| Write {
        key,
        value,
        expected: None,
        max_total: MAX_TOTAL,
    };
    let oldest = task.kv.keys(&space, "", None, FORGOTTEN_AT_ONCE).await?;
    for old in oldest {
        if old < since(now) {
            task.kv.write(&space, write(old, None)).await?;
        }
    }
    let value = Some(Vec::new());
    task.kv.write(&space, write(key(now, id), value)).await?;
    Ok(())
}

/// Keeps in mind that it must be asked what became of the notice. It is out whether or not that works.
async fn follow(task: &Task, task_id: i64) {
    let Some(notices) = &task.notices else {
        return;
    };
    let sent = SentNotice {
        plugin: task.plugin.to_string(),
        task_id,
        sent_at: clock::now().0,
        corp: task.client.corp_id().map(str::to_owned),
    };
    let Ok(payload) = serde_json::to_string(&sent) else {
        return;
    };
    let timer = Timer {
        plugin: SentNotice::keeper(&task.plugin),
        name: sent.name(),
        app: task.envelope.app.clone(),
        due_at: sent.first_look(),
        repeat: None,
        missed: Missed::Once,
        payload: payload.into(),
        revision: 0,
    };
    if let Err(error) = notices.change(TimerChange::Set(timer)).await {
        tracing::warn!(
            event = %task.envelope.id, plugin = %task.plugin, %error, "nobody will ask what became of a notice"
        );
    }
}

fn since(now: UnixMs) -> String {
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    key(UnixMs(now.0 - kept), "")
}

/// The number of a notice that the plugin may ask about.
async fn own(task: &Task, notice: &str) -> Result<i64, Error> {
    let id = number(notice)?;
    if task.grant.notice == config::Recipients::Everybody {
        return Ok(id);
    }
    let refused = || not_granted("notice", &format!("the notice {id}, which it did not send"));
    let (space, ending) = (own_notices(&task.plugin), format!("/{id}"));
    let mut after = since(clock::now());
    loop {
        let page = task.kv.keys(&space, "", Some(&after), MAX_KEYS).await;
        let page = page.map_err(|_| refused())?;
        if page.iter().any(|key| key.ends_with(&ending)) {
            return Ok(id);
        }
        match page.last() {
            Some(last) if page.len() == MAX_KEYS => after.clone_from(last),
            _ => return Err(refused()),
        }
    }
}

fn number(notice: &str) -> Result<i64, Error> {
    notice
        .parse()
        .map_err(|_| invalid("the id of a notice is not a decimal number"))
}

/// A grant for certain people and departments covers each of them, and never everybody.
fn covered(grant: &config::Recipients, recipients: &dingtalk::Recipients) -> Result<(), Error> {
    let (granted_users, granted_departments) = match grant {
        config::Recipients::Everybody => return Ok(()),
        config::Recipients::Nobody => return Err(not_granted("notice", "anybody")),
        config::Recipients::Only { users, departments } => (users, departments),
    };
    let dingtalk::Recipients::Named(named) = recipients else {
        return Err(not_granted("notice", "everybody"));
    };
    if let Some(user) = named
        .users
        .iter()
        .find(|user| !granted_users.contains(user))
    {
        return Err(not_granted("notice", &format!("the user {user:?}")));
    }
    let mut departments = named.departments.iter();
    match departments.find(|department| !granted_departments.contains(department)) {
        Some(department) => Err(not_granted(
            "notice",
            &format!("the department {department:?}"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(users: &[&str], departments: &[&str]) -> dingtalk::Recipients {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        dingtalk::Recipients::Named(dingtalk::NamedRecipients {
            users: owned(users),
            departments: owned(departments),
        })
    }

    #[test]
    fn a_grant_covers_whom_it_names_and_nobody_else() {
        let some = config::Recipients::Only {
            users: vec!["alice".to_owned()],
            departments: vec!["42".to_owned()],
        };
        let everyone = dingtalk::Recipients::Everyone;
        for (grant, recipients, is_covered) in [
            (&some, named(&["alice"], &["42"]), true),
            (&some, named(&["alice", "bob"], &[]), false),
            (&some, named(&[], &["42", "1"]), false),
            // A department is no user of the same number.
            (&some, named(&["42"], &[]), false),
            (&some, everyone.clone(), false),
            (&config::Recipients::Nobody, named(&[], &[]), false),
            (&config::Recipients::Everybody, everyone, true),
        ] {
            let covered = covered(grant, &recipients);
            assert_eq!(covered.is_ok(), is_covered, "{recipients:?}");
            if let Err(error) = covered {
                assert!(matches!(error, Error::Denied(detail) if detail.code == "belfry.grant"));
            }
        }
    }

    #[test]
    fn notices_are_forgotten_after_a_day() {
        let now = UnixMs(1_790_000_000_000);
        let hours = |hours: i64| UnixMs(now.0 - hours * 3_600_000);
        assert!(key(hours(24), "9") > since(now));
        assert!(key(hours(26), "9") < since(now));
    }
}
