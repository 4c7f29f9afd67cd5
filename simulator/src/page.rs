//! Serves the group-chat page, which the binary carries.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::state::Shared;

include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// `/` and every file of the page, under its name and under `/page/`.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    let mut router = Router::new().route("/", get(async || file("index.html")));
    if !FILES.iter().any(|(name, _)| *name == "favicon.ico") {
        // Browsers ask for it unasked, and it must not look like an API call.
        router = router.route("/favicon.ico", get(async || StatusCode::NO_CONTENT));
    }
    for (name, _) in FILES {
        let serve = async || file(name);
        router = router
            .route(&format!("/{name}"), get(serve))
            .route(&format!("/page/{name}"), get(serve));
    }
    router
}

fn file(name: &str) -> Response {
    match FILES.iter().find(|(file, _)| *file == name) {
        Some((_, bytes)) => {
            let headers = [
                (CONTENT_TYPE, content_type(name)),
                (CACHE_CONTROL, "no-cache"),
            ];
            (headers, *bytes).into_response()
        }
        None => (StatusCode::NOT_FOUND, "this build carries no page").into_response(),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_has_a_content_type() {
        for (name, _) in FILES {
            assert_ne!(content_type(name), "application/octet-stream", "{name}");
        }
    }
}
