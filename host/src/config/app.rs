//! `[[app]]`: one DingTalk application.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use dingtalk::{ApiStyle, KeyKind, Pace, PageDigest, Secret};
use url::Url;

use super::section::Section;
use crate::ids::AppName;

/// An `[[app]]`: one DingTalk application of one organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// How plugins, hooks and paths refer to it.
    pub name: AppName,
    /// Whose app it is.
    pub kind: AppKind,
    /// The organisation; empty for a third-party app, which serves many.
    pub corp_id: String,
    /// DingTalk's Client ID, the suite key, or the corp id where there is only a CorpSecret.
    pub app_key: String,
    /// What key and secret are.
    pub keys: KeyKind,
    /// DingTalk's Client Secret, the suite secret, or the CorpSecret.
    pub app_secret: Secret,
    /// Needed for work notices.
    pub agent_id: Option<i64>,
    /// The robot, by default the same as the app key.
    pub robot_code: String,
    /// The ways in that are open.
    pub receive: BTreeSet<Receive>,
    /// The keys of the event callback.
    pub callback: Option<Callback>,
    /// Which calls are made where DingTalk has an older and a newer one.
    pub api: ApiStyle,
    /// How fast its calls may follow one another.
    pub pace: Pace,
    /// How long the form of an approval's template is kept to check fields by; zero checks nothing.
    pub keep_forms: Duration,
    /// Its pages inside DingTalk.
    pub h5: H5,
    /// Host of the old API.
    pub oapi_base: Option<Url>,
    /// Host of the v1.0 API.
    pub api_base: Option<Url>,
}

/// The pages that an app has inside DingTalk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct H5 {
    /// What the addresses of its pages begin with. Pages elsewhere get neither signatures nor answers.
    pub pages: Vec<Url>,
    /// How pages are signed.
    pub digest: PageDigest,
}

/// Whose app it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppKind {
    /// One organisation's own.
    Internal,
    /// A vendor's, which organisations authorise.
    Isv,
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

/// In place of an app's key and secret.
const CORP_SECRET: &str = "corp-secret";

pub(super) fn app(mut section: Section<'_>) -> App {
    let name = section.name();
    let line = section.line_of("kind");
    let kind = match section.text("kind").as_deref() {
        None | Some("internal") => AppKind::Internal,
        Some("isv") => AppKind::Isv,
        Some(_) => {
            section.report("kind", line, "must be \"internal\" or \"isv\"");
            AppKind::Internal
        }
    };
    // The keys of the other kind are named with what belongs in their place.
    let (keys, others) = match kind {
        AppKind::Internal => (["app-key", "app-secret"], ["suite-key", "suite-secret"]),
        AppKind::Isv => (["suite-key", "suite-secret"], ["app-key", "app-secret"]),
    };
    for (other, key) in others.into_iter().zip(keys) {
        if section.has(other) {
            section.report(
                other,
                section.line_of(other),
                format!("does not belong to an app of this kind; it has {key}"),
            );
            section.skip(other);
        }
    }
    let corp_id = match kind {
        AppKind::Internal => section.required_text("corp-id"),
        AppKind::Isv => {
            for key in ["corp-id", "agent-id"] {
                if section.has(key) {
                    section.report(key, section.line_of(key), "does not belong to a third-party app: organisations authorise it and tell theirs");
                    section.skip(key);
                }
            }
            String::new()
        }
    };
    let (key_kind, app_key, app_secret) = if kind == AppKind::Internal && section.has(CORP_SECRET) {
        for key in keys {
            if section.has(key) {
                let line = section.line_of(key);
                section.report(
                    key,
                    line,
                    "does not belong beside corp-secret, which takes its place",
                );
                section.skip(key);
            }
        }
        let secret = section.required_secret(CORP_SECRET);
        (KeyKind::Corp, corp_id.clone(), secret)
    } else {
        let key = section.required_text(keys[0]);
        (KeyKind::App, key, section.required_secret(keys[1]))
    };
    // What is pushed to a suite is sealed for the suite key.
    let receiver = (kind == AppKind::Isv).then_some(app_key.as_str());
    let callback = section
        .section("callback")
        .map(|callback| self::callback(callback, receiver));
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
    let oapi_base = base_url(&mut section, "oapi-base");
    let app = App {
        name: name.as_str().into(),
        kind,
        corp_id,
        keys: key_kind,
        app_secret,
        agent_id: section.integer("agent-id", 1..=i64::MAX),
        robot_code: section
            .text("robot-code")
            .unwrap_or_else(|| app_key.clone()),
        app_key,
        receive,
        callback,
        api: api_style(&mut section, key_kind),
        pace: pace(&mut section, oapi_base.as_ref()),
        keep_forms: section
            .duration_within("keep-forms", Duration::ZERO..=MOST_KEPT)
            .unwrap_or(FORMS_KEPT),
        h5: h5(&mut section),
        oapi_base,
        api_base: base_url(&mut section, "api-base"),
    };
    section.finish();
    app
}

/// A form is read again before it refuses anything, so a day costs no more than a request that DingTalk refuses.
const FORMS_KEPT: Duration = Duration::from_hours(24);
const MOST_KEPT: Duration = Duration::from_hours(30 * 24);

fn h5(section: &mut Section<'_>) -> H5 {
    let mut h5 = H5::default();
    let Some(mut section) = section.section("h5") else {
        return h5;
    };
    let line = section.line_of("pages");
    for text in section.texts("pages").unwrap_or_default() {
        let page = text.parse::<Url>().ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        match page {
            Some(page) => h5.pages.push(page),
            None => {
                let wanted = "must be addresses such as \"https://pages.example.com/app/\"";
                section.report("pages", line, format!("{wanted}, not {text:?}"));
            }
        }
    }
    let wanted = "\"sha256\" or \"sha1\"";
    let digest = section.parsed("signature", wanted, |text| match text {
        "sha256" => Some(PageDigest::Sha256),
        "sha1" => Some(PageDigest::Sha1),
        _ => None,
    });
    h5.digest = digest.unwrap_or_default();
    section.finish();
    h5
}

fn api_style(section: &mut Section<'_>, keys: KeyKind) -> ApiStyle {
    let line = section.line_of("api");
    let style = section.parsed("api", "\"modern\" or \"legacy\"", |text| match text {
        "modern" => Some(ApiStyle::Modern),
        "legacy" => Some(ApiStyle::Legacy),
        _ => None,
    });
    match (keys, style) {
        (KeyKind::App, style) => style.unwrap_or_default(),
        (KeyKind::Corp, Some(ApiStyle::Modern)) => {
            section.report(
                "api",
                line,
                "must be \"legacy\": a corp-secret opens the older calls only",
            );
            ApiStyle::Legacy
        }
        (KeyKind::Corp, _) => ApiStyle::Legacy,
    }
}

/// The most calls or messages that can be set; DingTalk gives nobody more.
const MOST: i64 = 10_000;

/// Reads `pace = { … }`. DingTalk documents the limit of a robot's webhook; a simulator on plain HTTP does not know it,
/// so there it has no default.
fn pace(app: &mut Section<'_>, oapi_base: Option<&Url>) -> Pace {
    let documented = Pace::default();
    let is_simulated = oapi_base.is_some_and(|base| base.scheme() == "http");
    let mut pace = Pace {
        robot: documented.robot.filter(|_| !is_simulated),
        ..documented
    };
    let Some(mut section) = app.section("pace") else {
        return pace;
    };
    let mut number = |key: &str| {
        let number = section.integer(key, 0..=MOST)?;
        Some(u32::try_from(number).ok().and_then(NonZeroU32::new))
    };
    pace.calls = number("calls").unwrap_or(pace.calls);
    pace.robot = number("robot").unwrap_or(pace.robot);
    let patience = section.duration_within("patience", Duration::ZERO..=Duration::from_secs(60));
    pace.patience = patience.unwrap_or(pace.patience);
    section.finish();
    pace
}

fn base_url(section: &mut Section<'_>, key: &str) -> Option<Url> {
    section.parsed(key, "a URL such as \"https://oapi.dingtalk.com\"", |text| {
        text.parse::<Url>()
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    })
}

fn callback(mut section: Section<'_>, receiver: Option<&str>) -> Callback {
    let callback = Callback {
        token: section.required_secret("token"),
        aes_key: section.required_secret("aes-key"),
        receive_ids: section
            .texts("receive-ids")
            .unwrap_or_else(|| receiver.map(str::to_owned).into_iter().collect()),
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
