//! Approvals by the newer and the older calls.

use dingtalk::{
    ApiError, ApiStyle, Attachment, Comment, Decision, Field, Files, InstanceStatus, Listing,
    NewInstance, Redirection, Step, StepRule, UnixMs, Verdict,
};
use serde_json::{Value, json};

use crate::server::{Reply, Server};

const INSTANCES: &str = "/v1.0/workflow/processInstances";

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn last_body(server: &Server, path: &str) -> Value {
    server.calls(path).pop().unwrap().body
}

fn field(name: &str, value: &str) -> Field {
    Field {
        name: name.into(),
        value: value.into(),
    }
}

fn instance() -> NewInstance {
    NewInstance {
        process_code: "PROC-1".into(),
        originator: "u1".into(),
        dept_id: "-1".into(),
        fields: vec![field("天数", "2")],
        steps: vec![Step {
            rule: StepRule::AnyOf,
            approvers: texts(&["u2", "u3"]),
        }],
        cc: texts(&["u4"]),
    }
}

fn listing() -> Listing {
    Listing {
        process_code: "PROC-1".into(),
        start: UnixMs(1),
        end: None,
        originators: texts(&["u1", "u2"]),
        cursor: 0,
        size: 20,
    }
}

fn verdict() -> Verdict {
    Verdict {
        instance_id: "i1".into(),
        task_id: "61".into(),
        approver: "u2".into(),
        decision: Decision::Refuse,
        remark: "不行".into(),
        files: Files::default(),
    }
}

fn verdict_with_file() -> Verdict {
    Verdict {
        files: Files {
            photos: texts(&["https://x/a.png"]),
            attachments: vec![file()],
        },
        ..verdict()
    }
}

fn comment() -> Comment {
    Comment {
        instance_id: "i1".into(),
        user_id: "u2".into(),
        text: "好".into(),
        files: Files::default(),
    }
}

fn file() -> Attachment {
    Attachment {
        space_id: "7".into(),
        file_id: "8".into(),
        name: "a.pdf".into(),
        size: "10".into(),
        kind: "pdf".into(),
    }
}

#[tokio::test]
async fn the_newer_calls_start_and_read() {
    let server = Server::start().await;
    let client = server.client();
    server.next_json(INSTANCES, &json!({"instanceId": "i1"}));
    assert_eq!(client.approval_create(&instance()).await.unwrap(), "i1");
    let call = server.calls(INSTANCES).pop().unwrap();
    assert!(call.header_token.is_some() && call.query.is_empty());
    assert_eq!(
        call.body,
        json!({"processCode": "PROC-1", "originatorUserId": "u1", "deptId": -1, "microappAgentId": 1001,
            "formComponentValues": [{"name": "天数", "value": "2"}],
            "approvers": [{"actionType": "OR", "userIds": ["u2", "u3"]}],
            "ccList": ["u4"], "ccPosition": "FINISH"})
    );

    server.next_json(
        INSTANCES,
        &json!({"success": "true", "result": {"title": "张三提交的请假", "createTime": "2021-12-28T09:13Z",
            "originatorUserId": "u1", "originatorDeptId": "-1", "status": "COMPLETED", "result": "agree",
            "businessId": "2021", "formComponentValues": [{"id": "x", "name": "天数", "value": "2"}],
            "operationRecords": [{"userId": "u2", "date": "2021-12-28T09:14Z", "type": "ADD_REMARK", "result": "NONE",
                "remark": "好", "attachments": [{"fileId": "8", "fileName": "a.pdf", "fileSize": "10", "fileType": "pdf"}]}],
            "tasks": [{"taskId": 61, "userId": "u2", "status": "COMPLETED", "result": "AGREE"}]}}),
    );
    let got = client.approval_get("i1").await.unwrap();
    let call = server.calls(INSTANCES).pop().unwrap();
    assert_eq!(
        (
            call.method.as_str(),
            call.query["processInstanceId"].as_str()
        ),
        ("GET", "i1")
    );
    assert_eq!(
        (got.status, got.decision),
        (InstanceStatus::Completed, Some(Decision::Agree))
    );
    assert_eq!(got.created_at, Some(UnixMs(1_640_682_780_000)));
    assert_eq!(got.finished_at, None);
    assert_eq!(
        (got.fields[0].value.as_str(), got.tasks[0].task_id.as_str()),
        ("2", "61")
    );
    assert_eq!(got.tasks[0].outcome, "AGREE");
    let record = &got.records[0];
    assert_eq!(
        (record.kind.as_str(), record.remark.as_str()),
        ("ADD_REMARK", "好")
    );
    assert_eq!(record.files[0].file_id, "8");

    let path = "/v1.0/workflow/processes/instanceIds/query";
    server.next_json(
        path,
        &json!({"success": true, "result": {"list": ["i1", "i2"], "nextToken": "20"}}),
    );
    let page = client.approval_list_ids(&listing()).await.unwrap();
    assert_eq!(
        (page.instances, page.next_cursor),
        (texts(&["i1", "i2"]), Some(20))
    );
    assert_eq!(
        last_body(&server, path),
        json!({"processCode": "PROC-1", "startTime": 1, "maxResults": 20, "nextToken": 0, "userIds": ["u1", "u2"]})
    );
    server.next_json(
        path,
        &json!({"success": true, "result": {"list": [], "nextToken": ""}}),
    );
    assert_eq!(
        client
            .approval_list_ids(&listing())
            .await
            .unwrap()
            .next_cursor,
        None
    );
}

#[tokio::test]
async fn the_newer_calls_terminate_decide_hand_on_and_comment() {
    let server = Server::start().await;
    let client = server.client();
    let terminate = format!("{INSTANCES}/terminate");
    client.approval_terminate("i1", None, "r").await.unwrap();
    assert_eq!(
        last_body(&server, &terminate),
        json!({"processInstanceId": "i1", "isSystem": true, "remark": "r"})
    );
    client
        .approval_terminate("i1", Some("u1"), "")
        .await
        .unwrap();
    assert_eq!(
        last_body(&server, &terminate),
        json!({"processInstanceId": "i1", "isSystem": false, "operatingUserId": "u1", "remark": ""})
    );
    client.approval_execute(&verdict()).await.unwrap();
    assert_eq!(
        last_body(&server, &format!("{INSTANCES}/execute")),
        json!({"processInstanceId": "i1", "taskId": 61, "actionerUserId": "u2", "result": "refuse", "remark": "不行"})
    );
    client.approval_execute(&verdict_with_file()).await.unwrap();
    assert_eq!(
        last_body(&server, &format!("{INSTANCES}/execute"))["file"],
        json!({"photos": ["https://x/a.png"],
            "attachments": [{"spaceId": "7", "fileId": "8", "fileName": "a.pdf", "fileSize": "10", "fileType": "pdf"}]})
    );
    let redirection = Redirection {
        task_id: "61".into(),
        from: "u2".into(),
        to: "u3".into(),
        remark: String::new(),
    };
    server.next_json("/v1.0/workflow/tasks/redirect", &json!({"result": true}));
    client.approval_redirect(&redirection).await.unwrap();
    assert_eq!(
        last_body(&server, "/v1.0/workflow/tasks/redirect"),
        json!({"taskId": 61, "operateUserId": "u2", "toUserId": "u3"})
    );
    let with_file = Comment {
        files: Files {
            photos: texts(&["https://x/a.png"]),
            attachments: vec![file()],
        },
        ..comment()
    };
    client.approval_comment(&with_file).await.unwrap();
    let path = format!("{INSTANCES}/comments");
    assert_eq!(
        last_body(&server, &path),
        json!({"processInstanceId": "i1", "commentUserId": "u2", "text": "好", "file": {"photos": ["https://x/a.png"],
            "attachments": [{"spaceId": "7", "fileId": "8", "fileName": "a.pdf", "fileSize": "10", "fileType": "pdf"}]}})
    );
    server.next_json(&path, &json!({"success": true, "result": false}));
    let error = client.approval_comment(&comment()).await.unwrap_err();
    assert!(matches!(error, ApiError::Invalid { .. }), "{error}");
    let unknown = json!({"code": "processInstanceNotExist", "requestid": "r", "message": "m"});
    server.next(
        INSTANCES,
        Reply::With(400, unknown.to_string().into_bytes()),
    );
    let error = client.approval_get("i9").await.unwrap_err();
    assert!(matches!(error, ApiError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn templates_are_found_listed_and_read_by_both_styles() {
    let server = Server::start().await;
    let (client, older) = (server.client(), server.client().styled(ApiStyle::Legacy));
    let by_name = "/v1.0/workflow/processCentres/schemaNames/processCodes";
    server.next_json(by_name, &json!({"result": {"processCode": "PROC-1"}}));
    assert_eq!(client.approval_template("请假").await.unwrap(), "PROC-1");
    assert_eq!(server.calls(by_name)[0].query["name"], "请假");
    server.next_json(
        "/topapi/process/get_by_name",
        &json!({"errcode": 0, "process_code": "PROC-1"}),
    );
    assert_eq!(older.approval_template("请假").await.unwrap(), "PROC-1");

    let visible = "/v1.0/workflow/processes/userVisibilities/templates";
    server.next_json(visible, &json!({"result": {"nextToken": 2, "processList": [{"name": "请假", "processCode": "PROC-1"}]}}));
    let page = client.approval_templates("u1", 0, 1).await.unwrap();
    let query = &server.calls(visible)[0].query;
    assert_eq!(
        (query["userId"].as_str(), query["maxResults"].as_str()),
        ("u1", "1")
    );
    let listed = json!({"errcode": 0, "result": {"next_cursor": 2, "process_list": [{"name": "请假", "process_code": "PROC-1"}]}});
    server.next_json("/topapi/process/listbyuserid", &listed);
    assert_eq!(older.approval_templates("u1", 0, 1).await.unwrap(), page);
    assert_eq!(
        (page.templates[0].process_code.as_str(), page.next_cursor),
        ("PROC-1", Some(2))
    );

    let schema = "/v1.0/workflow/forms/schemas/processCodes";
    let content = json!({"result": {"name": "请假", "schemaContent": {"title": "请假", "items": [
        {"componentName": "DDSelectField", "props": {"id": "a", "label": "类型", "required": true,
            "options": ["{\"value\":\"年假\",\"key\":\"o1\"}", "事假"]}},
        {"componentName": "TableField", "props": {"id": "b", "label": "明细"}, "children": [
            {"componentName": "NumberField", "props": {"id": "c", "label": "数量"}}]},
    ]}}});
    server.next_json(schema, &content);
    let form = client.approval_form("PROC-1").await.unwrap();
    assert_eq!(form.controls[0].options, ["年假", "事假"]);
    assert!(form.controls[0].required && !form.controls[1].required);
    assert_eq!(form.controls[1].children[0].label, "数量");
    server.next_json(schema, &content);
    let of_type = |value: &str| [field("类型", value)];
    let refused = client.approval_check("PROC-1", &of_type("病假")).await;
    assert_eq!(refused.unwrap_err().code(), "client.field");
    let many = vec![field("类型", "年假"); 151];
    let refused = client.approval_check("PROC-1", &many).await;
    assert_eq!(refused.unwrap_err().code(), "client.argument");
    assert_eq!(server.calls(schema).len(), 2);
    assert_eq!(
        older.approval_form("PROC-1").await.unwrap_err().code(),
        "client.content"
    );

    server.next_json(
        "/v1.0/workflow/processes/todoTasks/numbers",
        &json!({"result": 3}),
    );
    server.next_json(
        "/topapi/process/gettodonum",
        &json!({"errcode": 0, "count": 3}),
    );
    assert_eq!(client.approval_count_pending("u1").await.unwrap(), 3);
    assert_eq!(older.approval_count_pending("u1").await.unwrap(), 3);
}

#[tokio::test]
async fn files_are_handled_alike_by_both_styles() {
    let server = Server::start().await;
    let (client, older) = (server.client(), server.client().styled(ApiStyle::Legacy));
    let spaces = format!("{INSTANCES}/spaces");
    server.next_json(
        &format!("{spaces}/infos/query"),
        &json!({"success": true, "result": {"spaceId": 7}}),
    );
    server.next_json(
        "/topapi/processinstance/cspace/info",
        &json!({"errcode": 0, "success": true, "result": {"space_id": 7}}),
    );
    assert_eq!(client.approval_space("u1").await.unwrap(), "7");
    assert_eq!(older.approval_space("u1").await.unwrap(), "7");
    assert_eq!(
        last_body(&server, &format!("{spaces}/infos/query")),
        json!({"userId": "u1", "agentId": 1001})
    );

    let link = json!({"success": true, "result": {"downloadUri": "https://x/8", "fileId": "8", "spaceId": 7}});
    server.next_json(&format!("{spaces}/files/urls/download"), &link);
    let link = json!({"errcode": 0, "success": true, "result": {"download_uri": "https://x/8", "file_id": "8", "space_id": 7}});
    server.next_json("/topapi/processinstance/file/url/get", &link);
    let link = client.approval_file("i1", "8").await.unwrap();
    assert_eq!(
        (link.url.as_str(), link.space_id.as_deref()),
        ("https://x/8", Some("7"))
    );
    assert_eq!(older.approval_file("i1", "8").await.unwrap(), link);

    let files = [("7".to_owned(), "8".to_owned())];
    client.approval_allow_download("u1", &files).await.unwrap();
    older.approval_allow_download("u1", &files).await.unwrap();
    assert_eq!(
        last_body(&server, &format!("{spaces}/files/authDownload")),
        json!({"userId": "u1", "fileInfos": [{"spaceId": 7, "fileId": "8"}]})
    );
    assert_eq!(
        last_body(&server, "/topapi/process/dentry/auth"),
        json!({"request": {"userid": "u1", "file_infos": [{"space_id": 7, "file_id": "8"}]}})
    );
}

#[tokio::test]
async fn what_dingtalk_must_refuse_is_not_sent_and_the_error_names_the_limit() {
    let server = Server::start().await;
    let client = server.client();
    let refused = async |change: fn(&mut NewInstance), style: ApiStyle| {
        let mut wrong = instance();
        change(&mut wrong);
        let told = client
            .styled(style)
            .approval_create(&wrong)
            .await
            .unwrap_err();
        assert_eq!(told.code(), "client.argument");
        told.message().to_owned()
    };
    let newer = ApiStyle::Modern;
    assert_eq!(
        refused(|it| it.fields = vec![it.fields[0].clone(); 151], newer).await,
        "151 form fields, dingtalk takes 150"
    );
    assert_eq!(
        refused(
            |it| it.fields = vec![it.fields[0].clone(); 201],
            ApiStyle::Legacy
        )
        .await,
        "201 form fields, dingtalk takes 200"
    );
    assert_eq!(
        refused(|it| it.fields[0].value = "字".repeat(65_536), newer).await,
        "the value of the form field \"天数\" has 65536 characters, dingtalk takes 65535"
    );
    assert_eq!(
        refused(|it| it.steps = vec![it.steps[0].clone(); 21], newer).await,
        "21 steps, dingtalk takes 20"
    );
    assert_eq!(
        refused(|it| it.steps[0].approvers.truncate(1), newer).await,
        "a step that several decide has 1 approvers, dingtalk takes at least 2"
    );
    assert_eq!(
        refused(|it| it.steps[0].rule = StepRule::Single, newer).await,
        "a step of a single approver has 2, dingtalk takes exactly 1"
    );
    assert_eq!(
        refused(|it| it.cc = vec!["u1".into(); 21], ApiStyle::Legacy).await,
        "21 people in cc, dingtalk takes 20"
    );
    assert_eq!(
        refused(|it| it.process_code.clear(), newer).await,
        "the process code is empty"
    );

    let listing_refused = async |change: fn(&mut Listing)| {
        let mut wrong = listing();
        change(&mut wrong);
        let told = client.approval_list_ids(&wrong).await.unwrap_err();
        told.message().to_owned()
    };
    assert_eq!(
        listing_refused(|it| it.size = 21).await,
        "a page of 21, dingtalk takes 1 to 20"
    );
    assert_eq!(
        listing_refused(|it| it.originators = vec!["u".into(); 11]).await,
        "11 originators, dingtalk takes 10"
    );
    assert_eq!(
        listing_refused(|it| it.end = Some(UnixMs(121 * 86_400_000 + 1))).await,
        "the listing spans 121 days, dingtalk takes 120"
    );
    let long = Comment {
        text: "字".repeat(1025),
        ..comment()
    };
    assert_eq!(
        client.approval_comment(&long).await.unwrap_err().message(),
        "the comment has 1025 characters, dingtalk takes 1024"
    );
    assert!(
        server.calls("/gettoken").is_empty(),
        "nothing was asked for"
    );
    assert!(server.calls("/v1.0/oauth2/accessToken").is_empty());
}

#[tokio::test]
async fn the_older_calls_start_and_read() {
    let server = Server::start().await;
    let client = server.client().styled(ApiStyle::Legacy);

    server.next_json(
        "/topapi/processinstance/create",
        &json!({"errcode": 0, "process_instance_id": "i1", "request_id": "r"}),
    );
    let instance = instance();
    assert_eq!(client.approval_create(&instance).await.unwrap(), "i1");
    assert_eq!(
        last_body(&server, "/topapi/processinstance/create"),
        json!({"process_code": "PROC-1", "originator_user_id": "u1", "dept_id": -1, "agent_id": 1001,
            "form_component_values": [{"name": "天数", "value": "2"}],
            "approvers_v2": [{"task_action_type": "OR", "user_ids": ["u2", "u3"]}],
            "cc_list": "u4", "cc_position": "FINISH"})
    );
    let error = client
        .approval_create(&NewInstance {
            dept_id: "root".into(),
            ..instance
        })
        .await
        .unwrap_err();
    assert!(matches!(error, ApiError::Invalid { .. }), "{error}");

    server.next_json(
        "/topapi/processinstance/get",
        &json!({"errcode": 0, "process_instance": {"title": "张三提交的请假", "create_time": "2021-12-28 17:13:09",
            "originator_userid": "u1", "originator_dept_id": "-1", "status": "COMPLETED", "result": "agree",
            "business_id": "2021", "form_component_values": [{"id": "x", "name": "天数", "value": "2"}],
            "tasks": [{"taskid": "61", "userid": "u2", "task_status": "COMPLETED", "task_result": "AGREE"}]}}),
    );
    let got = client.approval_get("i1").await.unwrap();
    assert_eq!(
        (got.status, got.decision),
        (InstanceStatus::Completed, Some(Decision::Agree))
    );
    assert_eq!(got.created_at, Some(UnixMs(1_640_682_789_000)));
    assert_eq!(got.finished_at, None);
    assert_eq!(
        (got.fields[0].value.as_str(), got.tasks[0].task_id.as_str()),
        ("2", "61")
    );

    server.next_json(
        "/topapi/processinstance/listids",
        &json!({"errcode": 0, "result": {"list": ["i1", "i2"], "next_cursor": 20}}),
    );
    let page = client.approval_list_ids(&listing()).await.unwrap();
    assert_eq!(
        (page.instances, page.next_cursor),
        (texts(&["i1", "i2"]), Some(20))
    );
    assert_eq!(
        last_body(&server, "/topapi/processinstance/listids"),
        json!({"process_code": "PROC-1", "start_time": 1, "size": 20, "cursor": 0, "userid_list": "u1,u2"})
    );
}

#[tokio::test]
async fn the_older_calls_terminate_decide_and_comment() {
    let server = Server::start().await;
    let client = server.client().styled(ApiStyle::Legacy);
    client.approval_terminate("i1", None, "r").await.unwrap();
    assert_eq!(
        last_body(&server, "/topapi/process/instance/terminate"),
        json!({"request": {"process_instance_id": "i1", "is_system": true, "remark": "r"}})
    );
    client
        .approval_terminate("i1", Some("u1"), "")
        .await
        .unwrap();
    let request = &last_body(&server, "/topapi/process/instance/terminate")["request"];
    assert_eq!(
        (&request["is_system"], &request["operating_userid"]),
        (&json!(false), &json!("u1"))
    );

    client.approval_execute(&verdict()).await.unwrap();
    assert_eq!(
        last_body(&server, "/topapi/process/instance/execute"),
        json!({"request": {"process_instance_id": "i1", "task_id": 61, "actioner_userid": "u2", "result": "refuse", "remark": "不行"}})
    );
    client.approval_execute(&verdict_with_file()).await.unwrap();
    assert_eq!(
        last_body(&server, "/topapi/process/instance/execute")["request"]["file"],
        json!({"photos": ["https://x/a.png"],
            "attachments": [{"space_id": "7", "file_id": "8", "file_name": "a.pdf", "file_size": "10", "file_type": "pdf"}]})
    );

    client.approval_comment(&comment()).await.unwrap();
    assert_eq!(
        last_body(&server, "/topapi/process/instance/comment/add"),
        json!({"request": {"process_instance_id": "i1", "comment_userid": "u2", "text": "好"}})
    );
    server.next_json(
        "/topapi/process/instance/comment/add",
        &json!({"errcode": 0, "result": false}),
    );
    let error = client.approval_comment(&comment()).await.unwrap_err();
    assert!(matches!(error, ApiError::Invalid { .. }), "{error}");
}
