#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn parse(json: &str) -> Event {
    Event::parse(json).unwrap()
}

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn url_checks_of_all_three_kinds_are_recognised() {
    for event_type in [
        "check_url",
        "check_create_suite_url",
        "check_update_suite_url",
    ] {
        let event = parse(&format!(
            r#"{{"EventType":"{event_type}","Random":"LPIdSnlF"}}"#
        ));
        assert_eq!(event.body, EventBody::UrlCheck);
        assert_eq!(event.event_type, event_type);
    }
}

#[test]
fn a_captured_approval_end_is_read() {
    let event = parse(
        r#"{"processInstanceId":"6040-x","finishTime":1640683876000,"corpId":"ding1","EventType":"bpms_instance_change",
            "businessId":"202112281713000090163","title":"张三提交的请假","type":"finish","url":"https://aflow.dingtalk.com/x",
            "result":"agree","createTime":1640682789000,"processCode":"PROC-1","bizCategoryId":"","staffId":"manager164"}"#,
    );
    assert_eq!(event.corp_id, some("ding1"));
    assert_eq!(event.occurred_at, Some(UnixMs(1_640_683_876_000)));
    assert_eq!(
        event.body,
        EventBody::ApprovalInstance(ApprovalInstance {
            instance_id: "6040-x".into(),
            process_code: "PROC-1".into(),
            business_id: some("202112281713000090163"),
            title: "张三提交的请假".into(),
            originator: "manager164".into(),
            change: InstanceChange::Finished(Decision::Agree),
            created_at: Some(UnixMs(1_640_682_789_000)),
            finished_at: Some(UnixMs(1_640_683_876_000)),
            url: some("https://aflow.dingtalk.com/x"),
        })
    );
}

#[test]
fn every_change_of_an_instance_has_its_name() {
    let check = |members: &str, expected: InstanceChange| {
        let json = format!(
            r#"{{"EventType":"bpms_instance_change","CorpId":"c","processInstanceId":"i",{members}}}"#
        );
        let EventBody::ApprovalInstance(instance) = parse(&json).body else {
            panic!("{json}")
        };
        assert_eq!(instance.change, expected, "{json}");
    };
    check(r#""type":"start""#, InstanceChange::Started);
    check(
        r#""type":"finish","result":"agree""#,
        InstanceChange::Finished(Decision::Agree),
    );
    check(
        r#""type":"finish","result":"refuse""#,
        InstanceChange::Finished(Decision::Refuse),
    );
    check(
        r#""type":"finish","result":"void""#,
        InstanceChange::Other("finish/void".into()),
    );
    check(r#""type":"finish""#, InstanceChange::Other("finish".into()));
    check(r#""type":"terminate""#, InstanceChange::Terminated);
    check(r#""type":"delete""#, InstanceChange::Other("delete".into()));
    check(r#""title":null"#, InstanceChange::Other(String::new()));
}

#[test]
fn every_change_of_a_task_has_its_name() {
    let check = |members: &str, expected: TaskChange| {
        let json = format!(
            r#"{{"EventType":"bpms_task_change","corpId":"c","processInstanceId":"i","taskId":61234,{members}}}"#
        );
        let EventBody::ApprovalTask(task) = parse(&json).body else {
            panic!("{json}")
        };
        assert_eq!(task.change, expected, "{json}");
        assert_eq!(task.task_id, "61234");
    };
    check(r#""type":"start""#, TaskChange::Started);
    check(
        r#""type":"finish","result":"agree""#,
        TaskChange::Finished(TaskDecision::Agree),
    );
    check(
        r#""type":"finish","result":"refuse""#,
        TaskChange::Finished(TaskDecision::Refuse),
    );
    check(
        r#""type":"finish","result":"redirect""#,
        TaskChange::Finished(TaskDecision::Redirect),
    );
    check(r#""type":"cancel""#, TaskChange::Canceled);
    check(
        r#""type":"comment","result":"agree""#,
        TaskChange::Other("comment".into()),
    );
}

#[test]
fn an_approval_event_of_the_catalogue_dialect_is_read() {
    let event = parse(
        r#"{"EventType":"bpms_task_change","EventTime":"1700000000001","CorpId":"dingA","corpId":"dingB","BizId":"b1",
            "eventId":"e1","processInstanceId":"i","processCode":"PROC-1","taskId":"7","type":"finish","result":"refuse",
            "staffId":"u1","remark":"不行","title":"t","createTime":"1700000000000","finishTime":1700000000002}"#,
    );
    assert_eq!(event.event_id, some("e1"));
    assert_eq!(event.biz_id, some("b1"));
    assert_eq!(event.corp_id, some("dingA"));
    assert_eq!(event.occurred_at, Some(UnixMs(1_700_000_000_001)));
    let EventBody::ApprovalTask(task) = &event.body else {
        panic!()
    };
    assert_eq!(task.task_id, "7");
    assert_eq!(task.approver, "u1");
    assert_eq!(task.remark, some("不行"));
    assert_eq!(task.created_at, Some(UnixMs(1_700_000_000_000)));
    assert!(!format!("{event:?}").contains("不行"));
}

#[test]
fn contacts_events_read_the_same_in_both_dialects() {
    let wire = r#"{"CorpId":"ding1","EventType":"user_add_org","UserId":["18491","2"],"OptStaffId":"manager164","TimeStamp":"1640921671286"}"#;
    let catalogue = r#"{"CorpId":"ding1","EventType":"user_add_org","EventTime":1640921671286,"BizId":"b","userId":["18491","2"],"optStaffId":"manager164","timeStamp":"1640921671286"}"#;
    for json in [wire, catalogue] {
        let event = parse(json);
        assert_eq!(event.corp_id, some("ding1"));
        assert_eq!(event.occurred_at, Some(UnixMs(1_640_921_671_286)));
        assert_eq!(
            event.body,
            EventBody::Contacts(ContactsChange {
                user_ids: texts(&["18491", "2"]),
                dept_ids: vec![],
                label_ids: vec![],
                operator: some("manager164"),
            })
        );
    }
}

#[test]
fn departments_and_roles_are_read_as_text() {
    let contacts = |json: &str| match parse(json).body {
        EventBody::Contacts(contacts) => contacts,
        other => panic!("{other:?}"),
    };
    let dept = contacts(
        r#"{"EventType":"org_dept_modify","CorpId":"c","TimeStamp":"1","DeptId":[1,"22"]}"#,
    );
    assert_eq!(dept.dept_ids, ["1", "22"]);
    let label = contacts(
        r#"{"EventType":"label_user_change","CorpId":"c","UserIdList":["u"],"LabelIdList":[5],"action":"add"}"#,
    );
    assert_eq!(
        (label.user_ids, label.label_ids),
        (texts(&["u"]), texts(&["5"]))
    );
    let modified = contacts(
        r#"{"EventType":"label_conf_modify","labelIdList":[176318668975061512],"scope":"1","PreLabelList":["{}"]}"#,
    );
    assert_eq!(modified.label_ids, ["176318668975061512"]);
    for event_type in [
        "org_change",
        "org_remove",
        "org_admin_add",
        "user_active_org",
        "label_conf_del",
    ] {
        contacts(&format!(
            r#"{{"EventType":"{event_type}","CorpId":"c","TimeStamp":"1"}}"#
        ));
    }
}

#[test]
fn group_events_read_the_same_in_both_dialects() {
    let wire = r#"{"EventType":"chat_add_member","TimeStamp":1640000000000,"ChatId":"chat1","OpenConversationId":"cid1==","CorpId":"c","Operator":"op","OperatorUnionId":"x","UserId":["a","b"],"UnionId":["y"]}"#;
    let catalogue = r#"{"EventType":"chat_add_member","timeStamp":1640000000000,"chatId":"chat1","openConversationId":"cid1==","CorpId":"c","operator":"op","userId":["a","b"]}"#;
    for json in [wire, catalogue] {
        let event = parse(json);
        assert_eq!(event.occurred_at, Some(UnixMs(1_640_000_000_000)));
        assert_eq!(
            event.body,
            EventBody::Chat(ChatChange {
                change: ChatChangeKind::MembersAdded,
                chat_id: some("chat1"),
                conversation_id: some("cid1=="),
                operator: some("op"),
                user_ids: texts(&["a", "b"]),
                owner: None,
                title: None,
            })
        );
    }
}

#[test]
fn every_group_event_has_its_name() {
    for (event_type, expected) in [
        ("chat_remove_member", ChatChangeKind::MembersRemoved),
        ("chat_quit", ChatChangeKind::MemberQuit),
        ("chat_update_owner", ChatChangeKind::OwnerChanged),
        ("chat_update_title", ChatChangeKind::TitleChanged),
        ("chat_disband", ChatChangeKind::Disbanded),
        ("chat_template_change", ChatChangeKind::Unknown),
    ] {
        let json =
            format!(r#"{{"EventType":"{event_type}","Owner":"o","Title":"t","ChatId":"chat1"}}"#);
        let EventBody::Chat(chat) = parse(&json).body else {
            panic!("{event_type}")
        };
        assert_eq!(chat.change, expected);
        assert_eq!((chat.owner, chat.title), (some("o"), some("t")));
    }
}

#[test]
fn suite_events_are_read_and_keep_their_secrets() {
    let ticket = parse(
        r#"{"EventType":"suite_ticket","SuiteKey":"suite1","TimeStamp":1640000000000,"SuiteTicket":"hush"}"#,
    );
    assert_eq!(
        ticket.body,
        EventBody::Suite(SuiteEvent {
            suite_key: some("suite1"),
            change: SuiteChange::Ticket("hush".into()),
            agent_id: None,
            order_id: None,
        })
    );
    assert!(!format!("{ticket:?}").contains("hush"));

    let check = |json: &str, expected: SuiteChange, corp: Option<&str>| {
        let event = parse(json);
        assert_eq!(event.corp_id.as_deref(), corp);
        let EventBody::Suite(suite) = event.body else {
            panic!("{json}")
        };
        assert_eq!(suite.change, expected);
        suite
    };
    check(
        r#"{"EventType":"tmp_auth_code","SuiteKey":"s","TimeStamp":1,"AuthCode":"code","AuthCorpId":"c"}"#,
        SuiteChange::Authorized("code".into()),
        Some("c"),
    );
    check(
        r#"{"EventType":"change_auth","AuthCorpId":"c"}"#,
        SuiteChange::ScopeChanged,
        Some("c"),
    );
    check(
        r#"{"EventType":"suite_relieve","TimeStamp":"5","AuthCorpId":"c"}"#,
        SuiteChange::Relieved,
        Some("c"),
    );
    let stopped = check(
        r#"{"EventType":"org_micro_app_stop","AgentId":9,"AppId":1,"AuthCorpId":"c"}"#,
        SuiteChange::Disabled,
        Some("c"),
    );
    assert_eq!(stopped.agent_id, some("9"));
    check(
        r#"{"EventType":"org_micro_app_restore","AgentId":9}"#,
        SuiteChange::Enabled,
        None,
    );
    let bought = check(
        r#"{"EventType":"market_buy","orderId":31,"corpId":"c"}"#,
        SuiteChange::Ordered,
        Some("c"),
    );
    assert_eq!(bought.order_id, some("31"));
}

#[test]
fn check_ins_are_read_in_both_dialects() {
    let signed =
        parse(r#"{"EventType":"check_in","TimeStamp":1640000000000,"CorpId":"c","StaffId":"u"}"#);
    let EventBody::CheckIn(check_in) = signed.body else {
        panic!()
    };
    assert_eq!(check_in.kind, CheckInKind::SignIn);
    assert_eq!(check_in.records[0].user_id, "u");
    assert_eq!(
        check_in.records[0].checked_at,
        Some(UnixMs(1_640_000_000_000))
    );

    for list in ["DataList", "dataList"] {
        let event = parse(&format!(
            r#"{{"EventType":"attendance_check_record","{list}":[
                {{"corpId":"c","userId":"u1","checkTime":1640000000001,"address":"杭州","locationResult":"Normal"}},
                {{"corpId":"c","userId":"u2","checkTime":"1640000000002"}}, 5]}}"#
        ));
        assert_eq!(event.corp_id, some("c"));
        let EventBody::CheckIn(check_in) = event.body else {
            panic!()
        };
        assert_eq!(check_in.kind, CheckInKind::Attendance);
        assert_eq!(check_in.records.len(), 2);
        assert_eq!(check_in.records[0].location_result, some("Normal"));
        assert_eq!(
            check_in.records[1].checked_at,
            Some(UnixMs(1_640_000_000_002))
        );
    }
}

#[test]
fn unknown_and_crippled_events_are_other() {
    for json in [
        r#"{"EventType":"calendar_event_change","CorpId":"c"}"#,
        r#"{"EventType":"brand_new","x":[{"y":null}]}"#,
        r#"{"EventType":"bpms_instance_change","type":"start"}"#,
        r#"{"EventType":"suite_ticket","SuiteTicket":null}"#,
        r#"{"EventType":"Check_url"}"#,
    ] {
        assert_eq!(parse(json).body, EventBody::Other, "{json}");
    }
}

#[test]
fn what_is_no_event_is_refused() {
    let error = |json: &str| Event::parse(json).unwrap_err();
    assert!(matches!(error("success"), EventError::NotJson));
    assert!(matches!(error(""), EventError::NotJson));
    assert!(matches!(error("[]"), EventError::NotObject));
    assert!(matches!(error("{}"), EventError::NoEventType));
    assert!(matches!(
        error(r#"{"EventType":{}}"#),
        EventError::NoEventType
    ));
    assert!(matches!(error(&"[".repeat(100_000)), EventError::NotJson));
}

#[test]
fn the_dedupe_key_prefers_the_event_id_then_the_biz_id_then_the_text() {
    let key = |json: &str| parse(json).dedupe_key(json);
    assert_eq!(
        key(r#"{"EventType":"x","eventId":"e","BizId":"b"}"#),
        "event:e"
    );
    assert_eq!(key(r#"{"EventType":"x","BizId":"b"}"#), "biz:b");
    let hashed = key(r#"{"EventType":"x","a":[1,{"c":2,"b":null}]}"#);
    assert_eq!(hashed.len(), "sha256:".len() + 64);
    assert_ne!(hashed, key(r#"{"EventType":"y","a":[1,{"c":2,"b":null}]}"#));
    assert_ne!(hashed, key(r#"{"EventType":"x","a":[{"c":2,"b":null},1]}"#));
    let other_order = r#"{ "a": [1, {"b": null, "c": 2}], "EventType": "x" }"#;
    assert_eq!(hashed, key(other_order));
}

#[test]
fn an_approval_ends_once_whoever_tells_of_it() {
    let key = |members: &str| {
        let json =
            format!(r#"{{"EventType":"bpms_instance_change","processInstanceId":"i",{members}}}"#);
        parse(&json).dedupe_key(&json)
    };
    let end = approval_end_key("i");
    assert_eq!(
        key(r#""type":"finish","result":"agree","eventId":"e""#),
        end
    );
    assert_eq!(key(r#""type":"finish","result":"refuse""#), end);
    assert_eq!(key(r#""type":"terminate","BizId":"b""#), end);
    // Of anything else DingTalk may tell twice.
    assert_eq!(key(r#""type":"start","eventId":"e""#), "event:e");
    assert_eq!(key(r#""type":"start""#), "approval:i:start");
    assert!(key(r#""type":"delete""#).starts_with("sha256:"));
}

#[test]
fn a_step_without_an_id_is_recognised_by_what_happened_to_it() {
    let key = |members: &str| {
        let json =
            format!(r#"{{"EventType":"bpms_task_change","processInstanceId":"i",{members}}}"#);
        parse(&json).dedupe_key(&json)
    };
    let agreed = key(r#""taskId":7,"type":"finish","result":"agree","remark":"r""#);
    assert_eq!(agreed, "approval-task:i:7:agree");
    assert_ne!(
        agreed,
        key(r#""taskId":7,"type":"finish","result":"redirect""#)
    );
    assert!(key(r#""type":"finish","result":"agree""#).starts_with("sha256:"));
}

#[test]
fn two_reports_of_one_event_are_told_from_two_events() {
    let check = |one: &str, another: &str, same: bool| {
        assert_eq!(parse(one).repeats(&parse(another)), same, "{one} {another}");
    };
    let joined = r#"{"EventType":"user_add_org","CorpId":"d","UserId":["u"],"TimeStamp":"1000","OptStaffId":"m","eventId":"e"}"#;
    check(
        joined,
        r#"{"EventType":"user_add_org","CorpId":"d","UserId":["u"],"EventTime":2000}"#,
        true,
    );
    for other in [
        r#"{"EventType":"user_add_org","CorpId":"d","UserId":["u"],"EventTime":9000}"#,
        r#"{"EventType":"user_add_org","CorpId":"d","UserId":["v"],"EventTime":1000}"#,
        r#"{"EventType":"user_add_org","CorpId":"c","UserId":["u"],"EventTime":1000}"#,
        r#"{"EventType":"user_modify_org","CorpId":"d","UserId":["u"],"EventTime":1000}"#,
        r#"{"EventType":"user_add_org","CorpId":"d","UserId":["u"]}"#,
    ] {
        check(joined, other, false);
    }
    let step = |id: &str| {
        format!(
            r#"{{"EventType":"bpms_task_change","processInstanceId":"i","taskId":{id},"type":"start"}}"#
        )
    };
    check(&step("7"), &step("7"), true);
    check(&step("7"), &step("8"), false);
    let unknown = r#"{"EventType":"x_y","EventTime":1}"#;
    check(unknown, unknown, false);
}

proptest! {
    #[test]
    fn parsing_any_text_never_panics(text: String) {
        let _ = Event::parse(&text);
        let _ = Event::parse(&format!(r#"{{"EventType":{text}}}"#));
    }
}
