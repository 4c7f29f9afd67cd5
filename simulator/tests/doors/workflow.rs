//! The newer approval calls, over the instances of the older ones.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::Options;

use crate::stage::Stage;

const INSTANCES: &str = "/v1.0/workflow/processInstances";

fn form(fields: Value) -> Value {
    json!({"processCode": "PROC-FORM", "originatorUserId": "alice", "deptId": -1, "formComponentValues": fields})
}

fn merged(mut body: Value, change: Value) -> Value {
    body.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    body
}

fn reason() -> Value {
    json!([{"name": "事由", "value": "出差"}])
}

async fn create(stage: &Stage, extra: Value) -> String {
    let (status, made) = stage
        .call_v1(INSTANCES, merged(form(reason()), extra))
        .await;
    assert_eq!(status, 200, "{made}");
    made["instanceId"].as_str().unwrap().to_owned()
}

async fn get(stage: &Stage, id: &str) -> Value {
    let (_, got) = stage
        .ask_v1(INSTANCES, &format!("processInstanceId={id}"))
        .await;
    got
}

#[tokio::test]
async fn one_instance_is_seen_by_both_styles() {
    let stage = Stage::new().await;
    let id = create(&stage, json!({})).await;
    let newer = get(&stage, &id).await;
    assert_eq!(newer["success"], "true");
    let newer = &newer["result"];
    let older = stage
        .call(
            "/topapi/processinstance/get",
            json!({"process_instance_id": id}),
        )
        .await;
    let older = &older["process_instance"];
    assert_eq!(newer["title"], older["title"]);
    assert_eq!(newer["businessId"], older["business_id"]);
    assert_eq!(
        (&newer["status"], &newer["result"]),
        (&json!("RUNNING"), &json!(""))
    );
    assert_eq!(
        newer["tasks"][0]["taskId"].to_string(),
        older["tasks"][0]["taskid"].as_str().unwrap()
    );
    assert_eq!(
        newer["createTime"].as_str().unwrap().len(),
        "2022-08-31T11:52Z".len()
    );
    let (status, gone) = stage.ask_v1(INSTANCES, "processInstanceId=none").await;
    assert_eq!(
        (status, &gone["code"]),
        (400, &json!("processInstanceNotExist"))
    );
}

#[tokio::test]
async fn what_a_new_instance_breaks_is_refused_by_its_code() {
    let stage = Stage::new().await;
    let check = async |change: Value, code: &str| {
        let (status, told) = stage
            .call_v1(INSTANCES, merged(form(reason()), change.clone()))
            .await;
        assert_eq!((status, &told["code"]), (400, &json!(code)), "{change}");
    };
    check(json!({"processCode": "PROC-NONE"}), "processCodeError").await;
    check(json!({"originatorUserId": "ghost"}), "userNotExist").await;
    check(json!({"deptId": null}), "invalidParameter").await;
    check(json!({"microappAgentId": 7}), "invalidAgentId").await;
    check(
        json!({"formComponentValues": [{"name": "天数", "value": 2}]}),
        "invalidParameter",
    )
    .await;
    check(
        json!({"formComponentValues": [{"name": "天数", "value": "2"}]}),
        "formConverterError",
    )
    .await;
    check(json!({"formComponentValues": [{"name": "事由", "value": "x"}, {"name": "类型", "value": "休假"}]}), "formConverterError").await;
    check(
        json!({"approvers": [{"actionType": "AND", "userIds": ["bob"]}]}),
        "invalidParameter",
    )
    .await;
    check(
        json!({"formComponentValues": vec![json!({"name": "x", "value": "y"}); 151]}),
        "invalidParameter",
    )
    .await;
    assert!(
        stage
            .get("/_sim/approvals")
            .await
            .as_array()
            .unwrap()
            .is_empty()
    );
    // The older call has the same rules.
    let body = json!({"process_code": "PROC-FORM", "originator_user_id": "alice", "dept_id": 1,
        "form_component_values": [{"name": "事由", "value": "x"}, {"name": "日期", "value": "tomorrow"}]});
    assert_eq!(
        stage.call("/topapi/processinstance/create", body).await["errcode"],
        820001
    );
}

#[tokio::test]
async fn a_step_is_handed_on_and_decided() {
    let stage = Stage::new().await;
    let id = create(&stage, json!({})).await;
    let task = get(&stage, &id).await["result"]["tasks"][0]["taskId"].clone();
    let redirect = async |task: &Value, from: &str, to: &str| {
        let body = json!({"taskId": task, "operateUserId": from, "toUserId": to});
        stage.call_v1("/v1.0/workflow/tasks/redirect", body).await
    };
    assert_eq!(
        redirect(&task, "bob", "carol").await.1["code"],
        "param.illegal.operator"
    );
    assert_eq!(
        redirect(&task, "manager", "ghost").await.1["code"],
        "param.illegal"
    );
    assert_eq!(
        redirect(&Value::Null, "manager", "bob").await.1["code"],
        "param.blank"
    );
    assert_eq!(redirect(&task, "manager", "bob").await.1["result"], true);
    assert_eq!(
        redirect(&task, "manager", "bob").await.1["code"],
        "param.illegal.operator"
    );
    let result = get(&stage, &id).await["result"].clone();
    assert_eq!(
        (&result["tasks"][0]["result"], &result["tasks"][1]["userId"]),
        (&json!("REDIRECTED"), &json!("bob"))
    );
    assert_eq!(result["operationRecords"][1]["type"], "REDIRECT_TASK");
    let pending = stage
        .ask_v1("/v1.0/workflow/processes/todoTasks/numbers", "userId=bob")
        .await;
    assert_eq!(pending.1["result"], 1);

    let execute = async |task: &Value, who: &str, result: &str| {
        let body = json!({"processInstanceId": id, "taskId": task, "actionerUserId": who, "result": result});
        stage.call_v1(&format!("{INSTANCES}/execute"), body).await.1
    };
    let task = &result["tasks"][1]["taskId"];
    assert_eq!(
        execute(task, "manager", "agree").await["code"],
        "invalidInstanceExecuteTaskId"
    );
    assert_eq!(
        execute(task, "bob", "perhaps").await["code"],
        "invalidInstanceExecuteResult"
    );
    assert_eq!(execute(task, "bob", "agree").await["result"], true);
    assert_eq!(
        execute(task, "bob", "agree").await["code"],
        "aflowProcessInstCanNotBeExecuted"
    );
    let events = stage.receiver.wait_for_events(6).await;
    assert!(events.iter().any(|event| event["result"] == "redirect"));
}

#[tokio::test]
async fn a_young_instance_is_not_withdrawn() {
    let stage = Stage::new().await;
    let id = create(&stage, json!({})).await;
    let terminate = async |body: Value| {
        stage
            .call_v1(&format!("{INSTANCES}/terminate"), body)
            .await
            .1
    };
    let told = terminate(json!({"processInstanceId": id})).await;
    assert_eq!(told["code"], "invalidInstanceTerminateIsSystem");
    let told = terminate(json!({"processInstanceId": id, "isSystem": true})).await;
    assert_eq!(told["code"], "aflowProcessInstStatusException");

    let stage = Stage::with(Options {
        terminate_after: Duration::ZERO,
        ..Options::default()
    })
    .await;
    let id = create(&stage, json!({})).await;
    let body = json!({"processInstanceId": id, "isSystem": false, "operatingUserId": "alice"});
    let told = stage
        .call_v1(&format!("{INSTANCES}/terminate"), body)
        .await
        .1;
    assert_eq!(told["success"], true);
    assert_eq!(get(&stage, &id).await["result"]["status"], "TERMINATED");
}

#[tokio::test]
async fn instances_and_templates_are_listed_page_by_page() {
    let stage = Stage::new().await;
    let first = create(&stage, json!({})).await;
    create(&stage, json!({})).await;
    let query = async |change: Value| {
        let body =
            json!({"processCode": "PROC-FORM", "startTime": 0, "nextToken": 0, "maxResults": 1});
        let path = "/v1.0/workflow/processes/instanceIds/query";
        stage.call_v1(path, merged(body, change)).await.1
    };
    let now = stage.get("/_sim/approvals").await[0]["createdAt"]
        .as_i64()
        .unwrap();
    assert_eq!(query(json!({})).await["code"], "invalidEndTime");
    let page = query(json!({"startTime": now - 1000})).await;
    assert_eq!(page["result"]["list"], json!([first]));
    assert_eq!(page["result"]["nextToken"], "1");
    let page = query(json!({"startTime": now - 1000, "nextToken": 1})).await;
    assert!(page["result"].get("nextToken").is_none());
    assert_eq!(
        query(json!({"startTime": now, "maxResults": 21})).await["code"],
        "invalidMaxResults"
    );
    assert_eq!(
        query(json!({"startTime": now, "nextToken": null})).await["code"],
        "invalidNextToken"
    );

    let visible = "/v1.0/workflow/processes/userVisibilities/templates";
    let page = stage
        .ask_v1(visible, "userId=alice&maxResults=2&nextToken=0")
        .await
        .1;
    assert_eq!(page["result"]["processList"].as_array().unwrap().len(), 2);
    assert_eq!(page["result"]["nextToken"], 2);
    let by_name = "/v1.0/workflow/processCentres/schemaNames/processCodes";
    let found = stage.ask_v1(by_name, "name=%E8%AF%B7%E5%81%87").await.1;
    assert_eq!(found["result"]["processCode"], "PROC-LEAVE");
    let schema = "/v1.0/workflow/forms/schemas/processCodes";
    let form = stage.ask_v1(schema, "processCode=PROC-FORM").await.1;
    let items = form["result"]["schemaContent"]["items"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(items[0]["props"]["required"], true);
    let select = items
        .iter()
        .find(|item| item["componentName"] == "DDSelectField")
        .unwrap();
    let option: Value =
        serde_json::from_str(select["props"]["options"][0].as_str().unwrap()).unwrap();
    assert_eq!(option["value"], "出差");
}
