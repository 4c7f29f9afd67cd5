//! Pushes that come twice, late or out of order: over every way in each event is handled once, in the order it arrived.

use belfry_tests::{Bot, Doors, ONCALL, Plugin, Stage, wait_until};
use serde_json::json;

/// A way in. One that is added here has to stand all of these.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Sealed events.
    Callback,
    /// Robot messages over HTTP.
    Robot,
    /// Alert webhooks.
    Hook,
}

const WAYS: [Way; 3] = [Way::Callback, Way::Robot, Way::Hook];

/// What goes wrong on the way.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Every push comes twice.
    Twice,
    /// What was acknowledged comes again after younger ones.
    Late,
    /// The first one arrives after the second.
    Overtaken,
}

fn bot() -> Bot {
    let tally = Plugin::new("first", "tally")
        .line("events = [\"chat-message\", \"chat-change\", \"alert\"]")
        .granted("schedule = true")
        .line("config = { name = \"first\", steps = \"say\" }");
    Bot::new().plugin(tally).hook("ops", "alertmanager", "")
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Robot => "robot",
            Self::Hook => "hook",
        }
    }

    /// Whether the simulator pushes it, and so can be told to do it wrong.
    fn is_pushed(self) -> bool {
        !matches!(self, Self::Hook)
    }

    /// Sends the event of a number; all of them have one key.
    async fn send(self, stage: &Stage, doors: &Doors, number: u32) {
        let (mark, text) = (
            format!("{}-{number}", self.name()),
            format!("{}-{number} say", self.name()),
        );
        let report = match self {
            Self::Callback => {
                let mut event = json!({"EventType": "chat_update_title", "CorpId": "dingcorp", "chatId": "chatone", "title": text});
                if number.is_multiple_of(2) {
                    event["eventId"] = json!(mark);
                }
                stage.dingtalk.push(event, json!({})).await
            }
            Self::Robot => {
                let message = json!({"app": "acme", "conversationId": ONCALL, "senderStaffId": "alice", "text": text, "msgId": mark});
                stage.dingtalk.post("messages", message).await
            }
            Self::Hook => {
                let body = json!({"version": "4", "groupKey": "disk", "commonAnnotations": {"summary": text}, "alerts": []});
                let (status, _) = doors.hook("ops", body.to_string()).await;
                json!({"delivered": status == 200})
            }
        };
        assert_eq!(report["delivered"], true, "{mark}: {report}");
        for again in report["duplicates"].as_array().into_iter().flatten() {
            assert_eq!(again["success"], true, "{mark}: {report}");
        }
    }
}

impl Trouble {
    /// Sends some events in this way; answers with their numbers in the order in which they arrived first.
    async fn make(self, way: Way, stage: &Stage, doors: &Doors) -> Vec<u32> {
        let fault = |name: &str, times: u32| {
            stage.dingtalk.post(
                "faults",
                json!({"path": "push", "times": times, name: true}),
            )
        };
        match self {
            Self::Twice => {
                if way.is_pushed() {
                    fault("duplicate", 4).await;
                }
                for number in 1..=4 {
                    way.send(stage, doors, number).await;
                    if !way.is_pushed() {
                        way.send(stage, doors, number).await;
                    }
                }
                vec![1, 2, 3, 4]
            }
            Self::Late => {
                for number in [1, 2, 3, 1, 2, 4, 3] {
                    way.send(stage, doors, number).await;
                }
                vec![1, 2, 3, 4]
            }
            Self::Overtaken => {
                if way.is_pushed() {
                    fault("reorder", 1).await;
                    tokio::join!(way.send(stage, doors, 1), async {
                        wait_until("the first one is held back", async || {
                            stage.dingtalk.get("faults").await == json!([])
                        })
                        .await;
                        way.send(stage, doors, 2).await;
                    });
                } else {
                    way.send(stage, doors, 2).await;
                    way.send(stage, doors, 1).await;
                }
                way.send(stage, doors, 3).await;
                vec![2, 1, 3]
            }
        }
    }
}

#[tokio::test]
async fn over_every_way_an_event_is_handled_once_and_in_its_order() {
    for way in WAYS {
        for trouble in [Trouble::Twice, Trouble::Late, Trouble::Overtaken] {
            let stage = Stage::new(&bot()).await;
            let belfry = stage.host().await;
            let arrived = trouble.make(way, &stage, &belfry.doors).await;
            wait_until(&format!("all is done: {way:?} {trouble:?}"), async || {
                let events = belfry.doors.events().await;
                events.len() == arrived.len() && events.iter().all(|event| event["state"] == "done")
            })
            .await;
            let expected: Vec<String> = arrived
                .iter()
                .map(|number| format!("first/{}-{number}", way.name()))
                .collect();
            assert_eq!(
                stage.dingtalk.answers(ONCALL).await,
                expected,
                "{way:?} {trouble:?}"
            );
            assert_eq!(
                stage.dingtalk.calls("/chat/send").await.len(),
                expected.len(),
                "{way:?} {trouble:?}"
            );
            belfry.stop().await;
        }
    }
}
