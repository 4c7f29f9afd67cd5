//! `docs/api-coverage.md` says what there is: its rows are made here, from the table of APIs, the sources and a running
//! simulator. `BELFRY_COVERAGE=write` writes the file.

use std::fs;
use std::path::{Path, PathBuf};

use belfry::function::Function;
use belfry_tests::{Bot, Stage};
use dingtalk::ApiStyle;
use dingtalk::catalog::{self, Api, Call, Manner, Verb};
use serde_json::{Value, json};

/// What an API is besides its call.
pub(crate) struct Typed {
    pub(crate) api: &'static str,
    /// Functions of the client, without their `Client::`.
    client: &'static [&'static str],
    /// Functions of the host.
    pub(crate) host: &'static [&'static str],
}

const fn typed(
    api: &'static str,
    client: &'static [&'static str],
    host: &'static [&'static str],
) -> Typed {
    Typed { api, client, host }
}

pub(crate) const TYPED: &[Typed] = &[
    typed("user.get", &["user"], &["contacts.get-user"]),
    typed("user.list-ids", &["user_ids"], &["contacts.list-user-ids"]),
    typed("user.list", &["users"], &["contacts.list-users"]),
    typed(
        "user.by-unionid",
        &["user_by_union_id"],
        &["contacts.find-by-union-id"],
    ),
    typed(
        "user.by-mobile",
        &["user_by_mobile"],
        &["contacts.find-by-mobile"],
    ),
    typed("user.count", &["headcount"], &["contacts.count-users"]),
    typed(
        "user.parent-departments",
        &["paths_of_user"],
        &["contacts.list-paths-of-user"],
    ),
    typed(
        "department.list-ids",
        &["department_ids"],
        &["contacts.list-department-ids"],
    ),
    typed(
        "department.list",
        &["departments"],
        &["contacts.list-departments"],
    ),
    typed(
        "department.get",
        &["department"],
        &["contacts.get-department"],
    ),
    typed(
        "department.parents",
        &["path_of_department"],
        &["contacts.get-path"],
    ),
    typed("auth.scopes", &["contacts_scope"], &["contacts.get-scope"]),
    typed("notice.send", &["notice_send"], &["notice.send"]),
    typed(
        "notice.progress",
        &["notice_progress"],
        &["notice.progress"],
    ),
    typed("notice.outcome", &["notice_outcome"], &["notice.outcome"]),
    typed("notice.recall", &["notice_recall"], &["notice.recall"]),
    typed(
        "notice.status-bar",
        &["notice_status_bar"],
        &["notice.update-status-bar"],
    ),
    typed("chat.create", &["chat_create"], &["chat.create"]),
    typed("chat.update", &["chat_update"], &["chat.update"]),
    typed("chat.get", &["chat_get"], &["chat.get"]),
    typed("chat.send", &["chat_send"], &["chat.send"]),
    typed("chat.readers", &["chat_readers"], &["chat.readers"]),
    typed(
        "scene-group.create",
        &["scene_create"],
        &["chat.create-scene"],
    ),
    typed(
        "scene-group.update",
        &["scene_update"],
        &["chat.update-scene"],
    ),
    typed(
        "scene-group.add-members",
        &["scene_add"],
        &["chat.add-scene-members"],
    ),
    typed(
        "scene-group.remove-members",
        &["scene_remove"],
        &["chat.remove-scene-members"],
    ),
    typed(
        "scene-group.members",
        &["scene_list_members"],
        &["chat.scene-members"],
    ),
    typed("scene-group.send", &["scene_send"], &["chat.send-scene"]),
    typed(
        "notice.send-template",
        &["notice_send_template"],
        &["notice.send-template"],
    ),
    typed("robot.send-group", &["robot_send_group"], &["robot.send"]),
    typed(
        "robot.query-group",
        &["robot_group_state"],
        &["robot.state"],
    ),
    typed(
        "robot.recall-group",
        &["robot_recall_group"],
        &["robot.recall"],
    ),
    typed(
        "robot.send-users",
        &["robot_send_people"],
        &["robot.send-people"],
    ),
    typed(
        "robot.query-users",
        &["robot_people_state"],
        &["robot.people-state"],
    ),
    typed(
        "robot.recall-users",
        &["robot_recall_people"],
        &["robot.recall-people"],
    ),
    typed(
        "approval.create",
        &["approval_create"],
        &["approval.create"],
    ),
    typed(
        "approval.get",
        &["approval_get"],
        &["approval.get", "approval.history"],
    ),
    typed(
        "approval.list-ids",
        &["approval_list_ids"],
        &["approval.list-ids"],
    ),
    typed(
        "approval.terminate",
        &["approval_terminate"],
        &["approval.terminate"],
    ),
    typed(
        "approval.execute",
        &["approval_execute"],
        &["approval.execute", "approval.execute-with-files"],
    ),
    typed(
        "approval.redirect",
        &["approval_redirect"],
        &["approval.redirect"],
    ),
    typed(
        "approval.comment",
        &["approval_comment"],
        &["approval.comment", "approval.comment-with-files"],
    ),
    typed(
        "approval.template-by-name",
        &["approval_template"],
        &["approval.find-template"],
    ),
    typed(
        "approval.form-schema",
        &["approval_form", "approval_check"],
        &["approval.get-form", "approval.check"],
    ),
    typed(
        "approval.templates",
        &["approval_templates"],
        &["approval.list-templates"],
    ),
    typed(
        "approval.todo-count",
        &["approval_count_pending"],
        &["approval.count-pending"],
    ),
    typed(
        "approval.file-url",
        &["approval_file"],
        &["approval.attachment-link"],
    ),
    typed(
        "approval.space",
        &["approval_space"],
        &["approval.attachment-space"],
    ),
    typed(
        "approval.allow-download",
        &["approval_allow_download"],
        &["approval.allow-download"],
    ),
    typed("callback.register", &["callback_register"], &[]),
    typed("callback.update", &["callback_update"], &[]),
    typed("callback.get", &["callback_get"], &[]),
    typed("callback.delete", &["callback_delete"], &[]),
    typed("callback.failed", &["callback_failed"], &[]),
    typed("media.upload", &["media_upload"], &["media.upload"]),
    typed(
        "media.download",
        &["robot_file_url", "robot_file"],
        &["media.download-url", "media.download"],
    ),
    typed("h5.ticket", &["sign_page"], &[]),
    typed("h5.user", &["page_user"], &[]),
    typed("isv.auth-info", &["auth_info", "raw_auth_info"], &[]),
    typed("isv.permanent-code", &["permanent_code"], &[]),
    typed("isv.activate", &["activate"], &[]),
];

/// What the gateway serves to pages, under paths of their own.
const PAGES: &[(&str, &str)] = &[("h5.ticket", "/h5/config"), ("h5.user", "/h5/login")];

/// The test that makes every call with plain arguments.
const RAW: &str = "every_raw_call_of_the_catalogue_leaves_as_its_row_says";
/// The test that serves every name of the gateway.
const GATEWAY: &str = "every_name_of_the_gateway_reaches_its_call";

const HEAD: &str = "# Which APIs of DingTalk belfry knows

Made by the test `the_table_of_apis_is_what_there_is` (`tests/e2e/coverage.rs`), which fails when this table differs from the sources: the rows are those of `dingtalk/src/catalog`, every function that is named exists, a simulator was asked whether it has the path, and every test that is named is there. The tests run in `cargo xtask test`; *raw* is `every_raw_call_of_the_catalogue_leaves_as_its_row_says`, which makes each call against a server that compares method, path and arguments; *typed* are the tests in `dingtalk/tests/client` that call the function; *tokens* are those in `dingtalk/tests/client/tokens.rs`; *isv* are the stories in `tests/e2e/isv.rs`; *gateway* are the stories in `tests/e2e/gateway/`; *browser* are those in `tests/e2e/browser.rs`.

`belfry call NAME` makes any call but those marked *not raw*, one marked *with `--file`* with a file, and `belfry call NAME --list` shows its arguments. The second line of a row is the newer of two calls; an app's `api` chooses.

| API | call | client | host function | gateway | simulator | tests |
| --- | --- | --- | --- | --- | --- | --- |
";

#[tokio::test]
async fn the_table_of_apis_is_what_there_is() {
    let stage = Stage::new(&Bot::new()).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let client = sources(&root.join("dingtalk/src/client"));
    let tests = sources(&root.join("dingtalk/tests/client"));
    assert!(tests.contains(&format!("fn {RAW}(")));
    let stories = sources(&root.join("tests/e2e"));
    assert!(stories.contains(&format!("fn {GATEWAY}(")));
    let mut table = HEAD.to_owned();
    for row in TYPED {
        assert!(catalog::find(row.api).is_some(), "{} is no API", row.api);
    }
    for api in catalog::apis() {
        let typed = TYPED.iter().find(|row| row.api == api.name);
        for (index, style) in [ApiStyle::Legacy, ApiStyle::Modern].into_iter().enumerate() {
            let Some(call) = api.styled(style) else {
                continue;
            };
            let is_first = index == 0 || api.styled(ApiStyle::Legacy).is_none();
            let is_simulated = simulated(stage.simulator(), call).await;
            table.push_str(&line(
                api,
                call,
                typed,
                is_first,
                is_simulated,
                &client,
                &tests,
            ));
        }
    }
    let file = root.join("docs/api-coverage.md");
    if std::env::var("BELFRY_COVERAGE").is_ok_and(|value| value == "write") {
        fs::write(&file, &table).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == table,
        "docs/api-coverage.md is not what there is; write it with BELFRY_COVERAGE=write cargo test -p belfry-tests the_table_of_apis"
    );
}

fn line(
    api: &Api,
    call: &Call,
    typed: Option<&Typed>,
    is_first: bool,
    is_simulated: bool,
    client: &str,
    tests: &str,
) -> String {
    let mut functions = Vec::new();
    let mut shown = Vec::new();
    let raw = call.manner == Manner::Token;
    if raw {
        shown.push("raw");
    }
    for name in typed.map(|typed| typed.client).unwrap_or_default() {
        assert!(
            client.contains(&format!("pub async fn {name}(")),
            "Client::{name} is not there"
        );
        assert!(
            tests.contains(&format!(".{name}(")),
            "Client::{name} has no test"
        );
        functions.push(format!("`{name}`"));
    }
    let hosts: Vec<String> = typed
        .map(|typed| typed.host)
        .unwrap_or_default()
        .iter()
        .map(|name| {
            assert!(
                Function::from_name(name).is_some(),
                "{name} is no host function"
            );
            format!("`{name}`")
        })
        .collect();
    match call.manner {
        Manner::Credentials => shown.push("tokens"),
        Manner::Suite => shown.push("isv"),
        Manner::Token | Manner::Upload(_) => {}
    }
    if typed.is_some() {
        shown.push("typed");
    }
    if api.gateway.is_some() && is_first {
        shown.push("gateway");
    }
    if PAGES.iter().any(|(name, _)| *name == api.name) {
        shown.push("browser");
    }
    assert!(!shown.is_empty(), "{} has no test", api.name);
    let verb = match call.verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
    };
    let name = if is_first {
        let mark = match call.manner {
            Manner::Token => "",
            Manner::Upload(_) => " *with `--file`*",
            Manner::Credentials | Manner::Suite => " *not raw*",
        };
        format!("`{}`{mark}", api.name)
    } else {
        String::new()
    };
    let page = PAGES.iter().find(|(name, _)| *name == api.name);
    let gateway = api
        .gateway
        .filter(|_| is_first)
        .or(page.map(|(_, path)| *path));
    format!(
        "| {name} | {verb} `{}` | {} | {} | {} | {} | {} |\n",
        call.path,
        functions.join(", "),
        hosts.join(", "),
        gateway.map(|name| format!("`{name}`")).unwrap_or_default(),
        if is_simulated { "yes" } else { "no" },
        shown.join(", "),
    )
}

/// Whether the simulator knows a path: without a token it complains of that, and not of the path.
async fn simulated(address: std::net::SocketAddr, call: &Call) -> bool {
    let url = format!("http://{address}{}", call.path);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = match call.verb {
        Verb::Get => http.get(url),
        Verb::Post => http.post(url).json(&json!({})),
    };
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let is_unknown = answer["errcode"] == 404
        || answer["errcode"] == 22
        || answer["code"] == "InvalidAction.NotFound";
    !is_unknown
}

/// All Rust sources below a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    // `client.rs` stands beside `client/`.
    text.push_str(&fs::read_to_string(folder.with_extension("rs")).unwrap_or_default());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}
