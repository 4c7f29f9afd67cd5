//! Says whether the stories that need a browser can be told.

use std::env;

use crate::shell;

/// The names by which `tests/support/browser.rs` looks for it too.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Says loudly if there is no browser.
pub(crate) fn look() {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = env::var_os("BELFRY_CHROMIUM").is_some()
        || env::split_paths(&path)
            .any(|folder| NAMES.iter().any(|name| folder.join(name).is_file()));
    if !is_there {
        shell::say(
            "SKIPPED: the browser stories, because there is no Chromium (Debian: apt-get install chromium; or name one in BELFRY_CHROMIUM)",
        );
    }
}
