//! Speaks to a running belfry over its two listeners.

use std::net::SocketAddr;

use serde_json::Value;

use crate::wait_for;

/// The addresses of a running belfry, with a client for them.
#[derive(Debug, Clone)]
pub struct Doors {
    /// The public listener.
    pub public: SocketAddr,
    /// The operators' listener.
    pub admin: SocketAddr,
    /// A client without a proxy.
    pub http: reqwest::Client,
}

impl Doors {
    /// The doors at these addresses.
    pub fn new(public: SocketAddr, admin: SocketAddr) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            public,
            admin,
            http,
        }
    }

    /// A POST to the public listener.
    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("http://{}{path}", self.public))
    }

    /// Posts to a hook without a token; answers with status and text.
    pub async fn hook(&self, name: &str, body: String) -> (u16, String) {
        let answer = self
            .post(&format!("/hooks/{name}"))
            .header("content-type", "application/json")
            .body(body);
        let answer = answer.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The status of `/readyz`; 0 when nobody answers.
    pub async fn readiness(&self) -> u16 {
        let answer = self.http.get(format!("http://{}/readyz", self.admin));
        answer
            .send()
            .await
            .map_or(0, |answer| answer.status().as_u16())
    }

    /// JSON from the operators' listener.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("http://{}{path}", self.admin));
        answer.send().await.unwrap().json().await.unwrap()
    }

    /// All events, newest first.
    pub async fn events(&self) -> Vec<Value> {
        let events = self.get("/api/events?limit=10000").await;
        events.as_array().unwrap().clone()
    }

    /// All deliveries to a plugin, newest first.
    pub async fn deliveries(&self, plugin: &str) -> Vec<Value> {
        let events = self.events().await;
        let deliveries = events
            .iter()
            .flat_map(|event| event["deliveries"].as_array().unwrap());
        deliveries
            .filter(|delivery| delivery["plugin"] == plugin)
            .cloned()
            .collect()
    }

    /// How the oldest delivery to a plugin ended.
    pub async fn ended(&self, plugin: &str) -> Value {
        wait_for(&format!("the delivery to {plugin} ends"), async || {
            let delivery = self.deliveries(plugin).await.pop()?;
            (delivery["state"] != "pending").then_some(delivery)
        })
        .await
    }

    /// The digest of an active plugin.
    pub async fn digest(&self, plugin: &str) -> String {
        let plugins = self.get("/api/plugins").await;
        let mut list = plugins["plugins"].as_array().unwrap().iter();
        let found = list.find(|entry| entry["name"] == plugin).unwrap();
        found["digest"].as_str().unwrap().to_owned()
    }

    /// A POST of JSON to the operators' listener; answers with status and what it says.
    pub async fn ask(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.http.post(format!("http://{}{path}", self.admin));
        let answer = answer.json(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, value)
    }

    /// The value of one series of `/metrics`, written with its labels; 0 while there is none.
    ///
    /// # Panics
    ///
    /// If a line is not a series.
    pub async fn metric(&self, series: &str) -> f64 {
        let answer = self.http.get(format!("http://{}/metrics", self.admin));
        let text = answer.send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            (name == series).then_some(value)
        });
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Asks for a reload; answers with status and report.
    pub async fn reload(&self) -> (u16, Value) {
        let answer = self.http.post(format!("http://{}/-/reload", self.admin));
        let answer = answer.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}
