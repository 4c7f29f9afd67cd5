//! Whether DingTalk lets the app do what its plugins were granted.

use dingtalk::ApiError;

use super::{Findings, Verdict};
use crate::active::App;
use crate::config::{Config, Grant, Recipients, Scope};

/// The id of nothing: a call with it is refused for its id, or before that for a missing permission.
const NOTHING: &str = "belfry-doctor";

/// Makes one cheap call of each area that a plugin of the app was granted.
pub(super) async fn examine(config: &Config, app: &App, findings: &mut Findings<'_>) {
    let plugins = config.plugins.iter();
    let grants: Vec<&Grant> = plugins
        .filter(|plugin| plugin.app == app.settings.name)
        .map(|plugin| &plugin.grant)
        .collect();
    let granted = |has: fn(&Grant) -> bool| grants.iter().any(|grant| has(grant));
    let client = &app.client;
    if granted(|grant| grant.chat != Scope::default()) {
        let tried = client.chat_get(NOTHING).await.map(|_| ());
        judge("chat", "群会话 (chat)", tried, findings);
    }
    if granted(|grant| grant.approval != Scope::default()) {
        let tried = client.approval_get(NOTHING).await.map(|_| ());
        judge("approval", "OA审批 (workflow)", tried, findings);
    }
    if granted(|grant| grant.notice != Recipients::default()) {
        if app.settings.agent_id.is_none() {
            findings.add(
                "permission.notice",
                Verdict::Failed,
                "work notices need an agent-id, and bot.toml has none",
                "write the app's AgentId as agent-id",
            );
        } else {
            let tried = client.notice_progress(1).await.map(|_| ());
            judge("notice", "消息通知 (work notices)", tried, findings);
        }
    }
    if granted(|grant| grant.contacts != Scope::default()) {
        let tried = client.user(NOTHING).await.map(|_| ());
        judge("contacts", "通讯录 (contacts)", tried, findings);
    }
    if granted(|grant| grant.robot != Scope::default()) {
        findings.add(
            "permission.robot",
            Verdict::Unknown,
            "no call finds out whether the robot may send without sending",
            "send yourself a message with `robot.send` from a plugin",
        );
    }
}

fn judge(area: &str, name: &str, tried: Result<(), ApiError>, findings: &mut Findings<'_>) {
    let place = format!("permission.{area}");
    match tried {
        Ok(())
        | Err(
            ApiError::NotFound { .. }
            | ApiError::Invalid { .. }
            // An id of nothing may be one that belongs to somebody else.
            | ApiError::RateLimited { .. },
        ) => findings.add(&place, Verdict::Ok, format!("the app may use {name}"), ""),
        Err(error @ (ApiError::Denied { .. } | ApiError::Credentials { .. })) => findings.add(
            &place,
            Verdict::Failed,
            error.to_string(),
            &format!("apply for {name} under 权限管理 in the developer console, then publish the app"),
        ),
        Err(error) => findings.add(
            &place,
            Verdict::Unknown,
            error.to_string(),
            "try again later",
        ),
    }
}
