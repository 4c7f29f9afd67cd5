//! Tries what `bot.toml` says against DingTalk, and says what does not hold and what to do about it.

use std::sync::Arc;
use std::time::Duration;

use dingtalk::ApiError;
use serde::Serialize;

use crate::active::App;
use crate::clock;
use crate::config::{Config, Receive};
use crate::ids::AppName;

pub mod callback;
mod permission;

/// A clock that is off by more is wrong for every signature that DingTalk checks.
const SKEW: Duration = Duration::from_secs(60);
/// A clock that is off by more will be wrong some day.
const DRIFT: Duration = Duration::from_secs(5);

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The app it is about.
    pub app: AppName,
    /// What was looked at: `credentials`, `clock`, `permission.chat`, `callback` and the like.
    pub area: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// In order.
    Ok,
    /// Nobody can find out from here.
    Unknown,
    /// It works, but not as it should.
    Warning,
    /// It does not work.
    Failed,
}

impl Verdict {
    /// The word in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// Gathers the findings about one app.
struct Findings<'a> {
    app: &'a AppName,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, area: &str, verdict: Verdict, text: impl Into<String>, advice: &str) {
        self.list.push(Finding {
            app: self.app.clone(),
            area: area.to_owned(),
            verdict,
            text: text.into(),
            advice: (!advice.is_empty()).then(|| advice.to_owned()),
        });
    }
}

/// Examines every app of a configuration. Nothing is changed, and nothing is taken off the failed list.
pub async fn examine(config: &Config, apps: &[Arc<App>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for app in apps {
        findings.extend(examine_app(config, app).await);
    }
    findings
}

async fn examine_app(config: &Config, app: &App) -> Vec<Finding> {
    let mut findings = Findings {
        app: &app.settings.name,
        list: Vec::new(),
    };
    clock(app, &mut findings).await;
    if app.suite.is_some() {
        findings.add(
            "credentials",
            Verdict::Unknown,
            "the tokens of a third-party app need the suite ticket, which only belfry serve has",
            "look for `suite ticket taken` in its log; DingTalk pushes a ticket about every five hours",
        );
    } else if credentials(app, &mut findings).await {
        permission::examine(config, app, &mut findings).await;
        if app.settings.receive.contains(&Receive::Callback) {
            callback::examine(config, app, &mut findings).await;
        }
    }
    if app.settings.receive.contains(&Receive::Stream) {
        findings.add(
            "consumer",
            Verdict::Unknown,
            "whether another program holds a Stream connection of this app cannot be asked for",
            "DingTalk spreads Stream messages over all connections: look in the developer console, or stop the others",
        );
    }
    findings.list
}

async fn clock(app: &App, findings: &mut Findings<'_>) {
    match app.client.server_time().await {
        Ok(Some(theirs)) => {
            // Theirs is cut to the second.
            let off = clock::now().0 - theirs.0 - 500;
            let seconds = off.unsigned_abs() / 1000;
            let text = format!(
                "this machine's clock is {seconds} s {} DingTalk's",
                if off < 0 { "behind" } else { "ahead of" }
            );
            let advice = "let the machine set its clock by NTP: DingTalk refuses signatures that are a minute off";
            if seconds > SKEW.as_secs() {
                findings.add("clock", Verdict::Failed, text, advice);
            } else if seconds > DRIFT.as_secs() {
                findings.add("clock", Verdict::Warning, text, advice);
            } else {
                findings.add("clock", Verdict::Ok, text, "");
            }
        }
        Ok(None) => findings.add(
            "clock",
            Verdict::Unknown,
            "DingTalk's answer had no date",
            "",
        ),
        Err(error) => findings.add(
            "reach",
            Verdict::Failed,
            format!("{} cannot be reached: {error}", app.client.endpoints().oapi),
            "let this machine out to oapi.dingtalk.com and api.dingtalk.com, port 443",
        ),
    }
}

/// Says whether it makes sense to ask further.
async fn credentials(app: &App, findings: &mut Findings<'_>) -> bool {
    match app.client.authenticate().await {
        Ok(()) => {
            findings.add(
                "credentials",
                Verdict::Ok,
                "DingTalk gives access tokens",
                "",
            );
            true
        }
        Err(error) => {
            findings.add(
                "credentials",
                Verdict::Failed,
                error.to_string(),
                credentials_advice(&error),
            );
            false
        }
    }
}

fn credentials_advice(error: &ApiError) -> &'static str {
    match error {
        ApiError::Credentials { .. } => {
            "compare app-key and app-secret with 凭证与基础信息 in the developer console"
        }
        ApiError::Denied { code, .. } if code == "60020" => {
            "add this machine's public address to the app's server addresses (服务器出口IP) in the console"
        }
        ApiError::Denied { .. } => {
            "look at the app in the console: it may be disabled or over its quota"
        }
        _ => "try again; if it stays so, look at the network between this machine and DingTalk",
    }
}
