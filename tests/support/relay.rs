//! Stands between the simulator and belfry and keeps what belfry answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A relay of bytes, one connection for each that comes in.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    answers: Arc<Mutex<Vec<u8>>>,
}

impl Relay {
    /// Starts to relay to an address, from tasks of the running tokio runtime.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            answers: Arc::default(),
        };
        let answers = Arc::clone(&relay.answers);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target, Arc::clone(&answers)));
            }
        });
        relay
    }

    /// What the target answered since the last call, heads included.
    pub fn take_answers(&self) -> String {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&std::mem::take(&mut *answers)).into_owned()
    }
}

async fn carry(client: TcpStream, target: SocketAddr, answers: Arc<Mutex<Vec<u8>>>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = tokio::io::copy(&mut from_client, &mut to_server);
    let back = async {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            let bytes = &buffer[..count];
            answers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            if to_client.write_all(bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { _ = there => {}, () = back => {} }
}
