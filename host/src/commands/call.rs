//! `belfry call`: one call of DingTalk with an app's credentials.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use belfry::active::App;
use belfry::config::Config;
use clap::builder::PossibleValuesParser;
use dingtalk::catalog::{self, Access, Api, Call, Manner, Verb};
use dingtalk::{ApiStyle, MediaKind, NamedFile};
use serde_json::{Map, Value, json};

use super::{ConfigFile, Output, print_json};

#[derive(clap::Args)]
pub(super) struct Options {
    /// What to call, such as `chat.send`; --list shows all.
    #[arg(
        value_name = "API",
        required_unless_present = "list",
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(catalog::apis().map(|api| api.name))
    )]
    api: Option<String>,

    /// The arguments as a JSON object; `@FILE` reads them from a file, `-` from standard input.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    json: String,

    /// A file for a call that takes one, with the name of its part of the form, such as `media=photo.png`.
    #[arg(long, value_name = "PART=PATH")]
    file: Option<String>,

    /// Whose credentials; needed when the configuration has several apps.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,

    /// Make the older call where there are two, whatever the app is set to.
    #[arg(long, conflicts_with = "modern")]
    legacy: bool,

    /// Make the newer call where there are two, whatever the app is set to.
    #[arg(long)]
    modern: bool,

    /// Show what can be called; with an API, what it takes.
    #[arg(long)]
    list: bool,

    /// How the answer is printed: text leaves out errcode and errmsg.
    #[arg(long, default_value = "text")]
    output: Output,

    #[command(flatten)]
    config: ConfigFile,
}

/// This command with each API as a command below it, which has the same options.
pub(super) fn with_apis_as_commands(call: clap::Command) -> clap::Command {
    let options = call.get_arguments().filter(|given| !given.is_positional());
    let options: Vec<clap::Arg> = options.cloned().collect();
    let apis = catalog::apis().map(|api| {
        let command = clap::Command::new(api.name).about(api.summary);
        command.args(options.clone())
    });
    call.disable_help_subcommand(true).subcommands(apis)
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let api = options.api.as_deref().and_then(catalog::find);
    if options.list {
        return list(api, options.output);
    }
    let api = api.context("name an API; `belfry call --list` shows all")?;
    let arguments = arguments(&options.json)?;
    let config = Config::load(&options.config.config)?;
    let app = app(&config, options.app.as_deref())?;
    let style = match (options.legacy, options.modern) {
        (true, _) => ApiStyle::Legacy,
        (_, true) => ApiStyle::Modern,
        _ => app.client.style(),
    };
    let answer = match file(api, options.file.as_deref())? {
        Some(file) => app.client.call_with_file(api, &arguments, file).await,
        None => app.client.call_preferring(style, api, &arguments).await,
    };
    let mut answer = answer.with_context(|| format!("{} failed", api.name))?;
    if options.output == Output::Text
        && let Some(members) = answer.as_object_mut()
    {
        for name in ["errcode", "errmsg", "request_id"] {
            members.remove(name);
        }
    }
    print_json(&answer)?;
    Ok(ExitCode::SUCCESS)
}

fn app(config: &Config, name: Option<&str>) -> anyhow::Result<App> {
    let names = || {
        let names: Vec<&str> = config.apps.iter().map(|app| app.name.as_str()).collect();
        names.join(", ")
    };
    let settings = match (name, config.apps.as_slice()) {
        (Some(name), apps) => apps
            .iter()
            .find(|app| app.name.as_str() == name)
            .ok_or_else(|| anyhow!("there is no app {name:?}; there are: {}", names()))?,
        (None, [only]) => only,
        (None, []) => bail!("the configuration has no [[app]]"),
        (None, _) => bail!("say which app with --app; there are: {}", names()),
    };
    Ok(App::new(settings.clone())?)
}

fn arguments(given: &str) -> anyhow::Result<Map<String, Value>> {
    let text = match given.strip_prefix('@') {
        Some(file) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {file:?}"))?
        }
        None if given == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("cannot read standard input")?;
            text
        }
        None => given.to_owned(),
    };
    match serde_json::from_str(&text).context("--json is not JSON")? {
        Value::Object(arguments) => Ok(arguments),
        _ => bail!("--json is not an object"),
    }
}

/// The file that a call takes, if it takes one.
fn file(api: &Api, given: Option<&str>) -> anyhow::Result<Option<NamedFile>> {
    let part = match (api.calls(ApiStyle::Modern).find_map(part), given) {
        (None, None) => return Ok(None),
        (None, Some(_)) => bail!("{} takes no file", api.name),
        (Some(part), _) => part,
    };
    let path = given
        .and_then(|given| given.split_once('='))
        .filter(|(name, _)| *name == part)
        .map(|(_, path)| Path::new(path))
        .with_context(|| format!("{} takes a file: --file {part}=PATH", api.name))?;
    let cannot_read = || format!("cannot read {}", path.display());
    let most = MediaKind::File.max_bytes();
    let size = std::fs::metadata(path).with_context(cannot_read)?.len();
    if size > most as u64 {
        bail!("{} has more than {} MiB", path.display(), most >> 20);
    }
    let name = path.file_name().map(|name| name.to_string_lossy());
    Ok(Some(NamedFile {
        name: name.unwrap_or_default().into_owned(),
        bytes: std::fs::read(path).with_context(cannot_read)?,
    }))
}

/// The part of the form in which a call takes a file.
fn part(call: &Call) -> Option<&'static str> {
    match call.manner {
        Manner::Upload(part) => Some(part),
        _ => None,
    }
}

#[allow(clippy::print_stdout)]
fn list(api: Option<&Api>, output: Output) -> anyhow::Result<ExitCode> {
    let shown: Vec<&Api> = match api {
        Some(api) => vec![api],
        None => catalog::apis().collect(),
    };
    if output == Output::Json {
        let rows: Vec<Value> = shown.iter().map(|api| described(api)).collect();
        print_json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = shown.iter().map(|api| api.name.len()).max().unwrap_or(0);
    for api in &shown {
        let access = word(api.access);
        println!("{:width$}  {access:5}  {}", api.name, api.summary);
    }
    if let Some(api) = api {
        for call in api.calls(ApiStyle::Modern) {
            println!("\n{} {}", verb(call), call.path);
            for param in call.params {
                let need = match (param.is_required, param.fill) {
                    (_, Some(_)) => "filled in",
                    (true, None) => "required",
                    (false, None) => "",
                };
                println!("  {:24} {:9}  {}", param.name, need, param.kind.wanted());
            }
            if let Some(part) = part(call) {
                println!("  {part:24} {:9}  a file: --file {part}=PATH", "required");
            }
            if !call.any_of.is_empty() {
                println!("  one of {} is needed", call.any_of.join(", "));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn described(api: &Api) -> Value {
    let calls = api.calls(ApiStyle::Modern).map(|call| {
        let params = call.params.iter().map(|param| {
            json!({
                "name": param.name,
                "required": param.is_needed(),
                "wanted": param.kind.wanted(),
            })
        });
        json!({
            "method": verb(call),
            "path": call.path,
            "parameters": params.collect::<Vec<_>>(),
            "file": part(call),
        })
    });
    json!({
        "name": api.name,
        "gateway": api.gateway,
        "family": api.family.word(),
        "access": word(api.access),
        "summary": api.summary,
        "calls": calls.collect::<Vec<_>>(),
    })
}

fn word(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
    }
}

fn verb(call: &Call) -> &'static str {
    match call.verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
    }
}
