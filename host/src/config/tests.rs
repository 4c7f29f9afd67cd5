//! The shipped configuration is right, and a wrong one is told in full.

use super::*;

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(text, Path::new("/etc/belfry"), [])
}

#[test]
fn the_shipped_configuration_is_in_order() {
    let config = parse(include_str!("../../../bot.toml")).unwrap();
    assert!(config.warnings.is_empty());
    assert_eq!(config.plugins.len(), 3);
    assert_eq!(config.store.path, Path::new("/etc/belfry/belfry.db"));
    assert_eq!(
        config.plugins[0].component,
        Path::new("/etc/belfry/plugins/echo.wasm")
    );
    assert!(config.plugins[1].grant.approval.covers("PROC-LEAVE"));
    assert!(!config.plugins[1].grant.approval.covers("PROC-1"));
}

#[test]
fn every_problem_is_told_at_once_with_key_and_line() {
    let problems = parse(
        r#"
[server]
listen = "here"
colour = "red"

[store]
url = "postgres:x"

[[app]]
name = "acme"
corp-id = "dingcorp"
app-key = "dingkey"
app-secret = { env = "BELFRY_TEST_NO_SUCH_VARIABLE" }
receive = ["callback", "pigeon"]
callback = { token = "ab", aes-key = "short", receive-ids = ["dingkey"] }

[[app]]
name = "acme"
kind = "isv"

[[plugin]]
name = "a b"
component = "a.wasm"
app = "nobody"
events = ["chat-mesage"]
when = "event."
grant = { chat = "yes", teleport = true }
limits = { memory = "1GiB", cpu = "500", calls = 0 }

[[hook]]
name = "ops"
kind = "pagerduty"
app = "acme"
token = ""
"#,
    )
    .unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let problems = parse("[server]\nlisten = \n[[app]\n").unwrap_err();
    assert!(
        problems.iter().any(|problem| problem.line == Some(2)),
        "{problems:?}"
    );
}

#[test]
fn what_will_surprise_is_warned_about() {
    let config = parse("[gateway]\napp = \"acme\"\n[server]\nadmin = \"0.0.0.0:1\"\n").unwrap();
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(
        told[0].starts_with("line 1: gateway: the gateway is not in this version"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("line 4: server.admin: is not a loopback address"),
        "{told:?}"
    );
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let config = parse(include_str!("../../../bot.toml")).unwrap();
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("a-secret-of-the-simulator")
            && !shown.contains("simulator-token")
            && !shown.contains("abcdefghij")
    );
}

#[test]
fn a_secret_file_lies_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "from a file\n").unwrap();
    let hook = "[[app]]\nname = \"a\"\ncorp-id = \"c\"\napp-key = \"k\"\napp-secret = \"s\"\n\
        [[hook]]\nname = \"h\"\nkind = \"generic\"\napp = \"a\"\ntoken = { file = \"token\" }\n";
    let config = Config::parse(hook, folder.path(), []).unwrap();
    assert_eq!(
        config.hooks[0].token.as_ref().unwrap().expose(),
        "from a file"
    );
}
