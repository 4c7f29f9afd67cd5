//! Third-party apps (ISV): one suite, many organisations (`service/*`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::transport::{at, token_of};
use super::{BuildError, Client, Credentials, Endpoints, Inner, Options};
use crate::crypto::hmac_sha256_base64;
use crate::error::{Effect, Failure};
use crate::pace::{Lane, Pace};
use crate::token::TokenCache;
use crate::{ApiError, Secret, UnixMs};

/// A suite: the credentials of a third-party app, the newest ticket, and a client for each organisation that uses it.
/// Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Suite {
    core: Arc<Core>,
    corps: Arc<Mutex<Corps>>,
}

/// The organisations of a suite.
#[derive(Debug, Default)]
struct Corps {
    /// All that use the app, each with the app's number there where it is known.
    agents: HashMap<String, Option<i64>>,
    clients: HashMap<String, Client>,
}

/// What the clients of all organisations need.
#[derive(Debug)]
struct Core {
    key: String,
    secret: Secret,
    /// Sends what belongs to no organisation.
    base: Client,
    /// How fast calls for one organisation may be.
    pace: Pace,
    ticket: Mutex<Option<(Secret, UnixMs)>>,
    token: TokenCache,
}

/// One organisation of a suite, for which a client fetches its tokens.
#[derive(Clone, Debug)]
pub(super) struct OfSuite {
    core: Arc<Core>,
    pub(super) corp: String,
}

/// What DingTalk gives for the code of an authorisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermanentCode {
    /// The organisation.
    pub corp_id: String,
    /// Its name.
    pub corp_name: String,
    /// Good until the organisation removes the app.
    pub code: Secret,
}

/// How an organisation has authorised the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpAuthorization {
    /// The organisation.
    pub corp_id: String,
    /// Its name.
    pub corp_name: String,
    /// Who authorised.
    pub authorized_by: Option<String>,
    /// The app's numbers there; work notices need one.
    pub agent_ids: Vec<i64>,
}

/// The signature of calls that a suite makes for an organisation: the base64 of the HMAC-SHA256, keyed with the suite
/// secret, over the timestamp in milliseconds, a line feed and the ticket. It goes into the query, percent-encoded once.
pub fn suite_signature(secret: &Secret, timestamp: UnixMs, ticket: &Secret) -> String {
    hmac_sha256_base64(
        secret.expose(),
        &format!("{}\n{}", timestamp.0, ticket.expose()),
    )
}

impl Suite {
    /// A suite without a ticket: until [`Suite::set_ticket`] its calls are unavailable.
    pub fn new(
        key: impl Into<String>,
        secret: Secret,
        endpoints: Endpoints,
        options: Options,
    ) -> Result<Self, BuildError> {
        let key = key.into();
        let credentials = Credentials {
            app_key: key.clone(),
            app_secret: secret.clone(),
            agent_id: None,
            robot_code: key.clone(),
        };
        Ok(Self {
            core: Arc::new(Core {
                key,
                secret,
                pace: options.pace,
                base: Client::with_options(credentials, endpoints, options)?,
                ticket: Mutex::default(),
                token: TokenCache::default(),
            }),
            corps: Arc::default(),
        })
    }

    /// The suite key, which is also the receive id of its callbacks.
    pub fn key(&self) -> &str {
        &self.core.key
    }

    /// Takes a ticket over, unless a newer one is there; says whether it did.
    pub fn set_ticket(&self, ticket: Secret, sent_at: UnixMs) -> bool {
        let mut present = lock(&self.core.ticket);
        let is_newer = present.as_ref().is_none_or(|(_, at)| *at <= sent_at);
        if is_newer {
            *present = Some((ticket, sent_at));
        }
        is_newer
    }

    /// Whether there is a ticket.
    pub fn has_ticket(&self) -> bool {
        lock(&self.core.ticket).is_some()
    }

    /// Takes in an organisation that uses the app, with the app's number there, which work notices need.
    pub fn add_corp(&self, corp_id: &str, agent_id: Option<i64>) {
        let mut corps = lock(&self.corps);
        let known = corps.agents.insert(corp_id.to_owned(), agent_id).flatten();
        if known != agent_id {
            corps.clients.remove(corp_id);
        }
    }

    /// The organisations that use the app, as far as they were taken in.
    pub fn corps(&self) -> Vec<String> {
        let mut corps: Vec<String> = lock(&self.corps).agents.keys().cloned().collect();
        corps.sort_unstable();
        corps
    }

    /// The client of an organisation. It has the same tokens for every caller, fetched by one at a time.
    pub fn client(&self, corp_id: &str) -> Client {
        let mut corps = lock(&self.corps);
        if let Some(client) = corps.clients.get(corp_id) {
            return client.clone();
        }
        let base = &self.core.base;
        let of_suite = OfSuite {
            core: Arc::clone(&self.core),
            corp: corp_id.to_owned(),
        };
        let credentials = Credentials {
            agent_id: corps.agents.get(corp_id).copied().flatten(),
            ..base.credentials().clone()
        };
        let client = base.of_suite(of_suite, credentials, self.core.pace);
        corps.clients.insert(corp_id.to_owned(), client.clone());
        client
    }

    /// Forgets the tokens of an organisation that removed the app.
    pub fn forget(&self, corp_id: &str) {
        let mut corps = lock(&self.corps);
        corps.agents.remove(corp_id);
        corps.clients.remove(corp_id);
    }

    /// Exchanges the code of an authorisation, which is good for one exchange (`get_permanent_code`).
    pub async fn permanent_code(&self, code: &Secret) -> Result<PermanentCode, ApiError> {
        let body = json!({"tmp_auth_code": code.expose()});
        let answer = self
            .core
            .with_suite_token("/service/get_permanent_code", body, Effect::Write)
            .await?;
        let members = answer.members();
        let corp = answer.object("auth_corp_info")?;
        Ok(PermanentCode {
            corp_id: corp.text("corpid").ok_or_else(|| answer.lacks("corpid"))?,
            corp_name: corp.text("corp_name").unwrap_or_default(),
            code: members
                .first_text(&["permanent_code", "ch_permanent_code"])
                .ok_or_else(|| answer.lacks("permanent_code"))?
                .into(),
        })
    }

    /// Switches the app on in an organisation (`activate_suite`); doing it twice is harmless.
    pub async fn activate(&self, corp_id: &str, code: &Secret) -> Result<(), ApiError> {
        let body = json!({
            "suite_key": self.core.key,
            "auth_corpid": corp_id,
            "permanent_code": code.expose(),
        });
        let core = &self.core;
        core.with_suite_token("/service/activate_suite", body, Effect::Write)
            .await
            .map(|_| ())
    }

    /// As [`Suite::auth_info`], with DingTalk's answer as it came.
    pub async fn raw_auth_info(&self, corp_id: &str, now: UnixMs) -> Result<Value, ApiError> {
        let answer = self.ask_auth_info(corp_id, now).await?;
        Ok(answer.into_value())
    }

    async fn ask_auth_info(&self, corp_id: &str, now: UnixMs) -> Result<Answer, ApiError> {
        let body = json!({"auth_corpid": corp_id, "suite_key": self.core.key});
        let path = "/service/get_auth_info";
        self.core.signed(path, body, now).await
    }

    /// Reads how an organisation authorised the suite (`get_auth_info`).
    pub async fn auth_info(
        &self,
        corp_id: &str,
        now: UnixMs,
    ) -> Result<CorpAuthorization, ApiError> {
        let answer = self.ask_auth_info(corp_id, now).await?;
        let corp = answer.object("auth_corp_info")?;
        let members = answer.members();
        let agents = members.object("auth_info");
        Ok(CorpAuthorization {
            corp_id: corp.text("corpid").unwrap_or_else(|| corp_id.to_owned()),
            corp_name: corp.text("corp_name").unwrap_or_default(),
            authorized_by: members
                .object("auth_user_info")
                .and_then(|user| user.text("userId")),
            agent_ids: agents
                .iter()
                .flat_map(|info| info.objects("agent"))
                .filter_map(|agent| agent.integer("agentid"))
                .collect(),
        })
    }
}

impl Core {
    /// A call that is signed with the ticket.
    async fn signed(&self, path: &str, body: Value, now: UnixMs) -> Result<Answer, ApiError> {
        let ticket = self.ticket()?;
        let timestamp = now.0.to_string();
        let signature = suite_signature(&self.secret, now, &ticket);
        let query = [
            ("accessKey", self.key.as_str()),
            ("timestamp", &timestamp),
            ("suiteTicket", ticket.expose()),
            ("signature", &signature),
        ];
        let inner = &self.base.inner;
        // The query is written by a builder that encodes once.
        let request = inner
            .http
            .post(at(&inner.endpoints.oapi, path))
            .query(&query)
            .json(&body);
        let answer = inner.exchange(request, Lane::Api(path), Effect::Read, answer::oapi);
        answer.await.map_err(Failure::last)
    }

    /// A call with the token of the suite, once more with another one if that is refused.
    async fn with_suite_token(
        &self,
        path: &str,
        body: Value,
        effect: Effect,
    ) -> Result<Answer, ApiError> {
        let inner = &self.base.inner;
        let send = async |token: &Secret| {
            let request = inner
                .http
                .post(at(&inner.endpoints.oapi, path))
                .query(&[("suite_access_token", token.expose())])
                .json(&body);
            let answer = inner.exchange(request, Lane::Api(path), effect, answer::oapi);
            answer.await.map_err(Failure::last)
        };
        let fetch = async || self.fetch_suite_token().await;
        let token = self.token.get(fetch).await?;
        match send(&token).await {
            Err(error) if ["40082", "42009", "48003"].contains(&error.code()) => {
                self.token.invalidate(&token);
            }
            done => return done,
        }
        let token = self.token.get(fetch).await?;
        send(&token).await
    }

    async fn fetch_suite_token(&self) -> Result<(Secret, Duration), ApiError> {
        const PATH: &str = "/service/get_suite_token";
        let body = json!({
            "suite_key": self.key,
            "suite_secret": self.secret.expose(),
            "suite_ticket": self.ticket()?.expose(),
        });
        let inner = &self.base.inner;
        let request = inner.http.post(at(&inner.endpoints.oapi, PATH)).json(&body);
        let answer = inner.exchange(request, Lane::Api(PATH), Effect::Read, answer::oapi);
        let answer = answer.await.map_err(Failure::last)?;
        token_of(&answer, "suite_access_token", "expires_in")
    }

    fn ticket(&self) -> Result<Secret, ApiError> {
        let ticket = lock(&self.ticket);
        let ticket = ticket.as_ref().map(|(ticket, _)| ticket.clone());
        ticket.ok_or_else(|| ApiError::Unavailable {
            code: "client.no-suite-ticket".to_owned(),
            message: "no suite ticket has come yet; dingtalk pushes one about every five hours"
                .to_owned(),
        })
    }
}

impl OfSuite {
    /// The organisation's token for the older API; each call gives another one.
    pub(super) async fn oapi_token(&self) -> Result<(Secret, Duration), ApiError> {
        self.check()?;
        let body = json!({"auth_corpid": self.corp});
        let answer = self
            .core
            .signed("/service/get_corp_token", body, crate::time::now())
            .await?;
        token_of(&answer, "access_token", "expires_in")
    }

    /// The organisation's token for the v1.0 API.
    pub(super) async fn api_token(&self, inner: &Inner) -> Result<(Secret, Duration), ApiError> {
        self.check()?;
        const PATH: &str = "/v1.0/oauth2/corpAccessToken";
        let suite = &self.core;
        let body = json!({
            "suiteKey": suite.key,
            "suiteSecret": suite.secret.expose(),
            "authCorpId": self.corp,
            "suiteTicket": suite.ticket()?.expose(),
        });
        let request = inner.http.post(at(&inner.endpoints.api, PATH)).json(&body);
        let answer = inner.exchange(request, Lane::Api(PATH), Effect::Read, answer::api);
        let answer = answer.await.map_err(Failure::last)?;
        token_of(&answer, "accessToken", "expireIn")
    }
}

impl OfSuite {
    fn check(&self) -> Result<(), ApiError> {
        if self.corp.is_empty() {
            return Err(ApiError::Invalid {
                code: "client.no-corp".to_owned(),
                message: "a third-party app calls on behalf of an organisation, and none is named"
                    .to_owned(),
            });
        }
        Ok(())
    }
}

/// A panic elsewhere cannot leave half a value behind, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with another implementation (Python's `hmac`); the last has every character that must be encoded.
    #[test]
    fn signatures_are_those_of_another_implementation_and_encoded_once() {
        for (secret, timestamp, ticket, signature, encoded) in [
            (
                "suite-secret",
                1_700_000_000_000,
                "TestSuiteTicket",
                "Ejlyhh8sYFyu7390dpl9eoaOcW/4gjvDg2QlT0sareg=",
                "Ejlyhh8sYFyu7390dpl9eoaOcW%2F4gjvDg2QlT0sareg%3D",
            ),
            (
                "s3cr3t+/=",
                1_527_130_370_219,
                "xxx~*/ ticket",
                "VTDPDuyMrycvRaKXRd9LihfCTh68W6ULiDOvFWUA+XE=",
                "VTDPDuyMrycvRaKXRd9LihfCTh68W6ULiDOvFWUA%2BXE%3D",
            ),
            (
                "密钥",
                1_796_016_288_000,
                "k9",
                "jPLQsKCI042dFUX6xjaY4mAsmI9dKtxRFc7KJ0H3tJk=",
                "jPLQsKCI042dFUX6xjaY4mAsmI9dKtxRFc7KJ0H3tJk%3D",
            ),
            (
                "suite-secret",
                1_700_000_000_000,
                "ticket",
                "aFR/Ma1u49Wtee+Zk2Zte/Re0YwH5yuNR2OBMQuXMYM=",
                "aFR%2FMa1u49Wtee%2BZk2Zte%2FRe0YwH5yuNR2OBMQuXMYM%3D",
            ),
        ] {
            let made = suite_signature(&secret.into(), UnixMs(timestamp), &ticket.into());
            assert_eq!(made, signature);
            let mut url = url::Url::parse("https://oapi.dingtalk.com").unwrap();
            url.query_pairs_mut().append_pair("signature", &made);
            assert_eq!(url.query(), Some(format!("signature={encoded}").as_str()));
        }
    }

    #[test]
    fn only_a_newer_ticket_takes_the_place_of_another() {
        let suite = Suite::new("k", "s".into(), Endpoints::default(), Options::default()).unwrap();
        assert!(!suite.has_ticket());
        assert!(suite.set_ticket("b".into(), UnixMs(2)));
        assert!(!suite.set_ticket("a".into(), UnixMs(1)));
        assert_eq!(suite.core.ticket().unwrap(), "b".into());
        assert!(suite.set_ticket("c".into(), UnixMs(3)));
        assert!(!format!("{suite:?}").contains("\"c\""));
    }

    #[test]
    fn an_organisation_has_one_client() {
        let suite = Suite::new("k", "s".into(), Endpoints::default(), Options::default()).unwrap();
        let one = suite.client("corp");
        let same = suite.client("corp");
        assert!(Arc::ptr_eq(&one.inner, &same.inner));
        let other = suite.client("other");
        assert!(!Arc::ptr_eq(&one.inner, &other.inner));
        suite.add_corp("corp", Some(7));
        assert_eq!(suite.client("corp").credentials().agent_id, Some(7));
        assert_eq!(suite.client("other").credentials().agent_id, None);
        suite.add_corp("more", None);
        assert_eq!(suite.corps(), ["corp", "more"]);
        suite.forget("corp");
        assert_eq!(suite.corps(), ["more"]);
        assert_eq!(suite.client("more").corp_id(), Some("more"));
    }
}
