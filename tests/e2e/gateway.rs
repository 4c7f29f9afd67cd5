//! Other services call DingTalk through belfry, with keys of their own.

use std::time::Duration;

use belfry_tests::{Bot, Doors, Stage};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use simulator::Options;

mod names;
mod once;
mod refusals;
mod requests;
mod table;

const KEY: &str = "crm-key-0123456789";
/// For contacts only.
const READER: &str = "contacts-key-012345";
/// What the configuration has of it.
const READERS_DIGEST: &str = "ae92e7cb5c95338365c19f9edddf535b5967558c59a660a1c1f0bfc01d3a8b8f";
/// For groups only.
const WRITER: &str = "groups-key-01234567";
/// For one call a second.
const SLOW: &str = "slow-key-0123456789";

fn bot() -> Bot {
    bot_with("")
}

fn bot_with(more: &str) -> Bot {
    let text = format!(
        "[gateway]\napp = \"acme\"\n\
         [[gateway.key]]\nname = \"crm\"\nkey = {KEY:?}\nscopes = [\"chat\", \"notice\", \"contacts\", \"approval\", \"callback\", \"isv\"]\nrate = 1000\n\
         [[gateway.key]]\nname = \"reader\"\nsha256 = \"{READERS_DIGEST}\"\nscopes = [\"contacts\"]\nrate = 1000\n\
         [[gateway.key]]\nname = \"writer\"\nkey = {WRITER:?}\nscopes = [\"chat\"]\nrate = 1000\n\
         [[gateway.key]]\nname = \"slow\"\nkey = {SLOW:?}\nscopes = [\"contacts\"]\nrate = 1\n{more}"
    );
    Bot::new().table(&text, &[])
}

/// A stage whose simulator has no rate of its own.
async fn stage(bot: &Bot) -> Stage {
    let options = Options {
        rate_limit: None,
        terminate_after: Duration::ZERO,
        ..Options::default()
    };
    Stage::with(bot, options).await
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text);
    (status, body.unwrap_or(Value::String(text)))
}

fn post(doors: &Doors, name: &str) -> RequestBuilder {
    doors
        .post(&format!("/api/dingtalkserve/{name}"))
        .bearer_auth(KEY)
}

async fn call(doors: &Doors, name: &str, body: Value) -> (u16, Value) {
    answer(post(doors, name).json(&body)).await
}

fn text(content: &str) -> Value {
    json!({"msgtype": "text", "text": {"content": content}})
}
