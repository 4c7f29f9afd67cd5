//! A plugin reaches the hosts that it was granted, and nothing else by any way of asking.

use belfry_tests::{Bot, Hosted, ONCALL, Plugin, Stage, Web, run, wait_for, wait_until};
use serde_json::Value;

/// The guest with these entries of `grant.http`.
fn web(http: &str) -> Plugin {
    Plugin::new("web", "web").line(&format!("grant = {{ robot = true, http = [{http}] }}"))
}

/// Sends the guest requests and waits for what it says of the last.
async fn ask(stage: &Stage, requests: &str) -> String {
    let before = stage.dingtalk.answers(ONCALL).await.len();
    stage.dingtalk.say(ONCALL, "alice", requests).await;
    wait_for("the guest answers", async || {
        stage.dingtalk.answers(ONCALL).await.get(before).cloned()
    })
    .await
}

async fn set(http: &str) -> (Stage, Hosted) {
    let stage = Stage::new(&Bot::new().plugin(web(http))).await;
    let belfry = stage.host().await;
    (stage, belfry)
}

#[tokio::test]
async fn a_granted_host_answers() {
    let server = Web::start().await;
    let address = server.address;
    let (stage, _belfry) = set(&format!(
        "{{ host = \"http://{address}\", private = true }}"
    ))
    .await;
    let answer = ask(&stage, &format!("GET http://{address}/hello")).await;
    assert_eq!(answer, "200 5 hello");
    // The body is larger than what waits in the host at one time.
    let answer = ask(&stage, &format!("POST http://{address}/size 300000")).await;
    assert_eq!(answer, "200 6 300000");
    let answer = ask(&stage, &format!("GET http://{address}/nothing")).await;
    assert_eq!(answer, "404 0 ");
    assert_eq!(server.heads().len(), 3);
    assert!(server.heads()[0].contains(&format!("host: {address}\r\n")));
}

#[tokio::test]
async fn what_is_not_granted_is_denied_however_it_is_written() {
    let server = Web::start().await;
    let port = server.address.port();
    let http = format!(
        "\"api.example.com\", \"http://localhost:{port}\", {{ host = \"http://127.0.0.1:1\", private = true }}"
    );
    let (stage, _belfry) = set(&http).await;
    for url in [
        format!("http://127.0.0.1:{port}/hello"),
        format!("http://2130706433:{port}/hello"),
        format!("http://0x7f.1:{port}/hello"),
        format!("http://0177.0.0.1:{port}/hello"),
        format!("http://[::ffff:127.0.0.1]:{port}/hello"),
        format!("http://[::1]:{port}/hello"),
        format!("http://0.0.0.0:{port}/hello"),
        format!("http://api.example.com@127.0.0.1:{port}/hello"),
        format!("http://127.0.0.1:{port}#@api.example.com/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://api.example.com/".to_owned(),
        "https://api.example.com:8443/".to_owned(),
        "https://api.example.com.evil.test/".to_owned(),
        "ftp://api.example.com/".to_owned(),
        // A granted name, but it leads to this machine.
        format!("http://localhost:{port}/hello"),
    ] {
        let answer = ask(&stage, &format!("GET {url}")).await;
        assert!(
            answer.starts_with("Error::Denied(") && answer.contains("belfry.grant"),
            "{url}: {answer}"
        );
    }
    assert_eq!(server.heads(), [""; 0]);
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_not_followed() {
    let (server, inside) = (Web::start().await, Web::start().await);
    let (address, secret) = (server.address, inside.address);
    let (stage, _belfry) = set(&format!(
        "{{ host = \"http://{address}\", private = true }}"
    ))
    .await;
    let answer = ask(
        &stage,
        &format!("GET http://{address}/redirect?http://{secret}/hello"),
    )
    .await;
    assert_eq!(answer, "302 0 ");
    assert_eq!(inside.heads(), [""; 0]);
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked() {
    let (server, proxy) = (Web::start().await, Web::start().await);
    let address = server.address;
    let plugin = web(&format!(
        "{{ host = \"http://{address}\", private = true }}"
    ));
    let stage = Stage::new(&Bot::new().plugin(plugin)).await;
    let url = format!("http://{}", proxy.address);
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
    let environment = names.map(|name| (name, url.as_str()));
    let _belfry = stage.serve(&environment).await;
    let answer = ask(&stage, &format!("GET http://{address}/hello")).await;
    assert_eq!(answer, "200 5 hello");
    assert_eq!(server.heads().len(), 1);
    assert_eq!(proxy.heads(), [""; 0]);
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_too_slow_ends_as_named() {
    let server = Web::start().await;
    let address = server.address;
    let plugin = web(&format!(
        "{{ host = \"http://{address}\", private = true }}"
    ))
    .line("limits = { wall = \"1s\" }");
    let stage = Stage::new(&Bot::new().plugin(plugin)).await;
    let belfry = stage.host().await;
    let answer = ask(&stage, &format!("GET http://{address}/large")).await;
    assert!(
        answer.starts_with("Error::Invalid(") && answer.contains("too large"),
        "{answer}"
    );
    let answer = ask(&stage, &format!("GET http://{address}/drip")).await;
    assert!(
        answer.starts_with("Error::Unavailable(") && answer.contains("took too long"),
        "{answer}"
    );
    // A tenth of the second was left for saying so.
    let deliveries = belfry.doors.deliveries("web").await;
    assert!(deliveries.iter().all(|delivery| delivery["attempts"] != 2));
}

#[tokio::test]
async fn what_requests_may_be_is_a_setting_of_the_plugin() {
    let server = Web::start().await;
    let address = server.address;
    let plugin = web(&format!(
        "{{ host = \"http://{address}\", private = true }}"
    ))
    .line("limits = { http-request = \"2KiB\", http-answer = \"4MiB\", http-answers = \"5MiB\" }");
    let stage = Stage::new(&Bot::new().plugin(plugin)).await;
    let _belfry = stage.host().await;
    let size = format!("http://{address}/size");
    assert_eq!(
        ask(&stage, &format!("POST {size} 2048")).await,
        "200 4 2048"
    );
    let answer = ask(&stage, &format!("POST {size} 100000")).await;
    assert!(
        answer.starts_with("Error::Invalid(") && answer.contains("the request is too large"),
        "{answer}"
    );
    assert_eq!(server.heads().len(), 1, "it never left");
    // What is too large for others is not for this one, once.
    let large = format!("GET http://{address}/large");
    let answer = ask(&stage, &large).await;
    assert!(answer.starts_with("200 4194304 "), "{answer}");
    let answer = ask(&stage, &format!("{large}\n{large}")).await;
    assert!(
        answer.starts_with("Error::Invalid(") && answer.contains("the answer is too large"),
        "{answer}"
    );
}

#[tokio::test]
async fn requests_count_as_host_calls() {
    let server = Web::start().await;
    let address = server.address;
    let plugin = web(&format!(
        "{{ host = \"http://{address}\", private = true }}"
    ))
    .line("limits = { calls = 5 }");
    let stage = Stage::new(&Bot::new().retry("max-attempts = 1").plugin(plugin)).await;
    let belfry = stage.host().await;
    let many = format!("GET http://{address}/hello\n").repeat(6);
    stage.dingtalk.say(ONCALL, "alice", &many).await;
    wait_until("the attempt ends", async || {
        let deliveries = belfry.doors.deliveries("web").await;
        deliveries
            .first()
            .is_some_and(|delivery| delivery["state"] == "dead")
    })
    .await;
    let delivery: Value = belfry.doors.deliveries("web").await.remove(0);
    assert_eq!(delivery["reason"], "too many host calls: limits.calls = 5");
    assert_eq!(server.heads().len(), 5);
}

#[tokio::test]
async fn a_plugin_without_hosts_is_refused_with_the_line_to_add() {
    let bot = Bot::new().plugin(Plugin::new("web", "web").line("grant = { robot = true }"));
    let stage = Stage::new(&bot).await;
    let config = stage.file("bot.toml");
    let checked = run(&["check", "--config", config.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(1));
    let line = "grant = { robot = true, http = [\"api.example.com\"] }";
    assert!(checked.output.contains(line), "{}", checked.output);
    // Pasted as it is, it loads.
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("grant = { robot = true }", line)).unwrap();
    let checked = run(&["check", "--config", config.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.output);
}
