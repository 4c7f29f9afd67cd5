//! From the members of a decrypted event to its type.

use super::{
    ApprovalInstance, ApprovalTask, ChatChange, ChatChangeKind, CheckIn, CheckInKind,
    CheckInRecord, ContactsChange, Decision, EventBody, InstanceChange, SuiteChange, SuiteEvent,
    TaskChange, TaskDecision,
};
use crate::members::Members;
use crate::{Secret, UnixMs};

/// The body of an event. An event of a known type that lacks what it is about becomes [`EventBody::Other`].
pub(super) fn body(event_type: &str, event: Members<'_>) -> EventBody {
    match event_type {
        "check_url" | "check_create_suite_url" | "check_update_suite_url" => EventBody::UrlCheck,
        "bpms_instance_change" => {
            approval_instance(event).map_or(EventBody::Other, EventBody::ApprovalInstance)
        }
        "bpms_task_change" => {
            approval_task(event).map_or(EventBody::Other, EventBody::ApprovalTask)
        }
        "user_add_org" | "user_modify_org" | "user_leave_org" | "user_active_org"
        | "org_admin_add" | "org_admin_remove" | "org_dept_create" | "org_dept_modify"
        | "org_dept_remove" | "org_change" | "org_remove" | "label_user_change"
        | "label_conf_add" | "label_conf_del" | "label_conf_modify" => {
            EventBody::Contacts(contacts(event))
        }
        "chat_add_member"
        | "chat_remove_member"
        | "chat_quit"
        | "chat_update_owner"
        | "chat_update_title"
        | "chat_disband"
        | "chat_template_change" => EventBody::Chat(chat(event_type, event)),
        "check_in" => EventBody::CheckIn(sign_in(event)),
        "attendance_check_record" => EventBody::CheckIn(attendance(event)),
        _ => suite(event_type, event).map_or(EventBody::Other, EventBody::Suite),
    }
}

/// The organisation an event belongs to, wherever its dialect writes it.
pub(super) fn corp_id(event: Members<'_>) -> Option<String> {
    event
        .first_text(&["CorpId", "corpid", "AuthCorpId"])
        .or_else(|| {
            event
                .objects("DataList")
                .find_map(|record| record.first_text(&["corpId", "corpid"]))
        })
}

/// When an event happened, wherever its dialect writes it.
pub(super) fn occurred_at(event: Members<'_>) -> Option<UnixMs> {
    ["EventTime", "TimeStamp", "finishTime", "createTime"]
        .iter()
        .find_map(|name| event.time(name))
}

fn approval_instance(event: Members<'_>) -> Option<ApprovalInstance> {
    let result = event.text("result");
    let change = match (
        event.text("type").as_deref().unwrap_or_default(),
        result.as_deref(),
    ) {
        ("start", _) => InstanceChange::Started,
        ("finish", Some("agree")) => InstanceChange::Finished(Decision::Agree),
        ("finish", Some("refuse")) => InstanceChange::Finished(Decision::Refuse),
        ("terminate", _) => InstanceChange::Terminated,
        (other, result) => InstanceChange::Other(unnamed(other, result)),
    };
    Some(ApprovalInstance {
        instance_id: event.text("processInstanceId")?,
        process_code: event.text("processCode").unwrap_or_default(),
        business_id: event.text("businessId"),
        title: event.text("title").unwrap_or_default(),
        originator: event.text("staffId").unwrap_or_default(),
        change,
        created_at: event.time("createTime"),
        finished_at: event.time("finishTime"),
        url: event.text("url"),
    })
}

fn approval_task(event: Members<'_>) -> Option<ApprovalTask> {
    let result = event.text("result");
    let change = match (
        event.text("type").as_deref().unwrap_or_default(),
        result.as_deref(),
    ) {
        ("start", _) => TaskChange::Started,
        ("finish", Some("agree")) => TaskChange::Finished(TaskDecision::Agree),
        ("finish", Some("refuse")) => TaskChange::Finished(TaskDecision::Refuse),
        ("finish", Some("redirect")) => TaskChange::Finished(TaskDecision::Redirect),
        ("cancel", _) => TaskChange::Canceled,
        (other, result) => TaskChange::Other(unnamed(other, result)),
    };
    Some(ApprovalTask {
        instance_id: event.text("processInstanceId")?,
        process_code: event.text("processCode").unwrap_or_default(),
        task_id: event.text("taskId").unwrap_or_default(),
        title: event.text("title").unwrap_or_default(),
        approver: event.text("staffId").unwrap_or_default(),
        change,
        remark: event.text("remark"),
        created_at: event.time("createTime"),
        finished_at: event.time("finishTime"),
    })
}

/// A `type` as it came; a finish keeps its unknown result, which is all that tells it from other finishes.
fn unnamed(change: &str, result: Option<&str>) -> String {
    match result {
        Some(result) if change == "finish" => format!("{change}/{result}"),
        _ => change.to_owned(),
    }
}

fn contacts(event: Members<'_>) -> ContactsChange {
    let mut user_ids = event.texts("userId");
    user_ids.extend(event.texts("userIdList"));
    ContactsChange {
        user_ids,
        dept_ids: event.texts("deptId"),
        label_ids: event.texts("labelIdList"),
        operator: event.first_text(&["optStaffId", "operator"]),
    }
}

fn chat(event_type: &str, event: Members<'_>) -> ChatChange {
    let change = match event_type {
        "chat_add_member" => ChatChangeKind::MembersAdded,
        "chat_remove_member" => ChatChangeKind::MembersRemoved,
        "chat_quit" => ChatChangeKind::MemberQuit,
        "chat_update_owner" => ChatChangeKind::OwnerChanged,
        "chat_update_title" => ChatChangeKind::TitleChanged,
        "chat_disband" => ChatChangeKind::Disbanded,
        _ => ChatChangeKind::Unknown,
    };
    ChatChange {
        change,
        chat_id: event.text("chatId"),
        conversation_id: event.text("openConversationId"),
        operator: event.text("operator"),
        user_ids: event.texts("userId"),
        owner: event.text("owner"),
        title: event.text("title"),
    }
}

fn sign_in(event: Members<'_>) -> CheckIn {
    let record = event
        .first_text(&["staffId", "userId"])
        .map(|user_id| CheckInRecord {
            user_id,
            checked_at: occurred_at(event),
            address: None,
            location_result: None,
        });
    CheckIn {
        kind: CheckInKind::SignIn,
        records: record.into_iter().collect(),
    }
}

fn attendance(event: Members<'_>) -> CheckIn {
    let records = event.objects("dataList").filter_map(|record| {
        Some(CheckInRecord {
            user_id: record.first_text(&["userId", "userid"])?,
            checked_at: record.time("checkTime"),
            address: record.text("address"),
            location_result: record.text("locationResult"),
        })
    });
    CheckIn {
        kind: CheckInKind::Attendance,
        records: records.collect(),
    }
}

fn suite(event_type: &str, event: Members<'_>) -> Option<SuiteEvent> {
    let change = match event_type {
        "suite_ticket" => SuiteChange::Ticket(Secret::new(event.text("suiteTicket")?)),
        "tmp_auth_code" => SuiteChange::Authorized(Secret::new(event.text("authCode")?)),
        "change_auth" => SuiteChange::ScopeChanged,
        "suite_relieve" => SuiteChange::Relieved,
        "org_micro_app_restore" => SuiteChange::Enabled,
        "org_micro_app_stop" => SuiteChange::Disabled,
        "market_buy" => SuiteChange::Ordered,
        _ => return None,
    };
    Some(SuiteEvent {
        suite_key: event.text("suiteKey"),
        change,
        agent_id: event.text("agentId"),
        order_id: event.text("orderId"),
    })
}
