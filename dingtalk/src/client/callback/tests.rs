#![allow(clippy::unwrap_used)]

use super::*;
use crate::{Decision, Event, EventBody, InstanceChange, UnixMs};

fn event_of(entry: Value) -> Event {
    Event::parse(&push_of(&entry).json).unwrap()
}

#[test]
fn a_captured_approval_of_the_failed_list_reads_like_its_push() {
    let event = event_of(json!({
        "event_time": 1_553_959_282_000_i64, "call_back_tag": "bpms_instance_change",
        "bpms_instance_change": {"corpid": "ding06", "bpmsCallBackData": {
            "result": "agree", "createTime": 1_553_958_191_000_i64, "title": "t", "staffId": "manager405",
            "processCode": "PROC-1", "processInstanceId": "3517", "bizCategoryId": "",
            "finishTime": 1_553_959_283_000_i64, "EventType": "bpms_instance_change", "type": "finish",
            "corpId": "ding06"}},
    }));
    assert_eq!(event.corp_id.as_deref(), Some("ding06"));
    assert_eq!(event.occurred_at, Some(UnixMs(1_553_959_283_000)));
    let EventBody::ApprovalInstance(change) = event.body else {
        panic!("{event:?}")
    };
    assert_eq!(change.instance_id, "3517");
    assert_eq!(change.change, InstanceChange::Finished(Decision::Agree));
}

#[test]
fn a_change_of_contacts_is_found_under_its_small_letters() {
    let event = event_of(json!({
        "user_add_org": {"userid": ["zhangsan"], "corpid": "ding24"},
        "call_back_tag": "user_add_org", "event_time": 1_606_126_433_000_i64,
    }));
    assert_eq!(event.event_type, "user_add_org");
    assert_eq!(event.corp_id.as_deref(), Some("ding24"));
    assert_eq!(event.occurred_at, Some(UnixMs(1_606_126_433_000)));
    let EventBody::Contacts(change) = event.body else {
        panic!("{event:?}")
    };
    assert_eq!(change.user_ids, ["zhangsan"]);
}

#[test]
fn every_wrapper_is_taken_off_also_one_that_is_text() {
    for wrapper in WRAPPERS {
        for inner in [json!({"chatId": "c1"}), json!("{\"chatId\":\"c1\"}")] {
            let event = event_of(json!({
                "call_back_tag": "chat_disband", "chat_disband": {"corpid": "d", wrapper: inner},
            }));
            let EventBody::Chat(change) = event.body else {
                panic!("{wrapper}: {event:?}")
            };
            assert_eq!(change.chat_id.as_deref(), Some("c1"), "{wrapper}");
            assert_eq!(event.corp_id.as_deref(), Some("d"), "{wrapper}");
        }
    }
}

#[test]
fn an_entry_without_its_tag_is_named_by_its_member() {
    let push = push_of(&json!({"event_time": 1, "org_change": {"corpid": "d"}}));
    assert_eq!(push.event_type, "org_change");
}

#[test]
fn what_has_another_form_is_kept_whole() {
    for entry in [
        json!({"call_back_tag": "org_change", "event_time": 1}),
        json!({"call_back_tag": "org_change", "org_change": 5}),
        json!({"event_time": 1}),
        json!([1, 2]),
        json!("text"),
        Value::Null,
    ] {
        let push = push_of(&entry);
        let event: Value = serde_json::from_str(&push.json).unwrap();
        assert_eq!(event["entry"], entry);
        assert!(Event::parse(&push.json).is_ok(), "{entry}");
    }
}

#[test]
fn a_push_and_its_entry_have_the_same_dedupe_key_where_the_entry_has_all_of_it() {
    let pushed = r#"{"TimeStamp":"17","EventType":"check_in","CorpId":"d","StaffId":"u"}"#;
    let entry = push_of(&json!({
        "call_back_tag": "check_in", "event_time": 17,
        "check_in": {"corpid": "d", "callbackData": {"EventType": "check_in", "StaffId": "u", "CorpId": "d", "TimeStamp": "17"}},
    }));
    let key = |json: &str| Event::parse(json).unwrap().dedupe_key(json);
    assert_eq!(key(pushed), key(&entry.json));
}
