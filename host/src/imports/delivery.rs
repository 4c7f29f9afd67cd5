//! `belfry:bot/delivery`: the delivery that is being handled.

use super::bindings::belfry::bot::delivery::Host;
use crate::engine::State;
use crate::event::Origin;
use crate::function::Function;

impl Host for State {
    async fn raw_json(&mut self) -> wasmtime::Result<String> {
        let task = self.call(Function::DeliveryRawJson)?;
        if task.envelope.origin != Origin::Robot {
            return Ok(task.envelope.raw.to_string());
        }
        // Whoever knows the reply address can write into the conversation, with or without a grant.
        let mut message: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&task.envelope.raw)?;
        message.remove("sessionWebhook");
        Ok(serde_json::to_string(&message)?)
    }
}
