//! `belfry simulator`: the simulated DingTalk alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use belfry::config::{AppKind, Config, Receive};

use super::serve::Signals;

#[derive(clap::Args)]
pub(super) struct Options {
    /// Where it listens, for both API hosts, the page and its control door.
    #[arg(long, default_value = "127.0.0.1:8790")]
    listen: SocketAddr,

    /// The configuration whose apps it serves; without it there is no app.
    #[arg(long)]
    config: Option<PathBuf>,

    /// A company to start with in place of the built-in one; docs/simulator.md describes the file.
    #[arg(long)]
    company: Option<PathBuf>,

    /// Calls a second for one app and one API, as DingTalk limits them; 0 lifts the limit.
    #[arg(long, value_name = "CALLS", default_value_t = 20)]
    rate_limit: u32,
}

#[allow(clippy::print_stdout)]
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let (apps, suites) = match options.config {
        Some(path) => {
            let config = Config::load(&path)?;
            let public = config.server.listen;
            (apps(&config, public), suites(&config, public))
        }
        None => Default::default(),
    };
    let simulator = simulator::start(simulator::Options {
        listen: options.listen,
        apps,
        suites,
        company: company(options.company.as_deref())?,
        rate_limit: (options.rate_limit > 0).then_some(options.rate_limit),
        ..Default::default()
    })
    .await?;
    println!("simulator: http://{}/", simulator.address());
    signals.stop_signal().await;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The company of a file, or the built-in one.
pub(super) fn company(file: Option<&Path>) -> anyhow::Result<simulator::Company> {
    let Some(file) = file else {
        return Ok(simulator::Company::sample());
    };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the company {}", file.display()))?;
    simulator::Company::parse(&text).with_context(|| format!("in {}", file.display()))
}

/// The apps of a configuration as the simulator knows them; `public` is where belfry listens.
pub(super) fn apps(config: &Config, public: SocketAddr) -> Vec<simulator::App> {
    let public = reachable(public);
    let own = |app: &&belfry::config::App| app.kind == AppKind::Internal;
    let apps = config.apps.iter().filter(own);
    apps.map(|app| simulator_app(app, public)).collect()
}

/// The third-party apps of a configuration; two companies can authorise them.
pub(super) fn suites(config: &Config, public: SocketAddr) -> Vec<simulator::Suite> {
    let (apps, public) = (config.apps.iter(), reachable(public));
    apps.filter(|app| app.kind == AppKind::Isv)
        .map(|app| {
            let seen = simulator_app(app, public);
            simulator::Suite {
                name: seen.name,
                suite_key: seen.app_key,
                suite_secret: seen.app_secret,
                callback: seen.callback,
                corps: vec!["dingcorp1".to_owned(), "dingcorp2".to_owned()],
            }
        })
        .collect()
}

fn reachable(mut public: SocketAddr) -> SocketAddr {
    if public.ip().is_unspecified() {
        public.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    public
}

fn simulator_app(app: &belfry::config::App, public: SocketAddr) -> simulator::App {
    let callback = app
        .callback
        .as_ref()
        .filter(|_| app.receive.contains(&Receive::Callback));
    simulator::App {
        name: app.name.to_string(),
        corp_id: app.corp_id.clone(),
        app_key: app.app_key.clone(),
        app_secret: app.app_secret.expose().to_owned(),
        agent_id: app.agent_id.unwrap_or_default(),
        robot_code: app.robot_code.clone(),
        callback: callback.map(|keys| simulator::CallbackTarget {
            url: format!("http://{public}/callback/{}", app.name),
            token: keys.token.expose().to_owned(),
            aes_key: keys.aes_key.expose().to_owned(),
            receive_id: keys.receive_ids.first().cloned().unwrap_or_default(),
        }),
        robot_url: app
            .receive
            .contains(&Receive::Robot)
            .then(|| format!("http://{public}/robot/{}", app.name)),
    }
}
