//! A plugin that makes the host calls which the event lists: the text of a chat message, or `calls` of an alert, is a JSON
//! list of `{"function": "chat.send", "arguments": [...]}`. Arguments are as the generated types read them from JSON.
//!
//! `{"repeat": TEXT, "times": N}` anywhere in the arguments is that text so many times, `{"copy": VALUE, "times": N}` a
//! list of as many. What comes of a call is for the host to record; the guest goes on. Bytes are given as text.

use serde::de::DeserializeOwned;
use serde_json::Value;

use bindings::belfry::bot::event::EventBody;
use bindings::belfry::bot::{
    approval, chat, contacts, delivery, kv, media, notice, robot, schedule,
};
use bindings::exports::belfry::bot::handler::{Description, Event, EventKind, Failure, Guest};

#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "plugin",
        additional_derives: [serde::Deserialize],
    });
}

struct Caller;

impl Guest for Caller {
    fn describe() -> Description {
        Description {
            name: "caller".to_owned(),
            version: "0.1.0".to_owned(),
            subscriptions: vec![EventKind::ChatMessage, EventKind::Alert],
            commands: Vec::new(),
            config_schema: None,
        }
    }

    fn handle(event: Event) -> Result<(), Failure> {
        let calls = match event.body {
            EventBody::ChatMessage(message) => serde_json::from_str(&message.text),
            _ => serde_json::from_str(&delivery::raw_json())
                .map(|alert: Value| alert["calls"].clone()),
        };
        let calls: Value = calls.expect("the event must be JSON");
        for call in calls.as_array().expect("calls must be a list") {
            let arguments = call["arguments"]
                .as_array()
                .expect("arguments must be a list");
            let arguments: Vec<Value> = arguments.iter().map(repeated).collect();
            make(
                call["function"].as_str().expect("a function must be named"),
                Arguments(arguments.into_iter()),
            );
        }
        Ok(())
    }
}

fn repeated(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(repeated).collect(),
        Value::Object(members) => match (
            members.get("repeat"),
            members.get("copy"),
            members.get("times"),
        ) {
            (Some(text), None, Some(times)) => {
                let text = text.as_str().expect("only a text can be repeated");
                text.repeat(number(times)).into()
            }
            (None, Some(item), Some(times)) => vec![repeated(item); number(times)].into(),
            _ => members
                .iter()
                .map(|(name, member)| (name.clone(), repeated(member)))
                .collect(),
        },
        other => other.clone(),
    }
}

fn number(value: &Value) -> usize {
    let number = value.as_u64().expect("times must be a number");
    usize::try_from(number).expect("times must be small")
}

/// What is left of the arguments.
struct Arguments(std::vec::IntoIter<Value>);

impl Arguments {
    fn next<T: DeserializeOwned>(&mut self) -> T {
        let value = self.0.next().expect("there must be enough arguments");
        serde_json::from_value(value).expect("an argument must be of its type")
    }

    fn text(&mut self) -> String {
        self.next()
    }

    fn texts(&mut self) -> Vec<String> {
        self.next()
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.text().into_bytes()
    }

    fn maybe(&mut self) -> Option<String> {
        self.next()
    }
}

fn make(function: &str, mut with: Arguments) {
    /// Takes the arguments in order and forgets the answer.
    macro_rules! call {
        ($interface:ident :: $function:ident ( $($argument:expr),* )) => {{
            let _ = $interface::$function($($argument),*);
        }};
    }
    match function {
        "chat.create" => call!(chat::create(&with.next())),
        "chat.get" => call!(chat::get(&with.text())),
        "chat.update" => call!(chat::update(&with.text(), &with.next())),
        "chat.send" => call!(chat::send(&with.text(), &with.next())),
        "chat.readers" => call!(chat::readers(&with.text(), with.next(), with.next())),
        "chat.create-scene" => call!(chat::create_scene(&with.next())),
        "chat.update-scene" => call!(chat::update_scene(&with.text(), &with.next())),
        "chat.add-scene-members" => {
            call!(chat::add_scene_members(&with.text(), &with.texts()))
        }
        "chat.remove-scene-members" => {
            call!(chat::remove_scene_members(&with.text(), &with.texts()))
        }
        "chat.scene-members" => {
            call!(chat::scene_members(
                &with.text(),
                with.maybe().as_deref(),
                with.next()
            ))
        }
        "chat.send-scene" => call!(chat::send_scene(&with.text(), &with.next())),
        "notice.send" => call!(notice::send(&with.next(), &with.next())),
        "notice.send-template" => {
            let (recipients, template, values) = (with.next(), with.text(), with.next::<Vec<_>>());
            call!(notice::send_template(&recipients, &template, &values))
        }
        "notice.progress" => call!(notice::progress(&with.text())),
        "notice.outcome" => call!(notice::outcome(&with.text())),
        "notice.recall" => call!(notice::recall(&with.text())),
        "notice.update-status-bar" => {
            call!(notice::update_status_bar(
                &with.text(),
                &with.text(),
                with.maybe().as_deref()
            ))
        }
        "approval.create" => call!(approval::create(&with.next())),
        "approval.get" => call!(approval::get(&with.text())),
        "approval.list-ids" => call!(approval::list_ids(&with.next())),
        "approval.terminate" => {
            call!(approval::terminate(
                &with.text(),
                with.maybe().as_deref(),
                &with.text()
            ))
        }
        "approval.execute" => {
            let (instance, task, approver) = (with.text(), with.text(), with.text());
            call!(approval::execute(
                &instance,
                &task,
                &approver,
                with.next(),
                &with.text()
            ))
        }
        "approval.comment" => {
            call!(approval::comment(&with.text(), &with.text(), &with.text()))
        }
        "approval.find-template" => call!(approval::find_template(&with.text())),
        "approval.list-templates" => {
            call!(approval::list_templates(
                &with.text(),
                with.next(),
                with.next()
            ))
        }
        "approval.get-form" => call!(approval::get_form(&with.text())),
        // The host records nothing of it, so the guest tells it by the arguments of a call that is recorded.
        "approval.encode" => {
            let told = approval::encode(&with.text(), &with.next());
            let told: String = format!("{told:?}").chars().take(200).collect();
            call!(kv::list_keys(&told, None, 1))
        }
        "approval.check" => call!(approval::check(&with.text(), &with.next::<Vec<_>>())),
        "approval.history" => call!(approval::history(&with.text())),
        "approval.redirect" => {
            let (instance, task, holder) = (with.text(), with.text(), with.text());
            call!(approval::redirect(
                &instance,
                &task,
                &holder,
                &with.text(),
                &with.text()
            ))
        }
        "approval.comment-with-files" => {
            let (instance, user, text) = (with.text(), with.text(), with.text());
            let (photos, files) = (with.texts(), with.next::<Vec<_>>());
            call!(approval::comment_with_files(
                &instance, &user, &text, &photos, &files
            ))
        }
        "approval.execute-with-files" => {
            let (instance, task, approver) = (with.text(), with.text(), with.text());
            let (decision, remark) = (with.next(), with.text());
            let (photos, files) = (with.texts(), with.next::<Vec<_>>());
            call!(approval::execute_with_files(
                &instance, &task, &approver, decision, &remark, &photos, &files
            ))
        }
        "approval.count-pending" => call!(approval::count_pending(&with.text())),
        "approval.attachment-space" => call!(approval::attachment_space(&with.text())),
        "approval.attachment-link" => {
            call!(approval::attachment_link(&with.text(), &with.text()))
        }
        "approval.allow-download" => {
            call!(approval::allow_download(
                &with.text(),
                &with.next::<Vec<_>>()
            ))
        }
        "contacts.get-user" => call!(contacts::get_user(&with.text())),
        "contacts.find-by-union-id" => call!(contacts::find_by_union_id(&with.text())),
        "contacts.find-by-mobile" => call!(contacts::find_by_mobile(&with.text())),
        "contacts.list-user-ids" => call!(contacts::list_user_ids(&with.text())),
        "contacts.list-users" => {
            call!(contacts::list_users(
                &with.text(),
                with.maybe().as_deref(),
                with.next()
            ))
        }
        "contacts.count-users" => call!(contacts::count_users(with.next())),
        "contacts.get-department" => call!(contacts::get_department(&with.text())),
        "contacts.list-departments" => call!(contacts::list_departments(&with.text())),
        "contacts.list-department-ids" => call!(contacts::list_department_ids(&with.text())),
        "contacts.get-path" => call!(contacts::get_path(&with.text())),
        "contacts.list-paths-of-user" => call!(contacts::list_paths_of_user(&with.text())),
        "contacts.get-scope" => call!(contacts::get_scope()),
        "media.upload" => {
            call!(media::upload(with.next(), &with.text(), &with.bytes()))
        }
        "media.download" => call!(media::download(&with.text())),
        "media.download-url" => call!(media::download_url(&with.text())),
        "robot.reply" => call!(robot::reply(&with.next(), &with.next())),
        "robot.send" => call!(robot::send(&with.text(), &with.next())),
        "robot.send-people" => call!(robot::send_people(&with.texts(), &with.next())),
        "robot.state" => {
            let (conversation, key, token) = (with.text(), with.text(), with.maybe());
            call!(robot::state(
                &conversation,
                &key,
                token.as_deref(),
                with.next()
            ))
        }
        "robot.people-state" => call!(robot::people_state(&with.text())),
        "robot.recall" => call!(robot::recall(&with.text(), &with.texts())),
        "robot.recall-people" => call!(robot::recall_people(&with.texts())),
        "kv.get" => call!(kv::get(&with.text())),
        "kv.list-keys" => {
            call!(kv::list_keys(
                &with.text(),
                with.maybe().as_deref(),
                with.next()
            ))
        }
        "kv.set" => call!(kv::set(&with.text(), &with.bytes())),
        "kv.delete" => call!(kv::delete(&with.text())),
        "kv.compare-and-set" => {
            let (key, expected) = (with.text(), with.maybe().map(String::into_bytes));
            call!(kv::compare_and_set(
                &key,
                expected.as_deref(),
                &with.bytes()
            ))
        }
        "schedule.set" => call!(schedule::set(&with.next())),
        "schedule.cancel" => call!(schedule::cancel(&with.text())),
        "schedule.list-timers" => call!(schedule::list_timers()),
        other => panic!("knows no function {other:?}"),
    }
}

#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all)]
mod export {
    use super::{Caller, bindings};

    bindings::export!(Caller with_types_in bindings);
}
