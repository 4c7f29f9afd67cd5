//! Sends the requests that a message names, one a line (`GET https://…`, `POST https://… body`), and answers with what came
//! of the last: status and body, or the error.

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
        let mut answer = String::new();
        for line in message.text.lines() {
            answer = match request(line).send() {
                Ok(response) => told(&response),
                Err(error) => format!("{error:?}"),
            };
        }
        reply_text(&answer)?;
        Ok(())
    }
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
