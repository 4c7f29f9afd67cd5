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
//! | `log-flood` | logs for ever |
//! | `long-line` | logs one line of a megabyte, then answers |
//! | `print-flood` | prints for ever |
//! | `deep` | calls itself for ever |
//! | `long-answer` | fails with a reason of eight megabytes |
//! | `huge-argument` | stores a value of three megabytes |
//! | `hoard` | opens timers and keeps them |
//! | `poll` | waits for a timer of an hour |
//! | `storm` | waits for timers of no time, for ever |
//! | `random` | asks for random bytes for ever |
//! | `fill` | fills a large memory again and again, in one instruction each time |
//! | `exit` | ends the program |
//! | `send-flood` | answers for ever |
//! | `kv-flood` | stores values until it may store no more, then says why |
//! | `escape` | looks for files, variables, arguments and the network, then answers what it found |
//! | `peek` | looks for the values of other plugins, then answers what it found |
//! | `keep` | stores a value that nobody else may see, then answers |
//! | `reply` | answers `prefix` and the text |
//! | `by-text` | what the first word of the message says |

use std::hint::black_box;
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

use belfry_plugin::log::Level;
use belfry_plugin::prelude::*;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::random::random::get_random_bytes;

/// In nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

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
            "log-flood" => loop {
                log::log(Level::Info, "again and again");
            },
            "long-line" => log::log(Level::Info, &"y".repeat(1 << 20)),
            "print-flood" => loop {
                println!("again and again");
            },
            "deep" => {
                deep(0);
            }
            "long-answer" => return Err(Failure::permanent("z".repeat(8 << 20))),
            "huge-argument" => kv::set("huge", &vec![b'h'; 3 << 20])?,
            "hoard" => hoard(),
            "poll" => subscribe_duration(HOUR).block(),
            "storm" => loop {
                subscribe_duration(0).block();
            },
            "random" => loop {
                black_box(get_random_bytes(64 << 10));
            },
            "fill" => fill(),
            "exit" => std::process::exit(3),
            "send-flood" => loop {
                reply_text("again and again")?;
            },
            "kv-flood" => return Err(Failure::permanent(fill_kv())),
            "escape" => return answer_with(&escape()),
            "peek" => return answer_with(&peek()?),
            "keep" => kv::set("secret", b"of the keeper")?,
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

fn deep(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    if depth == u64::MAX {
        return 0;
    }
    deep(depth + 1) + room[0]
}

fn hoard() {
    let mut timers = Vec::new();
    loop {
        timers.push(subscribe_duration(HOUR));
    }
}

fn fill() {
    let mut room = vec![0_u8; 32 << 20];
    for byte in (0..=u8::MAX).cycle() {
        black_box(&mut room).fill(byte);
    }
}

fn fill_kv() -> String {
    let value = vec![b'v'; 100 << 10];
    for number in 0.. {
        if let Err(error) = kv::set(&format!("{number}"), &value) {
            return format!("{error:?}");
        }
    }
    String::new()
}

/// What there is of the machine.
fn escape() -> Vec<String> {
    let mut found = Vec::new();
    for path in [
        "/etc/passwd",
        "../../../../etc/passwd",
        "bot.toml",
        "/proc/self/environ",
        ".",
        "/",
    ] {
        if std::fs::metadata(path).is_ok() || std::fs::read_dir(path).is_ok() {
            found.push(path.to_owned());
        }
    }
    if std::fs::write("/tmp/from-a-plugin", "x").is_ok() {
        found.push("a place to write".to_owned());
    }
    if TcpStream::connect("127.0.0.1:8701").is_ok() || TcpListener::bind("127.0.0.1:0").is_ok() {
        found.push("a connection".to_owned());
    }
    if UdpSocket::bind("127.0.0.1:0").is_ok() {
        found.push("a socket".to_owned());
    }
    if ("localhost", 8701)
        .to_socket_addrs()
        .is_ok_and(|mut addresses| addresses.next().is_some())
    {
        found.push("an address".to_owned());
    }
    found.extend(std::env::vars().map(|(name, _)| name));
    found.extend(std::env::args());
    let mut input = String::new();
    if std::io::stdin()
        .read_line(&mut input)
        .is_ok_and(|read| read > 0)
    {
        found.push("input".to_owned());
    }
    found
}

/// Which values of others it can read or overwrite.
fn peek() -> Result<Vec<String>, Failure> {
    let mut found = kv::list_keys("", None, 1000)?;
    for key in [
        "secret",
        "../keeper/secret",
        "keeper/secret",
        "/keeper/secret",
        "keeper\0secret",
        "%",
        "' OR 1=1 --",
    ] {
        if kv::get(key)?.is_some() {
            found.push(key.to_owned());
        }
    }
    Ok(found)
}

fn answer_with(found: &[String]) -> Result<(), Failure> {
    reply_text(&format!("found {}: {}", found.len(), found.join(", ")))?;
    Ok(())
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
