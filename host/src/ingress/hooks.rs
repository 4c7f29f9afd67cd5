//! `POST /hooks/{hook}`: alert webhooks.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::body::read_body;
use super::{Arrived, Ingress, MAX_HOOK_BODY, Refused};
use crate::config::Hook;
use crate::event::{Alert, Content, Origin};
use crate::journal::Dedupe;

/// How long the same body counts as the same event: longer than a retry or the second replica of a source takes, shorter
/// than a reminder that an alert still fires.
const SAME_BODY: Duration = Duration::from_secs(600);

pub(super) async fn receive(
    State(ingress): State<Ingress>,
    Path(hook): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match handle(&ingress, &hook, &headers, body).await {
        Ok(()) => "accepted\n".into_response(),
        Err(refused) => refused.answer("hook", &hook),
    }
}

async fn handle(
    ingress: &Ingress,
    name: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), Refused> {
    let active = ingress.snapshot.load();
    let hook = active.hook(name).ok_or(Refused::UnknownHook)?;
    authorize(hook, headers)?;
    let raw = read_body(headers, body, MAX_HOOK_BODY).await?;
    let alert = Alert::parse(&hook.name, hook.kind, &raw)
        .map_err(|error| Refused::Malformed(error.to_string()))?;
    let dedupe = dedupe(hook, headers, &raw);
    let origin = Origin::Hook {
        name: hook.name.clone(),
        kind: hook.kind,
    };
    let arrived = Arrived {
        app: hook.app.clone(),
        origin,
        content: Content::Alert(alert),
        raw,
        dedupe: Some(dedupe),
    };
    ingress.accept(&active, arrived).await?;
    Ok(())
}

fn dedupe(hook: &Hook, headers: &HeaderMap, raw: &str) -> Dedupe {
    if let Some(key) = headers.get("idempotency-key") {
        let digest = Sha256::digest(key.as_bytes());
        return Dedupe {
            key: format!("hook:{}:key:{}", hook.name, hex(&digest)),
            window: None,
        };
    }
    Dedupe {
        key: format!(
            "hook:{}:{}",
            hook.name,
            hex(&Sha256::digest(raw.as_bytes()))
        ),
        window: Some(SAME_BODY),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The token comes as a bearer token or as the password of basic authentication.
fn authorize(hook: &Hook, headers: &HeaderMap) -> Result<(), Refused> {
    let Some(token) = &hook.token else {
        return Ok(());
    };
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(presented);
    // Digests have one length, so that the comparison tells nothing of the token's.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let equal =
        given.is_some_and(|given| bool::from(digest(&given).ct_eq(&digest(token.expose()))));
    if equal {
        Ok(())
    } else {
        Err(Refused::Unauthorized)
    }
}

fn presented(authorization: &str) -> Option<String> {
    let (scheme, rest) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        return Some(pair.split_once(':')?.1.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_from_bearer_and_basic() {
        assert_eq!(presented("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(
            presented("basic dXNlcjpwYTpzcw==").as_deref(),
            Some("pa:ss")
        );
        assert_eq!(presented("Digest abc"), None);
        assert_eq!(presented("Basic !!!"), None);
    }
}
