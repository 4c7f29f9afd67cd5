//! Reads `bot.toml` into checked domain values; nothing below [`crate::app`] sees TOML or the environment.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::event::{HookKind, Subscription};
use crate::ids::{AppName, PluginName};
use crate::retry::Policy;
use crate::rules::Condition;
use dingtalk::Secret;

pub use self::grant::{Grant, Scope};
pub use self::reader::Problem;
use self::reader::{Document, Section};

mod grant;
mod reader;

#[cfg(test)]
mod tests;

/// Everything `bot.toml` says.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listeners.
    pub server: Server,
    /// Where events and values are kept.
    pub store: Store,
    /// The sandbox.
    pub engine: Engine,
    /// When failed deliveries run again.
    pub retry: Policy,
    /// The DingTalk applications.
    pub apps: Vec<App>,
    /// The plugins, in the order of the file.
    pub plugins: Vec<Plugin>,
    /// The doors for alert webhooks.
    pub hooks: Vec<Hook>,
    /// What is understood but not available in this version.
    pub warnings: Vec<Problem>,
}

/// `[server]`: cannot change without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The public listener.
    pub listen: SocketAddr,
    /// The listener for operators; never to be public.
    pub admin: SocketAddr,
    /// Connections at one time on the public listener.
    pub max_connections: usize,
    /// How long SIGTERM waits for running attempts.
    pub drain: Duration,
}

/// `[store]`: cannot change without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The SQLite file.
    pub path: PathBuf,
}

/// `[engine]`: cannot change without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Attempts that run at one time.
    pub max_concurrent: u32,
    /// Where compiled components are cached; `None` compiles at every start.
    pub cache: Option<PathBuf>,
}

/// An `[[app]]`: one DingTalk application of one organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// How plugins, hooks and paths refer to it.
    pub name: AppName,
    /// The organisation.
    pub corp_id: String,
    /// DingTalk's Client ID.
    pub app_key: String,
    /// DingTalk's Client Secret.
    pub app_secret: Secret,
    /// Needed for work notices.
    pub agent_id: Option<i64>,
    /// The robot, by default the same as the app key.
    pub robot_code: String,
    /// The ways in that are open.
    pub receive: BTreeSet<Receive>,
    /// The keys of the event callback.
    pub callback: Option<Callback>,
    /// Host of the old API.
    pub oapi_base: Option<Url>,
    /// Host of the v1.0 API.
    pub api_base: Option<Url>,
}

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receive {
    /// `POST /callback/{app}`.
    Callback,
    /// `POST /robot/{app}`.
    Robot,
    /// The Stream connection.
    Stream,
}

/// Keys of an event callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The token that signs.
    pub token: Secret,
    /// The key that encrypts, 43 characters.
    pub aes_key: Secret,
    /// The receive ids that are accepted; the first one is used to answer URL checks of the simulator.
    pub receive_ids: Vec<String>,
    /// The oldest timestamp that is accepted; `None` accepts any (DingTalk documents no window).
    pub max_age: Option<Duration>,
}

/// A `[[plugin]]`.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its name in logs and in the journal.
    pub name: PluginName,
    /// The component file, relative to the folder of `bot.toml`.
    pub component: PathBuf,
    /// The app it works for.
    pub app: AppName,
    /// What it gets.
    pub events: Vec<Subscription>,
    /// A further condition on the event.
    pub when: Option<Condition>,
    /// What it may do.
    pub grant: Grant,
    /// What an attempt may use.
    pub limits: Limits,
    /// Its own settings.
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// What one attempt of a plugin may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, summed, in bytes.
    pub memory: u64,
    /// Time the guest computes.
    pub cpu: Duration,
    /// Time that passes, waiting included.
    pub wall: Duration,
    /// Host calls.
    pub calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            cpu: Duration::from_millis(500),
            wall: Duration::from_secs(10),
            calls: 200,
        }
    }
}

/// A `[[hook]]`: one door for alert webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The last part of its path.
    pub name: String,
    /// The form of its payload.
    pub kind: HookKind,
    /// The app whose plugins get its events.
    pub app: AppName,
    /// What the sender must present; `None` lets everybody in.
    pub token: Option<Secret>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is wrong; all that is wrong with it.
    #[error("{path:?} has {} problem(s):\n{}", problems.len(), problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n"))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Its problems in the order of lines.
        problems: Vec<Problem>,
    },
}

impl Config {
    /// Reads a file, applies `BELFRY_SECTION__KEY` from the environment and checks everything at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder, std::env::vars()).map_err(|problems| ConfigError::Wrong {
            path: path.to_owned(),
            problems,
        })
    }

    /// Checks a text; relative paths in it start at `folder`.
    pub fn parse(
        text: &str,
        folder: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        let mut document = Document::parse(text);
        document.override_from(variables);
        let mut warnings = Vec::new();
        let mut root = document.section();

        let server = server(&mut root);
        let store = store(&mut root, folder);
        let engine = engine(&mut root, &store);
        let retry = retry(&mut root);
        let apps: Vec<App> = root
            .sections("app")
            .into_iter()
            .map(|section| app(section, &mut warnings))
            .collect();
        let app_names: HashSet<&str> = apps.iter().map(|app| app.name.as_str()).collect();
        let plugins = root
            .sections("plugin")
            .into_iter()
            .map(|section| plugin(section, folder, &app_names))
            .collect();
        let hooks = root
            .sections("hook")
            .into_iter()
            .map(|section| hook(section, &app_names))
            .collect();
        if root.has("gateway") {
            let line = root.line_of("gateway");
            root.skip("gateway");
            warnings.push(Problem {
                key: "gateway".to_owned(),
                line,
                text: "the gateway is not in this version; the section has no effect".to_owned(),
            });
        }
        let config = Self {
            server,
            store,
            engine,
            retry,
            apps,
            plugins,
            hooks,
            warnings,
        };
        config.check_names(&root);
        root.finish();

        let problems = document.into_problems();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }

    /// The app of that name.
    pub fn app(&self, name: &AppName) -> Option<&App> {
        self.apps.iter().find(|app| app.name == *name)
    }

    /// The settings that differ and need a restart, by their keys.
    pub fn restart_needed(&self, newer: &Self) -> Vec<&'static str> {
        let mut keys = Vec::new();
        if self.server != newer.server {
            keys.push("server");
        }
        if self.store != newer.store {
            keys.push("store");
        }
        if self.engine != newer.engine {
            keys.push("engine");
        }
        if self.retry != newer.retry {
            keys.push("retry");
        }
        keys
    }

    fn check_names(&self, root: &Section<'_>) {
        fn twice<'a>(root: &Section<'_>, list: &str, names: impl Iterator<Item = &'a str>) {
            let mut seen = HashSet::new();
            for name in names.filter(|name| !name.is_empty()) {
                if !seen.insert(name) {
                    root.report(&format!("{list}.{name}"), None, "the name is used twice");
                }
            }
        }
        twice(root, "app", self.apps.iter().map(|app| app.name.as_str()));
        twice(
            root,
            "plugin",
            self.plugins.iter().map(|plugin| plugin.name.as_str()),
        );
        twice(
            root,
            "hook",
            self.hooks.iter().map(|hook| hook.name.as_str()),
        );
    }
}

fn address(section: &mut Section<'_>, key: &str, default: &str) -> SocketAddr {
    let default = default.parse().expect("a default address is an address");
    section
        .parsed(key, "an address such as \"127.0.0.1:8700\"", |text| {
            text.parse().ok()
        })
        .unwrap_or(default)
}

fn server(root: &mut Section<'_>) -> Server {
    let mut section = root.section("server");
    let mut defaults = Server {
        listen: ([127, 0, 0, 1], 8700).into(),
        admin: ([127, 0, 0, 1], 8701).into(),
        max_connections: 1024,
        drain: Duration::from_secs(20),
    };
    if let Some(section) = &mut section {
        defaults.listen = address(section, "listen", "127.0.0.1:8700");
        defaults.admin = address(section, "admin", "127.0.0.1:8701");
        if let Some(number) = section.integer("max-connections", 1..=100_000) {
            defaults.max_connections = usize::try_from(number).unwrap_or(usize::MAX);
        }
        if let Some(drain) = section.duration("drain") {
            defaults.drain = drain;
        }
    }
    if let Some(section) = section {
        section.finish();
    }
    defaults
}

fn store(root: &mut Section<'_>, folder: &Path) -> Store {
    let mut path = folder.join("belfry.db");
    if let Some(mut section) = root.section("store") {
        let wanted = "\"sqlite:FILE\" (a NATS cluster is not in this version)";
        if let Some(file) = section.parsed("url", wanted, |url| {
            url.strip_prefix("sqlite:")
                .filter(|file| !file.is_empty())
                .map(str::to_owned)
        }) {
            path = folder.join(file);
        }
        section.finish();
    }
    Store { path }
}

fn engine(root: &mut Section<'_>, store: &Store) -> Engine {
    let beside_store = store.path.with_extension("cache");
    let mut engine = Engine {
        max_concurrent: 64,
        cache: Some(beside_store),
    };
    if let Some(mut section) = root.section("engine") {
        if let Some(number) = section.integer("max-concurrent", 1..=1000) {
            engine.max_concurrent = u32::try_from(number).unwrap_or(u32::MAX);
        }
        if let Some(path) = section.text("cache") {
            engine.cache =
                (!path.is_empty()).then(|| store.path.parent().unwrap_or(Path::new("")).join(path));
        }
        section.finish();
    }
    engine
}

fn retry(root: &mut Section<'_>) -> Policy {
    let mut policy = Policy::default();
    if let Some(mut section) = root.section("retry") {
        if let Some(number) = section.integer("max-attempts", 1..=100) {
            policy.max_attempts = u32::try_from(number).unwrap_or(1);
        }
        if let Some(delay) = section.duration("first-delay") {
            policy.first_delay = delay;
        }
        if let Some(delay) = section.duration("max-delay") {
            policy.max_delay = delay;
        }
        section.finish();
    }
    policy
}

/// Names go into paths of URLs.
fn name(section: &mut Section<'_>) -> String {
    let name = section.required_text("name");
    let fits = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !fits {
        section.report(
            "name",
            None,
            "must consist of letters, digits, '-', '_' and '.'",
        );
    }
    name
}

fn app(mut section: Section<'_>, warnings: &mut Vec<Problem>) -> App {
    let name = name(&mut section);
    let line = section.line_of("kind");
    if let Some(kind) = section.text("kind").filter(|kind| kind != "internal") {
        let text = if kind == "isv" {
            "third-party apps (\"isv\") are not in this version"
        } else {
            "must be \"internal\" or \"isv\""
        };
        section.report("kind", line, text);
        for key in ["suite-key", "suite-secret"] {
            section.skip(key);
        }
    }
    let app_key = section.required_text("app-key");
    let callback = section
        .section("callback")
        .map(|callback| self::callback(callback));
    let line = section.line_of("receive");
    let mut receive = BTreeSet::new();
    for way in section.texts("receive").unwrap_or_default() {
        match way.as_str() {
            "callback" => receive.insert(Receive::Callback),
            "robot" => receive.insert(Receive::Robot),
            "stream" => {
                let text = "the Stream connection is not in this version; events come by callback and robot only".to_owned();
                warnings.push(Problem {
                    key: format!("app.{name}.receive"),
                    line,
                    text,
                });
                receive.insert(Receive::Stream)
            }
            other => {
                section.report(
                    "receive",
                    line,
                    format!("must be of \"callback\", \"robot\", \"stream\", not {other:?}"),
                );
                false
            }
        };
    }
    if receive.contains(&Receive::Callback) && callback.is_none() {
        section.report("callback", line, "is missing, but receive has \"callback\": write callback = { token = …, aes-key = …, receive-ids = […] }");
    }
    let app = App {
        name: name.as_str().into(),
        corp_id: section.required_text("corp-id"),
        app_secret: section.required_secret("app-secret"),
        agent_id: section.integer("agent-id", 1..=i64::MAX),
        robot_code: section
            .text("robot-code")
            .unwrap_or_else(|| app_key.clone()),
        app_key,
        receive,
        callback,
        oapi_base: base_url(&mut section, "oapi-base"),
        api_base: base_url(&mut section, "api-base"),
    };
    section.finish();
    app
}

fn base_url(section: &mut Section<'_>, key: &str) -> Option<Url> {
    section.parsed(key, "a URL such as \"https://oapi.dingtalk.com\"", |text| {
        text.parse::<Url>()
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    })
}

fn callback(mut section: Section<'_>) -> Callback {
    let callback = Callback {
        token: section.required_secret("token"),
        aes_key: section.required_secret("aes-key"),
        receive_ids: section.texts("receive-ids").unwrap_or_default(),
        max_age: section.duration("max-age"),
    };
    if callback.receive_ids.is_empty() {
        section.report(
            "receive-ids",
            None,
            "is missing: name the app key (console) or the corp id (registration API), or both",
        );
    }
    let keys_given = !callback.token.expose().is_empty() && !callback.aes_key.expose().is_empty();
    let keys = dingtalk::Callback::new(
        callback.token.expose(),
        callback.aes_key.expose(),
        callback.receive_ids.iter().cloned(),
    );
    if let Err(error) = keys
        && keys_given
    {
        section.report("", None, error.to_string());
    }
    section.finish();
    callback
}

fn plugin(mut section: Section<'_>, folder: &Path, apps: &HashSet<&str>) -> Plugin {
    let name = name(&mut section);
    let app = app_reference(&mut section, apps);
    let line = section.line_of("events");
    let mut events = Vec::new();
    let names = section.texts("events").unwrap_or_default();
    for text in &names {
        match text.parse() {
            Ok(subscription) => events.push(subscription),
            Err(error) => section.report("events", line, format!("{error}")),
        }
    }
    if events.is_empty() {
        section.report(
            "events",
            line,
            "names no event, so the plugin would never run",
        );
    }
    let line = section.line_of("when");
    let when = section.text("when").and_then(|text| match text.parse() {
        Ok(condition) => Some(condition),
        Err(error) => {
            section.report("when", line, format!("{error}"));
            None
        }
    });
    let plugin = Plugin {
        name: name.as_str().into(),
        component: folder.join(section.required_text("component")),
        app: app.as_str().into(),
        events,
        when,
        grant: section
            .section("grant")
            .map(grant::read)
            .unwrap_or_default(),
        limits: section.section("limits").map(limits).unwrap_or_default(),
        config: section.json("config").unwrap_or_default(),
    };
    section.finish();
    plugin
}

fn app_reference(section: &mut Section<'_>, apps: &HashSet<&str>) -> String {
    let line = section.line_of("app");
    let app = section.required_text("app");
    if !app.is_empty() && !apps.contains(app.as_str()) {
        section.report("app", line, format!("there is no [[app]] named {app:?}"));
    }
    app
}

fn limits(mut section: Section<'_>) -> Limits {
    let defaults = Limits::default();
    let (least, most) = (Duration::from_millis(10), Duration::from_secs(300));
    let limits = Limits {
        memory: section
            .bytes_within("memory", 1 << 20..=512 << 20)
            .unwrap_or(defaults.memory),
        cpu: section
            .duration_within("cpu", least..=most)
            .unwrap_or(defaults.cpu),
        wall: section
            .duration_within("wall", least..=most)
            .unwrap_or(defaults.wall),
        calls: section
            .integer("calls", 1..=10_000)
            .map_or(defaults.calls, |number| {
                u32::try_from(number).unwrap_or(u32::MAX)
            }),
    };
    section.finish();
    limits
}

fn hook(mut section: Section<'_>, apps: &HashSet<&str>) -> Hook {
    let name = name(&mut section);
    let app = app_reference(&mut section, apps);
    let line = section.line_of("kind");
    let kind = match section.required_text("kind").parse() {
        Ok(kind) => kind,
        Err(error) => {
            section.report("kind", line, format!("{error}"));
            HookKind::Generic
        }
    };
    if section.has("hmac") {
        section.report(
            "hmac",
            section.line_of("hmac"),
            "signed webhooks are not in this version; use token",
        );
        section.skip("hmac");
    }
    let hook = Hook {
        name,
        kind,
        app: app.as_str().into(),
        token: section.secret("token"),
    };
    if hook
        .token
        .as_ref()
        .is_some_and(|token| token.expose().is_empty())
    {
        section.report(
            "token",
            None,
            "is empty; leave the key out if the hook needs no token",
        );
    }
    section.finish();
    hook
}
