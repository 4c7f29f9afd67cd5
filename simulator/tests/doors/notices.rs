//! Work notices.

use serde_json::{Value, json};

use crate::stage::Stage;

const SEND: &str = "/topapi/message/corpconversation/asyncsend_v2";

fn text(content: &str) -> Value {
    json!({"msgtype": "text", "text": {"content": content}})
}

#[tokio::test]
async fn a_notice_reaches_its_people_once_a_day() {
    let stage = Stage::new().await;
    let body = json!({"agent_id": 1001, "userid_list": "alice,ghost,alice", "dept_id_list": "3,99", "msg": text("x")});
    let sent = stage.call(SEND, body.clone()).await;
    assert_eq!((&sent["errcode"], &sent["task_id"]), (&json!(0), &json!(1)));
    let again = stage.call(SEND, body).await;
    assert_eq!(
        (&again["errcode"], &again["task_id"]),
        (&json!(0), &json!(2))
    );

    let notices = stage.get("/_sim/notices").await;
    assert_eq!(
        notices[0]["receivers"],
        json!(["alice", "zhangsan", "lisi", "wangwu", "zhaoliu"])
    );
    assert_eq!(notices[1]["receivers"], json!([]));
    assert_eq!(
        notices[1]["dropped"][0],
        json!({"userid": "alice", "code": 143106})
    );

    let ask = json!({"agent_id": 1001, "task_id": 2});
    let progress = stage
        .call(
            "/topapi/message/corpconversation/getsendprogress",
            ask.clone(),
        )
        .await;
    assert_eq!(
        progress["progress"],
        json!({"progress_in_percent": 100, "status": 2})
    );
    let result = stage
        .call("/topapi/message/corpconversation/getsendresult", ask)
        .await;
    let result = &result["send_result"];
    assert_eq!(result["invalid_user_id_list"], json!(["ghost"]));
    assert_eq!(result["invalid_dept_id_list"], json!([99]));
    assert_eq!(
        result["forbidden_list"][0],
        json!({"code": "143106", "count": 1, "userid": "alice"})
    );
}

#[tokio::test]
async fn a_notice_can_be_recalled() {
    let stage = Stage::new().await;
    stage
        .call(
            SEND,
            json!({"agent_id": "1001", "userid_list": "alice", "msg": text("x")}),
        )
        .await;
    let recall = "/topapi/message/corpconversation/recall";
    let wrong = stage
        .call(recall, json!({"agent_id": 1001, "task_id": 1}))
        .await;
    assert_eq!(
        wrong["errcode"], 40035,
        "here the task is called msg_task_id"
    );
    let right = stage
        .call(recall, json!({"agent_id": 1001, "msg_task_id": 1}))
        .await;
    assert_eq!(right["errcode"], 0);
    assert_eq!(stage.get("/_sim/notices").await[0]["recalled"], true);
}

#[tokio::test]
async fn bad_notices_are_refused() {
    let stage = Stage::new().await;
    let crowd = vec!["alice"; 101].join(",");
    for (body, code) in [
        (json!({"userid_list": "alice", "msg": text("x")}), 40056),
        (
            json!({"agent_id": 1002, "userid_list": "alice", "msg": text("x")}),
            40056,
        ),
        (json!({"agent_id": 1001, "msg": text("x")}), 1_430_000),
        (
            json!({"agent_id": 1001, "userid_list": ["alice"], "msg": text("x")}),
            40035,
        ),
        (
            json!({"agent_id": 1001, "userid_list": crowd, "msg": text("x")}),
            40035,
        ),
        (json!({"agent_id": 1001, "userid_list": "alice"}), 40035),
        (
            json!({"agent_id": 1001, "userid_list": "alice", "msg": {"msgtype": "poem"}}),
            40008,
        ),
        (
            json!({"agent_id": 1001, "userid_list": "alice", "msg": text(&"x".repeat(2048))}),
            45002,
        ),
    ] {
        assert_eq!(
            stage.call(SEND, body.clone()).await["errcode"],
            code,
            "{body}"
        );
    }
    assert_eq!(stage.get("/_sim/notices").await, json!([]));
}

#[tokio::test]
async fn the_whole_company_is_told_three_times_a_day() {
    let stage = Stage::new().await;
    for number in 0..4 {
        let body = json!({"agent_id": 1001, "to_all_user": true, "msg": text(&number.to_string())});
        let code = if number < 3 { 0 } else { 41045 };
        assert_eq!(stage.call(SEND, body).await["errcode"], code);
    }
    assert_eq!(
        stage.get("/_sim/notices").await[0]["receivers"]
            .as_array()
            .unwrap()
            .len(),
        12
    );
}

#[tokio::test]
async fn the_status_bar_of_a_notice_is_changed() {
    let path = "/topapi/message/corpconversation/status_bar/update";
    let stage = Stage::new().await;
    let oa = json!({"msgtype": "oa", "oa": {"message_url": "http://x", "head": {"bgcolor": "FFBBBBBB", "text": "h"},
        "status_bar": {"status_value": "进行中", "status_bg": "0xFFF65E5E"}, "body": {"title": "t"}}});
    for msg in [oa, text("x")] {
        let body = json!({"agent_id": 1001, "userid_list": "alice", "msg": msg});
        assert_eq!(stage.call(SEND, body).await["errcode"], 0);
    }
    let ask = |task: i64, value: &str| json!({"agent_id": 1001, "task_id": task, "status_value": value, "status_bg": "0xFF78C06E"});
    assert_eq!(stage.call(path, ask(1, "完成")).await["errcode"], 0);
    let notices = stage.get("/_sim/notices").await;
    assert_eq!(
        notices[0]["msg"]["oa"]["status_bar"],
        json!({"status_value": "完成", "status_bg": "0xFF78C06E"})
    );
    for (body, code) in [
        (ask(2, "x"), 40035),
        (ask(9, "x"), 40035),
        (ask(1, ""), 40035),
        (
            json!({"agent_id": 7, "task_id": 1, "status_value": "x"}),
            40056,
        ),
    ] {
        assert_eq!(stage.call(path, body).await["errcode"], code);
    }
}
