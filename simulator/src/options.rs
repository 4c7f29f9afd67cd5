//! What a simulator is started with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::company::Company;

/// How a simulator behaves; `Options::default()` is what DingTalk does.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The apps that may call and that are pushed to.
    pub apps: Vec<App>,
    /// The third-party apps, and the companies that may use them.
    pub suites: Vec<Suite>,
    /// The pauses before the second, third and further attempts of a push.
    pub push_retries: Vec<Duration>,
    /// What the company looks like at the start and after a reset.
    pub company: Company,
    /// Calls a second for one app and one API; `None` lifts the limit.
    pub rate_limit: Option<u32>,
    /// How old an approval must be before an app may withdraw it.
    pub terminate_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8790)),
            apps: Vec::new(),
            suites: Vec::new(),
            push_retries: vec![Duration::from_secs(10), Duration::from_secs(30)],
            company: Company::sample(),
            rate_limit: Some(20),
            terminate_after: Duration::from_secs(15),
        }
    }
}

/// One application of the company, with its credentials and addresses.
#[derive(Clone, PartialEq, Eq)]
pub struct App {
    /// The name by which the control door speaks of the app.
    pub name: String,
    /// The company's id as this app sees it.
    pub corp_id: String,
    /// The app key (client id).
    pub app_key: String,
    /// The app secret; it also signs robot pushes.
    pub app_secret: String,
    /// The agent id that work notices must name.
    pub agent_id: i64,
    /// The code of the app's robot, usually the app key.
    pub robot_code: String,
    /// Where events go; `None` receives none.
    pub callback: Option<CallbackTarget>,
    /// Where the robot's messages go; `None` receives none.
    pub robot_url: Option<String>,
}

/// A third-party app of an independent vendor.
#[derive(Clone, PartialEq, Eq)]
pub struct Suite {
    /// The name by which the control door speaks of it; in each company the app is called `name@corp`.
    pub name: String,
    /// The suite key.
    pub suite_key: String,
    /// The suite secret.
    pub suite_secret: String,
    /// Where its events go; `None` receives none.
    pub callback: Option<CallbackTarget>,
    /// The companies that can authorise it.
    pub corps: Vec<String>,
}

/// Where an app's events are delivered and how they are sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackTarget {
    /// The address that events are posted to.
    pub url: String,
    /// The token of the signature.
    pub token: String,
    /// The 43-character encoding AES key.
    pub aes_key: String,
    /// The id at the end of the frame: app key, corp id or suite key.
    pub receive_id: String,
}

// They carry secrets, so their debug output names only what is public.

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("corp_id", &self.corp_id)
            .field("app_key", &self.app_key)
            .field("agent_id", &self.agent_id)
            .field("callback", &self.callback)
            .field("robot_url", &self.robot_url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("name", &self.name)
            .field("suite_key", &self.suite_key)
            .field("callback", &self.callback)
            .field("corps", &self.corps)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CallbackTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackTarget")
            .field("url", &self.url)
            .field("receive_id", &self.receive_id)
            .finish_non_exhaustive()
    }
}
