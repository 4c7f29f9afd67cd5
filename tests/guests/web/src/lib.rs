//! Sends requests, one a line (`GET https://…`, `POST https://… body`): those of the message, and answers with what came of
//! the last, status and body or the error. For a message without any it sends those of `config.requests`:
//!
//! | `config.mode` | what it does with the answers |
//! | --- | --- |
//! | `reach` | answers with those that went out |
//! | `insist` | fails with what came of the first that had no answer |
//! | `repeat` | sends them again and again, whatever comes of them |

use belfry_plugin::api::Error;
use belfry_plugin::http::{Method, Request, Response};
use belfry_plugin::prelude::*;

struct Web;

impl Plugin for Web {
    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .on(EventKind::ChatMessage)
    }

    fn handle(event: Event) -> Result<(), Failure> {
        let EventBody::ChatMessage(message) = event.body else {
            return Ok(());
        };
        // Asking for settings counts as a call, so a message with requests is not asked about.
        if message.text.contains("://") {
            reply_text(&last(&message.text))?;
            return Ok(());
        }
        let requests = config::require("requests")?;
        let answer = match config::require("mode")?.as_str() {
            "reach" => reached(&requests),
            "insist" => {
                for line in requests.lines() {
                    request(line).send().map_err(|error| said(&error))?;
                }
                "everything was answered".to_owned()
            }
            "repeat" => loop {
                for line in requests.lines() {
                    let _ = request(line).send();
                }
            },
            other => return Err(Failure::permanent(format!("knows no mode {other:?}"))),
        };
        reply_text(&answer)?;
        Ok(())
    }
}

/// What came of the last.
fn last(requests: &str) -> String {
    let mut answer = String::new();
    for line in requests.lines() {
        answer = match request(line).send() {
            Ok(response) => told(&response),
            Err(error) => format!("{error:?}"),
        };
    }
    answer
}

/// Those that went out, whatever came back. What is denied or no request at all did not.
fn reached(requests: &str) -> String {
    let went_out = |line: &&str| {
        !matches!(
            request(line).send(),
            Err(Error::Denied(_) | Error::Invalid(_))
        )
    };
    let found: Vec<&str> = requests.lines().filter(went_out).collect();
    format!("found {}: {}", found.len(), found.join(", "))
}

/// The code and the reason, without the address, which is another one each time.
fn said(error: &Error) -> Failure {
    let (Error::Denied(detail)
    | Error::Invalid(detail)
    | Error::NotFound(detail)
    | Error::Unavailable(detail)
    | Error::OutcomeUnknown(detail)
    | Error::RateLimited(api::TooMany { detail, .. })) = error;
    let reason = detail.message.split(" (").next().unwrap_or_default();
    Failure::permanent(format!("{}: {reason}", detail.code))
}

fn request(line: &str) -> Request {
    let mut words = line.splitn(3, ' ');
    let method = match words.next() {
        Some("POST") => Method::Post,
        _ => Method::Get,
    };
    let request = Request::new(method, words.next().unwrap_or_default());
    // A number is a body of so many bytes.
    match words.next() {
        Some(body) => match body.parse() {
            Ok(size) => request.body(vec![b'x'; size]),
            Err(_) => request.body(body),
        },
        None => request,
    }
}

fn told(response: &Response) -> String {
    let body = String::from_utf8_lossy(&response.body);
    let begin: String = body.chars().take(100).collect();
    format!("{} {} {begin}", response.status, response.body.len())
}

belfry_plugin::export!(Web);
