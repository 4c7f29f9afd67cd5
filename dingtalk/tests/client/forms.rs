//! New approvals are held against the form of their template before they are sent.

use std::time::Duration;

use dingtalk::catalog;
use dingtalk::{ApiError, ApiStyle, Client, Field, NewInstance, Options};
use serde_json::{Value, json};

use crate::server::{Reply, Server};

const FORMS: &str = "/v1.0/workflow/forms/schemas/processCodes";
const INSTANCES: &str = "/v1.0/workflow/processInstances";
const HOUR: Duration = Duration::from_secs(3600);

fn keeping(server: &Server, forms: Duration) -> Client {
    server.client_with(Options {
        forms,
        ..Options::default()
    })
}

/// The next answer is a form with a choice of these kinds of leave, and days that must be told.
fn next_form(server: &Server, kinds: &[&str]) {
    let items = json!([
        {"componentName": "DDSelectField", "props": {"id": "a", "label": "类型", "options": kinds}},
        {"componentName": "NumberField", "props": {"id": "b", "label": "天数", "required": true}},
    ]);
    let form =
        json!({"success": true, "result": {"name": "请假", "schemaContent": {"items": items}}});
    server.next_json(FORMS, &form);
}

fn leave(fields: &[(&str, &str)]) -> NewInstance {
    NewInstance {
        process_code: "PROC-1".into(),
        originator: "u1".into(),
        dept_id: "-1".into(),
        fields: fields
            .iter()
            .map(|(name, value)| Field {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            })
            .collect(),
        steps: Vec::new(),
        cc: Vec::new(),
    }
}

async fn create(client: &Client, fields: &[(&str, &str)]) -> Result<String, ApiError> {
    client.approval_create(&leave(fields)).await
}

fn next_id(server: &Server) {
    server.next_json(INSTANCES, &json!({"instanceId": "i1"}));
}

#[tokio::test]
async fn what_the_form_is_against_is_not_sent() {
    let server = Server::start().await;
    let client = keeping(&server, HOUR);
    next_form(&server, &["年假"]);
    next_id(&server);
    let whole = [("类型", "年假"), ("天数", "2")];
    assert_eq!(create(&client, &whole).await.unwrap(), "i1");
    next_id(&server);
    // What belongs to no control of the form may belong to one that the form does not tell of.
    let more = [("类型", "年假"), ("天数", "2"), ("其他", "x")];
    create(&client, &more).await.unwrap();
    assert_eq!(server.calls(FORMS).len(), 1, "the form is kept");

    for (fields, told) in [
        (
            &[("类型", "年假")][..],
            "the field \"天数\" is required by the template",
        ),
        (
            &[("类型", "年假"), ("天数", "两天")],
            "the field \"天数\" is not a decimal number such as 12.50",
        ),
        (
            &[("类型", "病假"), ("天数", "2")],
            "the field \"类型\" has no option \"病假\", only 年假",
        ),
    ] {
        next_form(&server, &["年假"]);
        let error = create(&client, fields).await.unwrap_err();
        assert!(matches!(error, ApiError::Invalid { .. }), "{error}");
        assert_eq!((error.code(), error.message()), ("client.field", told));
    }
    assert_eq!(server.calls(INSTANCES).len(), 2);
}

#[tokio::test]
async fn a_form_that_has_changed_refuses_nothing_as_it_was() {
    let server = Server::start().await;
    let client = keeping(&server, HOUR);
    next_form(&server, &["年假"]);
    next_id(&server);
    create(&client, &[("类型", "年假"), ("天数", "2")])
        .await
        .unwrap();
    next_form(&server, &["年假", "病假"]);
    for _ in 0..2 {
        next_id(&server);
        create(&client, &[("类型", "病假"), ("天数", "2")])
            .await
            .unwrap();
    }
    assert_eq!(server.calls(FORMS).len(), 2);
}

#[tokio::test]
async fn where_the_form_cannot_be_read_dingtalk_decides() {
    let server = Server::start().await;
    let client = keeping(&server, HOUR);
    let denied = json!({"code": "Forbidden.AccessDenied.AccessTokenPermissionDenied", "requestid": "r", "message": "m",
        "accessdenieddetail": {"requiredScopes": ["Workflow.Form.Read"]}});
    server.next(FORMS, Reply::With(403, denied.to_string().into_bytes()));
    for _ in 0..3 {
        next_id(&server);
        create(&client, &[("类型", "x")]).await.unwrap();
    }
    assert_eq!(server.calls(FORMS).len(), 1, "it is not asked for again");
}

#[tokio::test]
async fn nothing_is_read_where_no_forms_are_kept() {
    let server = Server::start().await;
    next_id(&server);
    create(&server.client(), &[("类型", "x")]).await.unwrap();
    assert!(server.calls(FORMS).is_empty());
}

#[tokio::test]
async fn many_at_once_read_a_form_once() {
    let server = Server::start().await;
    let client = keeping(&server, HOUR);
    next_form(&server, &["年假"]);
    let asks = (0..10).map(|_| {
        next_id(&server);
        let client = client.clone();
        async move { create(&client, &[("天数", "2")]).await }
    });
    for made in futures_util::future::join_all(asks).await {
        assert_eq!(made.unwrap(), "i1");
    }
    assert_eq!(server.calls(FORMS).len(), 1);
}

#[tokio::test]
async fn plain_arguments_of_both_styles_are_held_against_the_form_too() {
    let server = Server::start().await;
    let client = keeping(&server, HOUR);
    let api = catalog::find("approval.create").unwrap();
    let field = json!([{"name": "类型", "value": "年假"}]);
    let newer = json!({"processCode": "PROC-1", "originatorUserId": "u1", "deptId": -1, "formComponentValues": field});
    let older = json!({"process_code": "PROC-1", "originator_user_id": "u1", "dept_id": -1, "form_component_values": field});
    for (style, arguments) in [(ApiStyle::Modern, newer), (ApiStyle::Legacy, older)] {
        next_form(&server, &["年假"]);
        let Value::Object(arguments) = arguments else {
            panic!("no object");
        };
        let error = client
            .call_preferring(style, api, &arguments)
            .await
            .unwrap_err();
        assert_eq!(
            error.message(),
            "the field \"天数\" is required by the template"
        );
    }
    assert!(server.calls(INSTANCES).is_empty());
    assert!(server.calls("/topapi/processinstance/create").is_empty());
}
