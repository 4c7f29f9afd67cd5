//! Parses arbitrary text as an event.
#![no_main]

use dingtalk::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    if let Ok(event) = Event::parse(json) {
        let _ = event.dedupe_key(json);
        let _ = format!("{event:?}");
    }
});
