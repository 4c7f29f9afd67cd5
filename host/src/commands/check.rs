//! `belfry check`: everything that is wrong, before it is served.

use std::process::ExitCode;

use belfry::app;

use super::{ConfigFile, Output, print_json};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,

    /// How the result is printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

#[allow(clippy::print_stdout)]
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let path = options.file.config;
    let checked = app::check(&path).await?;
    match (&checked, options.output) {
        (Ok(checked), Output::Json) => {
            let (plugins, warnings) = (&checked.plugins, &checked.warnings);
            print_json(
                &serde_json::json!({ "ok": true, "plugins": plugins, "warnings": warnings, "problems": [] }),
            )?;
        }
        (Err(problems), Output::Json) => {
            let problems: Vec<_> = problems
                .iter()
                .map(|problem| serde_json::json!({ "subject": problem.subject, "reason": problem.reason }))
                .collect();
            print_json(
                &serde_json::json!({ "ok": false, "plugins": [], "warnings": [], "problems": problems }),
            )?;
        }
        (Ok(checked), Output::Text) => {
            println!(
                "{} is in order; {} plugin(s) load:",
                path.display(),
                checked.plugins.len()
            );
            for plugin in &checked.plugins {
                let capabilities = if plugin.capabilities.is_empty() {
                    "nothing".to_owned()
                } else {
                    plugin.capabilities.join(", ")
                };
                println!(
                    "  {} {} ({} KiB) uses {capabilities}",
                    plugin.name,
                    plugin.version,
                    plugin.size.div_ceil(1024)
                );
            }
            for warning in &checked.warnings {
                println!("  warning: {warning}");
            }
        }
        (Err(problems), Output::Text) => {
            println!("{} has {} problem(s):", path.display(), problems.len());
            for problem in problems {
                println!("  {}: {}", problem.subject, problem.reason);
            }
        }
    }
    Ok(if checked.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
