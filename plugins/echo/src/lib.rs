//! Repeats what it is told.

use belfry_plugin::prelude::*;

struct Echo;

impl Plugin for Echo {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::ChatMessage)
    }

    fn handle(event: Event) -> Result<(), Failure> {
        match event.body {
            EventBody::ChatMessage(it) if is_echoed(&it.text) => Ok(reply_text(&it.text)?),
            _ => Ok(()),
        }
    }
}

/// Commands are left to the plugins that know them.
fn is_echoed(text: &str) -> bool {
    !text.trim().is_empty() && !text.starts_with('/')
}

belfry_plugin::export!(Echo);
#[cfg(test)]
mod tests;
