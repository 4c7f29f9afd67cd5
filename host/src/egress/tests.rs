//! The client against a server that answers as each test wants.
#![allow(clippy::disallowed_methods)]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A server that reads one head per connection and sends the pieces with a pause after each; tells what it read.
async fn server(
    pieces: &'static [&'static str],
    pause: Duration,
) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hears) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                let mut buffer = [0; 4096];
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(read) if read > 0 => head.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
                let _ = heard.send(String::from_utf8_lossy(&head).into_owned());
                for piece in pieces {
                    if stream.write_all(piece.as_bytes()).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
            });
        }
    });
    (address, hears)
}

fn client(to: SocketAddr) -> Client {
    let grant = Destination::parse(&format!("http://{to}"), None, true).unwrap();
    Client::new(&[grant], 16).unwrap()
}

fn allowance() -> Allowance {
    Allowance {
        deadline: Instant::now() + Duration::from_secs(10),
        head: None,
        pause: None,
        max_body: 1000,
    }
}

async fn get(client: &Client, url: &str, allowance: Allowance) -> Result<Response, EgressError> {
    let (scheme, authority) = url.split_once("://").unwrap();
    let request = Request {
        method: Method::GET,
        target: client.admit(scheme, authority)?,
        path: "/path?query".to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    client.exchange(request, allowance).await
}

const OK: &[&str] = &["HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: a=b\r\n\r\nok"];

#[tokio::test]
async fn a_request_is_answered_and_says_where_it_goes() {
    let (address, mut heard) = server(OK, Duration::ZERO).await;
    let answer = get(&client(address), &format!("http://{address}"), allowance())
        .await
        .unwrap();
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"ok"[..]));
    let head = heard.recv().await.unwrap();
    assert_eq!(
        head,
        format!("GET /path?query HTTP/1.1\r\nhost: {address}\r\n\r\n")
    );
}

#[tokio::test]
async fn headers_of_the_connection_are_not_the_plugins_to_set() {
    let (address, mut heard) = server(OK, Duration::ZERO).await;
    let client = client(address);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "metadata.internal"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "dropped"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
        ("upgrade", "h2c"),
        ("proxy-authorization", "Basic x"),
        ("te", "trailers"),
        ("expect", "100-continue"),
        ("authorization", "Bearer mine"),
        ("x-kept", "yes"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    let request = Request {
        method: Method::POST,
        target: client.admit("http", &address.to_string()).unwrap(),
        path: "/".to_owned(),
        headers,
        body: "abc".into(),
    };
    client.exchange(request, allowance()).await.unwrap();
    let head = heard.recv().await.unwrap();
    let mut lines: Vec<&str> = head.trim_end().lines().skip(1).collect();
    lines.retain(|line| !["", "abc"].contains(line));
    lines.sort_unstable();
    let host = format!("host: {address}");
    let expected = [
        "authorization: Bearer mine",
        "content-length: 3",
        &host,
        "x-kept: yes",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn tunnels_and_traces_are_not_sent() {
    let (address, mut heard) = server(OK, Duration::ZERO).await;
    let client = client(address);
    for method in [Method::CONNECT, Method::TRACE] {
        let request = Request {
            method,
            target: client.admit("http", &address.to_string()).unwrap(),
            path: "/".to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let answer = client.exchange(request, allowance()).await;
        assert!(matches!(answer, Err(EgressError::Request)), "{answer:?}");
    }
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn a_redirect_is_given_back_and_not_followed() {
    let (private, mut reached) = server(OK, Duration::ZERO).await;
    let location =
        format!("HTTP/1.1 302 Found\r\nlocation: http://{private}/\r\ncontent-length: 0\r\n\r\n");
    let pieces: &'static [&'static str] = Box::leak(Box::new([&*location.leak()]));
    let (address, _heard) = server(pieces, Duration::ZERO).await;
    let answer = get(&client(address), &format!("http://{address}"), allowance())
        .await
        .unwrap();
    assert_eq!(answer.status.as_u16(), 302);
    assert!(answer.headers.contains_key("location"));
    assert!(reached.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_larger_than_it_may_be_is_not_read_on() {
    let told = &["HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n"];
    let untold = &[
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n",
        include_str!("../egress.rs"),
    ];
    let endless = &["HTTP/1.1 200 OK\r\n\r\n", include_str!("../egress.rs")];
    for pieces in [&told[..], &untold[..], &endless[..]] {
        let (address, _heard) = server(pieces, Duration::ZERO).await;
        let answer = get(&client(address), &format!("http://{address}"), allowance()).await;
        assert!(
            matches!(answer, Err(EgressError::TooLarge(1000))),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_host_that_drips_is_given_up_at_the_deadline() {
    let drops = &[
        "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n",
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
        "i",
    ];
    let (address, _heard) = server(drops, Duration::from_millis(100)).await;
    let begun = Instant::now();
    let allowance = Allowance {
        deadline: begun + Duration::from_millis(300),
        ..allowance()
    };
    let answer = get(&client(address), &format!("http://{address}"), allowance).await;
    assert!(matches!(answer, Err(EgressError::Timeout)), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_plugin_can_be_less_patient_than_its_deadline() {
    let silent: &[&str] = &[""];
    let halting = &["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", "a"];
    for pieces in [silent, halting] {
        let (address, _heard) = server(pieces, Duration::from_secs(60)).await;
        let begun = Instant::now();
        let allowance = Allowance {
            head: Some(Duration::from_millis(200)),
            pause: Some(Duration::from_millis(200)),
            ..allowance()
        };
        let answer = get(&client(address), &format!("http://{address}"), allowance).await;
        assert!(matches!(answer, Err(EgressError::Timeout)), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_not_connected_to() {
    let (address, mut heard) = server(OK, Duration::ZERO).await;
    let port = address.port();
    let grant = |is_private| {
        let entry = format!("http://localhost:{port}");
        Client::new(&[Destination::parse(&entry, None, is_private).unwrap()], 16).unwrap()
    };
    let url = format!("http://localhost:{port}");
    let answer = get(&grant(false), &url, allowance()).await;
    assert!(
        matches!(answer, Err(EgressError::Refused(Refusal::OutOfReach(..)))),
        "{answer:?}"
    );
    assert!(heard.try_recv().is_err());
    assert!(get(&grant(true), &url, allowance()).await.is_ok());
}

#[tokio::test]
async fn the_connector_asks_the_grant_again() {
    let (address, mut heard) = server(OK, Duration::ZERO).await;
    let elsewhere = "http://127.0.0.1:1".to_owned();
    let client = client(address);
    // A target that another client admitted.
    let other = Client::new(&[Destination::parse(&elsewhere, None, true).unwrap()], 16).unwrap();
    let request = Request {
        method: Method::GET,
        target: other.admit("http", "127.0.0.1:1").unwrap(),
        path: "/".to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let answer = client.exchange(request, allowance()).await;
    assert!(
        matches!(answer, Err(EgressError::Refused(Refusal::NotGranted(_)))),
        "{answer:?}"
    );
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn what_is_no_answer_is_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    let answer = get(&client(nobody), &format!("http://{nobody}"), allowance()).await;
    assert!(matches!(answer, Err(EgressError::Connect(_))), "{answer:?}");

    let (address, _heard) = server(&["SSH-2.0-OpenSSH\r\n"], Duration::ZERO).await;
    let answer = get(&client(address), &format!("http://{address}"), allowance()).await;
    assert!(matches!(answer, Err(EgressError::Answer(_))), "{answer:?}");

    let (address, _heard) = server(
        &["HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
        Duration::ZERO,
    )
    .await;
    let answer = get(&client(address), &format!("http://{address}"), allowance()).await;
    assert!(matches!(answer, Err(EgressError::Answer(_))), "{answer:?}");

    // Somebody who speaks no TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"220 mail.example ESMTP\r\n")
            .await
            .unwrap();
    });
    let grant = Destination::parse(&address.to_string(), None, true).unwrap();
    let secure = Client::new(&[grant], 16).unwrap();
    let answer = get(&secure, &format!("https://{address}"), allowance()).await;
    assert!(matches!(answer, Err(EgressError::Tls(_))), "{answer:?}");

    let grant = "http://no-such-host.invalid".parse().unwrap();
    let nowhere = Client::new(&[grant], 16).unwrap();
    let answer = get(&nowhere, "http://no-such-host.invalid", allowance()).await;
    assert!(matches!(answer, Err(EgressError::Name)), "{answer:?}");
}
