//! `cargo xtask dev`: from a checkout to a running bot.

use anyhow::Result;

use crate::{plugins, shell};

/// What `dev` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Arguments for `belfry dev`, as they are; see `belfry dev --help`.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "BELFRY ARGUMENTS"
    )]
    pub(crate) belfry: Vec<String>,
}

/// Builds the sample plugins and the bot, then becomes `belfry dev`.
pub(crate) fn run(options: &Options) -> Result<()> {
    plugins::build_samples()?;
    let belfry = plugins::build_belfry()?;
    let mut command = shell::command(belfry.as_os_str(), ["dev"]);
    if !names_a_configuration(&options.belfry) {
        command.args(["--config", "bot.toml"]);
    }
    shell::become_command(command.args(&options.belfry))
}

fn names_a_configuration(arguments: &[String]) -> bool {
    arguments
        .iter()
        .any(|argument| argument == "--config" || argument.starts_with("--config="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_gives_way_to_another() {
        let check = |arguments: &[&str], expected: bool| {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            assert_eq!(names_a_configuration(&arguments), expected, "{arguments:?}");
        };
        check(&[], false);
        check(&["--config", "mine.toml"], true);
        check(&["--config=mine.toml"], true);
        check(&["--configure"], false);
    }
}
