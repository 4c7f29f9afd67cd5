//! An event reaches its plugin, and the plugin acts in DingTalk.

use belfry_tests::{Bot, Hosted, ONCALL, Plugin, Stage, bots_texts, wait_for, wait_until};
use serde_json::{Value, json};

/// The bot as it is shipped.
fn shipped() -> Bot {
    Bot::new()
        .plugin(Plugin::echo())
        .plugin(Plugin::approvals())
        .plugin(Plugin::alerts())
        .hook("ops", "alertmanager", "")
}

async fn start(bot: &Bot) -> (Stage, Hosted) {
    let stage = Stage::new(bot).await;
    let belfry = stage.host().await;
    (stage, belfry)
}

/// An Alertmanager group of one alert of the service `checkout`.
fn alert(group_key: &str, status: &str) -> String {
    let ends = if status == "resolved" {
        "2026-11-22T09:34:00Z"
    } else {
        "0001-01-01T00:00:00Z"
    };
    json!({
        "version": "4", "groupKey": group_key, "truncatedAlerts": 0, "status": status, "receiver": "belfry",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {"alertname": "HighErrorRate", "service": "checkout", "severity": "critical"},
        "commonAnnotations": {"summary": format!("too many errors in {group_key}")},
        "externalURL": "http://alertmanager:9093",
        "alerts": [{
            "status": status, "labels": {"alertname": "HighErrorRate", "service": "checkout", "pod": group_key},
            "annotations": {}, "startsAt": "2026-11-22T09:00:00Z", "endsAt": ends,
            "generatorURL": "http://prometheus/graph", "fingerprint": "f00d",
        }],
    })
    .to_string()
}

/// Waits until the approvals plugin wrote about an instance, and gives what it wrote to group and applicant.
async fn announcement(stage: &Stage, instance: &Value, applicant: &str) -> (String, String) {
    let id = instance["id"].as_str().unwrap();
    let told = wait_for("the group is told", async || {
        let answers = stage.dingtalk.answers(ONCALL).await;
        answers
            .into_iter()
            .find(|text| text.contains(id) && text.contains("审批结束"))
    })
    .await;
    let notices = stage.dingtalk.notices().await;
    let notice = notices
        .iter()
        .find(|notice| notice.to_string().contains(id))
        .unwrap_or_else(|| panic!("no notice about {id} in {notices:?}"));
    assert_eq!(notice["receivers"], json!([applicant]));
    (told, notice.to_string())
}

#[tokio::test]
async fn a_message_in_a_group_is_echoed_there() {
    let (stage, belfry) = start(&shipped()).await;
    let report = stage.dingtalk.say(ONCALL, "alice", "@acme 早上好").await;
    assert_eq!(report["delivered"], true, "{report}");
    wait_until("the robot answers", async || {
        stage.dingtalk.answers(ONCALL).await == ["早上好"]
    })
    .await;
    wait_until("the event is done", async || {
        belfry.doors.events().await[0]["state"] == "done"
    })
    .await;
}

#[tokio::test]
async fn a_private_message_is_echoed_to_its_sender() {
    let (stage, _belfry) = start(&shipped()).await;
    let message = json!({"app": "acme", "senderStaffId": "bob", "text": "psst"});
    stage.dingtalk.post("messages", message).await;
    wait_until("bob is answered", async || {
        let groups = stage.dingtalk.groups().await;
        let single = groups.iter().find(|group| group["kind"] == "single");
        single.is_some_and(|single| bots_texts(single) == ["psst"])
    })
    .await;
}

#[tokio::test]
async fn an_approval_asked_for_in_the_chat_is_told_when_it_is_agreed() {
    let (stage, _belfry) = start(&shipped()).await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "@acme /leave 2d 看牙医")
        .await;
    let instance = wait_for("the approval is started", async || {
        stage.dingtalk.get("approvals").await.get(0).cloned()
    })
    .await;
    assert_eq!(instance["originator"], "alice");
    let id = instance["id"].as_str().unwrap();
    wait_until("the asker learns the instance", async || {
        let answers = stage.dingtalk.answers(ONCALL).await;
        answers.iter().any(|text| text.contains(id))
    })
    .await;

    stage.dingtalk.decide(id, "agree").await;
    let (group, notice) = announcement(&stage, &instance, "alice").await;
    for text in [group, notice] {
        for part in [id, instance["title"].as_str().unwrap(), "同意"] {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }
}

#[tokio::test]
async fn an_approval_started_by_hand_is_announced_however_it_ends() {
    let (stage, _belfry) = start(&shipped()).await;
    for (ending, word) in [("agree", "同意"), ("refuse", "拒绝"), ("terminate", "撤销")] {
        let instance = stage.dingtalk.ask_for_leave("bob").await;
        let id = instance["id"].as_str().unwrap();
        if ending == "terminate" {
            let door = format!("approvals/{id}/terminate");
            stage
                .dingtalk
                .post(&door, json!({"userid": "bob", "remark": "不去了"}))
                .await;
        } else {
            stage.dingtalk.decide(id, ending).await;
        }
        let (group, notice) = announcement(&stage, &instance, "bob").await;
        for text in [group, notice] {
            for part in [word, instance["title"].as_str().unwrap()] {
                assert!(text.contains(part), "{ending}: {text} lacks {part}");
            }
        }
    }
}

#[tokio::test]
async fn alerts_of_a_service_are_told_in_one_group_until_they_are_resolved() {
    let (stage, belfry) = start(&shipped()).await;
    let told = async |count: usize| {
        wait_for("the group is told", async || {
            let groups = stage.dingtalk.groups_named("告警 checkout").await;
            let texts = bots_texts(groups.first()?);
            (texts.len() == count).then(|| (groups.len(), texts[count - 1].clone()))
        })
        .await
    };

    assert_eq!(belfry.doors.hook("ops", alert("g1", "firing")).await.0, 200);
    let (_, text) = told(1).await;
    assert!(
        text.contains("告警中") && text.contains("too many errors in g1"),
        "{text}"
    );
    let groups = stage.dingtalk.groups_named("告警 checkout").await;
    assert_eq!(groups[0]["members"], json!(["manager", "alice", "bob"]));

    assert_eq!(belfry.doors.hook("ops", alert("g2", "firing")).await.0, 200);
    let (groups, text) = told(2).await;
    assert_eq!(groups, 1);
    assert!(text.contains("g2"), "{text}");

    assert_eq!(
        belfry.doors.hook("ops", alert("g1", "resolved")).await.0,
        200
    );
    let (groups, text) = told(3).await;
    assert_eq!(groups, 1);
    for part in ["已恢复", "resolved", "34"] {
        assert!(text.contains(part), "{text} lacks {part}");
    }
    assert_eq!(stage.dingtalk.calls("/chat/create").await.len(), 1);
}

#[tokio::test]
async fn two_alerts_of_a_new_service_at_the_same_moment_share_one_group() {
    let (stage, belfry) = start(&shipped()).await;
    // Both must find no group: the first creation takes its time.
    let slow = json!({"path": "/chat/create", "times": 1, "delay_ms": 300, "before": true});
    stage.dingtalk.post("faults", slow).await;
    let (first, second) = tokio::join!(
        belfry.doors.hook("ops", alert("g1", "firing")),
        belfry.doors.hook("ops", alert("g2", "firing")),
    );
    assert_eq!((first.0, second.0), (200, 200));
    let texts = wait_for("both are told", async || {
        let groups = stage.dingtalk.groups_named("告警 checkout").await;
        let texts = bots_texts(groups.first()?);
        (texts.len() == 2).then_some(texts)
    })
    .await;
    assert!(
        texts.iter().any(|text| text.contains("g1"))
            && texts.iter().any(|text| text.contains("g2"))
    );
    assert_eq!(stage.dingtalk.calls("/chat/create").await.len(), 1);
    assert_eq!(stage.dingtalk.groups_named("告警 checkout").await.len(), 1);
}

#[tokio::test]
async fn any_json_becomes_an_alert_through_a_generic_hook() {
    let bot = Bot::new()
        .plugin(Plugin::alerts())
        .hook("any", "generic", "");
    let (stage, belfry) = start(&bot).await;
    let body =
        json!({"title": "backup failed", "severity": "high", "labels": {"service": "nightly"}});
    assert_eq!(belfry.doors.hook("any", body.to_string()).await.0, 200);
    wait_until("the group is told", async || {
        let groups = stage.dingtalk.groups_named("告警 nightly").await;
        let texts = groups.first().map(bots_texts).unwrap_or_default();
        texts.iter().any(|text| text.contains("backup failed"))
    })
    .await;
}

#[tokio::test]
async fn a_check_of_the_address_is_answered_and_is_no_event() {
    let (stage, belfry) = start(&shipped()).await;
    let event = json!({"EventType": "check_url"});
    let report = stage.dingtalk.push(event, json!({"attempts": 1})).await;
    assert_eq!(report["delivered"], true, "{report}");
    assert_eq!(belfry.doors.events().await.len(), 0);
}
