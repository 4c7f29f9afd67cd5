//! `belfry plugin test`: cases that an author wrote, on the engine of production, compared with what was kept.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use belfry::config::Engine;
use belfry::engine::Sandbox;
use belfry::trial::{self, Case, Report};
use serde_json::json;
use similar::TextDiff;

use crate::commands::{Output, print_json};

#[derive(clap::Args)]
pub(in crate::commands) struct Options {
    /// The plugin's folder, with its component beside it (plugins/NAME and plugins/NAME.wasm), or a component.
    plugin: PathBuf,

    /// A case to run instead of all in the folder `cases` of the plugin; may be given several times.
    #[arg(long, value_name = "FILE")]
    case: Vec<PathBuf>,

    /// Keep what the plugin does now as what it should do.
    #[arg(long)]
    update: bool,

    /// How the results are printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// How a case ended.
enum Verdict {
    /// As it was kept.
    Same,
    /// Not as it was kept: what differs.
    Different(String),
    /// There is nothing to compare with yet.
    New,
    /// It was kept now.
    Kept,
    /// It could not be run, and why.
    Failed(String),
}

impl Verdict {
    fn is_good(&self) -> bool {
        matches!(self, Self::Same | Self::Kept)
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different(_) => "different",
            Self::New => "new",
            Self::Kept => "kept",
            Self::Failed(_) => "failed",
        }
    }
}

#[allow(clippy::print_stdout)]
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let component = component(&options.plugin)?;
    let files = if options.case.is_empty() {
        cases_of(&options.plugin)?
    } else {
        options.case.clone()
    };
    let sandbox = Sandbox::new(&Engine {
        max_concurrent: 1,
        cache: super::cache().map(|cache| cache.join("belfry").join("compiled")),
    })?;
    let mut results = Vec::new();
    for file in &files {
        let (verdict, report) = match try_case(&sandbox, &component, file).await {
            Ok(report) => (judge(file, &report, options.update)?, Some(report)),
            Err(error) => (Verdict::Failed(format!("{error:#}")), None),
        };
        if options.output == Output::Text {
            println!("{} {}", verdict.word(), file.display());
            match (&verdict, &report) {
                (Verdict::Different(text) | Verdict::Failed(text), _) => {
                    println!("{}", indented(text));
                }
                (Verdict::New | Verdict::Kept, Some(report)) => {
                    println!("{}", indented(&report.to_string()));
                }
                _ => {}
            }
        }
        results.push((file, verdict, report));
    }
    let bad = results
        .iter()
        .filter(|(_, verdict, _)| !verdict.is_good())
        .count();
    match options.output {
        Output::Text => {
            println!("{} case(s), {bad} not as kept", results.len());
            if results
                .iter()
                .any(|(_, verdict, _)| matches!(verdict, Verdict::New | Verdict::Different(_)))
            {
                println!(
                    "look at the calls above; --update keeps them as what the plugin should do"
                );
            }
        }
        Output::Json => {
            let results: Vec<_> = results
                .iter()
                .map(|(file, verdict, report)| {
                    let problem = match verdict {
                        Verdict::Different(text) | Verdict::Failed(text) => Some(text),
                        _ => None,
                    };
                    json!({ "case": file, "verdict": verdict.word(), "problem": problem, "report": report })
                })
                .collect();
            print_json(&results)?;
        }
    }
    Ok(if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn try_case(sandbox: &Sandbox, component: &Path, file: &Path) -> anyhow::Result<Report> {
    let case = Case::load(file)?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(trial::run(sandbox, component, &name, &case).await?)
}

/// Compares with the snapshot beside the case, `NAME.snap`, or keeps a new one.
fn judge(file: &Path, report: &Report, update: bool) -> anyhow::Result<Verdict> {
    let snapshot = file.with_extension("snap");
    let found = report.to_string();
    let kept = match std::fs::read_to_string(&snapshot) {
        Ok(kept) => Some(kept.replace("\r\n", "\n")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read {snapshot:?}")),
    };
    if kept.as_deref() == Some(&found) {
        return Ok(Verdict::Same);
    }
    if update {
        std::fs::write(&snapshot, &found).with_context(|| format!("cannot write {snapshot:?}"))?;
        return Ok(Verdict::Kept);
    }
    Ok(kept.map_or(Verdict::New, |kept| {
        let diff = TextDiff::from_lines(&kept, &found);
        let diff = diff
            .unified_diff()
            .context_radius(2)
            .header("kept", "now")
            .to_string();
        Verdict::Different(diff)
    }))
}

fn component(plugin: &Path) -> anyhow::Result<PathBuf> {
    if plugin.is_file() {
        return Ok(plugin.to_owned());
    }
    let folder = std::path::absolute(plugin)?;
    let component = folder.with_extension("wasm");
    if !component.is_file() {
        bail!(
            "there is no component {component:?}; `belfry plugin build {}` makes it",
            plugin.display()
        );
    }
    Ok(component)
}

/// The `*.toml` files in the folder `cases` of a plugin.
fn cases_of(plugin: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = plugin.with_extension("").join("cases");
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot read the cases in {folder:?}; name one with --case"))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    if files.is_empty() {
        bail!("there is no case (*.toml) in {folder:?}");
    }
    files.sort();
    Ok(files)
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
