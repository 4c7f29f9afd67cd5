//! Every name does what its call does.

use std::cell::RefCell;
use std::collections::BTreeSet;

use belfry_tests::{AES_KEY, CALLBACK_TOKEN, Doors};
use dingtalk::catalog;
use serde_json::{Value, json};

use super::{bot, call, stage, text};
use crate::isv;

/// The gateway, and the names that answered.
struct Served<'a> {
    doors: &'a Doors,
    names: RefCell<BTreeSet<String>>,
}

impl Served<'_> {
    async fn data(&self, name: &str, body: Value) -> Value {
        let (status, answer) = call(self.doors, name, body).await;
        assert_eq!(
            (status, &answer["success"]),
            (200, &json!(true)),
            "{name}: {answer}"
        );
        self.names.borrow_mut().insert(name.to_owned());
        answer["data"].clone()
    }
}

#[tokio::test]
async fn every_name_of_the_gateway_reaches_its_call() {
    let stage = stage(&bot().table(&isv::app(), &[])).await;
    let belfry = isv::with_one_corp(&stage).await;
    let served = Served {
        doors: &belfry.doors,
        names: RefCell::default(),
    };
    contacts(&served).await;
    groups(&served).await;
    notices(&served).await;
    approvals(&served).await;
    callbacks(&served).await;
    let asked = json!({"app": "vendor", "auth_corpid": isv::CORPS[0]});
    let granted = served.data("getAuthInfo", asked).await;
    assert_eq!(granted["auth_corp_info"]["corpid"], isv::CORPS[0]);

    let all = catalog::apis().filter_map(|api| api.gateway);
    let all: BTreeSet<String> = all.map(str::to_owned).collect();
    assert_eq!(served.names.into_inner(), all);
    belfry.stop().await;
}

async fn contacts(served: &Served<'_>) {
    assert_eq!(
        served.data("userinfo", json!({"userid": "alice"})).await["userid"],
        "alice"
    );
    let ids = served.data("list_ids", json!({"id": 1})).await;
    let below = ids["sub_dept_id_list"][0].as_i64().unwrap();
    assert!(served.data("list", json!({"id": 1})).await["department"].is_array());
    assert_eq!(
        served.data("departmentget", json!({"id": below})).await["id"],
        below
    );
    let up = served
        .data("list_parent_depts_by_dept", json!({"id": below}))
        .await;
    assert_eq!(up["parentIds"], json!([below, 1]));
    assert!(
        served
            .data("list_parent_depts", json!({"userId": "alice"}))
            .await["department"]
            .is_array()
    );
    let all = served
        .data("get_org_user_count", json!({"onlyActive": 0}))
        .await["count"]
        .as_i64();
    assert!(all > Some(0), "{all:?}");
    let page = served
        .data(
            "listbypage",
            json!({"department_id": 1, "offset": 0, "size": 100}),
        )
        .await;
    assert!(page["userlist"].is_array(), "{page}");
    assert!(served.data("getDeptMember", json!({"deptId": below})).await["userIds"].is_array());
    let union = served.data("userinfo", json!({"userid": "alice"})).await["unionid"].clone();
    assert_eq!(
        served
            .data("getUseridByUnionid", json!({"unionid": union}))
            .await["userid"],
        "alice"
    );
    assert!(served.data("authScopes", json!({})).await["auth_org_scopes"].is_object());
}

async fn groups(served: &Served<'_>) {
    let chat = served
        .data(
            "createChat",
            json!({"name": "外部", "owner": "alice", "useridlist": ["alice", "bob"]}),
        )
        .await;
    let chat = chat["chatid"].clone();
    let info = served.data("chatInfo", json!({"chatid": chat})).await;
    assert_eq!(info["chat_info"]["owner"], "alice");
    let sent = served
        .data("chatSend", json!({"chatid": chat, "msg": text("你好")}))
        .await;
    let read = served
        .data(
            "getReadList",
            json!({"messageId": sent["messageId"], "cursor": 0, "size": 2}),
        )
        .await;
    assert_eq!(read["errcode"], 0);
}

async fn notices(served: &Served<'_>) {
    // The agent id is the app's.
    let task = served
        .data(
            "asyncsend_v2",
            json!({"userid_list": "alice,bob", "msg": text("下班了")}),
        )
        .await;
    let task = task["task_id"].clone();
    assert!(task.is_i64());
    assert_eq!(
        served
            .data("getsendprogress", json!({"task_id": task}))
            .await["progress"]["status"],
        2
    );
    let result = served.data("getsendresult", json!({"task_id": task})).await;
    assert_eq!(
        result["send_result"]["unread_user_id_list"],
        json!(["alice", "bob"])
    );
}

async fn approvals(served: &Served<'_>) {
    let fields = json!([{"name": "请假类型", "value": "年假"}, {"name": "请假天数", "value": "1"}, {"name": "请假事由", "value": "搬家"}]);
    let body = json!({"process_code": "PROC-LEAVE", "originator_user_id": "alice", "dept_id": -1, "form_component_values": fields});
    let instance = served.data("createProcessInstance", body).await["process_instance_id"].clone();
    let read = served
        .data(
            "getProcessInstance",
            json!({"process_instance_id": instance}),
        )
        .await;
    assert_eq!(read["process_instance"]["status"], "RUNNING");
    let start = json!({"process_code": "PROC-LEAVE", "start_time": now_ms() - 60_000, "size": 20, "cursor": 0});
    let listed = served.data("listProcessInstanceIds", start).await;
    assert_eq!(listed["result"]["list"], json!([instance]));
    let end = json!({"request": {"process_instance_id": instance, "is_system": true}});
    served.data("terminateProcessInstance", end).await;
    let read = served
        .data(
            "getProcessInstance",
            json!({"process_instance_id": instance}),
        )
        .await;
    assert_eq!(read["process_instance"]["status"], "TERMINATED");
}

async fn callbacks(served: &Served<'_>) {
    let url = format!("http://{}/callback/acme", served.doors.public);
    let with = |tags: &[&str]| json!({"call_back_tag": tags, "token": CALLBACK_TOKEN, "aes_key": AES_KEY, "url": url});
    // DingTalk asks the address before it answers.
    served
        .data("registerCallBack", with(&["bpms_instance_change"]))
        .await;
    let registered = served.data("getCallBack", json!({})).await;
    assert_eq!(
        (&registered["url"], &registered["token"]),
        (&json!(url), &json!(CALLBACK_TOKEN))
    );
    served
        .data("updateCallBack", with(&["bpms_task_change"]))
        .await;
    let registered = served.data("getCallBack", json!({})).await;
    assert_eq!(registered["call_back_tag"], json!(["bpms_task_change"]));
    served.data("deleteCallBack", json!({})).await;
    let (status, gone) = call(served.doors, "getCallBack", json!({})).await;
    assert_eq!((status, &gone["errcode"]), (409, &json!(71007)), "{gone}");
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
