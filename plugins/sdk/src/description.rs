//! Builds a plugin's description of itself.

use crate::event::EventKind;
use crate::{Command, Description};

impl Description {
    /// A description with nothing but a name and a version, usually `env!("CARGO_PKG_NAME")` and
    /// `env!("CARGO_PKG_VERSION")`.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            subscriptions: Vec::new(),
            commands: Vec::new(),
            config_schema: None,
        }
    }

    /// Adds a kind of event that the plugin can make use of; `bot.toml` decides whether it gets it.
    #[must_use]
    pub fn on(mut self, kind: EventKind) -> Self {
        self.subscriptions.push(kind);
        self
    }

    /// Adds a chat command, its word with the slash and a line that says how to use it.
    #[must_use]
    pub fn command(mut self, name: &str, usage: &str) -> Self {
        self.commands.push(Command {
            name: name.to_owned(),
            usage: usage.to_owned(),
        });
        self
    }

    /// Says what the plugin's `config` table may hold, as a JSON Schema.
    #[must_use]
    pub fn config_schema(mut self, schema: &str) -> Self {
        self.config_schema = Some(schema.to_owned());
        self
    }
}
