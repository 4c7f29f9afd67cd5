//! `belfry doctor`: whether DingTalk and `bot.toml` agree.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use belfry::active::App;
use belfry::config::Config;
use belfry::doctor::{self, Verdict};

use super::{ConfigFile, Output, print_json};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,

    /// Only this app.
    #[arg(long)]
    app: Option<String>,

    /// How the findings are printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

#[allow(clippy::print_stdout)]
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.file.config)?;
    let wanted = |name: &str| options.app.as_deref().is_none_or(|app| app == name);
    let apps = config
        .apps
        .iter()
        .filter(|app| wanted(app.name.as_str()))
        .map(|app| App::new(app.clone()).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    if let (Some(app), true) = (&options.app, apps.is_empty()) {
        bail!("there is no [[app]] named {app:?}");
    }
    let findings = doctor::examine(&config, &apps).await;
    let failed = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Failed)
        .count();
    match options.output {
        Output::Json => {
            print_json(&serde_json::json!({ "ok": failed == 0, "findings": findings }))?;
        }
        Output::Text => {
            for finding in &findings {
                let (verdict, app, area) = (finding.verdict.as_str(), &finding.app, &finding.area);
                println!("{verdict:<8} {app} {area}: {}", finding.text);
                if let Some(advice) = &finding.advice {
                    println!("         -> {advice}");
                }
            }
            println!("{} looked at, {failed} failed", findings.len());
        }
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
