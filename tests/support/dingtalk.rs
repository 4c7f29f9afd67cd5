//! Looks into the simulator and turns its wheels, over its control door.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// The group of the on-call people, there from the start.
pub const ONCALL: &str = "cidOncall==";
/// The group of the developers, there from the start.
pub const DEV: &str = "cidDev==";

/// The simulated DingTalk as a story sees it.
#[derive(Debug, Clone)]
pub struct Dingtalk {
    address: SocketAddr,
    http: reqwest::Client,
}

impl Dingtalk {
    /// The control door of a simulator.
    pub fn new(address: SocketAddr) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, http }
    }

    /// Looks, for example at `calls`.
    pub async fn get(&self, door: &str) -> Value {
        let url = format!("http://{}/_sim/{door}", self.address);
        self.http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// Turns a wheel, for example `faults`.
    ///
    /// # Panics
    ///
    /// If the simulator refuses.
    pub async fn post(&self, door: &str, body: Value) -> Value {
        let url = format!("http://{}/_sim/{door}", self.address);
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        let status = answer.status();
        let answer = answer.json().await.unwrap();
        assert!(status.is_success(), "{door} {body}: {status} {answer}");
        answer
    }

    /// The calls of one API path, oldest first.
    pub async fn calls(&self, path: &str) -> Vec<Value> {
        let calls = self.get(&format!("calls?path={path}")).await;
        calls.as_array().unwrap().clone()
    }

    /// Somebody writes to the robot in a group; answers with the report of the push.
    pub async fn say(&self, conversation: &str, sender: &str, text: &str) -> Value {
        let message = json!({"app": "acme", "conversationId": conversation, "senderStaffId": sender, "text": text});
        self.post("messages", message).await
    }

    /// Pushes an event; `extra` are further members of the request.
    pub async fn push(&self, event: Value, extra: Value) -> Value {
        let mut request = json!({"app": "acme", "event": event});
        request
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        self.post("events", request).await
    }

    /// All groups and single chats.
    pub async fn groups(&self) -> Vec<Value> {
        self.get("groups").await.as_array().unwrap().clone()
    }

    /// The groups of a name.
    pub async fn groups_named(&self, name: &str) -> Vec<Value> {
        let mut groups = self.groups().await;
        groups.retain(|group| group["name"] == name);
        groups
    }

    /// What the app and its robot wrote in a conversation, oldest first, as text.
    pub async fn answers(&self, conversation: &str) -> Vec<String> {
        let groups = self.groups().await;
        let group = groups.iter().find(|group| group["id"] == conversation);
        group.map(bots_texts).unwrap_or_default()
    }

    /// The work notices, oldest first.
    pub async fn notices(&self) -> Vec<Value> {
        self.get("notices").await.as_array().unwrap().clone()
    }

    /// Somebody starts an approval of the template `PROC-LEAVE` by hand; answers with the approval.
    pub async fn ask_for_leave(&self, originator: &str) -> Value {
        let start = json!({"app": "acme", "processCode": "PROC-LEAVE", "originator": originator, "fields": [
            {"name": "请假类型", "value": "年假"}, {"name": "请假天数", "value": "1"}, {"name": "请假事由", "value": "搬家"},
        ]});
        self.post("approvals", start).await
    }

    /// The manager agrees or refuses.
    pub async fn decide(&self, instance: &str, result: &str) {
        let decision = json!({"userid": "manager", "result": result});
        self.post(&format!("approvals/{instance}/decide"), decision)
            .await;
    }
}

/// What apps and robots wrote in a group as the control door shows it.
pub fn bots_texts(group: &Value) -> Vec<String> {
    let messages = group["messages"].as_array().unwrap();
    messages
        .iter()
        .filter(|message| message["sender"]["kind"] != "user")
        .map(text_of)
        .collect()
}

/// The words of a message of whatever type.
pub fn text_of(message: &Value) -> String {
    let content = &message["content"];
    let words = content["content"].as_str().or(content["text"].as_str());
    words.map_or_else(|| content.to_string(), str::to_owned)
}
