//! Sends one call: token, request, capped answer, and the one repetition a refused token allows.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::debug;
use url::Url;

use super::answer::{self, Answer};
use super::{Client, Inner};
use crate::error::{ApiError, Effect, Failure};
use crate::{Credentials, Secret, metric};

/// No answer of DingTalk's comes near this.
const MAX_ANSWER: usize = 1024 * 1024;
/// What DingTalk documents for every token, where an answer leaves it out.
const DEFAULT_LIFE: i64 = 7200;

impl Client {
    /// Calls the older API, which takes its token in the query.
    pub(super) async fn oapi(
        &self,
        path: &str,
        body: Value,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        self.inner
            .oapi(Method::POST, path, &[], Some(&body), effect)
            .await
    }

    /// Reads from the older API with arguments in the query.
    pub(super) async fn oapi_get(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, ApiError> {
        self.oapi_get_as(path, query, Effect::Read).await
    }

    /// As [`Client::oapi_get`], for the calls of the older API that change something by a GET.
    pub(super) async fn oapi_get_as(
        &self,
        path: &str,
        query: &[(&str, &str)],
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        self.inner
            .oapi(Method::GET, path, query, None, effect)
            .await
    }

    /// Calls the v1.0 API, which takes its token in a header.
    pub(super) async fn api(
        &self,
        path: &str,
        body: &Value,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        self.inner.api(path, body, effect).await
    }

    /// Posts to a session webhook, which needs no token.
    pub(super) async fn webhook(&self, url: Url, body: &Value) -> Result<(), ApiError> {
        let request = self.inner.http.post(url).json(body);
        let (status, bytes) = self
            .inner
            .send(request, "/robot/sendBySession", Effect::Write)
            .await?;
        answer::oapi(status, &bytes, Effect::Write)
            .map(|_| ())
            .map_err(Failure::last)
    }
}

impl Inner {
    async fn oapi(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        let url = at(&self.endpoints.oapi, path);
        let send = async |token: &Secret| {
            let request = self.http.request(method.clone(), url.clone());
            let mut request = request
                .query(&[("access_token", token.expose())])
                .query(query);
            if let Some(body) = body {
                request = request.json(body);
            }
            let (status, bytes) = self.send(request, path, effect).await?;
            answer::oapi(status, &bytes, effect)
        };
        let fetch = async || self.fetch_oapi_token().await;

        let token = self.oapi_token.get(fetch).await?;
        match send(&token).await {
            Err(Failure::TokenRefused { .. }) => self.oapi_token.invalidate(&token),
            done => return done.map_err(Failure::last),
        }
        let token = self.oapi_token.get(fetch).await?;
        send(&token).await.map_err(Failure::last)
    }

    async fn api(&self, path: &str, body: &Value, effect: Effect) -> Result<Answer, ApiError> {
        let url = at(&self.endpoints.api, path);
        let send = async |token: &Secret| {
            let request = self.http.post(url.clone()).json(body);
            let request = request.header("x-acs-dingtalk-access-token", token.expose());
            let (status, bytes) = self.send(request, path, effect).await?;
            answer::api(status, &bytes, effect)
        };
        let fetch = async || self.fetch_api_token().await;

        let token = self.api_token.get(fetch).await?;
        match send(&token).await {
            Err(Failure::TokenRefused { .. }) => self.api_token.invalidate(&token),
            done => return done.map_err(Failure::last),
        }
        let token = self.api_token.get(fetch).await?;
        send(&token).await.map_err(Failure::last)
    }

    pub(super) async fn fetch_oapi_token(&self) -> Result<(Secret, Duration), ApiError> {
        let Credentials {
            app_key,
            app_secret,
            ..
        } = &self.credentials;
        let query = [
            ("appkey", app_key.as_str()),
            ("appsecret", app_secret.expose()),
        ];
        let request = self
            .http
            .get(at(&self.endpoints.oapi, "/gettoken"))
            .query(&query);
        let (status, bytes) = self.send(request, "/gettoken", Effect::Read).await?;
        let answer = answer::oapi(status, &bytes, Effect::Read).map_err(Failure::last)?;
        token_of(&answer, "access_token", "expires_in")
    }

    pub(super) async fn fetch_api_token(&self) -> Result<(Secret, Duration), ApiError> {
        const PATH: &str = "/v1.0/oauth2/accessToken";
        let Credentials {
            app_key,
            app_secret,
            ..
        } = &self.credentials;
        let body = json!({"appKey": app_key, "appSecret": app_secret.expose()});
        let request = self.http.post(at(&self.endpoints.api, PATH)).json(&body);
        let (status, bytes) = self.send(request, PATH, Effect::Read).await?;
        let answer = answer::api(status, &bytes, Effect::Read).map_err(Failure::last)?;
        token_of(&answer, "accessToken", "expireIn")
    }

    /// Sends a request and reads the answer. `path` is for the log: the URL holds secrets, so it goes nowhere else.
    async fn send(
        &self,
        request: RequestBuilder,
        path: &str,
        effect: Effect,
    ) -> Result<(u16, Vec<u8>), ApiError> {
        let started = Instant::now();
        let sent = request.send().await.map_err(|error| lost(&error, effect));
        let took = started.elapsed();
        let is_lost = matches!(&sent, Err(error) if error.code() == "client.connect");
        self.reach.heard(!is_lost, Instant::now());
        metric::sent(path, sent.as_ref().ok().map(Response::status), took);
        let took_ms = took.as_millis();
        match &sent {
            Ok(response) => debug!(
                path,
                status = response.status().as_u16(),
                took_ms,
                "dingtalk answered"
            ),
            Err(error) => debug!(path, code = error.code(), took_ms, "dingtalk call failed"),
        }
        let response = sent?;
        let status = response.status().as_u16();
        match read(response, effect).await {
            Ok(body) => Ok((status, body)),
            // What a refusal says in full matters less than that it is one.
            Err(_) if (300..500).contains(&status) => Ok((status, Vec::new())),
            Err(error) => Err(error),
        }
    }
}

async fn read(mut response: Response, effect: Effect) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| lost(&error, effect))?
    {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(effect.uncertain("client.too-large", "the answer is larger than 1 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What it means that no answer came. The text of `error` is left out: it names the URL and with it the token.
fn lost(error: &reqwest::Error, effect: Effect) -> ApiError {
    let unavailable = |code: &str, message: &str| ApiError::Unavailable {
        code: code.to_owned(),
        message: message.to_owned(),
    };
    if error.is_builder() {
        ApiError::Invalid {
            code: "client.request".to_owned(),
            message: "the request cannot be written".to_owned(),
        }
    } else if error.is_connect() {
        unavailable("client.connect", "no connection to dingtalk")
    } else if error.is_timeout() {
        effect.uncertain("client.timeout", "no answer in time")
    } else {
        effect.uncertain(
            "client.broken",
            "the connection broke before the answer was complete",
        )
    }
}

fn token_of(
    answer: &Answer,
    value: &'static str,
    life: &'static str,
) -> Result<(Secret, Duration), ApiError> {
    let value = Secret::new(answer.text(value)?);
    let seconds = answer
        .members()
        .integer(life)
        .unwrap_or(DEFAULT_LIFE)
        .max(1);
    Ok((value, Duration::from_secs(seconds.unsigned_abs())))
}

/// The address of a path below a base, which may have a path of its own.
fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
