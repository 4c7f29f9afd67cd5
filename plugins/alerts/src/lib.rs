//! Incident groups: the first alert of a service creates its group, and every alert of the service is told there.

mod moment;
mod report;
mod service;
mod slot;

use std::time::Duration;

use belfry_plugin::chat::NewChat;
use belfry_plugin::prelude::*;
use slot::{Claim, Slot, Step};

/// How long to leave somebody else's creation of a group alone.
const WAIT: Duration = Duration::from_secs(2);

struct Alerts;

impl Plugin for Alerts {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::Alert)
            .config_schema(include_str!("../config.schema.json"))
    }

    fn handle(event: Event) -> Result<(), Failure> {
        let EventBody::Alert(alert) = event.body else {
            return Ok(());
        };
        let me = Claim {
            event_id: event.id,
            received_at_ms: event.received_at as u64,
        };
        let service = service::of(&alert);
        let message = Message::Markdown(report::of(&alert));
        tell(service, &message, &me)
    }
}

/// Tells the group of the service, creating it where there is none.
fn tell(service: &str, message: &Message, me: &Claim) -> Result<(), Failure> {
    let key = service::key(service);
    let stored = kv::get(&key)?;
    match Slot::read(stored.as_deref()).step(me) {
        Step::Wait => Err(being_created()),
        Step::Create => create_and_tell(service, message, me, stored.as_deref()),
        Step::Tell(chat) => match chat::send(&chat, message) {
            // The group was dissolved. Whoever notices first makes the next one.
            Err(api::Error::NotFound(_)) => {
                create_and_tell(service, message, me, stored.as_deref())
            }
            sent => Ok(sent.map(drop)?),
        },
    }
}

/// Claims the slot, creates the group, remembers it and tells it. `stored` is what the slot was when this was decided:
/// if it is something else by now, another instance was quicker.
fn create_and_tell(
    service: &str,
    message: &Message,
    me: &Claim,
    stored: Option<&[u8]>,
) -> Result<(), Failure> {
    let new = new_chat(service)?;
    let key = service::key(service);
    let claim = Slot::Claimed(me.clone()).write();
    if !kv::compare_and_set(&key, stored, &claim)? {
        return Err(being_created());
    }
    let group = match chat::create(&new) {
        Ok(created) => created.chat_id,
        Err(error) => {
            // Nobody should wait for a group that will not come. If this fails too, the claim grows stale.
            let _ = kv::compare_and_set(&key, Some(&claim), &Slot::Free.write());
            return Err(error.into());
        }
    };
    let remembered = kv::compare_and_set(&key, Some(&claim), &Slot::Group(group.clone()).write());
    let told = chat::send(&group, message);
    match remembered {
        Ok(true) => Ok(told.map(drop)?),
        // Another attempt would create one more group, so say what happened instead.
        Ok(false) => Err(Failure::permanent(format!(
            "group {group} was created too late: another event took the claim over"
        ))),
        Err(error) => Err(Failure::permanent(format!(
            "group {group} was created but not remembered: {}",
            Failure::from(error).reason()
        ))),
    }
}

fn being_created() -> Failure {
    Failure::retry_after("another event is creating the group of this service", WAIT)
}

fn new_chat(service: &str) -> Result<NewChat, Failure> {
    let owner = config::require("owner")?;
    let members = with_owner(&owner, config::require_list("members")?);
    let prefix = config::get_or("name-prefix", "告警");
    Ok(NewChat {
        name: service::group_name(&prefix, service),
        owner,
        members,
        show_history: true,
    })
}

/// DingTalk wants the owner among the members, and nobody twice.
fn with_owner(owner: &str, configured: Vec<String>) -> Vec<String> {
    let mut members = vec![owner.to_owned()];
    for member in configured {
        if !members.contains(&member) {
            members.push(member);
        }
    }
    members
}

belfry_plugin::export!(Alerts);

#[cfg(test)]
mod tests {
    use belfry_plugin::event::{Alert, AlertItem, AlertStatus, Label};

    use super::*;

    pub(crate) fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
        pairs
            .iter()
            .map(|(name, value)| Label {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            })
            .collect()
    }

    pub(crate) fn alert(shared: &[(&str, &str)]) -> Alert {
        Alert {
            hook: "ops".to_owned(),
            source: "alertmanager".to_owned(),
            status: AlertStatus::Firing,
            group_key: "group-1".to_owned(),
            title: "HighErrorRate on checkout".to_owned(),
            severity: None,
            labels: labels(shared),
            annotations: Vec::new(),
            alerts: Vec::new(),
            truncated: 0,
            url: None,
        }
    }

    pub(crate) fn item(
        status: AlertStatus,
        starts_at: Option<f64>,
        ends_at: Option<f64>,
    ) -> AlertItem {
        AlertItem {
            status,
            fingerprint: "f00d".to_owned(),
            labels: Vec::new(),
            annotations: Vec::new(),
            starts_at,
            ends_at,
            url: None,
        }
    }

    #[test]
    fn the_owner_is_a_member_once() {
        let configured = ["alice", "manager", "bob", "alice"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(
            with_owner("manager", configured),
            ["manager", "alice", "bob"]
        );
    }

    #[test]
    fn it_describes_its_configuration() {
        let description = Alerts::describe();
        assert_eq!(description.subscriptions, [EventKind::Alert]);
        let schema = description.config_schema.expect("it has one");
        serde_json::from_str::<serde_json::Value>(&schema).expect("it is JSON");
    }
}
