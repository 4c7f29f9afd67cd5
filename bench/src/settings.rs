//! The app that the benchmarks' hosts work for, and their `bot.toml`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;

/// The app's name in paths.
pub(crate) const APP: &str = "acme";
/// Signs what is pushed.
pub(crate) const APP_SECRET: &str = "a-secret-of-the-benchmarks";

/// One `[[plugin]]`.
pub(crate) struct Plugin<'a> {
    /// Its name.
    pub(crate) name: String,
    /// Its component.
    pub(crate) component: &'a Path,
    /// The rest of its table.
    pub(crate) settings: &'a str,
}

/// What `echo` is given.
pub(crate) const ECHO: &str = r#"events = ["chat-message"]
grant = { robot = true }"#;
/// What `approvals` is given.
pub(crate) const APPROVALS: &str = r#"events = ["chat-message", "approval-instance"]
grant = { chat = true, approval = ["PROC-LEAVE"], notice = true, robot = true }
config = { chat = "chatoncall", process-code = "PROC-LEAVE" }"#;
/// What `alerts` is given.
pub(crate) const ALERTS: &str = r#"events = ["alert"]
grant = { chat = true, kv = true }
config = { owner = "manager", members = ["manager"] }"#;

/// The listeners of a host.
pub(crate) struct Listeners {
    /// For pushes.
    pub(crate) public: SocketAddr,
    /// For operators.
    pub(crate) admin: SocketAddr,
}

impl Listeners {
    /// Any free ports, which the host chooses itself.
    pub(crate) fn any() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            public: any,
            admin: any,
        }
    }
}

/// Writes `bot.toml` into the folder, with a store of its own.
pub(crate) fn write(
    folder: &Path,
    listeners: &Listeners,
    upstream: SocketAddr,
    plugins: &[Plugin<'_>],
) -> anyhow::Result<std::path::PathBuf> {
    let mut text = format!(
        r#"[server]
listen = "{}"
admin = "{}"

[store]
url = "sqlite:belfry.db"

[[app]]
name = "{APP}"
corp-id = "dingcorp"
app-key = "dingkey"
app-secret = "{APP_SECRET}"
agent-id = 1
receive = ["robot"]
oapi-base = "http://{upstream}"
api-base = "http://{upstream}"
pace = {{ calls = 0, robot = 0 }}
"#,
        listeners.public, listeners.admin
    );
    for plugin in plugins {
        write!(
            text,
            "\n[[plugin]]\nname = \"{}\"\ncomponent = {:?}\napp = \"{APP}\"\n{}\n",
            plugin.name, plugin.component, plugin.settings
        )
        .context("cannot write text")?;
    }
    let path = folder.join("bot.toml");
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// A component of the same behaviour and another digest: a custom section is put behind the original.
pub(crate) fn variant(original: &[u8], mark: &str) -> Vec<u8> {
    let name = b"belfry-bench";
    let mut section = vec![u8::try_from(name.len()).unwrap_or(0)];
    section.extend(name);
    section.extend(mark.as_bytes().iter().take(64));
    let mut bytes = original.to_vec();
    bytes.push(0);
    // Below 128, so that its length is one byte.
    bytes.push(u8::try_from(section.len()).unwrap_or(0));
    bytes.extend(section);
    bytes
}
