//! Calls the API of one app.

mod answer;
pub(crate) mod approval;
pub(crate) mod callback;
pub(crate) mod chat;
pub(crate) mod contacts;
pub(crate) mod h5;
pub(crate) mod isv;
mod limit;
pub(crate) mod media;
pub(crate) mod notice;
mod probe;
pub(crate) mod raw;
pub(crate) mod robot;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::pace::{Pace, Pacer};
use crate::reach::Reach;
use crate::token::TokenCache;
use crate::{ApiError, Secret};

/// Who is calling.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The app's key (Client ID).
    pub app_key: String,
    /// The app's secret (Client Secret).
    pub app_secret: Secret,
    /// The app's number in its organisation; work notices need it.
    pub agent_id: Option<i64>,
    /// The app's robot, usually the same as `app_key`.
    pub robot_code: String,
}

/// Where DingTalk is.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The older API, with `errcode` in its answers.
    pub oapi: Url,
    /// The v1.0 API, with HTTP status codes.
    pub api: Url,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            oapi: Url::parse("https://oapi.dingtalk.com").expect("a constant url is valid"),
            api: Url::parse("https://api.dingtalk.com").expect("a constant url is valid"),
        }
    }
}

/// Which of two calls that do the same is made, where DingTalk has an older and a newer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ApiStyle {
    /// The newer one, which DingTalk documents today.
    #[default]
    Modern,
    /// The older one, for apps whose permissions or networks know only that.
    Legacy,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// Between two pieces of the answer.
    pub read: Duration,
    /// In all.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            read: Duration::from_secs(10),
            total: Duration::from_secs(15),
        }
    }
}

/// What the key and the secret of [`Credentials`] are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// Of an app.
    #[default]
    App,
    /// A corp id and its CorpSecret, which organisations have from the time before apps. Only the older API knows them,
    /// so calls of the newer one are denied before they are sent.
    Corp,
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How long a call may take.
    pub timeouts: Timeouts,
    /// How fast calls may follow one another.
    pub pace: Pace,
    /// How long the form of a template is kept, by which the fields of a new approval are checked before it is sent; zero
    /// checks nothing. Fields are never refused by a form that was read earlier.
    pub forms: Duration,
    /// What the key and the secret are.
    pub keys: KeyKind,
}

/// Why no client could be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A base address is not `http` or `https` with a host.
    #[error("{0} base is not an http or https address")]
    Base(&'static str),
    /// TLS or the resolver could not be set up.
    #[error("cannot set up the http client")]
    Http(#[source] reqwest::Error),
}

/// Calls DingTalk for one app. Cheap to clone; clones share connections and tokens.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
    style: ApiStyle,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    credentials: Credentials,
    keys: KeyKind,
    endpoints: Endpoints,
    oapi_token: TokenCache,
    api_token: TokenCache,
    page_ticket: TokenCache,
    pacer: Pacer,
    reach: Reach,
    forms: approval::Forms,
    /// Fetches tokens for an organisation of a suite, in place of the credentials.
    suite: Option<isv::OfSuite>,
}

impl Client {
    /// Builds a client with the default [`Options`]. Nothing is sent before the first call.
    pub fn new(credentials: Credentials, endpoints: Endpoints) -> Result<Self, BuildError> {
        Self::with_options(credentials, endpoints, Options::default())
    }

    /// Builds a client with options of one's own.
    pub fn with_options(
        credentials: Credentials,
        endpoints: Endpoints,
        options: Options,
    ) -> Result<Self, BuildError> {
        let Options {
            timeouts,
            pace,
            forms,
            keys,
        } = options;
        let is_plain = |base: &Url| base.scheme() == "http";
        for (name, base) in [("oapi", &endpoints.oapi), ("api", &endpoints.api)] {
            if !(is_plain(base) || base.scheme() == "https") || !base.has_host() {
                return Err(BuildError::Base(name));
            }
        }
        let http = reqwest::Client::builder()
            .https_only(!is_plain(&endpoints.oapi) && !is_plain(&endpoints.api))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .timeout(timeouts.total)
            .pool_idle_timeout(Duration::from_secs(60))
            // Callers come in crowds: with fewer places than callers, each crowd would close connections and open them anew.
            .pool_max_idle_per_host(256)
            .tcp_keepalive(Duration::from_secs(30))
            .build()
            .map_err(BuildError::Http)?;
        let inner = Inner {
            http,
            credentials,
            keys,
            endpoints,
            oapi_token: TokenCache::default(),
            api_token: TokenCache::default(),
            page_ticket: TokenCache::default(),
            pacer: Pacer::new(pace),
            reach: Reach::default(),
            forms: approval::Forms::new(forms),
            suite: None,
        };
        Ok(Self {
            inner: Arc::new(inner),
            style: ApiStyle::default(),
        })
    }

    /// A client like this one for an organisation of a suite, with tokens of its own.
    fn of_suite(&self, suite: isv::OfSuite, credentials: Credentials, pace: Pace) -> Self {
        let inner = Inner {
            http: self.inner.http.clone(),
            credentials,
            keys: KeyKind::App,
            endpoints: self.inner.endpoints.clone(),
            oapi_token: TokenCache::default(),
            page_ticket: TokenCache::default(),
            api_token: TokenCache::default(),
            pacer: Pacer::new(pace),
            reach: Reach::default(),
            forms: approval::Forms::default(),
            suite: Some(suite),
        };
        Self {
            inner: Arc::new(inner),
            style: self.style,
        }
    }

    /// The same client with calls of this style; connections and tokens stay shared with the one it was made from.
    #[must_use]
    pub fn styled(&self, style: ApiStyle) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            style,
        }
    }

    /// Which calls it makes where there are two.
    pub fn style(&self) -> ApiStyle {
        self.style
    }

    /// Who is calling.
    pub fn credentials(&self) -> &Credentials {
        &self.inner.credentials
    }

    /// How many times no connection to DingTalk came about for half a minute or longer, until it did again. Events that
    /// DingTalk pushed meanwhile may be lost; only calls notice it.
    pub fn outages(&self) -> u64 {
        self.inner.reach.outages()
    }

    /// The organisation that it calls for, if it is the client of a third-party app.
    pub fn corp_id(&self) -> Option<&str> {
        let suite = self.inner.suite.as_ref();
        suite.map(|suite| suite.corp.as_str())
    }

    /// Where DingTalk is.
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }
}

/// The error for arguments that cannot be sent.
fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::Invalid {
        code: "client.argument".to_owned(),
        message: message.into(),
    }
}

/// Joins ids for the calls that take them separated by commas. An id with a comma would become two, so it is refused.
fn comma_joined<'a>(
    what: &str,
    ids: impl IntoIterator<Item = &'a String>,
) -> Result<String, ApiError> {
    let ids: Vec<&str> = ids.into_iter().map(String::as_str).collect();
    if ids.iter().any(|id| id.is_empty() || id.contains(',')) {
        return Err(invalid(format!("{what} is empty or contains a comma")));
    }
    Ok(ids.join(","))
}

/// A decimal id as the number DingTalk wants.
fn number(what: &str, id: &str) -> Result<i64, ApiError> {
    id.parse()
        .map_err(|_| invalid(format!("{what} is not a decimal number")))
}
