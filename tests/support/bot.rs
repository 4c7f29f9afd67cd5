//! Writes `bot.toml` for a story.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::components;

/// The secret of the app `acme`.
pub const APP_SECRET: &str = "Qm9-app-secret-of-acme";
/// The token of its callback.
pub const CALLBACK_TOKEN: &str = "callback-token-7f3a";
/// The key of its callback.
pub const AES_KEY: &str = "7kXv2mQpLr9sTzWc4nYb8hJd5gFa1eUi6oVx3qZwRtM";
/// The key that another app would have.
pub const OTHER_AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// A `bot.toml` with the app `acme`, on free ports, and the components it names.
#[derive(Debug, Clone, Default)]
pub struct Bot {
    server: Vec<String>,
    engine: Vec<String>,
    retry: Vec<String>,
    app: Vec<String>,
    tables: Vec<String>,
    components: BTreeSet<String>,
    fetches: bool,
}

/// A `[[plugin]]` of app `acme`.
#[derive(Debug, Clone)]
pub struct Plugin {
    name: String,
    component: String,
    lines: Vec<String>,
}

impl Bot {
    /// A bot without plugins and hooks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line to `[server]`.
    #[must_use]
    pub fn server(mut self, line: &str) -> Self {
        self.server.push(line.to_owned());
        self
    }

    /// Adds a line to `[engine]`.
    #[must_use]
    pub fn engine(mut self, line: &str) -> Self {
        self.engine.push(line.to_owned());
        self
    }

    /// Adds a line to `[retry]`.
    #[must_use]
    pub fn retry(mut self, line: &str) -> Self {
        self.retry.push(line.to_owned());
        self
    }

    /// Adds a line to the app `acme`.
    #[must_use]
    pub fn app(mut self, line: &str) -> Self {
        self.app.push(line.to_owned());
        self
    }

    /// Lets belfry fetch what DingTalk could not deliver, as it does unless it is told otherwise; a story that counts
    /// calls leaves it out.
    #[must_use]
    pub fn fetching(mut self) -> Self {
        self.fetches = true;
        self
    }

    /// Adds a plugin.
    #[must_use]
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.components.insert(plugin.component.clone());
        self.tables.push(plugin.text());
        self
    }

    /// Adds a table as it is, with `{simulator}` for the simulator's address, and the components that it names.
    #[must_use]
    pub fn table(mut self, text: &str, components: &[&str]) -> Self {
        self.tables.push(text.to_owned());
        let components = components.iter().map(|name| (*name).to_owned());
        self.components.extend(components);
        self
    }

    /// Adds a hook of app `acme`; `lines` are further keys.
    #[must_use]
    pub fn hook(mut self, name: &str, kind: &str, lines: &str) -> Self {
        self.tables.push(format!(
            "[[hook]]\nname = {name:?}\nkind = {kind:?}\napp = \"acme\"\n{lines}\n"
        ));
        self
    }

    /// The text, for a simulator at that address.
    pub fn text(&self, simulator: SocketAddr) -> String {
        let (server, engine, retry) = (
            self.server.join("\n"),
            self.engine.join("\n"),
            self.retry.join("\n"),
        );
        // A key that a story sets itself must not be there twice.
        let free = |key: &str| {
            if self.server.iter().any(|line| line.starts_with(key)) {
                String::new()
            } else {
                format!("{key} = \"127.0.0.1:0\"\n")
            }
        };
        let (listen, admin) = (free("listen"), free("admin"));
        let cache = components::cache();
        let (app, tables) = (self.app.join("\n"), self.tables.join("\n"));
        let tables = tables.replace("{simulator}", &simulator.to_string());
        let backfill = if self.fetches {
            ""
        } else {
            ", backfill = false"
        };
        format!(
            "[server]
{listen}{admin}{server}

[store]
url = \"sqlite:belfry.db\"

[engine]
cache = {cache:?}
{engine}

[retry]
{retry}

[[app]]
name = \"acme\"
kind = \"internal\"
corp-id = \"dingcorp\"
app-key = \"dingkey\"
app-secret = \"{APP_SECRET}\"
agent-id = 1001
receive = [\"callback\", \"robot\"]
callback = {{ token = \"{CALLBACK_TOKEN}\", aes-key = \"{AES_KEY}\", receive-ids = [\"dingkey\", \"dingcorp\"]{backfill} }}
oapi-base = \"http://{simulator}\"
api-base = \"http://{simulator}\"
{app}

{tables}"
        )
    }

    /// Writes `bot.toml` and the components it names into a folder; components that are there stay.
    pub fn write(&self, folder: &Path, simulator: SocketAddr) {
        let plugins = folder.join("plugins");
        fs::create_dir_all(&plugins).unwrap();
        for component in &self.components {
            let file = plugins.join(format!("{component}.wasm"));
            if !file.exists() {
                fs::copy(components::path(component), file).unwrap();
            }
        }
        // As editors do it, so that a running belfry never reads half of it.
        let fresh = folder.join("bot.toml.new");
        fs::write(&fresh, self.text(simulator)).unwrap();
        fs::rename(fresh, folder.join("bot.toml")).unwrap();
    }
}

impl Plugin {
    /// A plugin without grants that gets chat messages.
    pub fn new(name: &str, component: &str) -> Self {
        Self {
            name: name.to_owned(),
            component: component.to_owned(),
            lines: Vec::new(),
        }
    }

    /// Adds a line, such as `limits = { cpu = "50ms" }`.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// The sample plugin that repeats what it is told.
    pub fn echo() -> Self {
        Self::new("echo", "echo").line("grant = { robot = true }")
    }

    /// The sample plugin for approvals, as the shipped configuration sets it up.
    pub fn approvals() -> Self {
        Self::new("approvals", "approvals")
            .line("events = [\"chat-message\", \"approval-instance\"]")
            .line("grant = { chat = [\"chatoncall\"], approval = [\"PROC-LEAVE\"], notice = true, robot = true }")
            .line("config = { chat = \"chatoncall\", process-code = \"PROC-LEAVE\" }")
    }

    /// The sample plugin for alerts, as the shipped configuration sets it up.
    pub fn alerts() -> Self {
        Self::new("alerts", "alerts")
            .line("events = [\"alert\"]")
            .line("grant = { chat = true, kv = true }")
            .line("config = { owner = \"manager\", members = [\"manager\", \"alice\", \"bob\"] }")
    }

    /// The guest of the stories in one of its modes; `settings` are further entries of its configuration.
    pub fn naughty(name: &str, mode: &str, settings: &str) -> Self {
        Self::new(name, "naughty")
            .line("grant = { robot = true, kv = true }")
            .line(&format!("config = {{ mode = {mode:?}, {settings} }}"))
    }

    /// The guest that makes the host calls which the message lists.
    pub fn scripted() -> Self {
        Self::new("scripted", "scripted")
    }

    /// As [`Plugin::scripted`], with the list in its configuration.
    pub fn scripted_with(script: &str) -> Self {
        Self::scripted().line(&format!("config = {{ script = {script:?} }}"))
    }

    /// Grants everything that the scripted guest uses, and more entries of the table.
    #[must_use]
    pub fn granted(self, more: &str) -> Self {
        let more = if more.contains("contacts") {
            more.to_owned()
        } else {
            format!("contacts = true, {more}")
        };
        self.line(&format!(
            "grant = {{ robot = true, chat = true, notice = true, approval = true, kv = true, media = true, {more} }}"
        ))
    }

    fn text(&self) -> String {
        let Self {
            name,
            component,
            lines,
        } = self;
        let events = if lines.iter().any(|line| line.starts_with("events")) {
            ""
        } else {
            "events = [\"chat-message\"]\n"
        };
        let lines = lines.join("\n");
        format!(
            "[[plugin]]\nname = {name:?}\ncomponent = \"plugins/{component}.wasm\"\napp = \"acme\"\n{events}{lines}\n"
        )
    }
}
