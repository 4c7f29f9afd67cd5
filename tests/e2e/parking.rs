//! A plugin that keeps failing is left alone for a while; its deliveries wait and nothing is lost.

use belfry_tests::{Bot, Hosted, ONCALL, Plugin, Stage, wait_for, wait_until};
use serde_json::{Value, json};

/// A bot whose `moody` does what it is told, with `echo` beside it.
fn bot(park: &str, limits: &str) -> Bot {
    let moody = Plugin::naughty("moody", "by-text", "")
        .line(&format!("park = {{ {park} }}"))
        .line(&format!("limits = {{ {limits} }}"));
    Bot::new()
        .retry("max-attempts = 1")
        .plugin(Plugin::echo())
        .plugin(moody)
}

/// Writes to the bot in private, so that the message is in order with nobody else's.
async fn tell(stage: &Stage, sender: &str, text: &str) {
    let message = json!({"app": "acme", "senderStaffId": sender, "text": text});
    stage.dingtalk.post("messages", message).await;
}

async fn parked(belfry: &Hosted) -> Value {
    let plugins = belfry.doors.get("/api/plugins").await;
    let mut list = plugins["plugins"].as_array().unwrap().iter();
    list.find(|plugin| plugin["name"] == "moody").unwrap()["parked"].clone()
}

/// Lets `moody` panic until it is parked.
async fn park(stage: &Stage, belfry: &Hosted) -> Value {
    for sender in ["alice", "bob", "carol"] {
        tell(stage, sender, "panic").await;
    }
    wait_for("the plugin is parked", async || {
        Some(parked(belfry).await).filter(|parked| !parked.is_null())
    })
    .await
}

/// The newest delivery to `moody`, once `echo` has answered the same event.
async fn waiting(belfry: &Hosted) -> Value {
    wait_until("echo is done", async || {
        belfry.doors.deliveries("echo").await[0]["state"] == "done"
    })
    .await;
    belfry.doors.deliveries("moody").await[0].clone()
}

async fn handled(belfry: &Hosted) {
    wait_until("the waiting delivery is done", async || {
        belfry.doors.deliveries("moody").await[0]["state"] == "done"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_plugin_waits_for_a_person_or_a_new_version_and_loses_nothing() {
    let stage = Stage::new(&bot("after = 3, pause = \"1h\"", "calls = 100")).await;
    let belfry = stage.host().await;

    let shown = park(&stage, &belfry).await;
    assert!(
        shown["reason"].as_str().unwrap().starts_with("trap: "),
        "{shown}"
    );
    assert_eq!(shown["times"], 1);
    assert!(shown["until"].as_str() > shown["since"].as_str(), "{shown}");
    assert_eq!(belfry.doors.metric("belfry_plugins_parked").await, 1.0);
    tell(&stage, "dave", "reply to me").await;
    let delivery = waiting(&belfry).await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&json!("pending"), &json!(0))
    );
    let resume = format!("http://{}/api/plugins/moody/resume", belfry.doors.admin);
    let answer = belfry.doors.http.post(&resume).send().await.unwrap();
    assert_eq!(
        answer.json::<Value>().await.unwrap(),
        json!({"resumed": true})
    );
    handled(&belfry).await;
    assert!(parked(&belfry).await.is_null());
    assert_eq!(belfry.doors.metric("belfry_plugins_parked").await, 0.0);

    park(&stage, &belfry).await;
    tell(&stage, "dave", "reply again").await;
    assert_eq!(waiting(&belfry).await["state"], "pending");
    stage.write(&bot("after = 3, pause = \"1h\"", "calls = 101"));
    assert_eq!(belfry.doors.reload().await.0, 200);
    handled(&belfry).await;
    assert!(parked(&belfry).await.is_null());

    let nobody = resume.replace("moody", "nobody");
    let answer = belfry.doors.http.post(nobody).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    belfry.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_that_runs_well_ends_the_pause() {
    let stage = Stage::new(&bot("after = 3, pause = \"1s\"", "calls = 100")).await;
    let belfry = stage.host().await;
    park(&stage, &belfry).await;
    // The first probe fails, and the pause after it is twice as long.
    tell(&stage, "dave", "panic").await;
    wait_until("the pause is the second", async || {
        parked(&belfry).await["times"] == 2
    })
    .await;
    tell(&stage, "dave", "reply to me").await;
    stage.dingtalk.say(ONCALL, "alice", "reply to us").await;
    wait_until("both are done", async || {
        let deliveries = belfry.doors.deliveries("moody").await;
        deliveries[..2]
            .iter()
            .all(|delivery| delivery["state"] == "done")
    })
    .await;
    assert!(parked(&belfry).await.is_null());
    belfry.stop().await;
}
