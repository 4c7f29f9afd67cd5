//! Pages inside DingTalk: the ticket that signs them, and who opened one.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::invalid;
use crate::error::Effect;
use crate::members::Members;
use crate::{ApiError, ApiStyle, Client, Secret, UnixMs};

/// What DingTalk documents for every ticket, where an answer leaves it out.
const DEFAULT_LIFE: i64 = 7200;

/// The digest of a page's signature. DingTalk's present pages say SHA-256, older ones and older SDKs SHA-1; whether its
/// clients still take both is not documented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PageDigest {
    /// As DingTalk documents it today.
    #[default]
    Sha256,
    /// As older documents have it.
    Sha1,
}

/// What is signed for a page, apart from the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest<'a> {
    /// The address of the page, as the browser shows it.
    pub url: &'a str,
    /// Any text, new for each signature.
    pub nonce: &'a str,
    /// The time, which the page hands to `dd.config` unchanged.
    pub at: UnixMs,
    /// The digest.
    pub digest: PageDigest,
}

/// Who opened a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUser {
    /// The person.
    pub user_id: String,
    /// The person across apps, where DingTalk tells.
    pub union_id: Option<String>,
    /// The person's name.
    pub name: String,
    /// Whether the person administers the organisation.
    pub is_admin: bool,
}

impl Client {
    /// Signs a page for `dd.config`. The ticket is fetched when there is none or it is ageing, by one caller at a time.
    pub async fn sign_page(&self, page: &PageRequest<'_>) -> Result<String, ApiError> {
        let ticket = self.page_ticket().await?;
        Ok(signature(&ticket, page))
    }

    /// Tells who opened a page, by the code that the page got from DingTalk. A code counts once, for five minutes.
    pub async fn page_user(&self, code: &str) -> Result<PageUser, ApiError> {
        if code.is_empty() {
            return Err(invalid("code is empty"));
        }
        // The code is used up by asking, so a lost answer cannot be had again; but nothing else changes.
        match self.style() {
            ApiStyle::Modern => {
                let body = json!({"code": code});
                let path = "/topapi/v2/user/getuserinfo";
                let answer = self.oapi(path, body, Effect::Write).await?;
                user(answer.object("result")?, &answer, ["sys", "unionid"])
            }
            ApiStyle::Legacy => {
                let path = "/user/getuserinfo";
                let answer = self
                    .oapi_get_as(path, &[("code", code)], Effect::Write)
                    .await?;
                user(answer.members(), &answer, ["is_sys", "unionid"])
            }
        }
    }

    async fn page_ticket(&self) -> Result<Secret, ApiError> {
        let fetch = async || self.fetch_page_ticket().await;
        self.inner.page_ticket.get(fetch).await
    }

    async fn fetch_page_ticket(&self) -> Result<(Secret, Duration), ApiError> {
        let (answer, value, life) = match self.style() {
            ApiStyle::Modern => {
                let path = "/v1.0/oauth2/jsapiTickets";
                let answer = self.api(path, &json!({}), Effect::Read).await?;
                (answer, "jsapiTicket", "expireIn")
            }
            ApiStyle::Legacy => {
                let answer = self.oapi_get("/get_jsapi_ticket", &[]).await?;
                (answer, "ticket", "expires_in")
            }
        };
        let ticket = Secret::new(answer.text(value)?);
        let seconds = answer
            .members()
            .integer(life)
            .unwrap_or(DEFAULT_LIFE)
            .max(1);
        Ok((ticket, Duration::from_secs(seconds.unsigned_abs())))
    }
}

fn user(
    members: Members<'_>,
    answer: &Answer,
    [admin, union]: [&str; 2],
) -> Result<PageUser, ApiError> {
    Ok(PageUser {
        user_id: members
            .text("userid")
            .ok_or_else(|| answer.lacks("userid"))?,
        union_id: members.text(union),
        name: members.text("name").unwrap_or_default(),
        is_admin: members.flag(admin).unwrap_or(false),
    })
}

fn signature(ticket: &Secret, page: &PageRequest<'_>) -> String {
    let plain = format!(
        "jsapi_ticket={}&noncestr={}&timestamp={}&url={}",
        ticket.expose(),
        page.nonce,
        page.at.0,
        signed_url(page.url)
    );
    match page.digest {
        PageDigest::Sha256 => hex(&Sha256::digest(plain)),
        PageDigest::Sha1 => hex(&Sha1::digest(plain)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The address as it is signed: without what follows `#`, and with its query decoded once, because some of DingTalk's
/// clients send it encoded and others do not.
fn signed_url(url: &str) -> Cow<'_, str> {
    let url = url.split('#').next().unwrap_or_default();
    match url.split_once('?') {
        Some((page, query)) if query.contains('%') => {
            Cow::Owned(format!("{page}?{}", decoded(query)))
        }
        _ => Cow::Borrowed(url),
    }
}

/// Percent-decoding, which leaves alone what is no escape or would not be text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%').then(|| {
            let digits = tail
                .get(..2)
                .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        });
        match escaped.flatten() {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_that_openssl_makes() {
        // printf 'jsapi_ticket=T&noncestr=N&timestamp=1700000000000&url=https://a.example/p?x=1' | openssl dgst -sha256
        let page = |digest| PageRequest {
            url: "https://a.example/p?x=1#part",
            nonce: "N",
            at: UnixMs(1_700_000_000_000),
            digest,
        };
        let ticket = Secret::new("T");
        assert_eq!(
            signature(&ticket, &page(PageDigest::Sha256)),
            "4418e8110cf149b3b2016cd733d426560b7354964061820e0f0fad25db36d09c"
        );
        assert_eq!(
            signature(&ticket, &page(PageDigest::Sha1)),
            "bd3410a98c87a910d3c3340b464c22a66d78e62b"
        );
    }

    #[test]
    fn the_query_is_signed_decoded_and_the_fragment_is_not_signed() {
        for (url, signed) in [
            ("https://a/p", "https://a/p"),
            ("https://a/p#x?y=%31", "https://a/p"),
            ("https://a/p?q=%E5%80%BC&r=1#f", "https://a/p?q=值&r=1"),
            ("https://a/p?q=%25", "https://a/p?q=%"),
            ("https://a/p?q=%2", "https://a/p?q=%2"),
            ("https://a/p?q=%zz", "https://a/p?q=%zz"),
            ("https://a/p?q=%ff", "https://a/p?q=%ff"),
            ("https://a/%31?q=a", "https://a/%31?q=a"),
        ] {
            assert_eq!(signed_url(url), signed, "{url}");
        }
    }
}
