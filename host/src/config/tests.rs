//! The shipped configuration is right, and a wrong one is told in full.

use std::num::NonZeroU32;

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
fn an_app_keeps_the_documented_pace_unless_it_says_otherwise() {
    let pace = |lines: &str| {
        let text = format!(
            "[[app]]\nname = \"acme\"\ncorp-id = \"c\"\napp-key = \"k\"\napp-secret = \"s\"\n{lines}"
        );
        parse(&text).map(|config| config.apps[0].pace)
    };
    let of = |calls, robot| (NonZeroU32::new(calls), NonZeroU32::new(robot));
    let shown = |lines: &str| {
        let pace = pace(lines).unwrap();
        (pace.calls, pace.robot)
    };
    assert_eq!(shown(""), of(20, 20));
    assert_eq!(shown("oapi-base = \"http://127.0.0.1:8790\""), of(20, 0));
    assert_eq!(shown("pace = { calls = 0 }"), of(0, 20));
    let simulated = "oapi-base = \"http://127.0.0.1:8790\"\npace = { calls = 60, robot = 5 }";
    assert_eq!(shown(simulated), of(60, 5));
    for (wrong, key) in [
        ("pace = { calls = -1 }", "app.acme.pace.calls"),
        ("pace = { patience = \"2m\" }", "app.acme.pace.patience"),
        ("pace = { speed = 1 }", "app.acme.pace.speed"),
    ] {
        let problems = pace(wrong).unwrap_err();
        assert_eq!(problems[0].key, key);
    }
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
fn a_third_party_app_has_a_suite_and_no_organisation_of_its_own() {
    let keys = r#"token = "token123", aes-key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG""#;
    let text = format!(
        "[[app]]\nname = \"v\"\nkind = \"isv\"\nsuite-key = \"k\"\nsuite-secret = \"s\"\nreceive = [\"callback\"]\ncallback = {{ {keys} }}\n"
    );
    let app = parse(&text).unwrap().apps.remove(0);
    assert_eq!((app.kind, app.app_key.as_str()), (AppKind::Isv, "k"));
    assert_eq!(app.callback.unwrap().receive_ids, ["k"]);

    let told = |text: &str| {
        let problems = parse(text).unwrap_err();
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    };
    let mixed = told(
        "[[app]]\nname = \"v\"\nkind = \"isv\"\nsuite-key = \"k\"\nsuite-secret = \"s\"\napp-key = \"a\"\ncorp-id = \"c\"\n",
    );
    assert!(
        mixed.contains("app-key: does not belong to an app of this kind; it has suite-key"),
        "{mixed}"
    );
    assert!(
        mixed.contains("corp-id: does not belong to a third-party app"),
        "{mixed}"
    );
    let internal = told(
        "[[app]]\nname = \"v\"\nsuite-secret = \"s\"\napp-key = \"a\"\napp-secret = \"s\"\ncorp-id = \"c\"\n",
    );
    assert!(
        internal.contains("suite-secret: does not belong"),
        "{internal}"
    );
    assert!(told("[[app]]\nname = \"v\"\nkind = \"other\"\n").contains("kind: must be"));
}

#[test]
fn a_plugin_that_no_event_reaches_is_told_so() {
    let app = "[[app]]\nname = \"acme\"\ncorp-id = \"c\"\napp-key = \"k\"\napp-secret = \"s\"\n";
    for events in ["", "events = []\n"] {
        let plugin = "[[plugin]]\nname = \"a\"\ncomponent = \"a.wasm\"\napp = \"acme\"\n";
        let problems = parse(&format!("{app}{plugin}{events}")).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            matches!(&told[..], [told] if told.contains("plugin.a.events: names no event")),
            "{told:?}"
        );
    }
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
    let app = "[[app]]\nname = \"acme\"\ncorp-id = \"c\"\napp-key = \"k\"\napp-secret = \"s\"\n";
    let text = format!("[gateway]\napp = \"acme\"\n[server]\nadmin = \"0.0.0.0:1\"\n{app}");
    let config = parse(&text).unwrap();
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(
        told[0].starts_with("line 1: gateway.key: is missing, so nobody can call the gateway"),
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

#[test]
fn rules_are_read_and_wrong_ones_told() {
    let text = |keys: &str| {
        format!(
            "[[app]]\nname = \"a\"\ncorp-id = \"c\"\napp-key = \"k\"\napp-secret = \"s\"\n\
             [[plugin]]\nname = \"p\"\napp = \"a\"\ncomponent = \"p.wasm\"\nevents = [\"alert\"]\n{keys}\n"
        )
    };
    let keys = "order = -5\nenabled = false\nactive = { days = \"mon-fri\", hours = \"22:00-06:00\", zone = \"Europe/Berlin\" }";
    let plugin = &parse(&text(keys)).unwrap().plugins[0];
    assert_eq!((plugin.order, plugin.enabled), (-5, false));
    assert_eq!(
        plugin.hours.as_ref().unwrap().to_string(),
        "mon,tue,wed,thu,fri 22:00-06:00 Europe/Berlin"
    );
    for (keys, told) in [
        ("order = 1001", "plugin.p.order: must be between"),
        (
            "enabled = \"no\"",
            "plugin.p.enabled: must be true or false",
        ),
        ("active = {}", "plugin.p.active: must name `days`, `hours`"),
        (
            "active = { days = \"monday\" }",
            "plugin.p.active.days: must be days such as",
        ),
        (
            "active = { hours = \"9-18\" }",
            "plugin.p.active.hours: must be hours such as",
        ),
        (
            "active = { hours = \"09:00-18:00\", zone = \"Here\" }",
            "plugin.p.active.zone: must be a zone",
        ),
        (
            "active = { hours = \"09:00-18:00\", tz = \"Here\" }",
            "plugin.p.active.tz: is not a key",
        ),
    ] {
        let problems = parse(&text(keys)).unwrap_err();
        let told_all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            told_all.len() == 1 && told_all[0].contains(told),
            "{keys}: {told_all:?}"
        );
    }
}

#[test]
fn what_needs_a_restart_is_named_by_its_key() {
    let old = parse("[server]\ndrain = \"20s\"").unwrap();
    let new = parse(
        "[server]\nlisten = \"127.0.0.1:1\"\ndrain = \"5s\"\n[store]\nurl = \"sqlite:other.db\"\n\
         [engine]\nmax-concurrent = 8\n[retry]\nmax-attempts = 2",
    )
    .unwrap();
    assert_eq!(
        old.restart_needed(&new),
        [
            "server.listen changed from \"127.0.0.1:8700\" to \"127.0.0.1:1\"",
            "server.drain changed from 20s to 5s",
            "store.url changed from \"/etc/belfry/belfry.db\" to \"/etc/belfry/other.db\"",
            "engine.max-concurrent changed from 64 to 8",
            "engine.cache changed from \"/etc/belfry/belfry.cache\" to \"/etc/belfry/other.cache\"",
            "retry.max-attempts changed from 5 to 2",
        ]
    );
    assert!(old.restart_needed(&old).is_empty());
}

#[test]
fn a_corp_secret_takes_the_place_of_an_apps_keys() {
    use dingtalk::{ApiStyle, KeyKind};

    let of = |lines: &str| {
        parse(&format!(
            "[[app]]\nname = \"acme\"\ncorp-id = \"dingcorp\"\ncorp-secret = \"s\"\n{lines}"
        ))
    };
    let config = of("").unwrap();
    let app = &config.apps[0];
    assert_eq!(
        (app.keys, app.app_key.as_str(), app.api),
        (KeyKind::Corp, "dingcorp", ApiStyle::Legacy)
    );
    for (lines, key) in [
        ("app-key = \"k\"", "app.acme.app-key"),
        ("api = \"modern\"", "app.acme.api"),
    ] {
        let problems = of(lines).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].key, key);
    }
}
