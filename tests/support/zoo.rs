//! The hostile guests: what each does, and how it must end.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::{Plugin, components};

use self::build::Module;

mod animals;
mod build;

pub use self::animals::ANIMALS;

/// One hostile guest, for messages that consist of its name.
#[derive(Debug)]
pub struct Animal {
    /// Its name, in `bot.toml` too.
    pub name: &'static str,
    /// What it does, for people.
    pub does: &'static str,
    /// How its component comes about.
    guest: Guest,
    /// Further lines of its `[[plugin]]`; `WEB` stands for the address of a [`crate::Web`], `PORT` for its port.
    lines: &'static str,
    /// What must become of it.
    pub end: End,
}

/// Where a component comes from.
#[derive(Debug)]
enum Guest {
    /// The guest `naughty` in the mode of that name.
    Naughty,
    /// Another guest of `tests/guests`, whose lines say how it behaves.
    Built(&'static str),
    /// As that, in a language whose components are large: left out where there is no time for them.
    Slow(&'static str),
    /// A module from text, made into a plugin.
    Module(Module),
    /// A component from text.
    Text(&'static str),
    /// Whatever the function makes.
    Made(fn() -> Vec<u8>),
}

/// The end of a hostile guest. Texts are parts of what is told, beginning with its first character where nothing else
/// is said.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// It is not loaded; the reason has this text somewhere.
    Refused(&'static str),
    /// Its attempts fail and the delivery becomes a dead letter for this reason.
    Dead(&'static str),
    /// It finds nothing to do harm with and answers this.
    Answers(&'static str),
}

impl Animal {
    /// Its component.
    pub fn component(&self) -> Vec<u8> {
        match &self.guest {
            Guest::Naughty => guest("naughty"),
            Guest::Built(name) | Guest::Slow(name) => guest(name),
            Guest::Module(module) => module.component(),
            Guest::Text(text) => wat::parse_str(text).unwrap(),
            Guest::Made(make) => make(),
        }
    }

    /// Its `[[plugin]]`, with that web server to talk to.
    pub fn plugin(&self, web: SocketAddr) -> Plugin {
        Plugin::new(self.name, self.name).line(&self.settings(web))
    }

    /// The rest of its table, behind name, component and app.
    pub fn settings(&self, web: SocketAddr) -> String {
        let name = self.name;
        let lines = self
            .lines
            .replace("WEB", &web.to_string())
            .replace("PORT", &web.port().to_string());
        let mut text = format!("events = [\"chat-message\"]\nwhen = 'event.text == {name:?}'\n");
        if matches!(self.guest, Guest::Naughty) {
            text.push_str("grant = { robot = true, kv = true }\n");
            text.push_str(&format!("config = {{ mode = {name:?} }}\n"));
        }
        text + &lines
    }

    /// Whether what it is made of was built.
    pub fn is_built(&self) -> bool {
        match &self.guest {
            Guest::Built(name) | Guest::Slow(name) => components::find(name).is_some(),
            _ => true,
        }
    }

    /// Whether it is left out where there is no time.
    pub fn is_slow(&self) -> bool {
        matches!(self.guest, Guest::Slow(_))
    }

    /// Whether it is loaded at all.
    pub fn runs(&self) -> bool {
        !matches!(self.end, End::Refused(_))
    }
}

/// The table of the zoo, in Markdown.
pub fn table() -> String {
    let mut table = "| guest | what it does | how it ends |\n| --- | --- | --- |\n".to_owned();
    for animal in ANIMALS {
        let end = match animal.end {
            End::Refused(reason) => format!("refused: {}", code(reason)),
            End::Dead(reason) => code(reason),
            End::Answers(text) => format!("answers {}", code(text)),
        };
        let (name, does) = (animal.name, animal.does);
        writeln!(table, "| `{name}` | {does} | {end} |").expect("text can be written");
    }
    table
}

/// As code in Markdown.
fn code(text: &str) -> String {
    let text = text.trim();
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

fn guest(name: &str) -> Vec<u8> {
    std::fs::read(components::path(name)).unwrap()
}
