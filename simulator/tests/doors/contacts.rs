//! People and departments, as every contacts call tells of them.

use serde_json::{Value, json};
use simulator::{Company, Options};

use crate::stage::Stage;

/// Calls with the token of `acme`, with the parameters in the query where they are a text.
async fn ask(stage: &Stage, path: &str, parameters: &Value) -> Value {
    match parameters.as_str() {
        Some(query) => {
            let token = stage.token().await;
            stage
                .get(&format!("{path}?access_token={token}&{query}"))
                .await
        }
        None => stage.call(path, parameters.clone()).await,
    }
}

async fn check(stage: &Stage, rows: &[(&str, Value, &str, Value)]) {
    for (path, parameters, pointer, expected) in rows {
        let answer = ask(stage, path, parameters).await;
        assert_eq!(answer["errcode"], 0, "{path} {parameters}: {answer}");
        let found = answer.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(found, expected, "{path} {parameters} {pointer}: {answer}");
    }
}

async fn refused(stage: &Stage, rows: &[(&str, Value, i64)]) {
    for (path, parameters, code) in rows {
        let answer = ask(stage, path, parameters).await;
        assert_eq!(answer["errcode"], *code, "{path} {parameters}: {answer}");
    }
}

#[tokio::test]
async fn people_are_told_of_in_both_dialects() {
    let stage = Stage::new().await;
    let dave = || json!({"userid": "dave"});
    let rows = [
        (
            "/user/get",
            json!("userid=dave"),
            "/position",
            json!("架构师"),
        ),
        (
            "/user/get",
            json!("userid=dave"),
            "/department",
            json!([2, 21]),
        ),
        (
            "/user/get",
            json!("userid=dave"),
            "/isLeaderInDepts",
            json!("{2:true,21:true}"),
        ),
        ("/user/get", json!("userid=wujiu"), "/active", json!(false)),
        (
            "/topapi/v2/user/get",
            dave(),
            "/result/title",
            json!("架构师"),
        ),
        (
            "/topapi/v2/user/get",
            dave(),
            "/result/manager_userid",
            json!("manager"),
        ),
        (
            "/topapi/v2/user/get",
            dave(),
            "/result/leader_in_dept/1",
            json!({"dept_id": 21, "leader": true}),
        ),
        (
            "/topapi/v2/user/get",
            dave(),
            "/result/role_list/0/name",
            json!("主管"),
        ),
        (
            "/topapi/v2/user/get",
            dave(),
            "/result/hired_date",
            json!(1_511_107_200_000_i64),
        ),
        (
            "/user/getUseridByUnionid",
            json!("unionid=union-bob"),
            "/userid",
            json!("bob"),
        ),
        (
            "/topapi/user/getbyunionid",
            json!({"unionid": "union-bob"}),
            "/result/userid",
            json!("bob"),
        ),
        (
            "/topapi/v2/user/getbymobile",
            json!({"mobile": "13800000003"}),
            "/result/userid",
            json!("bob"),
        ),
        (
            "/user/get_org_user_count",
            json!("onlyActive=0"),
            "/count",
            json!(12),
        ),
        (
            "/user/get_org_user_count",
            json!("onlyActive=1"),
            "/count",
            json!(11),
        ),
        (
            "/topapi/user/count",
            json!({"only_active": true}),
            "/result/count",
            json!(11),
        ),
    ];
    check(&stage, &rows).await;
}

#[tokio::test]
async fn members_of_a_department_come_in_pages() {
    let stage = Stage::new().await;
    let page = |cursor| json!({"dept_id": 3, "cursor": cursor, "size": 3});
    let rows = [
        (
            "/user/getDeptMember",
            json!("deptId=21"),
            "/userIds",
            json!(["dave"]),
        ),
        (
            "/topapi/user/listid",
            json!({"dept_id": 21}),
            "/result/userid_list",
            json!(["dave"]),
        ),
        (
            "/topapi/v2/user/list",
            page(0),
            "/result/has_more",
            json!(true),
        ),
        (
            "/topapi/v2/user/list",
            page(0),
            "/result/next_cursor",
            json!(3),
        ),
        (
            "/topapi/v2/user/list",
            page(0),
            "/result/list/0/leader",
            json!(true),
        ),
        (
            "/topapi/v2/user/list",
            page(3),
            "/result/has_more",
            json!(false),
        ),
        (
            "/topapi/v2/user/list",
            page(3),
            "/result/list/0/userid",
            json!("zhaoliu"),
        ),
        (
            "/topapi/user/listsimple",
            page(3),
            "/result/list",
            json!([{"userid": "zhaoliu", "name": "赵六"}]),
        ),
        (
            "/user/listbypage",
            json!("department_id=3&offset=0&size=3"),
            "/hasMore",
            json!(true),
        ),
        (
            "/user/listbypage",
            json!("department_id=3&offset=3&size=3"),
            "/userlist/0/userid",
            json!("zhaoliu"),
        ),
        (
            "/user/listbypage",
            json!("department_id=3&offset=0&size=1&order=entry_desc"),
            "/userlist/0/userid",
            json!("zhaoliu"),
        ),
    ];
    check(&stage, &rows).await;
    let first = ask(
        &stage,
        "/user/listbypage",
        &json!("department_id=3&offset=0&size=1"),
    )
    .await;
    // No floating-point number holds it.
    assert!(first["userlist"][0]["order"].as_i64().unwrap() > 1 << 53);
}

#[tokio::test]
async fn departments_are_listed_downwards_and_upwards() {
    let stage = Stage::new().await;
    let rows = [
        (
            "/department/list_ids",
            json!("id=1"),
            "/sub_dept_id_list",
            json!([2, 3, 4]),
        ),
        (
            "/topapi/v2/department/listsubid",
            json!({"dept_id": 2}),
            "/result/dept_id_list",
            json!([21]),
        ),
        (
            "/department/list",
            json!("id=1&fetch_child=true"),
            "/department/3/parentid",
            json!(2),
        ),
        (
            "/department/list",
            json!("fetch_child=false"),
            "/department/2/name",
            json!("人事行政部"),
        ),
        (
            "/topapi/v2/department/listsub",
            json!({"dept_id": 2}),
            "/result/0/parent_id",
            json!(2),
        ),
        (
            "/department/get",
            json!("id=2"),
            "/deptManagerUseridList",
            json!("dave"),
        ),
        (
            "/topapi/v2/department/get",
            json!({"dept_id": 2}),
            "/result/member_count",
            json!(4),
        ),
        (
            "/topapi/v2/department/get",
            json!({"dept_id": 2}),
            "/result/dept_manager_userid_list",
            json!(["dave"]),
        ),
        (
            "/department/list_parent_depts",
            json!("userId=dave"),
            "/department",
            json!([[2, 1], [21, 2, 1]]),
        ),
        (
            "/topapi/v2/department/listparentbyuser",
            json!({"userid": "dave"}),
            "/result/parent_list/1/parent_dept_id_list",
            json!([21, 2, 1]),
        ),
        (
            "/department/list_parent_depts_by_dept",
            json!("id=21"),
            "/parentIds",
            json!([21, 2, 1]),
        ),
        (
            "/topapi/v2/department/listparentbydept",
            json!({"dept_id": 21}),
            "/result/parent_id_list",
            json!([21, 2, 1]),
        ),
        (
            "/auth/scopes",
            json!(""),
            "/auth_org_scopes/authed_dept",
            json!([1]),
        ),
    ];
    check(&stage, &rows).await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_its_code() {
    let stage = Stage::new().await;
    let page = |cursor: i64, size: i64| json!({"dept_id": 3, "cursor": cursor, "size": size});
    let rows = [
        ("/user/get", json!(""), 40035),
        ("/user/get", json!("userid=ghost"), 60121),
        ("/topapi/v2/user/get", json!({}), 40035),
        ("/topapi/v2/user/get", json!({"userid": "ghost"}), 60121),
        ("/topapi/user/listid", json!({"dept_id": 99}), 60003),
        ("/topapi/user/listid", json!({"dept_id": "x"}), 40035),
        ("/topapi/v2/user/list", page(-1, 10), 40068),
        ("/topapi/v2/user/list", page(0, 101), 40069),
        ("/topapi/v2/user/list", page(0, 0), 40069),
        (
            "/user/listbypage",
            json!("department_id=99&offset=0&size=1"),
            60003,
        ),
        (
            "/user/listbypage",
            json!("department_id=3&offset=0&size=1&order=up"),
            40035,
        ),
        ("/user/getUseridByUnionid", json!("unionid=ghost"), 60121),
        (
            "/topapi/v2/user/getbymobile",
            json!({"mobile": "abc"}),
            40104,
        ),
        (
            "/topapi/v2/user/getbymobile",
            json!({"mobile": "13900000000"}),
            60121,
        ),
        ("/user/get_org_user_count", json!("onlyActive=2"), 40035),
        ("/topapi/user/count", json!({}), 40035),
        ("/department/get", json!("id=99"), 60003),
        ("/topapi/v2/department/get", json!({"dept_id": 99}), 60003),
        (
            "/department/list_parent_depts",
            json!("userId=ghost"),
            33012,
        ),
        (
            "/topapi/v2/department/listparentbyuser",
            json!({"userid": "ghost"}),
            33012,
        ),
        (
            "/department/list_parent_depts_by_dept",
            json!("id=99"),
            60003,
        ),
    ];
    refused(&stage, &rows).await;
}

#[tokio::test]
async fn an_app_sees_what_its_scope_covers_and_was_permitted() {
    let stage = Stage::new().await;
    let scope = json!({"app": "acme", "departments": [2], "users": ["manager"], "permissions":
        ["qyapi_get_member", "qyapi_get_department_list", "qyapi_get_department_member"]});
    stage.post("/_sim/scopes", scope).await;
    let rows = [
        ("/topapi/v2/user/get", json!({"userid": "lisi"}), 50002),
        ("/user/get", json!("userid=lisi"), 50002),
        (
            "/topapi/v2/user/list",
            json!({"dept_id": 3, "cursor": 0, "size": 9}),
            50004,
        ),
        ("/user/getDeptMember", json!("deptId=1"), 50004),
        (
            "/topapi/v2/department/listsubid",
            json!({"dept_id": 1}),
            50004,
        ),
        (
            "/topapi/v2/department/listparentbyuser",
            json!({"userid": "lisi"}),
            50002,
        ),
        (
            "/topapi/v2/user/getbymobile",
            json!({"mobile": "13800000003"}),
            88,
        ),
    ];
    refused(&stage, &rows).await;
    let rows = [
        (
            "/topapi/v2/user/get",
            json!({"userid": "manager"}),
            "/result/name",
            json!("王建国"),
        ),
        (
            "/topapi/v2/user/get",
            json!({"userid": "dave"}),
            "/result/mobile",
            Value::Null,
        ),
        (
            "/topapi/v2/department/get",
            json!({"dept_id": 21}),
            "/result/name",
            json!("平台组"),
        ),
        // This one call is not limited by the scope.
        (
            "/topapi/user/listid",
            json!({"dept_id": 3}),
            "/result/userid_list/0",
            json!("zhangsan"),
        ),
        (
            "/auth/scopes",
            json!(""),
            "/auth_org_scopes",
            json!({"authed_user": ["manager"], "authed_dept": [2]}),
        ),
    ];
    check(&stage, &rows).await;
    let wrapped = ask(
        &stage,
        "/topapi/v2/user/getbymobile",
        &json!({"mobile": "13800000003"}),
    )
    .await;
    assert_eq!(wrapped["sub_code"], "60011");
    assert!(
        wrapped["sub_msg"]
            .as_str()
            .unwrap()
            .contains("qyapi_get_member_by_mobile")
    );
    // A reset brings back what the company says.
    stage.post("/_sim/reset", json!({})).await;
    refused(
        &stage,
        &[("/topapi/v2/user/get", json!({"userid": "lisi"}), 0)],
    )
    .await;
}

#[tokio::test]
async fn another_company_can_take_the_place_of_the_sample() {
    let company = Company::parse(
        "[[department]]\nid = 1\nname = \"甲\"\n[[person]]\nuserid = \"u\"\nname = \"乙\"\ndepartments = [1]\n\
         [[scope]]\napp = \"acme\"\nusers = [\"u\"]\n",
    )
    .unwrap();
    let stage = Stage::with(Options {
        company,
        ..Options::default()
    })
    .await;
    let rows = [
        (
            "/topapi/user/count",
            json!({"only_active": false}),
            "/result/count",
            json!(1),
        ),
        ("/user/get", json!("userid=u"), "/name", json!("乙")),
    ];
    check(&stage, &rows).await;
    refused(&stage, &[("/department/get", json!("id=1"), 50004)]).await;
}
