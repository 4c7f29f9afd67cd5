//! A plugin that leaves the mark of each event in DingTalk, so that a judge can count what was done for it.
//!
//! An event says its mark and the steps to take, such as `robot-17 reply say`: a chat message in its text, a change of a
//! group in its title, an alert in its title, a timer in its payload. Of these steps the plugin takes those that
//! `config.steps` lists as its own, and signs with `config.name`, such as `first/robot-17`.
//!
//! | step | what it does |
//! | --- | --- |
//! | `reply` | replies |
//! | `say` | sends to the on-call group |
//! | `ask` | starts an approval |
//! | `later` | sets a timer whose event says `timer-17 say` |
//! | `again` | asks for a retry when it sees the mark for the first time |
//!
//! That the outcome of a call is unknown is no reason to stop: the rest is still to be done.

use std::time::Duration;

use belfry_plugin::api::Error;
use belfry_plugin::approval::{Field, NewInstance};
use belfry_plugin::prelude::*;

/// How long a timer takes.
const LATER: Duration = Duration::from_millis(150);

struct Tally;

impl Plugin for Tally {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::ChatMessage)
            .on(EventKind::ChatChange)
            .on(EventKind::Alert)
            .on(EventKind::Timer)
    }

    fn handle(event: Event) -> Result<(), Failure> {
        let text = match event.body {
            EventBody::ChatMessage(message) => message.text,
            EventBody::ChatChange(change) => change.title.unwrap_or_default(),
            EventBody::Alert(alert) => alert.title,
            EventBody::Timer(timer) => timer.payload,
            _ => return Ok(()),
        };
        let mut words = text.split_whitespace();
        let Some(mark) = words.next() else {
            return Ok(());
        };
        let own = config::get("steps").unwrap_or_default();
        let own: Vec<&str> = own.split_whitespace().collect();
        for step in words.filter(|step| own.contains(step)) {
            take(step, mark)?;
        }
        Ok(())
    }
}

fn take(step: &str, mark: &str) -> Result<(), Failure> {
    let name = config::get("name").unwrap_or_default();
    let signed = format!("{name}/{mark}");
    match step {
        "reply" => go_on(reply_text(&signed)),
        "say" => go_on(chat::send("chatoncall", &Message::Text(signed))),
        "ask" => go_on(approval::create(&leave(originator(number(mark)), &signed))),
        "later" => {
            let number = number(mark);
            let timer = format!("{name}/timer-{number}");
            Ok(schedule::after(
                &timer,
                LATER,
                &format!("timer-{number} say"),
            )?)
        }
        "again" if kv::get(mark)?.is_none() => {
            kv::set(mark, b"seen")?;
            Err(Failure::retry("the first time"))
        }
        _ => Ok(()),
    }
}

fn go_on<T>(outcome: Result<T, Error>) -> Result<(), Failure> {
    match outcome {
        Ok(_) | Err(Error::OutcomeUnknown(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn number(mark: &str) -> u32 {
    let number = mark.rsplit('-').next().unwrap_or_default();
    number.parse().unwrap_or(0)
}

/// Another person each time: whether an approval was started can only be told while its originator starts no other.
fn originator(number: u32) -> &'static str {
    const PEOPLE: [&str; 12] = [
        "manager", "alice", "bob", "carol", "dave", "zhangsan", "lisi", "wangwu", "zhaoliu",
        "sunqi", "zhouba", "wujiu",
    ];
    PEOPLE[number as usize % PEOPLE.len()]
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

belfry_plugin::export!(Tally);
