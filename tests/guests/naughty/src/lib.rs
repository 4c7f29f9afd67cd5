//! A plugin that misbehaves as `config.mode` says.
//!
//! | mode | what it does |
//! | --- | --- |
//! | `spin` | computes for ever |
//! | `swell` | takes memory until it cannot |
//! | `flood` | calls the host for ever |
//! | `panic` | panics |
//! | `sleep` | waits `sleep-ms` (an hour if not set), then answers |
//! | `retry` | fails `times` times, then answers |
//! | `reject` | fails for good |
//! | `log` | logs far more than it may, then answers |
//! | `reply` | answers `prefix` and the text |
//! | `by-text` | what the first word of the message says |

use std::hint::black_box;
use std::time::Duration;

use belfry_plugin::log::Level;
use belfry_plugin::prelude::*;

struct Naughty;

impl Plugin for Naughty {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::ChatMessage)
    }

    fn handle(event: Event) -> Result<(), Failure> {
        let mode = match config::require("mode")? {
            mode if mode == "by-text" => first_word(&event.body),
            mode => mode,
        };
        match mode.as_str() {
            "spin" => loop {
                black_box(());
            },
            "swell" => swell(),
            "flood" => loop {
                kv::get("nothing")?;
            },
            "panic" => panic!("on purpose"),
            "sleep" => {
                // So that a story knows when an attempt runs.
                log::log(Level::Info, "falling asleep");
                std::thread::sleep(Duration::from_millis(number("sleep-ms", 3_600_000)));
            }
            "retry" => fail_at_first(&event.id)?,
            "reject" => return Err(Failure::permanent("does not want this one")),
            "log" => {
                for _ in 0..2000 {
                    log::log(Level::Info, &"x".repeat(100));
                }
            }
            "reply" => {}
            other => return Err(Failure::permanent(format!("knows no mode {other:?}"))),
        }
        answer(&event.body)
    }
}

fn first_word(body: &EventBody) -> String {
    let EventBody::ChatMessage(message) = body else {
        return String::new();
    };
    let word = message.text.split_whitespace().next();
    word.unwrap_or_default().to_owned()
}

fn swell() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Counts the attempts on an event where they outlive it.
fn fail_at_first(event: &str) -> Result<(), Failure> {
    let key = format!("attempts/{event}");
    let before = kv::get(&key)?.map_or(0, |count| count.len() as u64);
    if before < number("times", 1) {
        let count = vec![b'x'; before as usize + 1];
        kv::set(&key, &count)?;
        return Err(Failure::retry(format!(
            "attempt {} is not the last",
            before + 1
        )));
    }
    Ok(())
}

fn answer(body: &EventBody) -> Result<(), Failure> {
    if let EventBody::ChatMessage(message) = body {
        reply_text(&format!("{}{}", config::get_or("prefix", ""), message.text))?;
    }
    Ok(())
}

fn number(key: &str, default: u64) -> u64 {
    config::get(key)
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

belfry_plugin::export!(Naughty);
