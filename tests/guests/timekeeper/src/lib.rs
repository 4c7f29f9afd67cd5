//! A plugin that sets timers as people tell it, and says in their conversation when one fires.
//!
//! | message | what it does |
//! | --- | --- |
//! | `in MS NAME` | sets a timer that fires so many milliseconds after the message |
//! | `at MS NAME` | sets a timer for that time |
//! | `skip MS NAME` | as `at`, but a time that is missed is skipped |
//! | `cron NAME ZONE PATTERN` | sets a timer that repeats |
//! | `cancel NAME` | removes one |
//! | `list` | names those that wait |

use belfry_plugin::message::RobotMessage;
use belfry_plugin::prelude::*;
use belfry_plugin::schedule::{Cron, Missed, Rule, Timer};

struct Timekeeper;

impl Plugin for Timekeeper {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::ChatMessage)
            .on(EventKind::Timer)
    }

    fn handle(event: Event) -> Result<(), Failure> {
        match event.body {
            EventBody::ChatMessage(message) => {
                let answer = obey(&message.text, &message.conversation_id)
                    .unwrap_or_else(|error| format!("{error:?}"));
                Ok(reply_text(&answer)?)
            }
            EventBody::Timer(timer) => {
                let text = format!("{} is due", timer.name);
                robot::send(&timer.payload, &RobotMessage::Text(text))?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn obey(text: &str, conversation: &str) -> Result<String, schedule::Error> {
    let mut words = text.split_whitespace();
    let command = words.next().unwrap_or_default();
    if command == "list" {
        let timers = schedule::list_timers()?;
        let names: Vec<String> = timers.into_iter().map(|timer| timer.name).collect();
        return Ok(format!("timers: {}", names.join(" ")));
    }
    let (first, second) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if command == "cancel" {
        return Ok(format!("cancelled: {}", schedule::cancel(first)?));
    }
    let (name, rule) = match command {
        "in" => (second, Rule::AfterMs(first.parse().unwrap_or(0))),
        "cron" => {
            let cron = Cron {
                pattern: words.collect::<Vec<_>>().join(" "),
                time_zone: second.to_owned(),
            };
            (first, Rule::Cron(cron))
        }
        _ => (second, Rule::At(first.parse().unwrap_or(-1.0))),
    };
    schedule::set(&Timer {
        name: name.to_owned(),
        rule,
        missed: if command == "skip" {
            Missed::Skip
        } else {
            Missed::Once
        },
        payload: conversation.to_owned(),
    })?;
    Ok(format!("{name} is set"))
}

belfry_plugin::export!(Timekeeper);
