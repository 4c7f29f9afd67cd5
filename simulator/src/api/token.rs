//! Gives tokens for credentials, on both hosts.

use std::sync::Arc;

use serde_json::json;

use super::call::ApiCall;
use super::{oapi, v1};
use crate::options::App;
use crate::state::World;
use crate::tokens::LIFE_SECONDS;

/// `GET /gettoken`, by app key or in the older form by corp id.
pub(super) fn gettoken(world: &mut World, call: &ApiCall) -> oapi::Outcome {
    let app = match (call.query("appkey"), call.query("corpid")) {
        (Some(key), _) => {
            let secret = call.query("appsecret").unwrap_or_default();
            let app = world
                .apps
                .iter()
                .find(|app| app.app_key == key && app.app_secret == secret);
            app.ok_or_else(|| oapi::Refusal::new(40096, "不合法的appKey或appSecret"))?
        }
        (None, Some(corp)) => {
            let secret = call.query("corpsecret").unwrap_or_default();
            let app = world
                .apps
                .iter()
                .find(|app| app.corp_id == corp && app.app_secret == secret);
            app.ok_or_else(|| oapi::Refusal::new(40089, "不合法的corpid或corpsecret"))?
        }
        (None, None) => return Err(oapi::Refusal::new(40035, "缺少参数 corpid or appkey")),
    };
    let name = app.name.clone();
    let token = world.tokens.give(&name, call.now);
    Ok(oapi::members(
        json!({"access_token": token, "expires_in": LIFE_SECONDS}),
    ))
}

/// `POST /v1.0/oauth2/accessToken`.
pub(super) fn access_token(world: &mut World, call: &ApiCall) -> v1::Outcome {
    let body = call.members();
    let (key, secret) = (body.text("appKey"), body.text("appSecret"));
    let app = world
        .apps
        .iter()
        .find(|app| Some(app.app_key.as_str()) == key && Some(app.app_secret.as_str()) == secret);
    let Some(name) = app.map(|app| app.name.clone()) else {
        return Err(v1::Refusal::new(
            "invalidClientIdOrSecret",
            "无效的clientId或者clientSecret",
        ));
    };
    let token = world.tokens.give(&name, call.now);
    Ok(json!({"accessToken": token, "expireIn": LIFE_SECONDS}))
}

impl World {
    /// The app that a living token belongs to.
    pub(super) fn app_of_token(&self, token: &str, now: i64) -> Option<Arc<App>> {
        self.app(self.tokens.owner(token, now)?)
    }

    /// Counts a call against the app's rate on this path.
    pub(super) fn admits(&mut self, app: &App, call: &ApiCall) -> bool {
        let Some(limit) = self.rate_limit else {
            return true;
        };
        self.limits.admit(&app.name, &call.path, limit, call.now)
    }
}
