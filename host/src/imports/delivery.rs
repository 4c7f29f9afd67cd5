//! `belfry:bot/delivery`: the delivery that is being handled.

use serde_json::Value;

use super::bindings::belfry::bot::delivery::Host;
use crate::engine::State;
use crate::event::Origin;
use crate::function::Function;

impl Host for State {
    async fn raw_json(&mut self) -> wasmtime::Result<String> {
        let task = self.answers(Function::DeliveryRawJson)?;
        let raw = &task.envelope.raw;
        Ok(match task.envelope.origin {
            // What a monitoring system wrote is none of DingTalk's secrets.
            Origin::Hook { .. } => raw.to_string(),
            _ => without_secrets(raw),
        })
    }
}

/// Members that are keys to something: a conversation, or an organisation that uses the app. Whoever has them needs no
/// grant. In lower case and without underscores, because DingTalk writes them in several ways.
const SECRET: [&str; 7] = [
    "accesstoken",
    "authcode",
    "chpermanentcode",
    "permanentcode",
    "sessionwebhook",
    "suitesecret",
    "suiteticket",
];

/// The text as it came where it has none of them, else without them.
fn without_secrets(raw: &str) -> String {
    let plain = plain(raw);
    // A name can also be written with escapes.
    if !raw.contains("\\u") && !SECRET.iter().any(|name| plain.contains(name)) {
        return raw.to_owned();
    }
    let Ok(mut value) = serde_json::from_str(raw) else {
        // Nothing that cannot be read is ever stored as an event of DingTalk.
        return "{}".to_owned();
    };
    scrub(&mut value);
    value.to_string()
}

fn scrub(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !SECRET.contains(&&*plain(name)));
            members.values_mut().for_each(scrub);
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        // Pushes to apps of suppliers carry JSON within texts.
        Value::String(text) if text.starts_with(['{', '[']) => {
            if let Ok(mut inner) = serde_json::from_str::<Value>(text) {
                let before = inner.clone();
                scrub(&mut inner);
                if inner != before {
                    *text = inner.to_string();
                }
            }
        }
        _ => {}
    }
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| *c != '_')
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_secrets_stays_as_it_came() {
        for raw in [
            "{ \"b\": 1.0, \"a\": [] }",
            "{\"text\":\"the session\"}",
            "not json",
        ] {
            assert_eq!(without_secrets(raw), raw);
        }
    }

    #[test]
    fn keys_to_something_are_left_out_wherever_they_stand() {
        for (raw, left) in [
            (
                r#"{"msgId":"1","sessionWebhook":"https://x/?session=s","sessionWebhookExpiredTime":5}"#,
                r#"{"msgId":"1","sessionWebhookExpiredTime":5}"#,
            ),
            (
                r#"{"EventType":"suite_ticket","SuiteTicket":"t"}"#,
                r#"{"EventType":"suite_ticket"}"#,
            ),
            (
                r#"{"EventType":"tmp_auth_code","AuthCode":"c","Auth_Code":"c"}"#,
                r#"{"EventType":"tmp_auth_code"}"#,
            ),
            (
                r#"{"bizData":[{"biz_data":"{\"suiteTicket\":\"t\",\"kept\":1}","biz_type":2}]}"#,
                r#"{"bizData":[{"biz_data":"{\"kept\":1}","biz_type":2}]}"#,
            ),
            (r#"{"a":{"session\u0057ebhook":"x"}}"#, r#"{"a":{}}"#),
            // What people write is no member.
            (
                r#"{"text":{"content":"my sessionWebhook"},"suite_ticket":1}"#,
                r#"{"text":{"content":"my sessionWebhook"}}"#,
            ),
        ] {
            assert_eq!(without_secrets(raw), left);
        }
    }
}
