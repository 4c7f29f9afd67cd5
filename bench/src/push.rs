//! Pushes robot messages to a host, as DingTalk does, and waits for what the plugins answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use belfry::clock;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::settings::{APP, APP_SECRET};
use crate::upstream::{Calls, Upstream};

/// How long an answer may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// One sender with one message on its way at a time, in a conversation of its own.
pub(crate) struct Pusher {
    number: usize,
    sent: u64,
    upstream: SocketAddr,
    calls: Calls,
    /// Calls that each message leads to.
    answers: usize,
    /// From push to the last answer, for each message since [`latencies`] took them.
    took: Vec<Duration>,
}

/// How long pushers go on.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// For a time.
    Elapsed(Duration),
    /// For so many messages each.
    Sent(u64),
}

/// When a steady pusher sends.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// The first message.
    pub(crate) start: Instant,
    /// Between two messages.
    pub(crate) every: Duration,
    /// No message at or after this.
    pub(crate) end: Instant,
}

/// What became of one message.
pub(crate) struct Sample {
    /// When it was to leave.
    pub(crate) at: Instant,
    /// Until its answer was recorded; `None` when there was none.
    pub(crate) took: Option<Duration>,
    /// Answers to something else that came in its place.
    pub(crate) strange: usize,
}

impl Pusher {
    /// One pusher for each receiver of an upstream.
    pub(crate) fn all(upstream: &Upstream, calls: Vec<Calls>, answers: usize) -> Vec<Self> {
        let address = upstream.address();
        calls
            .into_iter()
            .enumerate()
            .map(|(number, calls)| Self {
                number,
                sent: 0,
                upstream: address,
                calls,
                answers,
                took: Vec::new(),
            })
            .collect()
    }

    /// Pushes to `host`; each message waits until the answers to the one before were recorded. Says how many.
    async fn push(&mut self, host: SocketAddr, until: Until) -> anyhow::Result<u64> {
        let mut connection = Connection::open(host).await?;
        let start = Instant::now();
        let mut done = 0;
        while match until {
            Until::Elapsed(time) => start.elapsed() < time,
            Until::Sent(count) => done < count,
        } {
            let text = format!("message {} of {}", self.sent, self.number);
            self.sent += 1;
            let pushed = Instant::now();
            connection.push(&self.message(&text)).await?;
            for _ in 0..self.answers {
                let call = tokio::time::timeout(PATIENCE, self.calls.recv())
                    .await
                    .context("a message was not answered in time")?
                    .context("the upstream went away")?;
                let said = std::str::from_utf8(&call)?;
                ensure!(
                    said.contains(&text),
                    "a message was answered with other words"
                );
            }
            self.took.push(pushed.elapsed());
            done += 1;
        }
        Ok(done)
    }

    /// Pushes at a steady pace from `start` to `end`, whatever the host does. Times count from the moment at which a message
    /// was to leave, so that a pause of the host cannot hide what would have come meanwhile.
    pub(crate) async fn push_steadily(
        &mut self,
        host: SocketAddr,
        pace: Pace,
    ) -> anyhow::Result<Vec<Sample>> {
        let mut connection = Connection::open(host).await?;
        let mut samples = Vec::new();
        let mut at = pace.start;
        while at < pace.end {
            tokio::time::sleep_until(at.into()).await;
            let text = format!("message {} of {}.", self.sent, self.number);
            self.sent += 1;
            connection.push(&self.message(&text)).await?;
            let mut sample = Sample {
                at,
                took: None,
                strange: 0,
            };
            let wait = tokio::time::timeout(PATIENCE, self.calls.recv());
            if let Ok(Some(call)) = wait.await {
                if std::str::from_utf8(&call)?.contains(&text) {
                    sample.took = Some(at.elapsed());
                } else {
                    sample.strange += 1;
                }
            }
            samples.push(sample);
            at += pace.every;
        }
        Ok(samples)
    }

    /// Calls that nobody waited for.
    pub(crate) fn left_over(&mut self) -> usize {
        std::iter::from_fn(|| self.calls.try_recv().ok()).count()
    }

    fn message<'a>(&self, text: &'a str) -> Message<'a> {
        Message {
            conversation: format!("cid-conversation-{}", self.number),
            text,
            webhook: Upstream::webhook(self.upstream, self.number),
        }
    }
}

/// Lets all pushers push to a host at the same time. Says how many messages were answered per second.
pub(crate) async fn push_all(
    pushers: &mut Vec<Pusher>,
    host: SocketAddr,
    until: Until,
) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for mut pusher in pushers.drain(..) {
        running.spawn(async move {
            let done = pusher.push(host, until).await;
            (pusher, done)
        });
    }
    let mut all = 0;
    while let Some(ended) = running.join_next().await {
        let (pusher, done) = ended?;
        pushers.push(pusher);
        all += done?;
    }
    #[allow(clippy::cast_precision_loss)]
    Ok(all as f64 / start.elapsed().as_secs_f64())
}

/// What the pushers' messages took since the last call, in ascending order.
pub(crate) fn latencies(pushers: &mut [Pusher]) -> Vec<Duration> {
    let mut took: Vec<Duration> = pushers
        .iter_mut()
        .flat_map(|pusher| std::mem::take(&mut pusher.took))
        .collect();
    took.sort();
    took
}

/// Pushes messages of fixed words one after another, `pause` apart, and waits for no answer, until it is dropped.
pub(crate) async fn push_words(
    host: SocketAddr,
    upstream: SocketAddr,
    words: &[String],
    pause: Duration,
) -> anyhow::Result<()> {
    let mut connection = Connection::open(host).await?;
    for (sent, text) in words.iter().cycle().enumerate() {
        let message = Message {
            conversation: format!("cid-words-{sent}"),
            text,
            // No pusher listens there.
            webhook: Upstream::webhook(upstream, usize::MAX),
        };
        connection.push(&message).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// How long messages are pushed whose acknowledgement is all that is waited for.
#[derive(Clone, Copy)]
pub(crate) enum Acks {
    /// For a time.
    For(Duration),
    /// So many in all.
    Count(usize),
}

/// Pushes messages, each in a conversation of its own and so many at one time, and waits for no answer of a plugin. Says how
/// long each took to be acknowledged.
pub(crate) async fn push_for_acks(
    host: SocketAddr,
    senders: usize,
    acks: Acks,
) -> anyhow::Result<Vec<Duration>> {
    let start = Instant::now();
    let left = Arc::new(AtomicUsize::new(match acks {
        Acks::For(_) => usize::MAX,
        Acks::Count(count) => count,
    }));
    let mut running = JoinSet::new();
    for _ in 0..senders {
        let left = Arc::clone(&left);
        running.spawn(async move {
            let mut connection = Connection::open(host).await?;
            let mut took = Vec::new();
            let take = |left: usize| left.checked_sub(1);
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
            {
                if let Acks::For(time) = acks
                    && start.elapsed() >= time
                {
                    break;
                }
                let message = Message {
                    conversation: format!("cid-ack-{}", clock::event_id()),
                    text: "hello, what is the state of the deployment?",
                    webhook: String::new(),
                };
                let request = connection.request(&message)?;
                let pushed = Instant::now();
                connection.send(request).await?;
                took.push(pushed.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    let mut all = Vec::new();
    while let Some(ended) = running.join_next().await {
        all.extend(ended??);
    }
    Ok(all)
}

/// A message to the robot.
struct Message<'a> {
    conversation: String,
    text: &'a str,
    webhook: String,
}

impl Message<'_> {
    fn json(&self) -> String {
        let now = clock::now().0;
        serde_json::json!({
            "msgId": format!("msg-{}", clock::event_id()),
            "conversationId": self.conversation,
            "conversationType": "2",
            "conversationTitle": "Operations",
            "senderStaffId": "alice",
            "senderNick": "Alice",
            "senderCorpId": "dingcorp",
            "isAdmin": false,
            "robotCode": "dingkey",
            "chatbotUserId": "robot",
            "atUsers": [{"dingtalkId": "robot"}],
            "createAt": now,
            "msgtype": "text",
            "text": {"content": self.text},
            "sessionWebhook": self.webhook,
            "sessionWebhookExpiredTime": now + 5_400_000,
        })
        .to_string()
    }
}

/// A connection to a host, over which one message goes after another.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    timestamp: String,
    sign: String,
}

impl Connection {
    async fn open(host: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host)
            .await
            .context("cannot connect to the host")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends when the sender is dropped.
        tokio::spawn(connection);
        let timestamp = clock::now().0.to_string();
        let sign = sign(&timestamp);
        Ok(Self {
            sender,
            timestamp,
            sign,
        })
    }

    /// Pushes a message and waits until it is acknowledged.
    async fn push(&mut self, message: &Message<'_>) -> anyhow::Result<()> {
        self.send(self.request(message)?).await
    }

    fn request(&self, message: &Message<'_>) -> anyhow::Result<Request<Full<Bytes>>> {
        Ok(Request::post(format!("/robot/{APP}"))
            .header("host", "belfry")
            .header("content-type", "application/json")
            .header("timestamp", &self.timestamp)
            .header("sign", &self.sign)
            .body(Full::new(Bytes::from(message.json())))?)
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<()> {
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        ensure!(
            status.is_success(),
            "the host answered a message with {status}"
        );
        Ok(())
    }
}

/// The header `sign` of a robot's push.
fn sign(timestamp: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(APP_SECRET.as_bytes())
        .expect("hmac takes keys of any length");
    mac.update(format!("{timestamp}\n{APP_SECRET}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_signed_as_the_host_wants_it() {
        let now = clock::now();
        let timestamp = now.0.to_string();
        let checked = dingtalk::verify_sign(APP_SECRET, &timestamp, &sign(&timestamp), now);
        assert!(checked.is_ok());
    }
}
