//! `belfry plugin`: what authors of plugins do.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::toolchain::Tools;

mod build;
mod inspect;
mod new;
mod test;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make the folder of a new plugin, which builds and answers as it is.
    New(new::Options),

    /// Build folders of sources into components: plugins/NAME becomes plugins/NAME.wasm.
    ///
    /// The language is told by a file in the folder: Cargo.toml (Rust), go.mod (Go), *.c (C), app.py (Python),
    /// plugin.ts (TypeScript), plugin.js (JavaScript).
    Build(build::Options),

    /// Show what a component asks for, whether bot.toml grants it, and what it says of itself.
    Inspect(inspect::Options),

    /// Run a component through written events with scripted answers and compare its calls with those that were kept.
    ///
    /// A case is a TOML file in the plugin's folder `cases`; its snapshot lies beside it as NAME.snap.
    Test(test::Options),
}

pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::New(options) => new::run(options).await,
        Command::Build(options) => build::run(options).await,
        Command::Inspect(options) => inspect::run(options).await,
        Command::Test(options) => test::run(options).await,
    }
}

/// Where compilers are that belfry installed.
#[derive(clap::Args)]
pub(in crate::commands) struct ToolsFolder {
    /// Where compilers are looked for and installed [default: belfry/tools in the user's cache folder].
    #[arg(long = "tools", value_name = "FOLDER", env = "BELFRY_TOOLS")]
    folder: Option<PathBuf>,
}

impl ToolsFolder {
    /// The tools, by default those that all projects of this user share.
    pub(in crate::commands) fn tools(&self) -> anyhow::Result<Tools> {
        let root = match &self.folder {
            Some(folder) => std::path::absolute(folder)
                .with_context(|| format!("cannot find the folder {folder:?}"))?,
            None => cache()
                .context("there is no home folder for tools; name a folder with --tools")?
                .join("belfry")
                .join("tools"),
        };
        Ok(Tools::new(root))
    }
}

/// The user's cache folder, as the XDG base directories name it.
fn cache() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))
}
