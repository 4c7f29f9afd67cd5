//! `belfry call`: one call of DingTalk with an app's credentials.

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use belfry::active::App;
use belfry::config::Config;
use clap::builder::PossibleValuesParser;
use dingtalk::ApiStyle;
use dingtalk::catalog::{self, Access, Api, Call, Verb};
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
    let mut answer = app
        .client
        .call_preferring(style, api, &arguments)
        .await
        .with_context(|| format!("{} failed", api.name))?;
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
                "required": param.is_required && param.fill.is_none(),
                "wanted": param.kind.wanted(),
            })
        });
        json!({"method": verb(call), "path": call.path, "parameters": params.collect::<Vec<_>>()})
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
