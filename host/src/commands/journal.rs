//! `belfry journal`: copies and checks the file of a journal, also beside a running host.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use belfry::config::Config;
use belfry::journal::SqliteJournal;
use belfry::store::sqlite::backup;

use super::{ConfigFile, Output, print_json};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Copy the journal as it is at this moment to a new file.
    ///
    /// The copy is consistent while belfry serves, and has everything acknowledged before the command began.
    Backup {
        /// The new file.
        file: PathBuf,

        #[command(flatten)]
        config: ConfigFile,
    },

    /// Read the whole journal and say what is wrong with it; exit code 1 if anything is.
    Verify {
        /// A file other than the configuration's, such as a backup.
        #[arg(long)]
        file: Option<PathBuf>,

        #[command(flatten)]
        config: ConfigFile,

        /// How the findings are printed.
        #[arg(long, default_value = "text")]
        output: Output,
    },
}

#[allow(clippy::print_stdout)]
pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Backup { file, config } => {
            let journal = existing(&Config::load(&config.config)?.store.path)?;
            backup(&journal, file)
                .with_context(|| format!("cannot copy {journal:?} to {file:?}"))?;
            let size = std::fs::metadata(file)?.len();
            println!("{} has {} KiB", file.display(), size.div_ceil(1024));
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify {
            file,
            config,
            output,
        } => {
            let path = match file {
                Some(file) => existing(file)?,
                None => existing(&Config::load(&config.config)?.store.path)?,
            };
            let findings = SqliteJournal::verify_file(&path)
                .unwrap_or_else(|error| vec![format!("the file cannot be read: {error}")]);
            match output {
                Output::Json => print_json(&findings)?,
                Output::Text if findings.is_empty() => println!("{} is sound", path.display()),
                Output::Text => findings.iter().for_each(|finding| println!("{finding}")),
            }
            Ok(if findings.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

fn existing(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.exists() {
        bail!("there is no journal at {path:?}");
    }
    Ok(path.to_owned())
}
