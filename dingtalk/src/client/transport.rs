//! Sends one call: token, request, capped answer, and the one repetition a refused token allows.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tracing::debug;
use url::Url;

use super::answer::{self, Answer};
use super::{Client, Inner, KeyKind, invalid};
use crate::catalog::{self, Call, Verb};
use crate::error::{ApiError, Effect, Failure};
use crate::pace::Lane;
use crate::{Credentials, Secret, metric};

/// The pauses before a read is made for the second and the third time.
const READ_PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// A read that has taken so long already is not made again.
const READS_WITHIN: Duration = Duration::from_secs(3);
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
        body_fits(path, &body)?;
        self.oapi_checked(path, body, effect).await
    }

    /// As [`Client::oapi`], with arguments that were checked before.
    pub(super) async fn oapi_checked(
        &self,
        path: &str,
        body: Value,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        let attach = |request: RequestBuilder| request.json(&body);
        self.inner
            .oapi(Method::POST, path, &[], attach, effect)
            .await
    }

    /// Posts to the older API what is no JSON, with arguments in the query. It is a write.
    pub(super) async fn oapi_with(
        &self,
        path: &str,
        query: &[(&str, &str)],
        attach: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, ApiError> {
        self.inner
            .oapi(Method::POST, path, query, attach, Effect::Write)
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
        query_fits(path, query)?;
        self.oapi_get_checked(path, query, effect).await
    }

    /// As [`Client::oapi_get_as`], with arguments that were checked before.
    pub(super) async fn oapi_get_checked(
        &self,
        path: &str,
        query: &[(&str, &str)],
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        self.inner
            .oapi(Method::GET, path, query, |request| request, effect)
            .await
    }

    /// Calls the v1.0 API, which takes its token in a header.
    pub(super) async fn api(
        &self,
        path: &str,
        body: &Value,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        body_fits(path, body)?;
        self.api_checked(path, body, effect).await
    }

    /// As [`Client::api`], with arguments that were checked before.
    pub(super) async fn api_checked(
        &self,
        path: &str,
        body: &Value,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        let request = |http: &reqwest::Client, url| http.post(url).json(body);
        self.inner.api(Lane::Api(path), request, effect).await
    }

    /// Reads from the v1.0 API with arguments in the query.
    pub(super) async fn api_get(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, ApiError> {
        query_fits(path, query)?;
        self.api_get_checked(path, query).await
    }

    /// As [`Client::api_get`], with arguments that were checked before.
    pub(super) async fn api_get_checked(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, ApiError> {
        let request = |http: &reqwest::Client, url| http.get(url).query(query);
        self.inner.api(Lane::Api(path), request, Effect::Read).await
    }

    /// Writes into a conversation through the v1.0 API.
    pub(super) async fn api_in_conversation(
        &self,
        path: &str,
        conversation: &str,
        body: &Value,
    ) -> Result<Answer, ApiError> {
        body_fits(path, body)?;
        let lane = Lane::Conversation(path, self.inner.pacer.spot(conversation));
        let request = |http: &reqwest::Client, url| http.post(url).json(body);
        self.inner.api(lane, request, Effect::Write).await
    }

    /// Fetches a file from an address that DingTalk gave, which needs no token.
    pub(super) async fn fetch(
        &self,
        url: Url,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, ApiError> {
        let request = self.inner.http.get(url).timeout(timeout);
        let sent = self
            .inner
            .send_capped(request, "/robot/messageFiles", Effect::Read, max_bytes);
        let (status, bytes) = sent.await.map_err(|error| match error {
            // Asking again would bring the same file.
            ApiError::Unavailable { code, message } if code == "client.too-large" => {
                ApiError::Invalid { code, message }
            }
            other => other,
        })?;
        match status {
            200..=299 => Ok(bytes),
            _ => Err(answer::foreign_status(status)),
        }
    }

    /// Posts to a session webhook, which needs no token.
    pub(super) async fn webhook(&self, url: Url, body: &Value) -> Result<(), ApiError> {
        let spot = self.inner.pacer.spot(url.as_str());
        let lane = Lane::Webhook("/robot/sendBySession", spot);
        let request = self.inner.http.post(url).json(body);
        self.inner
            .exchange(request, lane, Effect::Write, answer::oapi)
            .await
            .map(|_| ())
            .map_err(Failure::last)
    }
}

/// What DingTalk must refuse is not sent, whichever function wrote it: the table of APIs knows what each call takes.
fn body_fits(path: &str, body: &Value) -> Result<(), ApiError> {
    match (catalog::call_at(Verb::Post, path), body) {
        (Some(call), Value::Object(arguments)) => fits(call, arguments),
        _ => Ok(()),
    }
}

/// As [`body_fits`].
fn query_fits(path: &str, query: &[(&str, &str)]) -> Result<(), ApiError> {
    let Some(call) = catalog::call_at(Verb::Get, path) else {
        return Ok(());
    };
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let arguments = call
        .read_pairs(query.iter().map(owned))
        .map_err(|error| invalid(error.to_string()))?;
    fits(call, &arguments)
}

fn fits(call: &Call, arguments: &Map<String, Value>) -> Result<(), ApiError> {
    match call.check(arguments) {
        Ok(_) => Ok(()),
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// The two APIs, each with a token of its own.
#[derive(Clone, Copy)]
enum Api {
    /// The older one, which takes its token in the query.
    Older,
    /// v1.0, which takes it in a header.
    V1,
}

/// How an answer is read: [`answer::oapi`] or [`answer::api`].
pub(super) type Reading = fn(u16, &[u8], Effect) -> Result<Answer, Failure>;

impl Inner {
    async fn oapi(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        attach: impl Fn(RequestBuilder) -> RequestBuilder,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        let url = at(&self.endpoints.oapi, path);
        let request = |token: &Secret| {
            let mut url = url.clone();
            url.query_pairs_mut()
                .append_pair("access_token", token.expose())
                .extend_pairs(query);
            attach(self.http.request(method.clone(), url))
        };
        self.call(Api::Older, Lane::Api(path), &request, effect)
            .await
    }

    async fn api(
        &self,
        lane: Lane<'_>,
        request: impl Fn(&reqwest::Client, Url) -> RequestBuilder,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        let url = at(&self.endpoints.api, lane.path());
        let request = |token: &Secret| {
            let request = request(&self.http, url.clone());
            request.header("x-acs-dingtalk-access-token", token.expose())
        };
        self.call(Api::V1, lane, &request, effect).await
    }

    /// Makes a call, and makes it again if it is a read that failed for a moment only.
    async fn call(
        &self,
        api: Api,
        lane: Lane<'_>,
        request: &impl Fn(&Secret) -> RequestBuilder,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        let mut patience = Patience::new(effect);
        loop {
            let done = self.call_once(api, lane, request, effect).await;
            let Some(pause) = patience.after(&done) else {
                return done;
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Makes a call with the cached token, and once more with a fresh one if that is refused.
    async fn call_once(
        &self,
        api: Api,
        lane: Lane<'_>,
        request: &impl Fn(&Secret) -> RequestBuilder,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        let (cached, reading): (_, Reading) = match api {
            Api::Older => (&self.oapi_token, answer::oapi),
            Api::V1 => (&self.api_token, answer::api),
        };
        // Seldom made, so it need not make every call larger.
        let fetch = async || Box::pin(self.fetch_token(api)).await;
        let token = cached.get(fetch).await?;
        let first = self.exchange(request(&token), lane, effect, reading);
        match first.await {
            Err(Failure::TokenRefused { .. }) => cached.invalidate(&token),
            done => return done.map_err(Failure::last),
        }
        let token = cached.get(fetch).await?;
        let second = self.exchange(request(&token), lane, effect, reading);
        second.await.map_err(Failure::last)
    }

    async fn fetch_token(&self, api: Api) -> Result<(Secret, Duration), ApiError> {
        match api {
            Api::Older => self.fetch_oapi_token().await,
            Api::V1 => self.fetch_api_token().await,
        }
    }

    pub(super) async fn fetch_oapi_token(&self) -> Result<(Secret, Duration), ApiError> {
        if let Some(suite) = &self.suite {
            return suite.oapi_token().await;
        }
        let Credentials {
            app_key,
            app_secret,
            ..
        } = &self.credentials;
        let (key, secret) = match self.keys {
            KeyKind::App => ("appkey", "appsecret"),
            KeyKind::Corp => ("corpid", "corpsecret"),
        };
        let query = [(key, app_key.as_str()), (secret, app_secret.expose())];
        let request = self
            .http
            .get(at(&self.endpoints.oapi, "/gettoken"))
            .query(&query);
        let lane = Lane::Api("/gettoken");
        let answer = self.exchange(request, lane, Effect::Read, answer::oapi);
        let answer = answer.await.map_err(Failure::last)?;
        token_of(&answer, "access_token", "expires_in")
    }

    pub(super) async fn fetch_api_token(&self) -> Result<(Secret, Duration), ApiError> {
        if let Some(suite) = &self.suite {
            return suite.api_token(self).await;
        }
        if self.keys == KeyKind::Corp {
            return Err(ApiError::Denied {
                code: "client.corp-secret".to_owned(),
                message:
                    "a corp id with its secret opens the older api only; this call needs an app key"
                        .to_owned(),
            });
        }
        const PATH: &str = "/v1.0/oauth2/accessToken";
        let Credentials {
            app_key,
            app_secret,
            ..
        } = &self.credentials;
        let body = json!({"appKey": app_key, "appSecret": app_secret.expose()});
        let request = self.http.post(at(&self.endpoints.api, PATH)).json(&body);
        let answer = self.exchange(request, Lane::Api(PATH), Effect::Read, answer::api);
        let answer = answer.await.map_err(Failure::last)?;
        token_of(&answer, "accessToken", "expireIn")
    }

    /// Waits for the request's turn, sends it, and says what its answer means. Every call goes this way.
    pub(super) async fn exchange(
        &self,
        request: RequestBuilder,
        lane: Lane<'_>,
        effect: Effect,
        reading: Reading,
    ) -> Result<Answer, Failure> {
        self.pacer.admit(lane).await?;
        // A request under way takes kilobytes, which every caller up to a plugin's host function would carry along.
        let sent = Box::pin(self.send(request, lane.path(), effect));
        let answer = match sent.await {
            Ok((status, body)) => reading(status, &body, effect),
            Err(error) => Err(error.into()),
        };
        match &answer {
            Ok(_) => self.pacer.heard(lane, Ok(())),
            Err(Failure::Other(error)) => self.pacer.heard(lane, Err(error)),
            Err(Failure::TokenRefused { .. }) => {}
        }
        answer
    }

    /// Sends a request and reads the answer. `path` is for the log: the URL holds secrets, so it goes nowhere else.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        path: &str,
        effect: Effect,
    ) -> Result<(u16, Vec<u8>), ApiError> {
        self.send_capped(request, path, effect, MAX_ANSWER).await
    }

    async fn send_capped(
        &self,
        request: RequestBuilder,
        path: &str,
        effect: Effect,
        max_bytes: usize,
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
        match read(response, effect, max_bytes).await {
            Ok(body) => Ok((status, body)),
            // What a refusal says in full matters less than that it is one.
            Err(_) if (300..500).contains(&status) => Ok((status, Vec::new())),
            Err(error) => Err(error),
        }
    }
}

/// Lets a read be made again that failed for a moment only. A write is made once: only its caller knows whether it may
/// be done twice.
struct Patience {
    effect: Effect,
    started: Instant,
    pauses: std::slice::Iter<'static, Duration>,
}

impl Patience {
    fn new(effect: Effect) -> Self {
        Self {
            effect,
            started: Instant::now(),
            pauses: READ_PAUSES.iter(),
        }
    }

    /// How long to wait before the call is made again; `None` if it is not.
    fn after(&mut self, done: &Result<Answer, ApiError>) -> Option<Duration> {
        if self.effect == Effect::Write {
            return None;
        }
        let least = match done {
            Err(ApiError::Unavailable { .. }) => Duration::ZERO,
            Err(ApiError::RateLimited {
                code, retry_after, ..
            }) if code != "client.pace" => *retry_after,
            _ => return None,
        };
        let pause = least.max(*self.pauses.next()?);
        (self.started.elapsed() + pause <= READS_WITHIN).then_some(pause)
    }
}

async fn read(
    mut response: Response,
    effect: Effect,
    max_bytes: usize,
) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| lost(&error, effect))?
    {
        if body.len() + chunk.len() > max_bytes {
            let text = format!("the answer is larger than {max_bytes} bytes");
            return Err(effect.uncertain("client.too-large", text));
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

pub(super) fn token_of(
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
pub(super) fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
