//! A plugin that tries ids and handles that are not its own, and answers what became of each try.
//!
//! | `config.mode` | what it tries |
//! | --- | --- |
//! | `ids` | groups, conversations, people, templates and instances that its grants do not name |
//! | `handle` | a resource handle that it was never given |

use std::fmt::Debug;

use belfry_plugin::prelude::*;
use belfry_plugin::{approval, chat, contacts, message, notice};

struct Burglar;

impl Plugin for Burglar {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::ChatMessage)
    }

    fn handle(_: Event) -> Result<(), Failure> {
        if config::require("mode")? == "handle" {
            forge_a_handle();
        }
        let (user, group) = ("manager".to_owned(), "chatforeign");
        let text = || Message::Text("from a burglar".to_owned());
        let everybody = notice::Recipients::Everyone;
        let one = notice::Recipients::Named(notice::NamedRecipients {
            users: vec![user.clone()],
            departments: Vec::new(),
        });
        let tries = [
            ("chat.get", code(chat::get(group))),
            ("chat.send", code(chat::send(group, &text()))),
            (
                "robot.send",
                code(robot::send(
                    "cidDev==",
                    &message::RobotMessage::Text("hello".to_owned()),
                )),
            ),
            ("notice.send", code(notice::send(&one, &text()))),
            (
                "notice.send to all",
                code(notice::send(&everybody, &text())),
            ),
            ("approval.get", code(approval::get("instance-of-others"))),
            (
                "approval.comment",
                code(approval::comment("instance-of-others", &user, "hello")),
            ),
            (
                "approval.terminate",
                code(approval::terminate("instance-of-others", None, "hello")),
            ),
            ("contacts.get-user", code(contacts::get_user("alice"))),
            (
                "contacts.list-users",
                code(contacts::list_users("1", None, 100)),
            ),
            (
                "contacts.find-by-mobile",
                code(contacts::find_by_mobile("13800000003")),
            ),
            ("contacts.count-users", code(contacts::count_users(false))),
        ];
        let lines: Vec<String> = tries
            .iter()
            .map(|(name, became)| format!("{name}: {became}"))
            .collect();
        Err(Failure::permanent(lines.join(", ")))
    }
}

fn code<T: Debug>(tried: Result<T, api::Error>) -> String {
    match tried {
        Ok(value) => format!("DONE {value:?}"),
        Err(api::Error::Denied(detail)) => detail.code,
        Err(other) => format!("{other:?}"),
    }
}

#[allow(
    unsafe_code,
    reason = "no safe code can name a handle that it was not given"
)]
fn forge_a_handle() {
    // SAFETY: there is no such handle, so that the host must refuse it.
    let timer = unsafe { wasip2::io::poll::Pollable::from_handle(77) };
    timer.block();
}

belfry_plugin::export!(Burglar);
