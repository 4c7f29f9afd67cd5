//! Approvals by API and by hand, and the events of both.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::Options;

use crate::stage::Stage;

const CREATE: &str = "/topapi/processinstance/create";

fn leave() -> Value {
    json!({
        "process_code": "PROC-LEAVE", "originator_user_id": "alice", "dept_id": -1, "agent_id": 1001,
        "form_component_values": [{"name": "请假天数", "value": "2"}, {"name": "请假事由", "value": "看牙"}],
    })
}

async fn create(stage: &Stage, extra: Value) -> String {
    let mut body = leave();
    body.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    let made = stage.call(CREATE, body).await;
    assert_eq!(made["errcode"], 0, "{made}");
    made["process_instance_id"].as_str().unwrap().to_owned()
}

async fn get(stage: &Stage, id: &str) -> Value {
    let got = stage
        .call(
            "/topapi/processinstance/get",
            json!({"process_instance_id": id}),
        )
        .await;
    got["process_instance"].clone()
}

/// `instance start`, `task finish agree` and so on.
fn summary(event: &Value) -> String {
    let kind = if event["EventType"] == "bpms_instance_change" {
        "instance"
    } else {
        "task"
    };
    let result = event["result"]
        .as_str()
        .map(|result| format!(" {result}"))
        .unwrap_or_default();
    format!(
        "{kind} {} {}{result}",
        event["staffId"].as_str().unwrap(),
        event["type"].as_str().unwrap()
    )
}

#[tokio::test]
async fn an_approval_by_api_is_decided_on_the_page() {
    let stage = Stage::new().await;
    let id = create(&stage, json!({})).await;
    let running = get(&stage, &id).await;
    assert_eq!(
        (&running["status"], &running["result"]),
        (&json!("RUNNING"), &json!(""))
    );
    assert_eq!(running["title"], "林爱丽提交的请假");
    assert_eq!(running["tasks"][0]["userid"], "manager");
    assert_eq!(running["form_component_values"][0]["value"], "2");
    assert!(running.get("finish_time").is_none());

    let body = json!({"userid": "manager", "result": "agree", "remark": "好"});
    let decided = stage
        .post(&format!("/_sim/approvals/{id}/decide"), body)
        .await;
    assert_eq!(
        (&decided["status"], &decided["result"]),
        (&json!("COMPLETED"), &json!("agree"))
    );
    let done = get(&stage, &id).await;
    assert_eq!(
        (&done["status"], &done["result"]),
        (&json!("COMPLETED"), &json!("agree"))
    );
    assert_eq!(
        done["finish_time"].as_str().unwrap().len(),
        "yyyy-MM-dd HH:mm:ss".len()
    );
    assert_eq!(done["operation_records"][1]["operation_result"], "AGREE");

    let events = stage.receiver.wait_for_events(4).await;
    let summaries: Vec<String> = events.iter().map(summary).collect();
    for expected in [
        "instance alice start",
        "task manager start",
        "task manager finish agree",
        "instance alice finish agree",
    ] {
        assert!(summaries.contains(&expected.to_owned()), "{summaries:?}");
    }
    for event in &events {
        assert_eq!(
            (&event["processInstanceId"], &event["corpId"]),
            (&json!(id), &json!("dingcorp"))
        );
        assert!(event["eventId"].is_string());
    }
    let told = events
        .iter()
        .find(|event| summary(event) == "task manager finish agree")
        .unwrap();
    assert_eq!(told["remark"], "好");
}

#[tokio::test]
async fn an_approval_by_hand_is_decided_by_api() {
    let stage = Stage::new().await;
    let body = json!({"app": "acme", "processCode": "PROC-1", "originator": "bob",
        "fields": [{"name": "事由", "value": "换屏幕"}]});
    let made = stage.post("/_sim/approvals", body).await;
    let (id, task) = (made["id"].clone(), made["tasks"][0]["taskId"].clone());
    let execute = async |task: &Value, userid: &str, result: &str| {
        let request = json!({"process_instance_id": id, "task_id": task, "actioner_userid": userid, "result": result});
        stage
            .call(
                "/topapi/process/instance/execute",
                json!({"request": request}),
            )
            .await
    };
    assert_eq!(execute(&task, "alice", "agree").await["errcode"], 820006);
    assert_eq!(
        execute(&json!(99), "manager", "agree").await["errcode"],
        820006
    );
    assert_eq!(execute(&task, "manager", "perhaps").await["errcode"], 40035);
    assert_eq!(execute(&task, "manager", "refuse").await["result"], true);
    assert_eq!(execute(&task, "manager", "agree").await["errcode"], 820005);
    let listed = stage.get("/_sim/approvals").await;
    assert_eq!(
        (&listed[0]["status"], &listed[0]["result"]),
        (&json!("COMPLETED"), &json!("refuse"))
    );
}

#[tokio::test]
async fn the_flow_of_the_request_is_followed() {
    let stage = Stage::new().await;
    let flow = json!({"approvers": "dave", "approvers_v2": [
        {"task_action_type": "OR", "user_ids": ["bob", "carol"]},
        {"task_action_type": "NONE", "user_ids": ["manager"]},
    ]});
    let id = create(&stage, flow).await;
    let decide = async |userid: &str| {
        let body = json!({"userid": userid, "result": "agree"});
        stage
            .post_status(&format!("/_sim/approvals/{id}/decide"), body)
            .await
    };
    assert_eq!(decide("manager").await.0, 400);
    let (_, approval) = decide("carol").await;
    let tasks: Vec<&str> = approval["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["status"].as_str().unwrap())
        .collect();
    assert_eq!(tasks, ["CANCELED", "COMPLETED", "RUNNING"]);
    assert_eq!(decide("manager").await.1["status"], "COMPLETED");
    assert_eq!(decide("manager").await.0, 409);
    let events = stage.receiver.wait_for_events(8).await;
    assert!(
        events
            .iter()
            .any(|event| summary(event) == "task bob cancel")
    );

    let id = create(&stage, json!({"approvers": "bob,carol"})).await;
    let tasks = get(&stage, &id).await["tasks"].clone();
    assert_eq!(
        (tasks.as_array().unwrap().len(), &tasks[0]["userid"]),
        (1, &json!("bob"))
    );
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let stage = Stage::new().await;
    let check = async |change: Value, code: i64| {
        let mut body = leave();
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        assert_eq!(stage.call(CREATE, body).await["errcode"], code, "{change}");
    };
    check(json!({"process_code": "PROC-NONE"}), 820001).await;
    check(json!({"originator_user_id": "ghost"}), 33012).await;
    check(json!({"dept_id": null}), 40035).await;
    check(json!({"dept_id": 77}), 60003).await;
    check(json!({"agent_id": 7}), 40056).await;
    check(json!({"form_component_values": "x"}), 40035).await;
    check(
        json!({"form_component_values": [{"name": "请假天数", "value": 2}]}),
        40035,
    )
    .await;
    check(json!({"approvers": "ghost"}), 33012).await;
    check(
        json!({"approvers_v2": [{"task_action_type": "AND", "user_ids": ["bob"]}]}),
        40035,
    )
    .await;
    check(
        json!({"approvers_v2": [{"task_action_type": "NONE", "user_ids": ["bob", "carol"]}]}),
        40035,
    )
    .await;
    let unknown = stage
        .call(
            "/topapi/processinstance/get",
            json!({"process_instance_id": "x"}),
        )
        .await;
    assert_eq!(unknown["errcode"], 400_002);
}

#[tokio::test]
async fn an_approval_cannot_be_withdrawn_at_once_by_an_app() {
    let terminate = async |stage: &Stage, id: &str, userid: &str| {
        let request =
            json!({"process_instance_id": id, "is_system": false, "operating_userid": userid});
        stage
            .call(
                "/topapi/process/instance/terminate",
                json!({"request": request}),
            )
            .await
    };
    let stage = Stage::new().await;
    let id = create(&stage, json!({})).await;
    assert_eq!(terminate(&stage, &id, "alice").await["errcode"], 820005);

    let stage = Stage::with(Options {
        terminate_after: Duration::ZERO,
        ..Options::default()
    })
    .await;
    let id = create(&stage, json!({})).await;
    assert_eq!(terminate(&stage, &id, "bob").await["errcode"], 820006);
    assert_eq!(terminate(&stage, &id, "alice").await["success"], true);
    assert_eq!(get(&stage, &id).await["status"], "TERMINATED");
    let events = stage.receiver.wait_for_events(4).await;
    let ended = events
        .iter()
        .find(|event| event["type"] == "terminate")
        .unwrap();
    assert!(ended.get("result").is_none() && ended["finishTime"].is_i64());
}

#[tokio::test]
async fn a_person_withdraws_only_what_is_his() {
    let stage = Stage::new().await;
    let id = create(&stage, json!({})).await;
    let door = format!("/_sim/approvals/{id}/terminate");
    assert_eq!(
        stage.post_status(&door, json!({"userid": "bob"})).await.0,
        400
    );
    assert_eq!(
        stage.post(&door, json!({"userid": "alice"})).await["status"],
        "TERMINATED"
    );
}

#[tokio::test]
async fn instances_are_listed_in_pages() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(create(&stage, json!({})).await);
    }
    let now = jiff::Timestamp::now().as_millisecond();
    let list = async |change: Value| {
        let mut body = json!({"process_code": "PROC-LEAVE", "start_time": now - 60_000, "size": 2, "cursor": 0});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        stage.call("/topapi/processinstance/listids", body).await
    };
    let first = list(json!({})).await;
    assert_eq!(
        (&first["result"]["list"], &first["result"]["next_cursor"]),
        (&json!(ids[..2]), &json!(2))
    );
    let last = list(json!({"cursor": 2, "userid_list": "alice"})).await;
    assert_eq!(
        (&last["result"]["list"], last["result"].get("next_cursor")),
        (&json!(ids[2..]), None)
    );
    assert_eq!(
        list(json!({"userid_list": "bob"})).await["result"]["list"],
        json!([])
    );
    assert_eq!(list(json!({"size": 21})).await["errcode"], 40069);
    assert_eq!(
        list(json!({"start_time": now - 121 * 86_400_000})).await["errcode"],
        400_002
    );
    assert_eq!(
        list(json!({"start_time": i64::MIN, "end_time": i64::MAX})).await["errcode"],
        400_002
    );
}

#[tokio::test]
async fn comments_and_templates_are_there() {
    let stage = Stage::new().await;
    let id = create(&stage, json!({})).await;
    let request = json!({"process_instance_id": id, "comment_userid": "bob", "text": "早日康复"});
    let added = stage
        .call(
            "/topapi/process/instance/comment/add",
            json!({"request": request}),
        )
        .await;
    assert_eq!(
        (&added["result"], &added["success"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        stage.get("/_sim/approvals").await[0]["comments"][0]["text"],
        "早日康复"
    );
    let found = stage
        .call("/topapi/process/get_by_name", json!({"name": "请假"}))
        .await;
    assert_eq!(found["process_code"], "PROC-LEAVE");
    assert_eq!(
        stage
            .call("/topapi/process/get_by_name", json!({"name": "x"}))
            .await["errcode"],
        820004
    );
    let listed = stage
        .call(
            "/topapi/process/listbyuserid",
            json!({"offset": 0, "size": 1}),
        )
        .await;
    assert_eq!(listed["result"]["next_cursor"], 1);
}
