//! What people see in a browser: the sample page inside DingTalk, and the page of the simulator.

use belfry_tests::{Bot, Browser, ONCALL, Plugin, Stage, Web, wait_for};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const TICKETS: &str = "/v1.0/oauth2/jsapiTickets";

/// The page, or a word that there is nothing to show it in.
#[allow(clippy::print_stdout, reason = "what was skipped must be seen")]
async fn open(url: &str) -> Option<Browser> {
    let browser = Browser::open(url).await;
    if browser.is_none() {
        println!(
            "SKIPPED: there is no Chromium (Debian: apt-get install chromium; or BELFRY_CHROMIUM)"
        );
    }
    browser
}

/// A server with the sample page, beside a stub of DingTalk's JavaScript that gives this code.
async fn sample_page(code: &str) -> Web {
    let page = include_str!("../../docs/samples/h5.html");
    let stub = include_str!("dingtalk_stub.js").replace("\"CODE\"", &json!(code).to_string());
    Web::serving(vec![
        ("/app/h5.html", "text/html", page.to_owned()),
        ("/app/dingtalk.open.js", "text/javascript", stub),
        // Browsers ask for it unasked.
        ("/favicon.ico", "image/x-icon", String::new()),
    ])
    .await
}

#[tokio::test]
async fn the_sample_page_signs_itself_in_and_learns_who_opened_it() {
    let stage = Stage::new(&Bot::new()).await;
    // DingTalk knows the app before belfry is there.
    stage.push_to(([127, 0, 0, 1], 9).into());
    let code = json!({"app": "acme", "userid": "alice"});
    let code = stage.dingtalk.post("codes", code).await;
    let web = sample_page(code["code"].as_str().unwrap()).await;
    let pages = format!("h5 = {{ pages = [\"http://{}/app/\"] }}", web.address);
    stage.write(&Bot::new().app(&pages));
    let belfry = stage.host().await;
    let query = format!("?belfry=http://{}", belfry.doors.public);
    let url = format!("http://{}/app/h5.html{query}", web.address);

    let Some(mut browser) = open(&format!("{url}#part")).await else {
        return;
    };
    browser.shows("#who", "林爱丽 (alice)").await;
    let told = browser.evaluate("window.configured").await;
    assert_eq!(browser.close().await, Vec::<String>::new());

    let tickets = stage.dingtalk.calls(TICKETS).await;
    let ticket = tickets[0]["response"]["jsapiTicket"].as_str().unwrap();
    let plain = format!(
        "jsapi_ticket={ticket}&noncestr={}&timestamp={}&url={url}",
        told["nonceStr"].as_str().unwrap(),
        told["timeStamp"].as_str().unwrap()
    );
    let digest = Sha256::digest(&plain);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(told["signature"], digest, "{plain}");
    let logins = stage.dingtalk.calls("/topapi/v2/user/getuserinfo").await;
    assert_eq!(logins.len(), 1);
    assert_eq!(logins[0]["response"]["result"]["userid"], "alice");

    // The same page at another origin, which is not among those of the app.
    let url = format!("http://localhost:{}/app/h5.html{query}", web.address.port());
    let mut browser = open(&url).await.unwrap();
    browser.shows("#who", "Failed to fetch").await;
    browser.close().await;
    assert_eq!(stage.dingtalk.calls(TICKETS).await.len(), 1);
    belfry.stop().await;
}

#[tokio::test]
async fn a_member_writes_on_the_page_and_sees_what_the_plugin_answers() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::echo())).await;
    let belfry = stage.host().await;
    let Some(mut browser) = open(&format!("http://{}/", stage.simulator())).await else {
        return;
    };
    browser.click(".group-row", "值班群").await;
    browser.choose("#writer", "alice").await;
    browser.write("#text", "早上好 <b>大家</b>").await;
    browser.press_enter().await;
    // What people write is text and never markup.
    browser
        .shows(".message.user .bubble", "早上好 <b>大家</b>")
        .await;
    browser
        .shows(".message.robot .bubble", "早上好 <b>大家</b>")
        .await;
    browser.shows(".message.user .name", "林爱丽").await;
    assert_eq!(browser.close().await, Vec::<String>::new());

    let answers = stage.dingtalk.answers(ONCALL).await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    let groups = stage.dingtalk.groups().await;
    let oncall = groups.iter().find(|group| group["id"] == ONCALL).unwrap();
    assert_eq!(oncall["messages"][0]["sender"]["id"], "alice");
    belfry.stop().await;
}

#[tokio::test]
async fn an_approval_is_started_and_agreed_to_on_the_page() {
    let stage = Stage::new(&Bot::new().plugin(Plugin::approvals())).await;
    let belfry = stage.host().await;
    let url = format!("http://{}/#approvals", stage.simulator());
    let Some(mut browser) = open(&url).await else {
        return;
    };
    browser.write("[data-field='请假天数']", "2").await;
    browser.write("[data-field='请假事由']", "看牙").await;
    browser.click(".approvals form button", "提交").await;
    browser.shows(".approval .facts", "看牙").await;
    browser.shows(".approval .pill", "审批中").await;
    browser.write(".decision input", "好").await;
    browser.click(".decision .agree", "同意").await;
    browser.shows(".approval .pill", "已同意").await;
    browser.shows(".approval .remark", "好").await;
    assert_eq!(browser.close().await, Vec::<String>::new());

    let approvals: Value = stage.dingtalk.get("approvals").await;
    assert_eq!(approvals[0]["result"], "agree");
    let id = approvals[0]["id"].as_str().unwrap();
    wait_for("the plugin tells the group", async || {
        let answers = stage.dingtalk.answers(ONCALL).await;
        answers.into_iter().find(|text| text.contains(id))
    })
    .await;
    belfry.stop().await;
}
