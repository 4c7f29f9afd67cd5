//! A server that answers as it was told and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use dingtalk::{Client, Credentials, Endpoints, Options, Timeouts};
use serde_json::{Value, json};
use url::Url;

/// How a call is answered.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A status and a body.
    With(u16, Vec<u8>),
    /// No answer at all.
    Never,
    /// A redirect to this address.
    Redirect(Url),
    /// A body that breaks off after these bytes.
    Broken(Vec<u8>),
}

/// A call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) header_token: Option<String>,
    pub(crate) body: Value,
    pub(crate) raw: Bytes,
}

#[derive(Default)]
struct Inner {
    replies: HashMap<String, VecDeque<Reply>>,
    calls: Vec<Call>,
    tokens: u32,
    /// The tokens up to this one are refused.
    expired: u32,
    token_delay: Duration,
}

#[derive(Clone)]
pub(crate) struct Server {
    inner: Arc<Mutex<Inner>>,
    pub(crate) base: Url,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let server = Self {
            inner: Arc::default(),
            base,
        };
        let app = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    /// Answers the next call of `path`; without any, calls of the path are answered `errcode` 0 and nothing else.
    pub(crate) fn next(&self, path: &str, reply: Reply) {
        self.inner
            .lock()
            .unwrap()
            .replies
            .entry(path.to_owned())
            .or_default()
            .push_back(reply);
    }

    pub(crate) fn next_json(&self, path: &str, body: &Value) {
        self.next(path, Reply::With(200, body.to_string().into_bytes()));
    }

    pub(crate) fn slow_tokens(&self, delay: Duration) {
        self.inner.lock().unwrap().token_delay = delay;
    }

    /// Refuses the tokens given out so far.
    pub(crate) fn expire_tokens(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.expired = inner.tokens;
    }

    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        self.inner
            .lock()
            .unwrap()
            .calls
            .iter()
            .filter(|call| call.path == path)
            .cloned()
            .collect()
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with(Options::default())
    }

    pub(crate) fn client_within(&self, timeouts: Timeouts) -> Client {
        self.client_with(Options {
            timeouts,
            ..Options::default()
        })
    }

    pub(crate) fn client_with(&self, options: Options) -> Client {
        let credentials = Credentials {
            app_key: "dingkey".into(),
            app_secret: "hush".into(),
            agent_id: Some(1001),
            robot_code: "dingrobot".into(),
        };
        let endpoints = Endpoints {
            oapi: self.base.clone(),
            api: self.base.clone(),
        };
        Client::with_options(credentials, endpoints, options).unwrap()
    }
}

async fn answer(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let query =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned();
    let call = Call {
        method,
        path: path.clone(),
        query: query.collect(),
        header_token: headers
            .get("x-acs-dingtalk-access-token")
            .map(|token| token.to_str().unwrap().to_owned()),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        raw: body,
    };
    let token = call.query.get("access_token").cloned();
    let is_token = path == "/gettoken" || path == "/v1.0/oauth2/accessToken";
    let (reply, delay) = {
        let mut inner = server.inner.lock().unwrap();
        inner.calls.push(call);
        let number = token.and_then(|token| token.strip_prefix("token")?.parse().ok());
        let is_expired = number.is_some_and(|number: u32| number <= inner.expired);
        let reply = if is_expired {
            let refusal =
                json!({"errcode": 88, "sub_code": "40014", "sub_msg": "不合法的access_token"});
            Some(Reply::With(200, refusal.to_string().into_bytes()))
        } else {
            inner.replies.get_mut(&path).and_then(VecDeque::pop_front)
        };
        let reply = reply.unwrap_or_else(|| {
            let body = if is_token {
                inner.tokens += 1;
                let token = format!("token{}", inner.tokens);
                json!({"errcode": 0, "access_token": token, "expires_in": 7200, "accessToken": token, "expireIn": 7200})
            } else {
                json!({"errcode": 0, "errmsg": "ok"})
            };
            Reply::With(200, body.to_string().into_bytes())
        });
        (
            reply,
            if is_token {
                inner.token_delay
            } else {
                Duration::ZERO
            },
        )
    };
    tokio::time::sleep(delay).await;
    match reply {
        Reply::With(status, body) => Response::builder()
            .status(StatusCode::from_u16(status).unwrap())
            .body(Body::from(body))
            .unwrap(),
        Reply::Redirect(url) => Response::builder()
            .status(StatusCode::TEMPORARY_REDIRECT)
            .header("location", url.as_str())
            .body(Body::empty())
            .unwrap(),
        Reply::Never => std::future::pending().await,
        // The length promises more than comes.
        Reply::Broken(start) => {
            let chunks = [
                Ok(Bytes::from(start)),
                Err(std::io::Error::other("broken off")),
            ];
            let body = Body::from_stream(futures_util::stream::iter(chunks));
            Response::builder()
                .header("content-length", "1000")
                .body(body)
                .unwrap()
        }
    }
}
