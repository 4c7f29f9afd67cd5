//! `belfry dev`: host and simulator in one process, for work on plugins.
#![allow(clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use belfry::app::Host;
use belfry::config::Config;
use tokio_util::sync::CancellationToken;

use super::plugin::ToolsFolder;
use super::serve::Signals;
use super::{ConfigFile, rebuild};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,

    /// Where the simulator listens; `oapi-base` and `api-base` in the configuration must name it.
    #[arg(long, default_value = "127.0.0.1:8790")]
    simulator: SocketAddr,

    /// A company to start with in place of the built-in one; docs/simulator.md describes the file.
    #[arg(long)]
    company: Option<PathBuf>,

    #[command(flatten)]
    tools: ToolsFolder,
}

#[allow(clippy::print_stdout)]
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let tools = options.tools.tools()?;
    let path = options.file.config;
    let config = Config::load(&path)?;
    rebuild::build_missed(&config, &tools).await?;
    let simulator = simulator::start(simulator::Options {
        listen: options.simulator,
        apps: super::simulator::apps(&config, config.server.listen),
        suites: super::simulator::suites(&config, config.server.listen),
        company: super::simulator::company(options.company.as_deref())?,
        ..Default::default()
    })
    .await?;
    let host = Host::start(&path).await?;
    // With port 0 in the configuration only now the address is known.
    simulator.set_apps(super::simulator::apps(&config, host.public));
    simulator.set_suites(super::simulator::suites(&config, host.public));

    println!(
        "\n  group chat (simulator)   http://{}/",
        simulator.address()
    );
    println!("  belfry, public           http://{}/", host.public);
    println!(
        "  belfry, operators        http://{}/api/plugins",
        host.admin
    );
    for hook in &config.hooks {
        println!(
            "  alerts                   curl -d @alert.json http://{}/hooks/{}",
            host.public, hook.name
        );
    }
    println!(
        "\n  Edit a plugin or {} and it is taken over at once. Ctrl-C stops.\n",
        path.display()
    );

    let (stop, snapshot) = (CancellationToken::new(), host.snapshot.clone());
    let rebuilding = tokio::spawn(rebuild::watch(
        move || rebuild::sources(&snapshot.load().config),
        tools,
        stop.clone(),
    ));
    signals.until_stop(&host).await;
    stop.cancel();
    tokio::select! {
        () = async {
            host.stop().await;
            simulator.stop().await;
            let _ = rebuilding.await;
        } => Ok(ExitCode::SUCCESS),
        () = signals.stop_signal() => std::process::exit(130),
    }
}
