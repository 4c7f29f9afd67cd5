//! Sets a simulator up with an app that receives, and speaks to both.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aes::Aes256;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use simulator::{App, CallbackTarget, Options, Simulator};

pub(crate) const TOKEN: &str = "token123";
pub(crate) const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFA";
pub(crate) const SECRET: &str = "acme-secret";

/// A running simulator with the apps `acme` (receives) and `other` (does not).
pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) receiver: Receiver,
    pub(crate) http: reqwest::Client,
}

/// The app's side: keeps what arrives and answers as told.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    address: String,
    events: Vec<Value>,
    refused: Vec<String>,
    messages: Vec<(HeaderMap, Value)>,
    answers: Vec<Answer>,
    robot_reply: Option<Value>,
}

/// How the next events are answered; after these, with success.
#[derive(Clone)]
pub(crate) enum Answer {
    Status(u16),
    Plain,
    Wrong,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// A stage whose simulator differs from the usual in these options.
    pub(crate) async fn with(options: Options) -> Self {
        let receiver = Receiver::start().await;
        let options = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            apps: vec![acme(&receiver.address()), other()],
            push_retries: vec![Duration::from_millis(10), Duration::from_millis(20)],
            ..options
        };
        let simulator = simulator::start(options).await.unwrap();
        Self {
            simulator,
            receiver,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.simulator.address())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.http
            .get(self.url(path))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.post_status(path, body).await.1
    }

    pub(crate) async fn post_status(&self, path: &str, body: Value) -> (u16, Value) {
        let response = self
            .http
            .post(self.url(path))
            .json(&body)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn token(&self) -> String {
        let answer = self
            .get(&format!("/gettoken?appkey=dingkey&appsecret={SECRET}"))
            .await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A token of the app that owns nothing.
    pub(crate) async fn other_token(&self) -> String {
        let answer = self
            .get("/gettoken?appkey=otherkey&appsecret=other-secret")
            .await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// One call of the older API with acme's token.
    pub(crate) async fn call(&self, path: &str, body: Value) -> Value {
        let token = self.token().await;
        self.post(&format!("{path}?access_token={token}"), body)
            .await
    }

    /// One reading call of the older API with acme's token.
    pub(crate) async fn ask(&self, path: &str, query: &str) -> Value {
        let token = self.token().await;
        self.get(&format!("{path}?access_token={token}&{query}"))
            .await
    }

    /// One call of the newer API with acme's token.
    pub(crate) async fn call_v1(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.post(self.url(path)).json(&body);
        let request = request.header("x-acs-dingtalk-access-token", self.token().await);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// One reading call of the newer API with acme's token.
    pub(crate) async fn ask_v1(&self, path: &str, query: &str) -> (u16, Value) {
        let request = self.http.get(self.url(&format!("{path}?{query}")));
        let request = request.header("x-acs-dingtalk-access-token", self.token().await);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The group of an open conversation id as the control door shows it.
    pub(crate) async fn group(&self, id: &str) -> Value {
        let groups = self.get("/_sim/groups").await;
        groups
            .as_array()
            .unwrap()
            .iter()
            .find(|group| group["id"] == id)
            .unwrap()
            .clone()
    }
}

pub(crate) fn acme(receiver: &str) -> App {
    App {
        name: "acme".to_owned(),
        corp_id: "dingcorp".to_owned(),
        app_key: "dingkey".to_owned(),
        app_secret: SECRET.to_owned(),
        agent_id: 1001,
        robot_code: "dingkey".to_owned(),
        callback: Some(CallbackTarget {
            url: format!("http://{receiver}/callback?keep=me"),
            token: TOKEN.to_owned(),
            aes_key: AES_KEY.to_owned(),
            receive_id: "dingkey".to_owned(),
        }),
        robot_url: Some(format!("http://{receiver}/robot")),
    }
}

fn other() -> App {
    App {
        name: "other".to_owned(),
        corp_id: "dingcorp".to_owned(),
        app_key: "otherkey".to_owned(),
        app_secret: "other-secret".to_owned(),
        agent_id: 1002,
        robot_code: "otherrobot".to_owned(),
        callback: None,
        robot_url: None,
    }
}

/// Waits until a look shows something, for at most ten seconds.
pub(crate) async fn wait_for<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "it did not come"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Receiver {
    async fn start() -> Self {
        let receiver = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        receiver.inner.lock().unwrap().address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .route("/callback", post(callback))
            .route("/robot", post(robot))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    pub(crate) fn address(&self) -> String {
        self.inner.lock().unwrap().address.clone()
    }

    /// Answers the next events like this.
    pub(crate) fn answer(&self, answers: &[Answer]) {
        self.inner.lock().unwrap().answers = answers.to_vec();
    }

    /// Answers robot messages with this body.
    pub(crate) fn reply_to_messages(&self, body: Value) {
        self.inner.lock().unwrap().robot_reply = Some(body);
    }

    /// The events that opened, in order of arrival.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.inner.lock().unwrap().events.clone()
    }

    /// Why other pushes did not open.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.inner.lock().unwrap().refused.clone()
    }

    pub(crate) fn messages(&self) -> Vec<(HeaderMap, Value)> {
        self.inner.lock().unwrap().messages.clone()
    }

    /// Waits until so many events have come and gives them all.
    pub(crate) async fn wait_for_events(&self, count: usize) -> Vec<Value> {
        wait_for(async || Some(self.events()).filter(|events| events.len() >= count)).await
    }
}

type Parameters = std::collections::BTreeMap<String, String>;

async fn callback(
    State(receiver): State<Receiver>,
    Query(query): Query<Parameters>,
    body: Bytes,
) -> Response {
    let mut inner = receiver.inner.lock().unwrap();
    let id = match open(&query, &body) {
        Ok((event, id)) => {
            inner.events.push(event);
            id
        }
        Err(why) => {
            inner.refused.push(why.to_owned());
            return StatusCode::BAD_REQUEST.into_response();
        }
    };
    if inner.answers.is_empty() {
        return sealed("success", id).to_string().into_response();
    }
    match inner.answers.remove(0) {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Plain => "success".into_response(),
        Answer::Wrong => sealed("failure", id).to_string().into_response(),
    }
}

async fn robot(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let mut inner = receiver.inner.lock().unwrap();
    inner
        .messages
        .push((headers, serde_json::from_slice(&body).unwrap()));
    match &inner.robot_reply {
        Some(reply) => reply.to_string().into_response(),
        None => StatusCode::OK.into_response(),
    }
}

// The app's own crypto, written apart from the simulator's.

fn key() -> [u8; 32] {
    // The last character of this key leaves no surplus bits, so the strict decoder takes it.
    STANDARD
        .decode(format!("{AES_KEY}="))
        .unwrap()
        .try_into()
        .unwrap()
}

/// The event, and for whom it was sealed: the app key of the console or the corp id of a registered callback.
fn open(query: &Parameters, body: &[u8]) -> Result<(Value, &'static str), &'static str> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "body")?;
    let encrypt = body["encrypt"].as_str().ok_or("encrypt")?;
    assert_eq!(query["keep"], "me", "the address keeps its own query");
    if query["signature"] != signature(&query["timestamp"], &query["nonce"], encrypt) {
        return Err("signature");
    }
    let mut bytes = STANDARD.decode(encrypt).map_err(|_| "base64")?;
    let key = key();
    let iv: [u8; 16] = key[..16].try_into().unwrap();
    let frame = cbc::Decryptor::<Aes256>::new(&key.into(), &iv.into())
        .decrypt_padded::<NoPadding>(&mut bytes)
        .map_err(|_| "blocks")?;
    let padding = usize::from(*frame.last().ok_or("padding")?);
    if padding == 0 || padding > 32 || frame.len() < 20 + padding {
        return Err("padding");
    }
    let frame = &frame[16..frame.len() - padding];
    let length = usize::try_from(u32::from_be_bytes(frame[..4].try_into().unwrap())).unwrap();
    let message = frame[4..].get(..length).ok_or("length")?;
    let id = ["dingkey", "dingcorp"]
        .into_iter()
        .find(|id| &frame[4 + length..] == id.as_bytes())
        .ok_or("receive id")?;
    let event = serde_json::from_slice(message).map_err(|_| "json")?;
    Ok((event, id))
}

fn sealed(text: &str, id: &str) -> Value {
    let mut frame = b"0123456789abcdef".to_vec();
    frame.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend(text.bytes());
    frame.extend(id.bytes());
    let padding = 32 - frame.len() % 32;
    frame.resize(frame.len() + padding, u8::try_from(padding).unwrap());
    let key = key();
    let iv: [u8; 16] = key[..16].try_into().unwrap();
    let length = frame.len();
    cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into())
        .encrypt_padded::<NoPadding>(&mut frame, length)
        .unwrap();
    let encrypt = STANDARD.encode(frame);
    json!({
        "msg_signature": signature("1700000000000", "nonce", &encrypt),
        "timeStamp": "1700000000000",
        "nonce": "nonce",
        "encrypt": encrypt,
    })
}

fn signature(timestamp: &str, nonce: &str, encrypt: &str) -> String {
    let mut parts = [TOKEN, timestamp, nonce, encrypt];
    parts.sort_unstable();
    Sha1::digest(parts.concat())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
