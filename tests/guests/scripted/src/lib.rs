//! A plugin that makes the host calls which `config.script` lists, or the message if there is none.
//!
//! Steps are separated by `;`, their words by blanks:
//!
//! | step | what it does |
//! | --- | --- |
//! | `reply TEXT` | replies |
//! | `say CHAT TEXT` | sends to a group |
//! | `tell USER TEXT` | sends a work notice |
//! | `ask USER TEXT` | starts an approval of `PROC-LEAVE` |
//! | `group USER NAME` | creates a group |
//! | `who USER` | replies with the name, the departments and what was permitted of a person |
//! | `people DEPT` | replies with the members of a department, which it reads two at a time |
//! | `tree DEPT` | replies with the departments below one and the way to the root |
//! | `upload NAME TEXT` | uploads a file and replies `uploaded` |
//! | `fetch CODE` | replies with a file that somebody sent to the robot |
//! | the steps of `office.rs` | approvals, groups of a template and the robot's messages |
//! | `count KEY` | adds one to a value and replies nothing |
//! | `show KEY` | replies with the value |
//! | `sleep MS` | waits |
//! | `until KEY N` | asks for a retry until it was called so many times, which it counts under the key |
//! | `panic` | panics |
//! | `retry` | asks for a retry |
//!
//! What became of its notices it tells the group `chatoncall`. An event of the type `run_script` does the script too, which
//! is then the one of the configuration.
//!
//! A step that is refused ends the attempt as the SDK decides; with `!` before it, it panics instead; with `?`, the script
//! goes on; with `~`, it goes on and replies with why it was refused.

mod office;

use std::time::Duration;

use belfry_plugin::approval::{Field, NewInstance};
use belfry_plugin::chat::NewChat;
use belfry_plugin::notice::{NamedRecipients, Recipients};
use belfry_plugin::prelude::*;

struct Scripted;

impl Plugin for Scripted {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::ChatMessage)
            .on(EventKind::Other)
    }

    fn handle(event: Event) -> Result<(), Failure> {
        if let EventBody::Other(other) = &event.body {
            if other.event_type == "run_script" {
                return perform(&config::get("script").unwrap_or_default());
            }
            let text = format!("{} {}", other.event_type, delivery::raw_json());
            chat::send("chatoncall", &Message::Text(text))?;
            return Ok(());
        }
        let EventBody::ChatMessage(message) = &event.body else {
            return Ok(());
        };
        perform(&config::get("script").unwrap_or_else(|| message.text.clone()))
    }
}

fn perform(script: &str) -> Result<(), Failure> {
    for step in script.split(';') {
        let step = step.trim();
        if let Some(step) = step.strip_prefix('!') {
            run(step).expect("the step must not be refused");
        } else if let Some(step) = step.strip_prefix('?') {
            let _ = run(step);
        } else if let Some(step) = step.strip_prefix('~') {
            if let Err(refused) = run(step) {
                reply_text(refused.reason())?;
            }
        } else {
            run(step)?;
        }
    }
    Ok(())
}

fn run(step: &str) -> Result<(), Failure> {
    let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
    let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
    match word {
        "" => {}
        "reply" => reply_text(rest)?,
        "say" => {
            chat::send(first, &Message::Text(text.to_owned()))?;
        }
        "tell" => {
            let people = NamedRecipients {
                users: vec![first.to_owned()],
                departments: Vec::new(),
            };
            notice::send(&Recipients::Named(people), &Message::Text(text.to_owned()))?;
        }
        "ask" => {
            approval::create(&leave(first, text))?;
        }
        "group" => {
            chat::create(&NewChat {
                name: text.to_owned(),
                owner: first.to_owned(),
                members: vec![first.to_owned()],
                show_history: false,
            })?;
        }
        "who" => {
            let user = contacts::get_user(rest)?;
            let mobile = user.mobile.unwrap_or_else(|| "no mobile".to_owned());
            let (departments, leads) = (user.departments.join(","), user.leads.join(","));
            reply_text(&format!(
                "{} in {departments} leads [{leads}] {mobile}",
                user.name
            ))?;
        }
        "people" => {
            let (mut ids, mut cursor) = (Vec::new(), None);
            loop {
                let page = contacts::list_users(rest, cursor.as_deref(), 2)?;
                ids.extend(page.users.into_iter().map(|user| user.user_id));
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            reply_text(&ids.join(","))?;
        }
        "tree" => {
            let below = contacts::list_departments(rest)?;
            let names: Vec<String> = below.into_iter().map(|below| below.name).collect();
            let path = contacts::get_path(rest)?;
            reply_text(&format!("{} / {}", names.join(","), path.join(",")))?;
        }
        "upload" => {
            let id = media::upload(media::MediaKind::File, first, text.as_bytes())?;
            log::log(log::Level::Info, &id);
            reply_text("uploaded")?;
        }
        "fetch" => {
            let file = media::download(rest)?;
            reply_text(&String::from_utf8_lossy(&file))?;
        }
        "count" => {
            count(rest)?;
        }
        "show" => {
            let value = kv::get(rest)?.unwrap_or_default();
            reply_text(&String::from_utf8_lossy(&value))?;
        }
        "sleep" => {
            // So that a story knows when an attempt runs.
            log::log(log::Level::Info, "falling asleep");
            std::thread::sleep(Duration::from_millis(number(rest)));
        }
        "until" => {
            let calls = count(first)?;
            if calls < number(text) {
                return Err(Failure::retry(format!("call {calls} of {text}")));
            }
        }
        "panic" => panic!("on purpose"),
        "retry" => return Err(Failure::retry("on purpose")),
        other => match office::run(other, rest) {
            Some(done) => done?,
            None => return Err(Failure::permanent(format!("knows no step {other:?}"))),
        },
    }
    Ok(())
}

fn leave(originator: &str, reason: &str) -> NewInstance {
    let field = |name: &str, value: &str| Field {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    NewInstance {
        process_code: "PROC-LEAVE".to_owned(),
        originator: originator.to_owned(),
        dept_id: "-1".to_owned(),
        fields: vec![
            field("请假类型", "年假"),
            field("请假天数", "1"),
            field("请假事由", reason),
        ],
        steps: Vec::new(),
        cc: Vec::new(),
    }
}

fn count(key: &str) -> Result<u64, Failure> {
    let before = kv::get(key)?.unwrap_or_default();
    let count = number(&String::from_utf8_lossy(&before)) + 1;
    kv::set(key, count.to_string().as_bytes())?;
    Ok(count)
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

belfry_plugin::export!(Scripted);
