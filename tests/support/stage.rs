//! A simulator in a folder, and belfrys that serve from it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use belfry::app::Host;
use simulator::{App, CallbackTarget, Options, Simulator};
use tempfile::TempDir;

use crate::bot::{AES_KEY, APP_SECRET, Bot, CALLBACK_TOKEN};
use crate::{Dingtalk, Doors, Process};

/// A folder with `bot.toml` and a simulator beside it.
pub struct Stage {
    folder: TempDir,
    simulator: Simulator,
    /// The simulated DingTalk.
    pub dingtalk: Dingtalk,
}

/// A belfry inside the process of the story.
pub struct Hosted {
    host: Host,
    /// Its doors.
    pub doors: Doors,
}

impl Stage {
    /// A stage whose simulator repeats a failed push soon.
    pub async fn new(bot: &Bot) -> Self {
        let options = Options {
            push_retries: vec![Duration::from_millis(50), Duration::from_millis(100)],
            ..Options::default()
        };
        Self::with(bot, options).await
    }

    /// A stage whose simulator has these options, on a free port.
    pub async fn with(bot: &Bot, options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let simulator = simulator::start(Options { listen, ..options })
            .await
            .unwrap();
        let dingtalk = Dingtalk::new(simulator.address());
        let stage = Self {
            folder,
            simulator,
            dingtalk,
        };
        stage.write(bot);
        stage
    }

    /// Writes another `bot.toml`, and the components that are not there yet.
    pub fn write(&self, bot: &Bot) {
        bot.write(self.folder.path(), self.simulator.address());
    }

    /// A file of the stage.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address of the simulator.
    pub fn simulator(&self) -> SocketAddr {
        self.simulator.address()
    }

    /// Puts bytes in the place of a component in one step, as `cargo xtask plugins` does.
    pub fn replace_component(&self, name: &str, bytes: &[u8]) {
        let file = self.file(&format!("plugins/{name}.wasm"));
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, bytes).unwrap();
        std::fs::rename(fresh, file).unwrap();
    }

    /// Starts a belfry in this process and sends it what DingTalk pushes.
    pub async fn host(&self) -> Hosted {
        let host = Host::start(&self.file("bot.toml")).await.unwrap();
        let doors = Doors::new(host.public, host.admin);
        self.push_to(doors.public);
        Hosted { host, doors }
    }

    /// Starts the real program and sends it what DingTalk pushes.
    pub async fn serve(&self, environment: &[(&str, &str)]) -> Process {
        let process = Process::serve(&self.file("bot.toml"), environment).await;
        self.push_to(process.doors.public);
        process
    }

    /// Makes these third-party apps known to the simulator.
    pub fn suites(&self, suites: Vec<simulator::Suite>) {
        self.simulator.set_suites(suites);
    }

    /// Sends what DingTalk pushes to this address from now on.
    pub fn push_to(&self, public: SocketAddr) {
        self.simulator.set_apps(vec![App {
            name: "acme".to_owned(),
            corp_id: "dingcorp".to_owned(),
            app_key: "dingkey".to_owned(),
            app_secret: APP_SECRET.to_owned(),
            agent_id: 1001,
            robot_code: "dingkey".to_owned(),
            callback: Some(CallbackTarget {
                url: format!("http://{public}/callback/acme"),
                token: CALLBACK_TOKEN.to_owned(),
                aes_key: AES_KEY.to_owned(),
                receive_id: "dingkey".to_owned(),
            }),
            robot_url: Some(format!("http://{public}/robot/acme")),
        }]);
    }
}

impl Hosted {
    /// Stops it in order.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}
