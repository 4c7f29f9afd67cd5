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
    let context = || format!("cannot make the plugin {:?}", name.as_str());
    let folder = toolchain::scaffold(*lang, name, &options.parent).with_context(context)?;
    let config = &options.file.config;
    let table = table(name, &component(&folder, config), &app(config));
    let is_first = toolchain::first_config(config, &table).with_context(context)?;

    let (shown, bot) = (folder.display(), config.display());
    let and_bot = if is_first {
        format!(", and {bot} a bot for the simulator that loads it")
    } else {
        String::new()
    };
    println!(
        "{shown} is a new plugin in {}{and_bot}. Next:\n",
        lang.name()
    );
    let tools = options.tools.tools()?;
    let missing = lang.missing(&folder, &tools).await;
    for missing in &missing {
        println!("  First, this is missing: {missing}\n");
    }
    if !missing.is_empty() {
        println!("  or let belfry do it: belfry plugin build --install {shown}\n");
    }
    println!("  belfry plugin build {shown}    # makes {shown}.wasm");
    let test = lang.test_command(&folder, &tools).await;
    println!("  (cd {shown} && {test})    # its test");
    let command = format!("`/{}`", name.as_str());
    if is_first {
        println!("  belfry dev    # runs it with a simulated DingTalk\n");
        println!("Then open http://127.0.0.1:8790/ and write {command} into a group.");
    } else {
        println!("\nAdd to {bot}, and a running belfry takes it over:\n\n{table}");
        println!("Then write {command} to the robot.");
    }
    println!("`belfry dev` builds it again whenever you save; {shown}/README.md says more.");
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
    fn the_first_plugin_gets_a_bot_that_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bot.toml");
        let name = "on-call".parse().unwrap();
        let table = table(&name, Path::new("plugins/on-call.wasm"), &app(&file));
        assert!(toolchain::first_config(&file, &table).unwrap());
        let config = Config::load(&file).unwrap();
        assert_eq!(config.plugins[0].name.as_str(), "on-call");
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);

        std::fs::write(&file, "# mine").unwrap();
        assert!(!toolchain::first_config(&file, &table).unwrap());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine");
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
