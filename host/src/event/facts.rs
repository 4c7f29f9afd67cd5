//! What rules can ask about an event: the variable `event` of a `when` condition.

use dingtalk::{
    ChatChangeKind, ConversationKind, Decision, EventBody, InstanceChange, TaskChange, TaskDecision,
};
use serde_json::{Map, Value, json};

use super::{AlertStatus, Content, Kind};

/// The facts about an event: one flat JSON object with `kind`, DingTalk's `event_type` and the fields of the
/// WIT record of that kind in snake_case.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    kind: Kind,
    json: Value,
}

impl Facts {
    /// Gathers the facts.
    pub fn of(content: &Content) -> Self {
        let kind = content.kind();
        let mut facts = match content {
            Content::Dingtalk(event) => {
                let mut facts = of_body(&event.body);
                facts.insert("event_type".to_owned(), event.event_type.as_str().into());
                facts.insert(
                    "corp_id".to_owned(),
                    event.corp_id.as_deref().unwrap_or_default().into(),
                );
                facts
            }
            Content::Chat(message) => object(json!({
                "conversation_id": message.conversation_id,
                "conversation_kind": match message.conversation_kind {
                    ConversationKind::Single => "single",
                    ConversationKind::Group => "group",
                },
                "conversation_title": message.conversation_title.as_deref().unwrap_or_default(),
                "sender_id": message.sender_staff_id.as_deref().unwrap_or_default(),
                "sender_nick": message.sender_nick,
                "sender_is_admin": message.is_admin,
                "text": message.text,
                "mentions": message.mentions,
            })),
            Content::Alert(alert) => object(json!({
                "hook": alert.hook,
                "source": alert.source.to_string(),
                "status": match alert.status {
                    AlertStatus::Firing => "firing",
                    AlertStatus::Resolved => "resolved",
                },
                "group_key": alert.group_key,
                "title": alert.title,
                "severity": alert.severity.as_deref().unwrap_or_default(),
                "labels": alert.labels,
                "annotations": alert.annotations,
            })),
            Content::Timer(timer) => object(json!({"name": timer.name, "payload": timer.payload})),
        };
        facts.insert("kind".to_owned(), kind.as_str().into());
        Self {
            kind,
            json: Value::Object(facts),
        }
    }

    /// The kind of event.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// DingTalk's `EventType`, for events of a callback.
    pub fn event_type(&self) -> Option<&str> {
        self.json.get("event_type").and_then(Value::as_str)
    }

    /// The object that conditions see.
    pub fn as_json(&self) -> &Value {
        &self.json
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Agree => "agree",
        Decision::Refuse => "refuse",
    }
}

fn of_body(body: &EventBody) -> Map<String, Value> {
    match body {
        EventBody::ApprovalInstance(change) => {
            let (what, result) = match &change.change {
                InstanceChange::Started => ("start", ""),
                InstanceChange::Finished(how) => ("finish", decision(*how)),
                InstanceChange::Terminated => ("terminate", ""),
                InstanceChange::Other(other) => (other.as_str(), ""),
            };
            object(json!({
                "instance_id": change.instance_id, "process_code": change.process_code, "title": change.title,
                "originator": change.originator, "type": what, "result": result,
            }))
        }
        EventBody::ApprovalTask(change) => {
            let (what, result) = match &change.change {
                TaskChange::Started => ("start", ""),
                TaskChange::Finished(TaskDecision::Agree) => ("finish", "agree"),
                TaskChange::Finished(TaskDecision::Refuse) => ("finish", "refuse"),
                TaskChange::Finished(TaskDecision::Redirect) => ("finish", "redirect"),
                TaskChange::Canceled => ("cancel", ""),
                TaskChange::Other(other) => (other.as_str(), ""),
            };
            object(json!({
                "instance_id": change.instance_id, "process_code": change.process_code, "title": change.title,
                "task_id": change.task_id, "approver": change.approver, "type": what, "result": result,
            }))
        }
        EventBody::Contacts(change) => object(json!({
            "user_ids": change.user_ids, "dept_ids": change.dept_ids, "label_ids": change.label_ids,
            "operator": change.operator.as_deref().unwrap_or_default(),
        })),
        EventBody::Chat(change) => object(json!({
            "change": match change.change {
                ChatChangeKind::MembersAdded => "members-added",
                ChatChangeKind::MembersRemoved => "members-removed",
                ChatChangeKind::MemberQuit => "member-quit",
                ChatChangeKind::OwnerChanged => "owner-changed",
                ChatChangeKind::TitleChanged => "title-changed",
                ChatChangeKind::Disbanded => "disbanded",
                ChatChangeKind::Unknown => "unknown",
            },
            "chat_id": change.chat_id.as_deref().unwrap_or_default(),
            "conversation_id": change.conversation_id.as_deref().unwrap_or_default(),
            "operator": change.operator.as_deref().unwrap_or_default(),
            "user_ids": change.user_ids,
        })),
        _ => Map::new(),
    }
}
