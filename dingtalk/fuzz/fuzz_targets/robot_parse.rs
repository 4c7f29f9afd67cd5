//! Parses arbitrary text as a robot message and as the headers it comes with.
#![no_main]

use dingtalk::{RobotMessage, UnixMs, verify_sign};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(message) = RobotMessage::parse(text) {
        let _ = format!("{message:?}");
    }
    let (timestamp, sign) = text.split_once('\n').unwrap_or((text, ""));
    let _ = verify_sign("secret", timestamp, sign, UnixMs(1_700_000_000_000));
});
