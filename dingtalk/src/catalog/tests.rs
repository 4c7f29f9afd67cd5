use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::*;

fn arguments(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

fn legacy(name: &str) -> &'static Call {
    let api = find(name).unwrap();
    api.calls(ApiStyle::Legacy).next().unwrap()
}

/// What the check says: the arguments that would be sent, or the error's text.
fn check(name: &str, given: Value) -> Result<Value, String> {
    legacy(name)
        .check(&arguments(given))
        .map(Value::Object)
        .map_err(|error| error.to_string())
}

#[test]
fn names_are_used_once_and_every_row_has_a_call() {
    let mut names = HashSet::new();
    let mut gateway = HashSet::new();
    let mut places = HashSet::new();
    for api in apis() {
        assert!(names.insert(api.name), "{} is there twice", api.name);
        assert_eq!(find(api.name).unwrap().name, api.name);
        if let Some(name) = api.gateway {
            assert!(gateway.insert(name), "{name} is there twice");
            assert_eq!(find_gateway(name).unwrap().name, api.name);
        }
        assert!(api.summary.ends_with('.'), "{}", api.name);
        let calls: Vec<&Call> = api.calls(ApiStyle::Modern).collect();
        assert!(!calls.is_empty(), "{} has no call", api.name);
        for call in calls {
            assert!(
                places.insert((call.verb == Verb::Get, call.path)),
                "{} is there twice",
                call.path
            );
            let mut fields = HashSet::new();
            for param in call.params {
                assert!(fields.insert(param.name), "{} {}", call.path, param.name);
            }
            for name in call.any_of {
                assert!(call.param(name).is_some(), "{} {name}", call.path);
            }
        }
    }
}

#[test]
fn every_name_that_other_services_call_is_there() {
    for name in [
        "asyncsend_v2",
        "getsendprogress",
        "getsendresult",
        "list_ids",
        "list",
        "departmentget",
        "list_parent_depts_by_dept",
        "list_parent_depts",
        "get_org_user_count",
        "userinfo",
        "getDeptMember",
        "listbypage",
        "getUseridByUnionid",
        "authScopes",
        "createChat",
        "chatInfo",
        "chatSend",
        "getReadList",
        "createProcessInstance",
        "getProcessInstance",
        "listProcessInstanceIds",
        "terminateProcessInstance",
        "registerCallBack",
        "updateCallBack",
        "getCallBack",
        "deleteCallBack",
        "getAuthInfo",
    ] {
        assert!(find_gateway(name).is_some(), "{name}");
    }
}

#[test]
fn what_dingtalk_must_refuse_is_found_and_named() {
    let many = |count: usize| -> Vec<String> { (0..count).map(|n| format!("u{n}")).collect() };
    let text = json!({"msgtype": "text", "text": {"content": "hi"}});
    for (name, given, expected) in [
        ("chat.get", json!({}), "chatid is missing"),
        ("chat.get", json!({"chatid": null}), "chatid is missing"),
        ("chat.get", json!({"chatid": " "}), "chatid is empty"),
        ("chat.get", json!({"chatid": 5}), "chatid must be a text"),
        (
            "chat.get",
            json!({"chatid": "c".repeat(257)}),
            "chatid has more than 256 characters",
        ),
        (
            "chat.create",
            json!({"name": "名".repeat(21), "owner": "a", "useridlist": ["a"]}),
            "name has more than 20 characters",
        ),
        (
            "chat.create",
            json!({"name": "n", "owner": "a", "useridlist": many(41)}),
            "useridlist has more than 40 entries",
        ),
        (
            "chat.create",
            json!({"name": "n", "owner": "a", "useridlist": []}),
            "useridlist is empty",
        ),
        (
            "chat.create",
            json!({"name": "n", "owner": "a", "useridlist": ["a", ""]}),
            "useridlist must be a list of texts that are not empty",
        ),
        (
            "chat.create",
            json!({"name": "n", "owner": "z", "useridlist": ["a"]}),
            "owner must be among useridlist",
        ),
        (
            "chat.create",
            json!({"name": "n", "owner": "a", "useridlist": ["a"], "searchable": 2}),
            "searchable must be a whole number between 0 and 1",
        ),
        (
            "chat.update",
            json!({"chatid": "c", "add_useridlist": ["a"], "del_useridlist": ["a"]}),
            "add_useridlist has somebody who is also in del_useridlist",
        ),
        (
            "chat.readers",
            json!({"messageId": "m", "cursor": 0, "size": 101}),
            "size must be a whole number between 1 and 100",
        ),
        (
            "chat.readers",
            json!({"messageId": "m", "cursor": "+1", "size": 1}),
            "cursor must be a whole number, 0 or more",
        ),
        (
            "chat.readers",
            json!({"messageId": "m", "cursor": "007", "size": 1}),
            "cursor must be a whole number, 0 or more",
        ),
        (
            "chat.readers",
            json!({"messageId": "m", "cursor": 0.5, "size": 1}),
            "cursor must be a whole number, 0 or more",
        ),
        (
            "chat.readers",
            json!({"messageId": "m", "cursor": "", "size": 1}),
            "cursor is empty",
        ),
        (
            "user.list",
            json!({"department_id": 1, "size": 1}),
            "offset is missing",
        ),
        (
            "user.list",
            json!({"department_id": 1, "offset": 0, "size": 1, "order": "up"}),
            "order must be one of entry_asc, entry_desc, modify_asc, modify_desc, custom",
        ),
        (
            "notice.send",
            json!({"msg": text}),
            "one of userid_list, dept_id_list, to_all_user is needed",
        ),
        (
            "notice.send",
            json!({"msg": text, "to_all_user": false, "userid_list": ""}),
            "one of userid_list, dept_id_list, to_all_user is needed",
        ),
        (
            "notice.send",
            json!({"msg": text, "userid_list": "a,,b"}),
            "userid_list must be a text with ids separated by commas, without spaces",
        ),
        (
            "notice.send",
            json!({"msg": text, "userid_list": many(101)}),
            "userid_list has more than 100 entries",
        ),
        ("notice.send", json!({"userid_list": "a"}), "msg is missing"),
        (
            "notice.send",
            json!({"userid_list": "a", "msg": {"msgtype": "text", "text": {"content": "x".repeat(20_000)}}}),
            "msg has more than 20000 bytes",
        ),
        (
            "approval.create",
            json!({"process_code": "P", "originator_user_id": "a", "dept_id": -1,
                   "form_component_values": [{"name": "n", "value": ["x"]}]}),
            "form_component_values must be a list of objects with a text as name and a text as value (lists and objects as JSON in that text)",
        ),
        (
            "approval.terminate",
            json!({"request": {"process_instance_id": "i", "is_system": false}}),
            "one of is_system, operating_userid is needed",
        ),
        (
            "approval.terminate",
            json!({"request": "i"}),
            "request must be an object",
        ),
        (
            "callback.register",
            json!({"call_back_tag": ["x"], "token": "short", "aes_key": "k".repeat(43), "url": "https://x"}),
            "token must be a text of 6 to 63 characters",
        ),
        (
            "callback.register",
            json!({"call_back_tag": ["x"], "token": "123456", "aes_key": "k".repeat(43), "url": "ftp://x"}),
            "url must be an http or https address",
        ),
    ] {
        assert_eq!(
            check(name, given.clone()),
            Err(expected.to_owned()),
            "{name} {given}"
        );
    }
    for msg in [
        json!("hi"),
        json!({}),
        json!({"msgtype": "text"}),
        json!({"msgtype": "text", "text": "hi"}),
    ] {
        let error = check("chat.send", json!({"chatid": "c", "msg": msg})).unwrap_err();
        assert!(error.starts_with("msg must be a message"), "{error}");
    }
}

#[test]
fn zero_and_false_are_values() {
    assert_eq!(
        check("user.count", json!({"onlyActive": 0})),
        Ok(json!({"onlyActive": 0}))
    );
    assert_eq!(
        check(
            "user.list",
            json!({"department_id": "1", "offset": "0", "size": 20.0})
        ),
        Ok(json!({"department_id": 1, "offset": 0, "size": 20}))
    );
    for (text, number) in [
        ("9223372036854775807", Some(i64::MAX)),
        ("9223372036854775808", None),
    ] {
        let read = check("department.get", json!({"id": text})).ok();
        assert_eq!(read, number.map(|number| json!({"id": number})));
    }
    assert_eq!(
        check("department.list", json!({"fetch_child": "false"})),
        Ok(json!({"fetch_child": false}))
    );
}

#[test]
fn arguments_get_the_form_that_is_sent() {
    let msg = json!({"msgtype": "text", "text": {"content": "hi"}});
    assert_eq!(
        check(
            "notice.send",
            json!({"userid_list": ["a", "b"], "dept_id_list": "7,8", "msg": msg, "agent_id": "1001"})
        ),
        Ok(json!({"userid_list": "a,b", "dept_id_list": "7,8", "msg": msg, "agent_id": 1001}))
    );
    // With and without its envelope; what the table does not know goes along, a token does not.
    let inner = json!({"process_instance_id": "i", "is_system": true, "future": 1});
    for given in [inner.clone(), json!({"request": inner.clone()})] {
        assert_eq!(check("approval.terminate", given), Ok(inner.clone()));
    }
    assert_eq!(
        check("auth.scopes", json!({"access_token": "stolen"})),
        Ok(json!({}))
    );
}

#[test]
fn texts_of_queries_and_forms_are_read_by_the_kind_of_their_field() {
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let create = legacy("chat.create");
    for list in ["a,b", "[\"a\",\"b\"]"] {
        let read = create
            .read_pairs(pairs(&[
                ("name", "5"),
                ("owner", "a"),
                ("useridlist", list),
            ]))
            .unwrap();
        assert_eq!(
            Value::Object(create.check(&read).unwrap()),
            json!({"name": "5", "owner": "a", "useridlist": ["a", "b"]})
        );
    }
    let read = create
        .read_pairs(pairs(&[("useridlist", "a"), ("useridlist", "b")]))
        .unwrap();
    assert_eq!(read["useridlist"], json!(["a", "b"]));
    let send = legacy("notice.send");
    let read = send
        .read_pairs(pairs(&[
            ("userid_list", "a"),
            ("userid_list", "b"),
            ("to_all_user", ""),
            (
                "msg",
                "{\"msgtype\":\"text\",\"text\":{\"content\":\"hi\"}}",
            ),
        ]))
        .unwrap();
    let checked = send.check(&read).unwrap();
    assert_eq!(checked["userid_list"], "a,b");
    assert_eq!(checked.get("to_all_user"), None);
    assert_eq!(
        send.read_pairs(pairs(&[("msg", "{")])).unwrap_err().field(),
        "msg"
    );
}

#[test]
fn the_arguments_choose_between_an_older_and_a_newer_call() {
    let api = find("approval.get").unwrap();
    for (given, path) in [
        (
            json!({"process_instance_id": "i"}),
            "/topapi/processinstance/get",
        ),
        (
            json!({"processInstanceId": "i"}),
            "/v1.0/workflow/processInstances",
        ),
    ] {
        for style in [ApiStyle::Legacy, ApiStyle::Modern] {
            let (call, _) = api.choose(style, &arguments(given.clone())).unwrap();
            assert_eq!(call.path, path);
        }
    }
    let user = find("user.get").unwrap();
    let given = arguments(json!({"userid": "a"}));
    let path = |style| user.choose(style, &given).unwrap().0.path;
    assert_eq!(path(ApiStyle::Legacy), "/user/get");
    assert_eq!(path(ApiStyle::Modern), "/topapi/v2/user/get");
    // The error is about the call that was meant.
    let wrong = arguments(json!({"processCode": "P", "originatorUserId": "a"}));
    let create = find("approval.create").unwrap();
    let error = create.choose(ApiStyle::Legacy, &wrong).unwrap_err();
    assert_eq!(error.to_string(), "formComponentValues is missing");
    // A wrong `id` is no reason to make the call that has none.
    let list = find("department.list").unwrap();
    let error = list
        .choose(ApiStyle::Legacy, &arguments(json!({"id": 0.5})))
        .unwrap_err();
    assert_eq!(error.field(), "id");
    let error = list
        .choose(
            ApiStyle::Legacy,
            &arguments(json!({"id": 1, "dept_id": "one"})),
        )
        .unwrap_err();
    assert_eq!(error.field(), "dept_id");
    // A call that takes them is made, though the other one knows as many of them.
    let both = json!({"process_instance_id": "i", "is_system": true, "isSystem": true, "operatingUserId": "a"});
    let terminate = find("approval.terminate").unwrap();
    let (call, _) = terminate
        .choose(ApiStyle::Modern, &arguments(both))
        .unwrap();
    assert_eq!(call.path, "/topapi/process/instance/terminate");
    let nothing = create.choose(ApiStyle::Legacy, &Map::new()).unwrap_err();
    assert_eq!(nothing.to_string(), "process_code is missing");
}
