//! `belfry plugin inspect`: what a component asks for and would get.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use belfry::config::{Config, Engine, Grant, Limits};
use belfry::engine::Sandbox;
use belfry::plugin::{Component, Inspection, Status, inspect};

use super::super::{ConfigFile, Output, print_json};

#[derive(clap::Args)]
pub(in crate::commands) struct Options {
    /// A component file, or the name of a plugin in the configuration.
    #[arg(value_name = "FILE|NAME")]
    what: PathBuf,

    #[command(flatten)]
    file: ConfigFile,

    /// How the result is printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Exits with 1 when no configuration could make belfry load the component.
#[allow(clippy::print_stdout)]
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (path, plugin) = find(&options.what, &options.file.config)?;
    // Without a cache, so that the time of compiling is that.
    let engine = Engine {
        max_concurrent: 1,
        cache: None,
    };
    let component = Component::read(&path, Limits::default().component)?;
    let grant = plugin.as_ref().map(|(_, grant)| grant.clone());
    let inspection = inspect(
        &Sandbox::new(&engine)?,
        component,
        &grant.unwrap_or_default(),
    )
    .await?;
    let name = plugin.map(|(name, _)| name);
    match options.output {
        Output::Text => print!("{}", text(&path, name.as_deref(), &inspection)),
        Output::Json => {
            let mut json = serde_json::to_value(&inspection)?;
            json["file"] = path.display().to_string().into();
            json["plugin"] = name.into();
            print_json(&json)?;
        }
    }
    Ok(if inspection.problem.is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The component, and the plugin it is in the configuration, if it is one. A file needs no configuration.
fn find(what: &Path, config: &Path) -> anyhow::Result<(PathBuf, Option<(String, Grant)>)> {
    let is_file = what.is_file();
    if is_file && !config.is_file() {
        return Ok((what.to_owned(), None));
    }
    let plugins = match Config::load(config) {
        Ok(config) => config.plugins,
        Err(error) if is_file => {
            tracing::warn!(%error, "the grants of the configuration are not known");
            Vec::new()
        }
        Err(error) => return Err(error.into()),
    };
    let same = |component: &Path| match (component.canonicalize(), what.canonicalize()) {
        (Ok(component), Ok(what)) => component == what,
        _ => false,
    };
    let mut plugins = plugins.into_iter();
    if is_file {
        let plugin = plugins.find(|plugin| same(&plugin.component));
        let plugin = plugin.map(|plugin| (plugin.name.to_string(), plugin.grant));
        return Ok((what.to_owned(), plugin));
    }
    let name = what.to_str().context("the name of a plugin is text")?;
    match plugins.find(|plugin| plugin.name.as_str() == name) {
        Some(plugin) => Ok((plugin.component, Some((name.to_owned(), plugin.grant)))),
        None => bail!("there is neither a file nor a plugin {name:?} in {config:?}"),
    }
}

/// For people. Writing to a text cannot fail.
fn text(path: &Path, plugin: Option<&str>, inspection: &Inspection) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "file      {}", path.display());
    if let Some(plugin) = plugin {
        let _ = writeln!(text, "plugin    {plugin}");
    }
    #[allow(clippy::cast_precision_loss)]
    let size = inspection.size as f64 / 1024.0;
    let _ = writeln!(text, "size      {size:.1} KiB");
    let _ = writeln!(text, "sha256    {}", inspection.digest);
    let _ = writeln!(text, "compiled  in {} ms", inspection.compile_ms);
    if let Some(said) = &inspection.description {
        let _ = writeln!(text, "name      {} {}", said.name, said.version);
        let _ = writeln!(text, "events    {}", said.events.join(", "));
        for (word, usage) in &said.commands {
            let _ = writeln!(text, "command   {word}: {usage}");
        }
        if let Some(schema) = &said.config_schema {
            let _ = writeln!(text, "config    {schema}");
        }
    }
    for export in &inspection.exports {
        let _ = writeln!(text, "exports   {export}");
    }
    for (title, status) in [
        ("granted   ", Status::Granted),
        ("to grant  ", Status::NotGranted),
        ("unknown   ", Status::Unknown),
        ("ambient   ", Status::Ambient),
    ] {
        for import in &inspection.imports {
            if import.status != status {
                continue;
            }
            let key = import.grant.map(|key| format!(" ({key})"));
            let key = key.unwrap_or_default();
            let _ = writeln!(text, "{title}{}{key}", import.interface);
        }
    }
    if let Some(needs) = &inspection.needs {
        let _ = writeln!(text, "\nIts [[plugin]] in bot.toml needs:\n\n{needs}");
    }
    if let Some(problem) = &inspection.problem {
        let _ = writeln!(text, "\nbelfry cannot load it: {problem}");
    }
    text
}
