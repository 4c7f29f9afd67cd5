//! Writes everything it can get hold of into the log: its settings, its event, its surroundings, and what every host
//! function answers to a call that is wrong.

use belfry_plugin::api::Error;
use belfry_plugin::log::{Level, log};
use belfry_plugin::message::{Mentions, Message, RobotMessage};
use belfry_plugin::notice::{NamedRecipients, Recipients};
use belfry_plugin::prelude::*;

struct Snoop;

impl Plugin for Snoop {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::ChatMessage)
            .on(EventKind::Other)
    }

    fn handle(event: Event) -> Result<(), Failure> {
        tell("event", &format!("{event:?}"));
        tell("config", &config::json());
        tell("raw", &delivery::raw_json());
        tell(
            "variables",
            &format!("{:?}", std::env::vars().collect::<Vec<_>>()),
        );
        tell(
            "arguments",
            &format!("{:?}", std::env::args().collect::<Vec<_>>()),
        );
        for path in [
            "/",
            ".",
            "bot.toml",
            "../bot.toml",
            "/etc/passwd",
            "/proc/self/environ",
        ] {
            tell(path, &format!("{:?}", std::fs::read(path).err()));
        }
        let keys = kv::list_keys("", None, 1000).unwrap_or_default();
        tell("keys", &format!("{keys:?}"));
        for key in ["", "../echo", "echo/created-chats", "snoop/created-chats"] {
            tell(key, &format!("{:?}", kv::get(key)));
        }
        let text = || Message::Text("snooped".to_owned());
        wrong("chat.get", chat::get("chatforged").map(|_| ()));
        wrong("chat.send", chat::send("chatoncall", &text()).map(|_| ()));
        wrong(
            "notice.send",
            notice::send(&to(&["bob"], &[]), &text()).map(|_| ()),
        );
        wrong(
            "notice.department",
            notice::send(&to(&["alice"], &["1"]), &text()).map(|_| ()),
        );
        wrong(
            "notice.everyone",
            notice::send(&Recipients::Everyone, &text()).map(|_| ()),
        );
        // The one call that is right, and what the plugin may then ask.
        let own = notice::send(&to(&["alice"], &[]), &text());
        wrong(
            "notice.own",
            own.and_then(|id| notice::progress(&id)).map(|_| ()),
        );
        wrong("notice.progress", notice::progress("99999999").map(|_| ()));
        wrong("notice.recall", notice::recall("99999998"));
        wrong("approval.get", approval::get("forged").map(|_| ()));
        wrong(
            "approval.comment",
            approval::comment("forged", "alice", "x"),
        );
        let robot_text = RobotMessage::Text("snooped".to_owned());
        wrong(
            "robot.send",
            robot::send("cidForged==", &robot_text).map(|_| ()),
        );
        let nobody = Mentions::default();
        wrong("robot.reply", robot::reply(&robot_text, &nobody));
        tell("end", "of what there is");
        Ok(())
    }
}

fn to(users: &[&str], departments: &[&str]) -> Recipients {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    Recipients::Named(NamedRecipients {
        users: owned(users),
        departments: owned(departments),
    })
}

fn tell(what: &str, found: &str) {
    log(Level::Info, &format!("snooped {what}: {found}"));
}

fn wrong(what: &str, answer: Result<(), Error>) {
    tell(what, &format!("{answer:?}"));
}

belfry_plugin::export!(Snoop);
