//! `[[app]]`: one DingTalk application.

use std::collections::BTreeSet;
use std::time::Duration;

use dingtalk::Secret;
use url::Url;

use super::section::Section;
use crate::ids::AppName;

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
    /// Whether events that DingTalk could not deliver are fetched.
    pub backfill: bool,
}

pub(super) fn app(mut section: Section<'_>) -> App {
    let name = section.name();
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
                let text = "the Stream connection is not in this version; \"stream\" has no effect";
                section.warn("receive", line, text);
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
        backfill: section.boolean("backfill").unwrap_or(true),
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
