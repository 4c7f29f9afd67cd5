//! `belfry callback`: where DingTalk pushes the events of an app.

use std::process::ExitCode;

use anyhow::{Context, bail};
use belfry::active::App;
use belfry::config::{AppKind, Config, Receive};
use belfry::doctor::callback as registered;
use dingtalk::{ApiError, Registration};

use super::{ConfigFile, Output, print_json};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Register an address, or replace the one that is registered.
    ///
    /// DingTalk pushes a check to the address before it answers, so belfry must be serving there and be reachable from
    /// outside. Token and aes-key are those of bot.toml.
    Register(Register),

    /// Show what is registered, and how it differs from bot.toml.
    Show(Which),

    /// Remove the registration: DingTalk pushes nothing more to it.
    Delete(Which),
}

#[derive(clap::Args)]
pub(super) struct Which {
    /// The app, by its name in bot.toml.
    #[arg(long)]
    app: String,

    #[command(flatten)]
    file: ConfigFile,

    /// How the result is printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

#[derive(clap::Args)]
pub(super) struct Register {
    #[command(flatten)]
    which: Which,

    /// The public address of belfry, such as https://bot.example.com/callback/acme.
    #[arg(long)]
    url: String,

    /// An event type to push, such as `bpms_instance_change`; may be given again. Without it, what the plugins of the app
    /// get.
    #[arg(long = "event")]
    events: Vec<String>,
}

pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Register(options) => register(&options).await?,
        Command::Show(which) => {
            let (config, app) = open(&which)?;
            show(&which, &config, &app).await?;
        }
        Command::Delete(which) => delete(&which).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn open(which: &Which) -> anyhow::Result<(Config, App)> {
    let config = Config::load(&which.file.config)?;
    let settings = config
        .apps
        .iter()
        .find(|app| app.name.as_str() == which.app);
    let Some(settings) = settings else {
        bail!("there is no [[app]] named {:?}", which.app);
    };
    if settings.kind == AppKind::Isv {
        bail!("the callback of a third-party app is set in the developer console");
    }
    let app = App::new(settings.clone())?;
    Ok((config, app))
}

async fn register(options: &Register) -> anyhow::Result<()> {
    let (config, app) = open(&options.which)?;
    let name = &options.which.app;
    let keys = app.settings.callback.as_ref();
    let Some(keys) = keys.filter(|_| app.settings.receive.contains(&Receive::Callback)) else {
        bail!(
            "app {name:?} receives no callback: write receive = [\"callback\"] and callback = {{ … }}"
        );
    };
    if !registered::takes_registered(&app) {
        bail!(
            "pushes to a registered address are sealed for the corp id: add {:?} to callback.receive-ids of app {name:?}, and let belfry take it over",
            app.settings.corp_id
        );
    }
    let wanted = Registration {
        tags: if options.events.is_empty() {
            registered::wanted_tags(&config, &app)
        } else {
            options.events.clone()
        },
        token: keys.token.clone(),
        aes_key: keys.aes_key.clone(),
        url: options.url.clone(),
    };
    let mut done = app.client.callback_register(&wanted).await;
    if let Err(error) = &done
        && ["71006", "400041"].contains(&error.code())
    {
        done = app.client.callback_update(&wanted).await;
    }
    if let Err(error) = done {
        let hint = explain(&app, &options.url, &error).await;
        return Err(anyhow::Error::new(error))
            .with_context(|| format!("{} is not registered{hint}", options.url));
    }
    show(&options.which, &config, &app).await
}

/// What to do about a refusal: DingTalk says only that its check failed, so the same check is made from here.
async fn explain(app: &App, url: &str, error: &ApiError) -> String {
    let of_check = [
        "71009", "71012", "400051", "400052", "400054", "71011", "400050",
    ];
    if error.code() == "71008" {
        return "; DingTalk does not know one of the events: name them with --event".to_owned();
    }
    if ["71013", "400053"].contains(&error.code()) {
        return "; the address must be public".to_owned();
    }
    if !of_check.contains(&error.code()) {
        return String::new();
    }
    match registered::probe(app, url).await {
        Ok(()) => "; from here it answers as it must, so it is not reachable from outside, or answers there more slowly than in 1.5 s".to_owned(),
        Err(why) => format!(
            "; tried from here, {why}. `belfry serve` must run with this bot.toml and be reachable at this address while it is registered"
        ),
    }
}

#[allow(clippy::print_stdout)]
async fn show(which: &Which, config: &Config, app: &App) -> anyhow::Result<()> {
    let found = app
        .client
        .callback_get()
        .await
        .context("the registered callback cannot be read")?;
    let drift = found.as_ref().map(|found| {
        let wanted = registered::wanted_tags(config, app);
        registered::drift(app, found, &wanted)
    });
    match which.output {
        Output::Json => print_json(&serde_json::json!({
            "app": which.app,
            "registered": found.as_ref().map(|found| serde_json::json!({
                "url": found.url, "events": found.tags,
            })),
            "drift": drift.unwrap_or_default(),
        }))?,
        Output::Text => match found {
            None => println!(
                "{}: no callback is registered by the API; the console's 事件订阅 cannot be read",
                which.app
            ),
            Some(found) => {
                println!("{}: {}", which.app, found.url);
                println!("  events: {}", found.tags.join(", "));
                for difference in drift.unwrap_or_default() {
                    println!("  differs from bot.toml: {difference}");
                }
            }
        },
    }
    Ok(())
}

#[allow(clippy::print_stdout)]
async fn delete(which: &Which) -> anyhow::Result<()> {
    let (_, app) = open(which)?;
    let existed = app
        .client
        .callback_delete()
        .await
        .context("the registered callback cannot be removed")?;
    match which.output {
        Output::Json => print_json(&serde_json::json!({"app": which.app, "deleted": existed}))?,
        Output::Text if existed => println!("{}: removed", which.app),
        Output::Text => println!("{}: no callback was registered", which.app),
    }
    Ok(())
}
