//! `belfry:bot/log`: lines for the operator.

use super::bindings::belfry::bot::log::{Host, Level};
use crate::engine::State;

/// Bytes of a line.
const MAX_LINE: usize = 4096;

impl Host for State {
    async fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let line = &message[..message.floor_char_boundary(MAX_LINE)];
        let event = self
            .task()
            .map(|task| task.envelope.id.to_string())
            .unwrap_or_default();
        let line = match self.may_log(line.len()) {
            Some(true) => line,
            Some(false) => "(the plugin may log no more in this attempt)",
            None => return Ok(()),
        };
        let plugin = self.plugin();
        match level {
            Level::Trace => tracing::trace!(%plugin, event, line, "plugin"),
            Level::Debug => tracing::debug!(%plugin, event, line, "plugin"),
            Level::Info => tracing::info!(%plugin, event, line, "plugin"),
            Level::Warn => tracing::warn!(%plugin, event, line, "plugin"),
            Level::Error => tracing::error!(%plugin, event, line, "plugin"),
        }
        Ok(())
    }
}
