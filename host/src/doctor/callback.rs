//! Compares the registered callback with `bot.toml`, and tries whether an address answers as DingTalk wants it.

use std::collections::BTreeSet;
use std::time::Duration;

use dingtalk::{CallbackQuery, Nonce, Registration};
use serde_json::json;
use url::Url;

use super::{Findings, Verdict};
use crate::active::App;
use crate::clock;
use crate::config::Config;
use crate::event::{Kind, Subscription};

/// DingTalk waits no longer for the answer to a push.
const PATIENCE: Duration = Duration::from_millis(1500);

const CONTACTS: [&str; 15] = [
    "user_add_org",
    "user_modify_org",
    "user_leave_org",
    "user_active_org",
    "org_admin_add",
    "org_admin_remove",
    "org_dept_create",
    "org_dept_modify",
    "org_dept_remove",
    "org_change",
    "org_remove",
    "label_user_change",
    "label_conf_add",
    "label_conf_del",
    "label_conf_modify",
];
const CHATS: [&str; 6] = [
    "chat_add_member",
    "chat_remove_member",
    "chat_quit",
    "chat_update_owner",
    "chat_update_title",
    "chat_disband",
];

/// The event types that the plugins of an app need; both kinds of approvals if they need none.
pub fn wanted_tags(config: &Config, app: &App) -> Vec<String> {
    let mut tags = BTreeSet::new();
    let plugins = config.plugins.iter();
    let of_app = plugins.filter(|plugin| plugin.app == app.settings.name && plugin.enabled);
    for subscription in of_app.flat_map(|plugin| &plugin.events) {
        let names: &[&str] = match subscription {
            Subscription::EventType(name) => {
                tags.insert(name.clone());
                continue;
            }
            Subscription::Kind(Kind::ApprovalInstance) => &["bpms_instance_change"],
            Subscription::Kind(Kind::ApprovalTask) => &["bpms_task_change"],
            Subscription::Kind(Kind::ContactsChange) => &CONTACTS,
            Subscription::Kind(Kind::ChatChange) => &CHATS,
            // The others do not come by callback, or under names that only a person knows.
            Subscription::Kind(_) => &[],
        };
        tags.extend(names.iter().map(|name| (*name).to_owned()));
    }
    if tags.is_empty() {
        tags.extend(["bpms_instance_change", "bpms_task_change"].map(str::to_owned));
    }
    tags.into_iter().collect()
}

/// Why an address does not answer as DingTalk wants it.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The app has no keys.
    #[error("the app has no callback = {{ … }} in bot.toml")]
    NoKeys,
    /// It is no address.
    #[error("{0:?} is no http or https address")]
    NotAUrl(String),
    /// Nobody answers there.
    #[error("nobody answers there: {0}")]
    NoAnswer(String),
    /// Somebody answers something else.
    #[error("the answer has status {0}")]
    Status(u16),
    /// Somebody answers with other keys, or something else altogether.
    #[error("the answer is not the encrypted success: {0}")]
    Reply(String),
}

/// Pushes a `check_url` with the keys of `bot.toml`, as DingTalk does it, and reads the answer.
pub async fn probe(app: &App, url: &str) -> Result<(), ProbeError> {
    let keys = app.callback.as_ref().ok_or(ProbeError::NoKeys)?;
    let not_a_url = || ProbeError::NotAUrl(url.to_owned());
    let mut address: Url = url.parse().map_err(|_| not_a_url())?;
    if !matches!(address.scheme(), "http" | "https") || !address.has_host() {
        return Err(not_a_url());
    }
    let nonce = Nonce::fresh(clock::now());
    let sealed = keys.seal(r#"{"EventType":"check_url"}"#, receive_id(app), &nonce);
    address
        .query_pairs_mut()
        .append_pair("signature", &sealed.msg_signature)
        .append_pair("timestamp", &sealed.timestamp)
        .append_pair("nonce", &sealed.nonce);
    // Which address it was is known, and its query has a signature.
    let told = |error: reqwest::Error| {
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        ProbeError::NoAnswer(cause.unwrap_or_else(|| error.to_string()))
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .map_err(told)?;
    let request = client
        .post(address)
        .json(&json!({"encrypt": sealed.encrypt}));
    let answer = request.send().await.map_err(told)?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(ProbeError::Status(status));
    }
    let body: serde_json::Value = answer
        .json()
        .await
        .map_err(|_| ProbeError::Reply("it is no JSON".to_owned()))?;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let query = CallbackQuery {
        signature: text("msg_signature"),
        timestamp: text("timeStamp"),
        nonce: text("nonce"),
    };
    let opened = keys
        .open(&query, body.to_string().as_bytes())
        .map_err(|error| ProbeError::Reply(error.to_string()))?;
    if opened.message == "success" {
        Ok(())
    } else {
        Err(ProbeError::Reply("it says something else".to_owned()))
    }
}

/// The id with which DingTalk seals what it pushes to a registered address: the organisation's.
fn receive_id(app: &App) -> &str {
    &app.settings.corp_id
}

/// Whether belfry takes what DingTalk seals for a registered address.
pub fn takes_registered(app: &App) -> bool {
    let callback = app.settings.callback.as_ref();
    callback.is_some_and(|callback| {
        callback
            .receive_ids
            .iter()
            .any(|id| id == &app.settings.corp_id)
    })
}

/// What differs between a registration and `bot.toml`, without the keys themselves.
pub fn drift(app: &App, registered: &Registration, wanted: &[String]) -> Vec<String> {
    let mut drift = Vec::new();
    if let Some(keys) = &app.settings.callback {
        if keys.token != registered.token {
            drift.push("its token is another one".to_owned());
        }
        if keys.aes_key != registered.aes_key {
            drift.push("its aes-key is another one".to_owned());
        }
    }
    let path = format!("/callback/{}", app.settings.name);
    let leads_here = registered
        .url
        .parse::<Url>()
        .is_ok_and(|url| url.path().ends_with(&path));
    if !leads_here {
        drift.push(format!("its url {} does not end in {path}", registered.url));
    }
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|tag| !registered.tags.contains(tag))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        drift.push(format!("it lacks the events {}", missing.join(", ")));
    }
    drift
}

pub(super) async fn examine(config: &Config, app: &App, findings: &mut Findings<'_>) {
    let name = app.settings.name.as_str();
    let register = format!("belfry callback register --app {name} --url https://…/callback/{name}");
    let registered = match app.client.callback_get().await {
        Ok(Some(registered)) => registered,
        Ok(None) => {
            findings.add(
                "callback",
                Verdict::Unknown,
                "no callback is registered by the API; what the console has (事件订阅) cannot be read",
                &format!("compare the console with bot.toml, or register: {register}"),
            );
            return;
        }
        Err(error) => {
            findings.add(
                "callback",
                Verdict::Unknown,
                format!("the registered callback cannot be read: {error}"),
                "compare 事件订阅 in the console with bot.toml",
            );
            return;
        }
    };
    let drift = drift(app, &registered, &wanted_tags(config, app));
    if drift.is_empty() {
        findings.add(
            "callback",
            Verdict::Ok,
            format!("registered at {}, as bot.toml has it", registered.url),
            "",
        );
    } else {
        findings.add(
            "callback",
            Verdict::Failed,
            format!("the registered callback differs: {}", drift.join("; ")),
            &format!("register it anew: {register}"),
        );
    }
    if !takes_registered(app) {
        findings.add(
            "callback.receive-ids",
            Verdict::Failed,
            "pushes to a registered address are sealed for the corp id, which belfry would refuse",
            "add the corp id to callback.receive-ids",
        );
    }
    consumer(app, &registered, findings).await;
}

/// An app has one callback: whoever answers at its address gets all events.
async fn consumer(app: &App, registered: &Registration, findings: &mut Findings<'_>) {
    match probe(app, &registered.url).await {
        Ok(()) => findings.add(
            "consumer",
            Verdict::Ok,
            "who answers at the registered address has the keys of bot.toml",
            "",
        ),
        Err(error @ (ProbeError::Status(_) | ProbeError::Reply(_))) => findings.add(
            "consumer",
            Verdict::Failed,
            format!(
                "another program takes the events of this app at {}: {error}",
                registered.url
            ),
            "give belfry an app of its own, or register its address for this one",
        ),
        Err(error) => findings.add(
            "consumer",
            Verdict::Unknown,
            format!("{}: {error}", registered.url),
            "start belfry serve; if it runs, the address may lead to it only from outside",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn setting(events: &str) -> (Config, App) {
        let text = format!(
            r#"
[[app]]
name = "acme"
corp-id = "dingcorp"
app-key = "k"
app-secret = "s"
receive = ["callback"]
callback = {{ token = "token123", aes-key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", receive-ids = ["k"] }}
[[plugin]]
name = "p"
component = "p.wasm"
app = "acme"
events = {events}
"#
        );
        let config = Config::parse(&text, Path::new("/"), []).unwrap();
        let app = App::new(config.apps[0].clone()).unwrap();
        (config, app)
    }

    fn registered(app: &App, tags: &[&str]) -> Registration {
        let keys = app.settings.callback.clone().unwrap();
        Registration {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            token: keys.token,
            aes_key: keys.aes_key,
            url: "https://bot.example.com/callback/acme".to_owned(),
        }
    }

    #[test]
    fn what_plugins_get_is_what_must_be_registered() {
        let (config, app) = setting(r#"["approval-instance", "chat-message", "check_in"]"#);
        let wanted = wanted_tags(&config, &app);
        assert_eq!(wanted, ["bpms_instance_change", "check_in"]);
        assert!(
            drift(
                &app,
                &registered(&app, &["check_in", "bpms_instance_change", "org_change"]),
                &wanted
            )
            .is_empty()
        );
        let (config, app) = setting(r#"["chat-message"]"#);
        assert_eq!(wanted_tags(&config, &app).len(), 2);
        let (config, app) = setting(r#"["contacts-change", "chat-change"]"#);
        assert_eq!(
            wanted_tags(&config, &app).len(),
            CONTACTS.len() + CHATS.len()
        );
    }

    #[test]
    fn every_difference_is_named_and_no_key() {
        let (config, app) = setting(r#"["check_in"]"#);
        let other = Registration {
            tags: Vec::new(),
            token: "othertoken".into(),
            aes_key: "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg".into(),
            url: "https://elsewhere.example.com/hook".to_owned(),
        };
        let drift = drift(&app, &other, &wanted_tags(&config, &app));
        assert_eq!(drift.len(), 4, "{drift:?}");
        let told = drift.join(" ");
        for secret in ["token123", "othertoken", "abcdefghijklmnop"] {
            assert!(!told.contains(secret), "{told}");
        }
        assert!(!takes_registered(&app));
    }
}
