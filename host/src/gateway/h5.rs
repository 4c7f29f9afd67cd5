//! `/h5/config` and `/h5/login`: what a page inside DingTalk needs from its server.
//!
//! Whoever holds a signature can use the app's rights in DingTalk's client, so only pages that `bot.toml` names get one,
//! and browsers are told so: a page from elsewhere cannot read the answers. An app that talks to a simulator on this
//! machine and names no pages signs for all, because nothing is to be gained there.

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use dingtalk::PageRequest;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use url::{Host, Url, form_urlencoded};

use super::Gateway;
use super::answer::{Answer, Refused};
use crate::active::{Active, App};
use crate::clock;
use crate::config::H5;
use crate::ingress::body::read_body;

/// Bytes of a login.
const MAX_BODY: usize = 8 << 10;
/// Bytes of an address.
const MAX_URL: usize = 4 << 10;

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/h5/config", get(config))
        .route("/h5/login", any(login))
}

async fn config(
    State(gateway): State<Gateway>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let active = gateway.snapshot.load();
    let of = |name: &str| in_query(query.as_deref(), name);
    let (app, url) = (of("app"), of("url"));
    let answer = match sign(&active, &headers, app.as_deref(), url.as_deref()).await {
        Ok(answer) => answer,
        Err(refused) => refused.answer(),
    };
    told("h5.config", &answer);
    shared(answer, &active, app.as_deref(), &headers)
}

async fn sign(
    active: &Active,
    headers: &HeaderMap,
    app: Option<&str>,
    url: Option<&str>,
) -> Result<Answer, Refused> {
    let app = app_of(active, app)?;
    let url = url.filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| missing("url"))?;
    if url.len() > MAX_URL {
        return Err(Refused::Page("url is longer than 4096 bytes"));
    }
    let page = Url::parse(url).map_err(|_| Refused::Page("url is not an address"))?;
    if !is_ours(app, &page) {
        return Err(Refused::Page(
            "url is not below one of the addresses in h5.pages of the app in bot.toml, so it gets no signature",
        ));
    }
    allowed_origin(app, headers)?;
    let request = PageRequest {
        url,
        nonce: &clock::nonce(),
        at: clock::now(),
        digest: app.settings.h5.digest,
    };
    let signature = match app.client.sign_page(&request).await {
        Ok(signature) => signature,
        Err(error) => return Ok(Answer::of(Err(error))),
    };
    Ok(Answer::plain(json!({
        "success": true,
        "agentId": app.settings.agent_id,
        "corpId": app.settings.corp_id,
        // A text, as in DingTalk's own samples: the page must hand over just what was signed.
        "timeStamp": request.at.0.to_string(),
        "nonceStr": request.nonce,
        "signature": signature,
    })))
}

async fn login(
    State(gateway): State<Gateway>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let active = gateway.snapshot.load();
    if method == Method::OPTIONS {
        return preflight(&active, &headers);
    }
    let mut app = None;
    let answer = if method == Method::POST {
        match who(&active, &headers, body, &mut app).await {
            Ok(answer) => answer,
            Err(refused) => refused.answer(),
        }
    } else {
        Refused::Method(false).answer()
    };
    told("h5.login", &answer);
    shared(answer, &active, app.as_deref(), &headers)
}

async fn who(
    active: &Active,
    headers: &HeaderMap,
    body: Body,
    name: &mut Option<String>,
) -> Result<Answer, Refused> {
    let text = read_body(headers, body, MAX_BODY).await?;
    let login: Value = serde_json::from_str(&text).map_err(|_| Refused::NotAnObject)?;
    let of = |member: &str| login[member].as_str().map(str::to_owned);
    *name = of("app");
    let app = app_of(active, name.as_deref())?;
    allowed_origin(app, headers)?;
    let code = of("code").filter(|code| !code.trim().is_empty());
    let code = code.ok_or_else(|| missing("code"))?;
    Ok(match app.client.page_user(&code).await {
        Ok(user) => Answer::plain(json!({
            "success": true,
            "userid": user.user_id,
            "unionid": user.union_id,
            "name": user.name,
            "isAdmin": user.is_admin,
        })),
        Err(error) => Answer::of(Err(error)),
    })
}

fn missing(name: &str) -> Refused {
    Refused::Argument(dingtalk::catalog::ArgumentError::Missing(name.to_owned()))
}

fn told(way: &'static str, answer: &Answer) {
    tracing::info!(
        way,
        status = answer.status.as_u16(),
        errcode = answer.code.as_deref(),
        "page served"
    );
}

fn in_query(query: Option<&str>, name: &str) -> Option<String> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

/// The named app; the only one where none is named.
fn app_of<'a>(active: &'a Active, name: Option<&str>) -> Result<&'a App, Refused> {
    let mut apps = active.apps.values();
    let app = match (
        name.filter(|name| !name.is_empty()),
        apps.next(),
        apps.next(),
    ) {
        (Some(name), ..) => active.app(name),
        (None, only, None) => only,
        (None, ..) => return Err(missing("app")),
    };
    app.map(AsRef::as_ref).ok_or(Refused::NoApp)
}

/// Whether a page is one of the app's.
fn is_ours(app: &App, page: &Url) -> bool {
    let H5 { pages, .. } = &app.settings.h5;
    matches!(page.scheme(), "http" | "https")
        && (pages.iter().any(|ours| is_below(ours, page)) || signs_for_all(app))
}

fn is_below(ours: &Url, page: &Url) -> bool {
    let path = ours.path().trim_end_matches('/');
    let rest = page.path().strip_prefix(path);
    ours.origin() == page.origin()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether there is nothing to protect: no pages are named and DingTalk is a simulator on this machine.
fn signs_for_all(app: &App) -> bool {
    let is_here = |base: &Option<Url>| match base.as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let settings = &app.settings;
    settings.h5.pages.is_empty() && is_here(&settings.oapi_base) && is_here(&settings.api_base)
}

/// A browser says which page asks. Nothing but a browser does, and what is no browser could say anything.
fn allowed_origin(app: &App, headers: &HeaderMap) -> Result<(), Refused> {
    match headers.get(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if is_origin_of(app, origin) => Ok(()),
        Some(_) => Err(Refused::Page(
            "the page that asks is not at one of the addresses in h5.pages of the app in bot.toml",
        )),
    }
}

fn is_origin_of(app: &App, origin: &HeaderValue) -> bool {
    let origin = origin.to_str().ok().and_then(|text| Url::parse(text).ok());
    origin.is_some_and(|origin| {
        let pages = &app.settings.h5.pages;
        pages.iter().any(|page| page.origin() == origin.origin()) || signs_for_all(app)
    })
}

/// Lets a page read its answer, if it is one of the app's.
fn shared(answer: Answer, active: &Active, app: Option<&str>, headers: &HeaderMap) -> Response {
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("Origin"));
    if let (Ok(app), Some(origin)) = (app_of(active, app), headers.get(header::ORIGIN))
        && is_origin_of(app, origin)
    {
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}

/// Answers a browser that asks whether a page may send JSON here. It does not say for which app, so any app's pages may.
fn preflight(active: &Active, headers: &HeaderMap) -> Response {
    let origin = headers.get(header::ORIGIN);
    let known = origin.filter(|origin| active.apps.values().any(|app| is_origin_of(app, origin)));
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answers = response.headers_mut();
    answers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = known {
        answers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("POST"),
        );
        answers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("content-type"),
        );
        answers.insert(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static("600"),
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_below_an_address_by_whole_parts_of_its_path() {
        let ours = Url::parse("https://pages.example.com/app/").unwrap();
        for (page, is_below_it) in [
            ("https://pages.example.com/app/", true),
            ("https://pages.example.com/app", true),
            ("https://pages.example.com:443/app/x?y#z", true),
            ("https://pages.example.com/apple", false),
            ("https://pages.example.com/app/../other", false),
            ("https://pages.example.com/", false),
            ("http://pages.example.com/app/", false),
            ("https://pages.example.com:8443/app/", false),
            ("https://pages.example.com.evil.example/app/", false),
            ("https://pages.example.com@evil.example/app/", false),
        ] {
            assert_eq!(
                is_below(&ours, &Url::parse(page).unwrap()),
                is_below_it,
                "{page}"
            );
        }
    }
}
