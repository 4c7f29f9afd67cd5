//! What the contacts calls send and read, in both styles.

use dingtalk::{ApiError, ApiStyle, Client, Headcount};
use serde_json::{Value, json};

use crate::server::Server;

fn last(server: &Server, path: &str) -> Value {
    let call = server.calls(path).pop().unwrap();
    if call.body.is_null() {
        let mut query = call.query;
        query.remove("access_token");
        json!(query)
    } else {
        call.body
    }
}

/// Calls in both styles and compares what was sent and what came of it.
async fn check<T: PartialEq + std::fmt::Debug>(
    modern: (&str, Value, Value),
    legacy: (&str, Value, Value),
    call: impl AsyncFn(Client) -> Result<T, ApiError>,
) -> T {
    let server = Server::start().await;
    let mut told = Vec::new();
    let styles = [(ApiStyle::Modern, modern), (ApiStyle::Legacy, legacy)];
    for (style, (path, sent, mut answer)) in styles {
        answer["errcode"] = json!(0);
        server.next_json(path, &answer);
        told.push(call(server.client().styled(style)).await.unwrap());
        assert_eq!(last(&server, path), sent, "{path}");
    }
    let modern = told.remove(0);
    assert_eq!(modern, told.remove(0));
    modern
}

#[tokio::test]
async fn people_are_read_and_found() {
    let user = check(
        (
            "/topapi/v2/user/get",
            json!({"userid": "u1"}),
            json!({"result": {"userid": "u1", "name": "n", "title": "t", "dept_id_list": [1]}}),
        ),
        (
            "/user/get",
            json!({"userid": "u1"}),
            json!({"userid": "u1", "name": "n", "position": "t", "department": [1]}),
        ),
        async |client| client.user("u1").await,
    )
    .await;
    assert_eq!(
        (user.user_id.as_str(), user.title.as_deref()),
        ("u1", Some("t"))
    );
    let found = check(
        (
            "/topapi/user/getbyunionid",
            json!({"unionid": "n1"}),
            json!({"result": {"userid": "u1", "contact_type": 1}}),
        ),
        (
            "/user/getUseridByUnionid",
            json!({"unionid": "n1"}),
            json!({"userid": "u1", "contactType": 1}),
        ),
        async |client| client.user_by_union_id("n1").await,
    )
    .await;
    assert!(found.is_external);
    let count = check(
        (
            "/topapi/user/count",
            json!({"only_active": false}),
            json!({"result": {"count": 12}}),
        ),
        (
            "/user/get_org_user_count",
            json!({"onlyActive": "0"}),
            json!({"count": "12"}),
        ),
        async |client| client.headcount(Headcount::Everybody).await,
    )
    .await;
    assert_eq!(count, 12);
}

#[tokio::test]
async fn members_of_departments_are_listed() {
    let ids = check(
        (
            "/topapi/user/listid",
            json!({"dept_id": 2}),
            json!({"result": {"userid_list": ["a", "b"]}}),
        ),
        (
            "/user/getDeptMember",
            json!({"deptId": "2"}),
            json!({"userIds": ["a", "b"]}),
        ),
        async |client| client.user_ids("2").await,
    )
    .await;
    assert_eq!(ids, ["a", "b"]);
    let page = check(
        (
            "/topapi/v2/user/list",
            json!({"dept_id": 2, "cursor": 4, "size": 2}),
            json!({"result": {"has_more": true, "next_cursor": 6, "list": [
                {"userid": "a", "leader": true}, {"userid": "b", "leader": false}]}}),
        ),
        (
            "/user/listbypage",
            json!({"department_id": "2", "offset": "4", "size": "2"}),
            json!({"hasMore": true, "userlist": [{"userid": "a", "isLeader": true, "order": 176_318_668_975_061_512_i64},
                {"userid": "b"}]}),
        ),
        async |client| client.users("2", 4, 2).await,
    )
    .await;
    assert_eq!(page.next, Some(6));
    assert_eq!(
        (&page.users[0].leads[..], &page.users[1].leads[..]),
        (&["2".to_owned()][..], &[][..])
    );
}

#[tokio::test]
async fn departments_are_read_listed_and_led_back_to_the_root() {
    let department = check(
        (
            "/topapi/v2/department/get",
            json!({"dept_id": 2}),
            json!({"result": {"dept_id": 2, "name": "n", "parent_id": 1, "dept_manager_userid_list": ["a", "b"]}}),
        ),
        (
            "/department/get",
            json!({"id": "2"}),
            json!({"id": 2, "name": "n", "parentid": 1, "deptManagerUseridList": "a|b"}),
        ),
        async |client| client.department("2").await,
    )
    .await;
    assert_eq!(department.leaders, ["a", "b"]);
    let below = check(
        (
            "/topapi/v2/department/listsub",
            json!({"dept_id": 1}),
            json!({"result": [{"dept_id": 2, "name": "n", "parent_id": 1}]}),
        ),
        (
            "/department/list",
            json!({"id": "1", "fetch_child": "false"}),
            json!({"department": [{"id": 2, "name": "n", "parentid": 1}]}),
        ),
        async |client| client.departments("1").await,
    )
    .await;
    assert_eq!(below[0].id, "2");
    let ids = check(
        (
            "/topapi/v2/department/listsubid",
            json!({"dept_id": 1}),
            json!({"result": {"dept_id_list": [2, 3]}}),
        ),
        (
            "/department/list_ids",
            json!({"id": "1"}),
            json!({"sub_dept_id_list": [2, 3]}),
        ),
        async |client| client.department_ids("1").await,
    )
    .await;
    assert_eq!(ids, ["2", "3"]);
    let path = check(
        (
            "/topapi/v2/department/listparentbydept",
            json!({"dept_id": 4}),
            json!({"result": {"parent_id_list": [4, 2, 1]}}),
        ),
        (
            "/department/list_parent_depts_by_dept",
            json!({"id": "4"}),
            json!({"parentIds": [4, 2, 1]}),
        ),
        async |client| client.path_of_department("4").await,
    )
    .await;
    assert_eq!(path, ["4", "2", "1"]);
    let paths = check(
        (
            "/topapi/v2/department/listparentbyuser",
            json!({"userid": "u1"}),
            json!({"result": {"parent_list": [{"parent_dept_id_list": [4, 2, 1]}, {"parent_dept_id_list": [3, 1]}]}}),
        ),
        (
            "/department/list_parent_depts",
            json!({"userId": "u1"}),
            json!({"department": [[4, 2, 1], [3, 1]]}),
        ),
        async |client| client.paths_of_user("u1").await,
    )
    .await;
    assert_eq!(paths.len(), 2);
}

#[tokio::test]
async fn what_dingtalk_must_refuse_is_not_sent() {
    let server = Server::start().await;
    let client = server.client();
    let refused = [
        client.user("").await.unwrap_err(),
        client.users("x", 0, 10).await.unwrap_err(),
        client.users("1", 0, 101).await.unwrap_err(),
        client.users("1", 0, 0).await.unwrap_err(),
        client.department("").await.unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, ApiError::Invalid { .. }), "{error}");
    }
    assert!(server.calls("/gettoken").is_empty());
}

#[tokio::test]
async fn a_walk_goes_through_all_departments_and_goes_on_after_an_error() {
    let server = Server::start().await;
    let below = |ids: Value| json!({"errcode": 0, "result": {"dept_id_list": ids}});
    let page = |users: Value, next: Option<u64>| json!({"errcode": 0, "result": {"has_more": next.is_some(), "next_cursor": next, "list": users}});
    let (sub, list) = ("/topapi/v2/department/listsubid", "/topapi/v2/user/list");
    for answer in [below(json!([2, 3])), below(json!([])), below(json!([]))] {
        server.next_json(sub, &answer);
    }
    server.next_json(list, &page(json!([{"userid": "a"}]), Some(100)));
    server.next_json(list, &json!({"errcode": 60011, "errmsg": "not permitted"}));
    server.next_json(list, &page(json!([{"userid": "b"}]), None));
    server.next_json(list, &page(json!([]), None));
    server.next_json(list, &page(json!([{"userid": "c"}]), None));

    let mut walk = server.client().walk_contacts("1").unwrap();
    let mut met = Vec::new();
    let mut errors = 0;
    loop {
        match walk.next().await {
            Ok(Some(visit)) => {
                let users: Vec<String> = visit.users.into_iter().map(|user| user.user_id).collect();
                met.push(format!("{} {}", visit.department, users.join(",")));
            }
            Ok(None) => break,
            Err(error) => {
                assert!(matches!(error, ApiError::Denied { .. }), "{error}");
                errors += 1;
            }
        }
    }
    assert_eq!(met, ["1 a", "1 b", "2 ", "3 c"]);
    assert_eq!(errors, 1);
    let asked: Vec<Value> = server
        .calls(list)
        .iter()
        .map(|call| call.body["cursor"].clone())
        .collect();
    assert_eq!(
        asked,
        [json!(0), json!(100), json!(100), json!(0), json!(0)]
    );
}

#[tokio::test]
async fn departments_that_lie_in_a_circle_end_the_walk() {
    let server = Server::start().await;
    let circle =
        json!({"errcode": 0, "result": {"dept_id_list": [7], "has_more": false, "list": []}});
    for _ in 0..100 {
        server.next_json("/topapi/v2/department/listsubid", &circle);
        server.next_json("/topapi/v2/user/list", &circle);
    }
    let mut walk = server.client().walk_contacts("7").unwrap();
    let error = loop {
        match walk.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the walk came to an end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "client.depth");
}
