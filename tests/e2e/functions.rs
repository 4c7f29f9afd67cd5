//! What may be wrong with a host call, for every function and every argument of the WIT package: empty, too much, of the
//! wrong form, an unknown id, no permission, a token that expires, too many calls, a web page in place of an answer.

use belfry_tests::{Bot, Hosted, ONCALL, Plugin, Stage, wait_for};
use dingtalk::ApiStyle;
use serde_json::{Value, json};

mod arguments;
mod declared;
mod troubles;

fn bot() -> Bot {
    Bot::new()
        .plugin(
            Plugin::new("caller", "caller")
                .granted("schedule = true")
                .line("events = [\"chat-message\", \"alert\"]")
                .line("limits = { calls = 10000, sends = 1000, call-bytes = \"64MiB\", memory = \"512MiB\", wall = \"120s\", cpu = \"60s\" }"),
        )
        .hook("calls", "generic", "")
}

/// Lets the plugin make these calls of a function in one delivery.
async fn make(stage: &Stage, belfry: &Hosted, function: &str, calls: Vec<Vec<Value>>) {
    let calls = calls
        .into_iter()
        .map(|arguments| json!({"function": function, "arguments": arguments}));
    let calls: Value = calls.collect();
    if function == "robot.reply" {
        // Only a chat message can be replied to.
        stage
            .dingtalk
            .say(ONCALL, "alice", &calls.to_string())
            .await;
    } else {
        let event = json!({"key": function, "title": function, "calls": calls});
        let (status, said) = belfry.doors.hook("calls", event.to_string()).await;
        assert_eq!(status, 200, "{said}");
    }
}

/// What the plugin was told, once it has made the calls of a function that were asked for last.
async fn told(belfry: &Hosted, function: &str) -> Vec<Value> {
    let key = match function {
        "robot.reply" => ONCALL,
        other => other,
    };
    let id = wait_for(&format!("{function} was called"), async || {
        let mut events = belfry.doors.events().await.into_iter();
        let event = events.find(|event| {
            let of = event["deliveries"][0]["key"].as_str();
            of.is_some_and(|of| of.ends_with(key))
        })?;
        let is_over = event["deliveries"][0]["state"] != "pending";
        is_over.then(|| event["id"].as_str().unwrap().to_owned())
    })
    .await;
    let event = belfry.doors.get(&format!("/api/events/{id}")).await;
    let delivery = &event["deliveries"][0];
    assert_eq!(
        delivery["state"], "done",
        "{function}: {}",
        delivery["reason"]
    );
    let calls = delivery["calls"].as_array().unwrap().iter();
    calls
        .map(|call| match call["function"].as_str() {
            // Of `approval.encode` there is only what the guest told.
            Some("kv.list-keys") if function != "kv.list-keys" => call["arguments"].clone(),
            _ => call["answer"].clone(),
        })
        .collect()
}

/// Lets the plugin make these calls and waits for what it was told, call by call.
async fn made(
    stage: &Stage,
    belfry: &Hosted,
    function: &str,
    calls: Vec<Vec<Value>>,
) -> Vec<Value> {
    let count = calls.len();
    if count == 0 {
        return Vec::new();
    }
    make(stage, belfry, function, calls).await;
    let told = told(belfry, function).await;
    assert_eq!(told.len(), count, "{function}");
    told
}

/// As `bot.toml` has it.
fn word(style: ApiStyle) -> &'static str {
    match style {
        ApiStyle::Modern => "modern",
        ApiStyle::Legacy => "legacy",
    }
}
