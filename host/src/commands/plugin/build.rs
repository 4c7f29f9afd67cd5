//! `belfry plugin build`: folders of sources become components.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use tokio::time::Instant;

use super::super::{Output, print_json};
use super::ToolsFolder;
use crate::toolchain::{self, Error};

#[derive(clap::Args)]
pub(in crate::commands) struct Options {
    /// The folders.
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,

    /// Install compilers that are missing.
    #[arg(long)]
    install: bool,

    #[command(flatten)]
    tools: ToolsFolder,

    /// How the components are printed.
    #[arg(long, default_value = "text")]
    output: Output,
}

#[allow(clippy::print_stdout)]
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let tools = options.tools.tools()?;
    let report = |text: &str| eprintln!("    {text}");
    let build = toolchain::Options {
        tools: &tools,
        install: options.install,
        report: &report,
    };
    let mut components = Vec::new();
    let mut failed = 0;
    for folder in &options.folders {
        eprintln!("building {}", folder.display());
        let started = Instant::now();
        let component = component_beside(folder)?;
        match toolchain::build(folder, &component, &build).await {
            Ok(built) => {
                if options.output == Output::Text {
                    println!(
                        "{} ({}, {} KiB{}, {:.1} s)",
                        component.display(),
                        built.language.name(),
                        built.bytes.div_ceil(1024),
                        if built.is_new { "" } else { ", unchanged" },
                        started.elapsed().as_secs_f64()
                    );
                }
                components.push(serde_json::json!({
                    "folder": folder, "component": component, "language": built.language.name(),
                    "bytes": built.bytes, "changed": built.is_new,
                }));
            }
            // The other folders may be in another language.
            Err(error) => {
                failed += 1;
                let advice = match &error {
                    Error::Missing(_) => format!(
                        "\nor let belfry do it: belfry plugin build --install {}",
                        folder.display()
                    ),
                    _ => String::new(),
                };
                eprintln!(
                    "{}: {:#}{advice}",
                    folder.display(),
                    anyhow::Error::new(error)
                );
            }
        }
    }
    if options.output == Output::Json {
        print_json(&components)?;
    }
    if failed > 0 {
        bail!(
            "{failed} of {} folder(s) were not built",
            options.folders.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// `plugins/NAME.wasm` for `plugins/NAME`, also when that is written as `.` or with a slash at its end.
pub(super) fn component_beside(folder: &Path) -> anyhow::Result<PathBuf> {
    let named = match folder.file_name() {
        Some(_) => folder.to_owned(),
        None => std::fs::canonicalize(folder)
            .with_context(|| format!("cannot find the folder {folder:?}"))?,
    };
    let Some(name) = named.file_name() else {
        bail!("there is no place beside {folder:?} for a component");
    };
    let mut file = name.to_owned();
    file.push(".wasm");
    Ok(named.with_file_name(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_lies_beside_its_folder() {
        for (folder, component) in [
            ("plugins/hello", "plugins/hello.wasm"),
            ("plugins/hello/", "plugins/hello.wasm"),
            ("plugins/v1.2", "plugins/v1.2.wasm"),
            ("hello", "hello.wasm"),
        ] {
            assert_eq!(
                component_beside(Path::new(folder)).unwrap(),
                Path::new(component)
            );
        }
        assert!(component_beside(Path::new("/")).is_err());
        let here = component_beside(Path::new(".")).unwrap();
        assert_eq!(here.extension().unwrap(), "wasm");
        assert!(here.is_absolute());
    }
}
