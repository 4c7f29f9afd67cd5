//! Plugins in every language: the same sample does the same, and a folder just made answers as it is.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use belfry_tests::components::is_quick;
use belfry_tests::{
    Bot, Dingtalk, ONCALL, PATIENCE, Plugin, Process, Stage, components, wait_as_long_as, wait_for,
    wait_until,
};
use serde_json::{Value, json};

#[tokio::test]
async fn the_sample_in_rust_greets_counts_and_asks_for_an_approval() {
    sample("hello").await;
}

#[tokio::test]
async fn the_sample_in_c_greets_counts_and_asks_for_an_approval() {
    sample("hello-c").await;
}

#[tokio::test]
async fn the_sample_in_go_greets_counts_and_asks_for_an_approval() {
    sample("hello-go").await;
}

#[tokio::test]
async fn the_sample_in_javascript_greets_counts_and_asks_for_an_approval() {
    sample("hello-js").await;
}

#[tokio::test]
async fn the_sample_in_typescript_greets_counts_and_asks_for_an_approval() {
    sample("hello-ts").await;
}

#[tokio::test]
async fn the_sample_in_python_greets_counts_and_asks_for_an_approval() {
    if !is_quick() {
        sample("hello-py").await;
    }
}

#[tokio::test]
async fn a_new_plugin_in_rust_builds_and_answers_as_it_is() {
    scaffold("rust").await;
}

#[tokio::test]
async fn a_new_plugin_in_c_builds_and_answers_as_it_is() {
    scaffold("c").await;
}

#[tokio::test]
async fn a_new_plugin_in_go_builds_and_answers_as_it_is() {
    scaffold("go").await;
}

#[tokio::test]
async fn a_new_plugin_in_javascript_builds_and_answers_as_it_is() {
    scaffold("js").await;
}

#[tokio::test]
async fn a_new_plugin_in_typescript_builds_and_answers_as_it_is() {
    scaffold("ts").await;
}

#[tokio::test]
async fn a_new_plugin_in_python_builds_and_answers_as_it_is() {
    if !is_quick() {
        scaffold("python").await;
    }
}

#[tokio::test]
async fn dev_builds_a_new_folder_and_again_whenever_it_is_saved() {
    let shop = Workshop::new();
    // Where there is no bot yet, the first plugin gets one.
    let made = shop.make("c", "on-call").await;
    assert!(!made.contains("[[plugin]]"), "{made}");
    let bot = shop.move_ports();
    let file = shop.parent().join("on-call/answer.c");
    let dev = shop.dev().await;
    shop.answers("Hello, ").await;
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text.replace("Hello, ", "Good day, ");
    std::fs::write(&file, &changed).unwrap();
    shop.answers("Good day, ").await;

    // What does not compile changes nothing, and the next save that does is taken.
    std::fs::write(&file, format!("{changed}\nthis is no C\n")).unwrap();
    wait_until("the mistake is told", async || {
        (dev.log() + &dev.output()).contains("this is no C")
    })
    .await;
    shop.answers("Good day, ").await;
    std::fs::write(&file, text).unwrap();
    shop.answers("Hello, ").await;

    // A second one, as it was printed; nobody builds it but `dev`.
    let made = shop.make("c", "second").await;
    std::fs::write(shop.config(), format!("{bot}\n{}\n", table(&made))).unwrap();
    wait_until("the second plugin is loaded", async || {
        let plugins = dev.doors.get("/api/plugins").await;
        plugins["plugins"][1]["name"] == "second"
    })
    .await;
}

#[tokio::test]
async fn dev_builds_a_saved_plugin_in_rust_again() {
    saved("rust", "src/lib.rs").await;
}

#[tokio::test]
async fn dev_builds_a_saved_plugin_in_go_again() {
    saved("go", "answer/answer.go").await;
}

#[tokio::test]
async fn dev_builds_a_saved_plugin_in_javascript_again() {
    saved("js", "answer.js").await;
}

#[tokio::test]
async fn dev_builds_a_saved_plugin_in_typescript_again() {
    saved("ts", "answer.ts").await;
}

#[tokio::test]
async fn dev_builds_a_saved_plugin_in_python_again() {
    if !is_quick() {
        saved("python", "answer.py").await;
    }
}

/// A folder for plugins, and the simulator that `belfry dev` will start for them.
struct Workshop {
    folder: tempfile::TempDir,
    simulator: SocketAddr,
    dingtalk: Dingtalk,
}

impl Workshop {
    fn new() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let simulator = free.local_addr().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            simulator,
            dingtalk: Dingtalk::new(simulator),
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("bot.toml")
    }

    fn parent(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Makes a plugin and answers with what was printed.
    async fn make(&self, language: &str, name: &str) -> String {
        let (parent, config) = (text_of(&self.parent()), text_of(&self.config()));
        let place = ["--in", &parent, "--config", &config];
        belfry(&[&["plugin", "new", "--lang", language, name], &place[..]].concat()).await
    }

    /// Gives the bot other ports than people use; answers with its text.
    fn move_ports(&self) -> String {
        let bot = std::fs::read_to_string(self.config()).unwrap();
        let bot = bot.replace("127.0.0.1:8790", &self.simulator.to_string());
        let bot = bot.replace("127.0.0.1:8700", "127.0.0.1:0");
        let bot = bot.replace("127.0.0.1:8701", "127.0.0.1:0");
        std::fs::write(self.config(), &bot).unwrap();
        bot
    }

    /// Starts `belfry dev` and waits until the simulator knows it.
    async fn dev(&self) -> Process {
        let target = text_of(&cargo_target());
        let environment = [("CARGO_TARGET_DIR", target.as_str())];
        let dev = Process::dev(&self.config(), self.simulator, &environment).await;
        wait_until("the simulator knows the app's address", async || {
            !self.dingtalk.get("apps").await[0]["robotUrl"].is_null()
        })
        .await;
        dev
    }

    /// Asks the plugin until the answer is the right one: a build and a compilation take their time.
    async fn answers(&self, begin: &str) {
        let what = format!("the plugin answers {begin:?}");
        wait_as_long_as(PATIENCE * 5, &what, async || {
            self.dingtalk.say(ONCALL, "alice", "@acme /on-call").await;
            let answers = self.dingtalk.answers(ONCALL).await;
            answers.last()?.starts_with(begin).then_some(())
        })
        .await;
    }
}

/// A plugin that runs is changed in this file.
async fn saved(language: &str, file: &str) {
    let shop = Workshop::new();
    shop.make(language, "on-call").await;
    shop.move_ports();
    let folder = shop.parent().join("on-call");
    // The first build of a language takes longer than a story waits.
    belfry(&["plugin", "build", &text_of(&folder)]).await;
    let _dev = shop.dev().await;
    shop.answers("Hello, ").await;
    let file = folder.join(file);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("Hello, ", "Good day, ")).unwrap();
    shop.answers("Good day, ").await;
}

/// What plugins/hello/README.md promises of the sample, in whatever language.
async fn sample(component: &str) {
    let plugin = |name: &str, process: &str| {
        Plugin::new(name, component)
            .line("grant = { robot = true, kv = true, approval = [\"PROC-1\"] }")
            .line(&format!("config = {{ {process} }}"))
    };
    let stage = Stage::new(&Bot::new().plugin(plugin(component, "process = \"PROC-1\""))).await;
    let belfry = stage.host().await;

    let plugins = belfry.doors.get("/api/plugins").await;
    assert_eq!(plugins["plugins"][0]["version"], "0.1.0", "{plugins}");

    for (number, sender) in [(1, "alice"), (2, "alice"), (3, "bob")] {
        stage.dingtalk.say(ONCALL, sender, "@acme /hello").await;
        let answer = wait_for("the greeting comes", async || {
            let answers = stage.dingtalk.answers(ONCALL).await;
            answers.get(number - 1).cloned()
        })
        .await;
        let wanted = format!(", number {number}");
        assert!(
            answer.starts_with("hello, ") && answer.ends_with(&wanted),
            "{component} said {answer:?} to {sender}"
        );
    }

    stage
        .dingtalk
        .say(ONCALL, "alice", "@acme good morning")
        .await;
    stage
        .dingtalk
        .say(ONCALL, "alice", "@acme /hello leave")
        .await;
    let instance = wait_for("the approval is started", async || {
        stage.dingtalk.get("approvals").await.get(0).cloned()
    })
    .await;
    assert_eq!(instance["originator"], "alice", "{instance}");
    assert_eq!(instance["processCode"], "PROC-1", "{instance}");
    assert!(instance.to_string().contains("\"hello\""), "{instance}");
    let id = instance["id"].as_str().unwrap();
    wait_until("the asker learns the instance", async || {
        let answers = stage.dingtalk.answers(ONCALL).await;
        answers[3..] == [format!("approval {id} is on its way")]
    })
    .await;

    // Without a process the same request is over at once, with the reason in the operator's words.
    stage.write(&Bot::new().plugin(plugin(component, "")));
    let (status, report) = belfry.doors.reload().await;
    assert_eq!(status, 200, "{report}");
    stage
        .dingtalk
        .say(ONCALL, "alice", "@acme /hello leave")
        .await;
    wait_until("the delivery is given up", async || {
        let deliveries = belfry.doors.deliveries(component).await;
        deliveries[0]["state"] == "dead"
    })
    .await;
    let delivery = &belfry.doors.deliveries(component).await[0];
    assert_eq!(delivery["attempts"], 1, "{delivery}");
    let reason = delivery["reason"].as_str().unwrap();
    assert!(reason.contains("config `process` is missing"), "{reason}");
    belfry.stop().await;
}

/// `plugin new`, `plugin build`, the printed lines in bot.toml, an answer, and the folder's own test.
async fn scaffold(language: &str) {
    let stage = Stage::new(&Bot::new()).await;
    let config = stage.file("bot.toml");
    let parent = stage.file("plugins");
    let folder = parent.join("on-call");
    let (config_text, parent) = (text_of(&config), text_of(&parent));
    let made = belfry(&[
        "plugin",
        "new",
        "--lang",
        language,
        "on-call",
        "--in",
        &parent,
        "--config",
        &config_text,
    ])
    .await;
    let built = belfry(&["plugin", "build", &text_of(&folder), "--output", "json"]).await;
    let built: Value = serde_json::from_str(&built).unwrap();
    assert_eq!(built[0]["changed"], json!(true), "{built}");

    let table = table(&made);
    let bot = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{bot}\n{table}\n")).unwrap();
    let host = stage.host().await;
    stage.dingtalk.say(ONCALL, "alice", "@acme /on-call").await;
    let answer = wait_for("the new plugin answers", async || {
        stage.dingtalk.answers(ONCALL).await.first().cloned()
    })
    .await;
    assert!(answer.starts_with("Hello, "), "{answer}");
    host.stop().await;

    let line = made.lines().find(|line| line.contains("# its test"));
    let line = line.unwrap().split('#').next().unwrap().trim();
    // Where a test needs a build, it calls belfry by its name.
    let belfry = components::belfry();
    let mut path = vec![belfry.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let mut test = tokio::process::Command::new("sh");
    test.args(["-c", line])
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("CARGO_TARGET_DIR", cargo_target());
    let tested = test.output().await.unwrap();
    assert!(
        tested.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&tested.stderr)
    );
}

/// Exactly what `plugin new` printed for bot.toml.
fn table(made: &str) -> &str {
    let start = made.find("[[plugin]]").unwrap();
    made[start..].split("\n\n").next().unwrap()
}

/// Runs the program, which must succeed, and returns what it printed. A compiler may take a minute.
async fn belfry(arguments: &[&str]) -> String {
    let mut command = tokio::process::Command::new(components::belfry());
    command
        .args(arguments)
        .env("CARGO_TARGET_DIR", cargo_target());
    let ended = command.kill_on_drop(true).output().await.unwrap();
    assert!(
        ended.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    String::from_utf8(ended.stdout).unwrap()
}

/// Crates are compiled here, so that what they depend on is compiled once.
fn cargo_target() -> PathBuf {
    components::cache().join("new-plugins")
}

fn text_of(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
