//! `[[hook]]`: one door for alert webhooks.

use std::collections::HashSet;

use dingtalk::Secret;

use super::process::Server;
use super::section::Section;
use crate::event::HookKind;
use crate::ids::AppName;

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

pub(super) fn hook(mut section: Section<'_>, apps: &HashSet<&str>, server: &Server) -> Hook {
    let name = section.name();
    let app = section.app_reference(apps);
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
    if hook.token.is_none() && !server.listen.ip().is_loopback() {
        section.warn(
            "token",
            None,
            "is missing, so everybody who reaches server.listen can send alerts",
        );
    }
    section.finish();
    hook
}
