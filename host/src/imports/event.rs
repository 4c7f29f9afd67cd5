//! Events on their way to a guest.

use std::collections::BTreeMap;

use dingtalk::{EventBody, RobotMessage};

use super::bindings::belfry::bot::event as wit;
use super::to_f64;
use crate::event::{Alert, AlertItem, AlertStatus, Content, Envelope, Timer};

/// An event as guests see it.
pub fn event(envelope: &Envelope, mut content: Content) -> wit::Event {
    let (corp_id, occurred_at) = match &mut content {
        Content::Dingtalk(event) => (event.corp_id.take(), event.occurred_at),
        Content::Chat(message) => (message.sender_corp_id.take(), message.created_at),
        Content::Alert(alert) => (
            None,
            alert
                .alerts
                .iter()
                .filter_map(|item| item.ends_at.or(item.starts_at))
                .max(),
        ),
        Content::Timer(timer) => (None, Some(timer.due_at())),
    };
    wit::Event {
        id: envelope.id.to_string(),
        app: envelope.app.to_string(),
        corp_id,
        received_at: to_f64(envelope.received_at),
        occurred_at: occurred_at.map(to_f64),
        body: match content {
            Content::Dingtalk(event) => dingtalk_body(event),
            Content::Chat(message) => wit::EventBody::ChatMessage(chat_message(message)),
            Content::Alert(alert) => wit::EventBody::Alert(self::alert(alert)),
            Content::Timer(timer) => wit::EventBody::Timer(self::timer(timer)),
        },
    }
}

fn chat_message(message: RobotMessage) -> wit::ChatMessage {
    wit::ChatMessage {
        msg_id: message.msg_id,
        conversation_id: message.conversation_id,
        conversation_kind: match message.conversation_kind {
            dingtalk::ConversationKind::Single => wit::ConversationKind::Single,
            dingtalk::ConversationKind::Group => wit::ConversationKind::Group,
        },
        conversation_title: message.conversation_title,
        sender_id: message.sender_staff_id,
        sender_nick: message.sender_nick,
        sender_is_admin: message.is_admin,
        kind: match message.kind {
            dingtalk::MessageKind::Text => wit::MessageKind::Text,
            dingtalk::MessageKind::RichText => wit::MessageKind::RichText,
            dingtalk::MessageKind::Picture => wit::MessageKind::Picture,
            dingtalk::MessageKind::Audio => wit::MessageKind::Audio,
            dingtalk::MessageKind::Video => wit::MessageKind::Video,
            dingtalk::MessageKind::File => wit::MessageKind::File,
            dingtalk::MessageKind::Unknown => wit::MessageKind::Unknown,
        },
        text: message.text,
        mentions: message.mentions,
    }
}

fn dingtalk_body(event: dingtalk::Event) -> wit::EventBody {
    match event.body {
        EventBody::ApprovalInstance(change) => {
            wit::EventBody::ApprovalInstance(approval_instance(change))
        }
        EventBody::ApprovalTask(change) => wit::EventBody::ApprovalTask(approval_task(change)),
        EventBody::Contacts(change) => wit::EventBody::ContactsChange(wit::ContactsChange {
            event_type: event.event_type,
            user_ids: change.user_ids,
            dept_ids: change.dept_ids,
            label_ids: change.label_ids,
            operator: change.operator,
        }),
        EventBody::Chat(change) => wit::EventBody::ChatChange(chat_change(change)),
        _ => wit::EventBody::Other(wit::Other {
            event_type: event.event_type,
        }),
    }
}

fn decision(decision: dingtalk::Decision) -> wit::Decision {
    match decision {
        dingtalk::Decision::Agree => wit::Decision::Agree,
        dingtalk::Decision::Refuse => wit::Decision::Refuse,
    }
}

fn approval_instance(change: dingtalk::ApprovalInstance) -> wit::ApprovalInstance {
    wit::ApprovalInstance {
        instance_id: change.instance_id,
        process_code: change.process_code,
        business_id: change.business_id,
        title: change.title,
        originator: change.originator,
        change: match change.change {
            dingtalk::InstanceChange::Started => wit::InstanceChange::Started,
            dingtalk::InstanceChange::Finished(how) => wit::InstanceChange::Finished(decision(how)),
            dingtalk::InstanceChange::Terminated => wit::InstanceChange::Terminated,
            dingtalk::InstanceChange::Other(other) => wit::InstanceChange::Other(other),
        },
        created_at: change.created_at.map(to_f64),
        finished_at: change.finished_at.map(to_f64),
        url: change.url,
    }
}

fn approval_task(change: dingtalk::ApprovalTask) -> wit::ApprovalTask {
    wit::ApprovalTask {
        instance_id: change.instance_id,
        process_code: change.process_code,
        task_id: change.task_id,
        title: change.title,
        approver: change.approver,
        change: match change.change {
            dingtalk::TaskChange::Started => wit::TaskChange::Started,
            dingtalk::TaskChange::Finished(dingtalk::TaskDecision::Agree) => {
                wit::TaskChange::Finished(wit::TaskDecision::Agree)
            }
            dingtalk::TaskChange::Finished(dingtalk::TaskDecision::Refuse) => {
                wit::TaskChange::Finished(wit::TaskDecision::Refuse)
            }
            dingtalk::TaskChange::Finished(dingtalk::TaskDecision::Redirect) => {
                wit::TaskChange::Finished(wit::TaskDecision::Redirect)
            }
            dingtalk::TaskChange::Canceled => wit::TaskChange::Canceled,
            dingtalk::TaskChange::Other(other) => wit::TaskChange::Other(other),
        },
        remark: change.remark,
        created_at: change.created_at.map(to_f64),
        finished_at: change.finished_at.map(to_f64),
    }
}

fn chat_change(change: dingtalk::ChatChange) -> wit::ChatChange {
    wit::ChatChange {
        change: match change.change {
            dingtalk::ChatChangeKind::MembersAdded => wit::ChatChangeKind::MembersAdded,
            dingtalk::ChatChangeKind::MembersRemoved => wit::ChatChangeKind::MembersRemoved,
            dingtalk::ChatChangeKind::MemberQuit => wit::ChatChangeKind::MemberQuit,
            dingtalk::ChatChangeKind::OwnerChanged => wit::ChatChangeKind::OwnerChanged,
            dingtalk::ChatChangeKind::TitleChanged => wit::ChatChangeKind::TitleChanged,
            dingtalk::ChatChangeKind::Disbanded => wit::ChatChangeKind::Disbanded,
            dingtalk::ChatChangeKind::Unknown => wit::ChatChangeKind::Unknown,
        },
        chat_id: change.chat_id,
        conversation_id: change.conversation_id,
        operator: change.operator,
        user_ids: change.user_ids,
        owner: change.owner,
        title: change.title,
    }
}

fn alert(alert: Alert) -> wit::Alert {
    wit::Alert {
        hook: alert.hook,
        source: alert.source.to_string(),
        status: status(alert.status),
        group_key: alert.group_key,
        title: alert.title,
        severity: alert.severity,
        labels: labels(alert.labels),
        annotations: labels(alert.annotations),
        alerts: alert.alerts.into_iter().map(alert_item).collect(),
        truncated: alert.truncated,
        url: alert.url,
    }
}

fn timer(timer: Timer) -> wit::Timer {
    wit::Timer {
        due_at: to_f64(timer.due_at()),
        name: timer.name,
        payload: timer.payload,
    }
}

fn alert_item(item: AlertItem) -> wit::AlertItem {
    wit::AlertItem {
        status: status(item.status),
        fingerprint: item.fingerprint,
        labels: labels(item.labels),
        annotations: labels(item.annotations),
        starts_at: item.starts_at.map(to_f64),
        ends_at: item.ends_at.map(to_f64),
        url: item.url,
    }
}

fn status(status: AlertStatus) -> wit::AlertStatus {
    match status {
        AlertStatus::Firing => wit::AlertStatus::Firing,
        AlertStatus::Resolved => wit::AlertStatus::Resolved,
    }
}

fn labels(labels: BTreeMap<String, String>) -> Vec<wit::Label> {
    labels
        .into_iter()
        .map(|(name, value)| wit::Label { name, value })
        .collect()
}
