//! `belfry:bot/config`: the plugin's settings.

use super::bindings::belfry::bot::config::Host;
use crate::engine::State;
use crate::function::Function;

impl Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        let task = self.answers(Function::ConfigGet)?;
        Ok(task.settings.get(&key).map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        }))
    }

    async fn json(&mut self) -> wasmtime::Result<String> {
        let task = self.answers(Function::ConfigJson)?;
        Ok(serde_json::to_string(&*task.settings)?)
    }
}
