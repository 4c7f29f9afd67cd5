//! A web server whose paths behave as their names say.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server on loopback; it goes with the story.
///
/// | path | answers |
/// | --- | --- |
/// | `/hello` | `hello` |
/// | `/size` | the size of the request's body |
/// | `/redirect?URL` | 302 to the URL |
/// | `/large` | 4 MiB |
/// | `/late` | the first request after a minute, later ones `late` at once |
/// | `/drip` | a byte every 50 ms, for ever |
/// | `/silence` | nothing, for ever |
#[derive(Debug, Clone)]
pub struct Web {
    /// Its address.
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    files: Arc<Vec<File>>,
}

/// A path, its content type and what is there.
pub type File = (&'static str, &'static str, String);

impl Web {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        Self::serving(Vec::new()).await
    }

    /// Starts one that has these files too.
    pub async fn serving(files: Vec<File>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = Self {
            address: listener.local_addr().unwrap(),
            heads: Arc::default(),
            files: Arc::new(files),
        };
        let server = web.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        web
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.clone()
    }

    async fn serve(self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut text = Vec::new();
        let end = loop {
            if let Some(end) = text.windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut text).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&text[..end]).into_owned();
        self.heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(head.clone());
        let size = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |size| size.parse::<usize>().unwrap());
        while text.len() < end + size {
            if stream.read_buf(&mut text).await? == 0 {
                return Ok(());
            }
        }
        let path = head.split(' ').nth(1).unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let whole = |body: &str| {
            let size = body.len();
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n{body}")
        };
        let file = self.files.iter().find(|(name, ..)| *name == path);
        if let Some((_, kind, text)) = file {
            let size = text.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {size}\r\n\r\n"
            );
            return stream.write_all(format!("{head}{text}").as_bytes()).await;
        }
        let answer = match path {
            "/hello" => whole("hello"),
            "/size" => whole(&size.to_string()),
            "/late" => {
                if self
                    .heads()
                    .iter()
                    .filter(|head| head.contains(" /late"))
                    .count()
                    == 1
                {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                whole("late")
            }
            "/large" => whole(&"x".repeat(4 << 20)),
            "/redirect" => format!(
                "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {query}\r\ncontent-length: 0\r\n\r\n"
            ),
            "/silence" => loop {
                tokio::time::sleep(Duration::from_secs(60)).await;
            },
            "/drip" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    stream.write_all(b"x").await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            _ => "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                .to_owned(),
        };
        stream.write_all(answer.as_bytes()).await
    }
}
