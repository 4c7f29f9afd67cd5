//! `belfry plugin new`: the folder of a new plugin.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use belfry::config::Config;

use super::super::ConfigFile;
use super::ToolsFolder;
use crate::toolchain::{self, Language, Name};

#[derive(clap::Args)]
pub(in crate::commands) struct Options {
    /// The language to write it in.
    #[arg(long)]
    lang: Language,

    /// Its name, such as `on-call`: also the name of its folder and, with a slash, of its first chat command.
    name: Name,

    /// The folder that holds the plugins.
    #[arg(long = "in", value_name = "FOLDER", default_value = "plugins")]
    parent: PathBuf,

    #[command(flatten)]
    file: ConfigFile,

    #[command(flatten)]
    tools: ToolsFolder,
}

#[allow(clippy::print_stdout)]
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let Options { lang, name, .. } = &options;
    let folder = toolchain::scaffold(*lang, name, &options.parent)
        .with_context(|| format!("cannot make the plugin {:?}", name.as_str()))?;
    let shown = folder.display();
    println!("{shown} is a new plugin in {}. Next:\n", lang.name());
    let tools = options.tools.tools()?;
    let missing = lang.missing(&folder, &tools).await;
    for missing in &missing {
        println!("  First, this is missing: {missing}\n");
    }
    if !missing.is_empty() {
        println!("  or let belfry do it: belfry plugin build --install {shown}\n");
    }
    println!(
        "  belfry plugin build {shown}    # makes {shown}.wasm\n  (cd {shown} && {})    # its test\n",
        lang.test_command(&folder, &tools).await
    );
    let config = &options.file.config;
    println!(
        "Add to {}, and a running belfry takes it over:\n\n{}",
        config.display(),
        table(name, &component(&folder, config), &app(config))
    );
    println!(
        "Then write `/{}` to the robot. `belfry dev` builds it again whenever you save; {shown}/README.md says more.",
        name.as_str()
    );
    Ok(ExitCode::SUCCESS)
}

/// What `bot.toml` needs.
fn table(name: &Name, component: &Path, app: &str) -> String {
    format!(
        "[[plugin]]\nname = {:?}\ncomponent = {:?}\napp = {app:?}\nevents = [\"chat-message\"]\ngrant = {{ robot = true }}\n",
        name.as_str(),
        component.display().to_string()
    )
}

/// The component as `bot.toml` names it: relative to its own folder where it lies below that.
fn component(folder: &Path, config: &Path) -> PathBuf {
    let component = folder.with_added_extension("wasm");
    let (Ok(absolute), Ok(config)) = (std::path::absolute(&component), std::path::absolute(config))
    else {
        return component;
    };
    let inside = config
        .parent()
        .and_then(|base| absolute.strip_prefix(base).ok());
    inside.map_or_else(|| absolute.clone(), Path::to_owned)
}

/// The first app of the configuration; the one of the shipped configuration if that cannot be read.
fn app(config: &Path) -> String {
    let first = Config::load(config)
        .ok()
        .and_then(|config| config.apps.first().map(|app| app.name.to_string()));
    first.unwrap_or_else(|| "acme".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_named_as_the_configuration_finds_it() {
        for (folder, config, expected) in [
            ("/bot/plugins/hi", "/bot/bot.toml", "plugins/hi.wasm"),
            ("/elsewhere/hi", "/bot/bot.toml", "/elsewhere/hi.wasm"),
        ] {
            let found = component(Path::new(folder), Path::new(config));
            assert_eq!(found, Path::new(expected));
        }
    }

    #[test]
    fn the_table_is_what_bot_toml_needs() {
        let name = "on-call".parse().unwrap();
        let table = table(&name, Path::new("plugins/on-call.wasm"), "acme");
        assert_eq!(
            table,
            "[[plugin]]\nname = \"on-call\"\ncomponent = \"plugins/on-call.wasm\"\napp = \"acme\"\nevents = [\"chat-message\"]\ngrant = { robot = true }\n"
        );
    }
}
