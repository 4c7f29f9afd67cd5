//! Where apps want their events, and the events that nobody took.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::options::{App, CallbackTarget};

/// Entries of the failed list in one answer.
const PIECE: usize = 200;

/// What a callback can be registered for; anything else is refused.
pub(crate) const TAGS: &[&str] = &[
    "user_add_org",
    "user_modify_org",
    "user_leave_org",
    "user_active_org",
    "org_admin_add",
    "org_admin_remove",
    "org_dept_create",
    "org_dept_modify",
    "org_dept_remove",
    "org_remove",
    "org_change",
    "label_user_change",
    "label_conf_add",
    "label_conf_del",
    "label_conf_modify",
    "bpms_task_change",
    "bpms_instance_change",
    "edu_user_insert",
    "edu_user_update",
    "edu_user_delete",
    "edu_user_relation_insert",
    "edu_user_relation_update",
    "edu_user_relation_delete",
    "edu_dept_insert",
    "edu_dept_update",
    "edu_dept_delete",
    "chat_add_member",
    "chat_remove_member",
    "chat_quit",
    "chat_update_owner",
    "chat_update_title",
    "chat_disband",
    "check_in",
    "attendance_check_record",
    "attendance_schedule_change",
    "attendance_overtime_duration",
    "meetingroom_book",
    "meetingroom_room_info",
];

/// A callback that an app registered itself.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) tags: Vec<String>,
    pub(crate) target: CallbackTarget,
}

/// The registered callbacks and the failed lists of all apps.
#[derive(Debug, Default)]
pub(crate) struct Callbacks {
    registered: HashMap<String, Registered>,
    failed: HashMap<String, Vec<Value>>,
    /// Apps that may not call this family.
    refused: HashSet<String>,
}

impl Callbacks {
    /// Where the app's events of a type go: to the address it registered, if it wants them, and without one to that of
    /// the console.
    pub(crate) fn target(&self, app: &App, event_type: &str) -> Option<CallbackTarget> {
        match self.registered.get(&app.name) {
            Some(Registered { tags, target }) => tags
                .iter()
                .any(|tag| tag == event_type)
                .then(|| target.clone()),
            None => app.callback.clone(),
        }
    }

    /// Whether any events of the app go anywhere.
    pub(crate) fn has_target(&self, app: &App) -> bool {
        app.callback.is_some() || self.registered.contains_key(&app.name)
    }

    pub(crate) fn registered(&self, app: &str) -> Option<&Registered> {
        self.registered.get(app)
    }

    pub(crate) fn register(&mut self, app: &str, registered: Registered) {
        self.registered.insert(app.to_owned(), registered);
    }

    pub(crate) fn remove(&mut self, app: &str) -> Option<Registered> {
        self.registered.remove(app)
    }

    /// Puts an event that got no success on the failed list.
    pub(crate) fn fail(&mut self, app: &App, event: &Value, now: i64) {
        if let Some(entry) = entry(app, event, now) {
            self.add_failed(&app.name, entry);
        }
    }

    pub(crate) fn add_failed(&mut self, app: &str, entry: Value) {
        self.failed.entry(app.to_owned()).or_default().push(entry);
    }

    /// Takes a piece off the failed list and says whether there is more.
    pub(crate) fn take_failed(&mut self, app: &str) -> (Vec<Value>, bool) {
        let list = self.failed.entry(app.to_owned()).or_default();
        let piece = list.drain(..list.len().min(PIECE)).collect();
        (piece, !list.is_empty())
    }

    pub(crate) fn may_call(&self, app: &str) -> bool {
        !self.refused.contains(app)
    }

    pub(crate) fn allow(&mut self, app: &str, allowed: bool) {
        if allowed {
            self.refused.remove(app);
        } else {
            self.refused.insert(app.to_owned());
        }
    }

    /// Forgets what apps that are gone registered.
    pub(crate) fn keep_apps(&mut self, names: &[String]) {
        self.registered.retain(|app, _| names.contains(app));
        self.failed.retain(|app, _| names.contains(app));
    }

    /// For the control door: one app's registration without its keys, and its failed list.
    pub(crate) fn show(&self, app: &App) -> Value {
        let registered = self.registered.get(&app.name);
        json!({
            "app": app.name,
            "registered": registered.map(|registered| json!({
                "url": registered.target.url, "tags": registered.tags,
            })),
            "allowed": self.may_call(&app.name),
            "failed": self.failed.get(&app.name).cloned().unwrap_or_default(),
        })
    }
}

/// An event in the form of the failed list: other letters, other nesting, and no ids.
fn entry(app: &App, event: &Value, now: i64) -> Option<Value> {
    let tag = event["EventType"].as_str()?;
    let is_handshake = [
        "check_",
        "suite_",
        "tmp_",
        "change_auth",
        "org_micro_app_",
        "market_",
    ]
    .iter()
    .any(|start| tag.starts_with(start) && !TAGS.contains(&tag));
    if is_handshake {
        return None;
    }
    let members = event.as_object()?;
    let corp = ["CorpId", "corpId"]
        .iter()
        .find_map(|name| members.get(*name)?.as_str())
        .unwrap_or(&app.corp_id);
    let people = members.get("UserId").or_else(|| members.get("userId"));
    let inner = match people {
        Some(people) if tag.starts_with("user_") || tag.starts_with("org_admin_") => {
            json!({"userid": people, "corpid": corp})
        }
        _ => {
            let wrapper = match tag {
                _ if tag.starts_with("bpms_") => "bpmsCallBackData",
                _ if tag.starts_with("label_") => "roleLabelChange",
                _ => "callbackData",
            };
            json!({"corpid": corp, wrapper: without_ids(members)})
        }
    };
    Some(json!({"call_back_tag": tag, "event_time": event_time(members, now), tag: inner}))
}

fn without_ids(members: &Map<String, Value>) -> Value {
    const LEFT_OUT: [&str; 4] = ["eventId", "BizId", "EventTime", "CorpId"];
    members
        .iter()
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// In whole seconds, as in the captured entries.
fn event_time(members: &Map<String, Value>, now: i64) -> i64 {
    let time = ["EventTime", "TimeStamp", "finishTime", "createTime"]
        .iter()
        .find_map(|name| {
            let value = members.get(*name)?;
            value.as_i64().or_else(|| value.as_str()?.parse().ok())
        });
    let time = time.unwrap_or(now);
    time - time % 1000
}
