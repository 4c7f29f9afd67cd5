//! Durable appends per second through the journal, against raw inserts of the same bytes.
//!
//! 64 producers append an event each and wait until it is on disk. Two yardsticks insert the same bytes with the same
//! pragmas. The one with a goal commits in groups as well: 64 producers hand rows of an id and a blob to one thread, which
//! inserts what waits in one transaction and answers. The other shows the distance to the ground: a loop on one thread that
//! inserts 64 blobs a transaction, with no queue, no producer to wake, no index and nothing to look up.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use belfry::clock;
use belfry::event::{Envelope, Kind, Origin};
use belfry::journal::{Appended, Dedupe, Ending, Journal, NewEvent, SqliteJournal};
use belfry::store::sqlite::Store;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::places::Places;
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};

/// Events that wait for the disk at one time.
const PRODUCERS: u32 = 64;

/// Deliveries that are left open in one turn at most: the journal takes no events when very many are.
const MOST: u32 = 150_000;

/// What the dedupe keys of the events look like.
#[derive(Clone, Copy)]
pub(crate) enum Keys {
    /// As the ids of the events, which ascend.
    Ascending,
    /// As the ids of DingTalk's messages, which do not.
    Random,
}

/// Measures appends per second.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let folder = places.fresh("journal")?;
    let journal = open_journal(&folder.join("journal.db")).await?;
    let group = Arc::new(Group::open(&folder.join("group.db"))?);
    let mut against_group = Vec::new();
    for keys in [Keys::Ascending, Keys::Random] {
        let compared = rounds
            .take(async |side, time| match side {
                Side::Ours => append_and_end(&journal, keys, time).await,
                Side::Yardstick => group_insert(&group, time).await,
            })
            .await?;
        against_group.push(compared);
    }
    let mut raw = Raw::open(&folder.join("raw.db"))?;
    let against_loop = rounds
        .take(async |side, time| match side {
            Side::Ours => append_and_end(&journal, Keys::Ascending, time).await,
            Side::Yardstick => tokio::task::block_in_place(|| raw.insert(time)),
        })
        .await?;
    let goals = [
        ("journal", Goal::RatioAtLeast(0.7)),
        ("journal, random keys", Goal::RatioAtLeast(0.7)),
        ("journal, bare loop", Goal::Shown),
    ];
    let compared = against_group.into_iter().chain([against_loop]);
    Ok(goals
        .into_iter()
        .zip(compared)
        .map(|((name, goal), rounds)| Line::compared(name, Unit::PerSecond, goal, rounds))
        .collect())
}

/// A journal in a file.
pub(crate) async fn open_journal(path: &Path) -> anyhow::Result<Arc<SqliteJournal>> {
    let store = Store::open(path)?;
    Ok(Arc::new(SqliteJournal::open(store).await?))
}

/// Appends for a time, then ends what is open, outside of the time: a turn begins with nothing open, as the life of a journal
/// in which plugins keep up.
pub(crate) async fn append_and_end(
    journal: &Arc<SqliteJournal>,
    keys: Keys,
    time: Duration,
) -> anyhow::Result<f64> {
    let appended = append(journal, keys, time).await?;
    claim_and_finish(journal).await?;
    Ok(appended)
}

async fn append(journal: &Arc<SqliteJournal>, keys: Keys, time: Duration) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut producers = JoinSet::new();
    for producer in 0..PRODUCERS {
        let journal = Arc::clone(journal);
        producers.spawn(async move {
            let mut appended = 0_u32;
            while start.elapsed() < time && appended < MOST / PRODUCERS {
                let event = event(producer, keys);
                let outcome = journal.append(event).await?;
                ensure!(outcome == Appended::New, "an event was taken for another");
                appended += 1;
            }
            Ok((appended, start.elapsed()))
        });
    }
    let (mut appended, mut took) = (0, Duration::ZERO);
    while let Some(ended) = producers.join_next().await {
        let (of_producer, until) = ended??;
        appended += of_producer;
        took = took.max(until);
    }
    Ok(f64::from(appended) / took.as_secs_f64())
}

/// Claims and finishes until nothing is due, 64 at a time. Answers with how many there were.
pub(crate) async fn claim_and_finish(journal: &Arc<SqliteJournal>) -> anyhow::Result<u32> {
    let mut finished = 0;
    let mut running = JoinSet::new();
    loop {
        let free = usize::try_from(PRODUCERS)? * 2 - running.len();
        let claims = journal.claim_due(clock::now(), free.into()).await?;
        for claimed in claims.due {
            let journal = Arc::clone(journal);
            running.spawn(async move {
                let now = clock::now();
                journal.finish(&claimed.id, Ending::Done, now).await
            });
        }
        match running.join_next().await {
            Some(ended) => ended??,
            None => return Ok(finished),
        }
        finished += 1;
        while let Some(ended) = running.try_join_next() {
            ended??;
            finished += 1;
        }
    }
}

/// A chat message with one delivery, as the ingress appends it.
pub(crate) fn event(producer: u32, keys: Keys) -> NewEvent {
    let id = clock::event_id();
    let now = clock::now();
    let raw = format!(
        r#"{{"msgId":"{id}","conversationId":"cid-conversation-{producer}","conversationType":"2","conversationTitle":"Operations","senderStaffId":"alice","senderNick":"Alice","senderCorpId":"dingcorp","isAdmin":false,"robotCode":"dingkey","createAt":{now},"msgtype":"text","text":{{"content":"hello, what is the state of the deployment?"}},"sessionWebhook":"https://oapi.dingtalk.com/robot/sendBySession?session=0123456789abcdef","sessionWebhookExpiredTime":{now}}}"#,
        now = now.0
    );
    NewEvent {
        envelope: Envelope {
            id,
            app: "acme".into(),
            origin: Origin::Robot,
            received_at: now,
            raw: raw.into(),
        },
        kind: Kind::ChatMessage,
        dedupe: Some(Dedupe {
            key: match keys {
                Keys::Ascending => format!("msg:{id}"),
                Keys::Random => format!("msg:{:032x}", u128::from_be_bytes(clock::secret())),
            },
            window: None,
        }),
        // No conversation has thousands of deliveries waiting.
        key: None,
        plugins: vec!["echo".into()],
    }
}

/// A table of ids and blobs behind a thread that commits in groups.
struct Group(mpsc::Sender<Row>);

/// A row, and whom to tell that it is on disk.
struct Row {
    id: String,
    bytes: Vec<u8>,
    written: oneshot::Sender<()>,
}

impl Group {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = open(path)?;
        connection
            .execute_batch("CREATE TABLE raw (id TEXT PRIMARY KEY, bytes BLOB) WITHOUT ROWID")?;
        let (rows, queue) = mpsc::channel(1024);
        std::thread::spawn(move || {
            if let Err(error) = group_commit(&connection, queue) {
                eprintln!("bench: the plain table failed: {error}");
            }
        });
        Ok(Self(rows))
    }
}

fn group_commit(connection: &Connection, mut queue: mpsc::Receiver<Row>) -> rusqlite::Result<()> {
    let mut group = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        group.push(first);
        while let Ok(next) = queue.try_recv() {
            group.push(next);
        }
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut insert = connection.prepare_cached("INSERT INTO raw VALUES (?1, ?2)")?;
        for row in &group {
            insert.execute((&row.id, &row.bytes))?;
        }
        drop(insert);
        connection.execute_batch("COMMIT")?;
        for row in group.drain(..) {
            let _ = row.written.send(());
        }
    }
    Ok(())
}

async fn group_insert(group: &Arc<Group>, time: Duration) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut producers = JoinSet::new();
    for producer in 0..PRODUCERS {
        let group = Arc::clone(group);
        producers.spawn(async move {
            let mut inserted = 0_u32;
            while start.elapsed() < time {
                let event = event(producer, Keys::Ascending);
                let (written, is_written) = oneshot::channel();
                let row = Row {
                    id: event.envelope.id.to_string(),
                    bytes: bytes(&event),
                    written,
                };
                group
                    .0
                    .send(row)
                    .await
                    .ok()
                    .context("the plain table is closed")?;
                is_written.await?;
                inserted += 1;
            }
            anyhow::Ok(inserted)
        });
    }
    let mut inserted = 0;
    while let Some(ended) = producers.join_next().await {
        inserted += ended??;
    }
    Ok(f64::from(inserted) / start.elapsed().as_secs_f64())
}

fn open(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(path).context("cannot open the plain table")?;
    for (pragma, value) in [
        ("journal_mode", "wal"),
        ("synchronous", "full"),
        ("foreign_keys", "on"),
        ("mmap_size", "0"),
    ] {
        connection.pragma_update(None, pragma, value)?;
    }
    Ok(connection)
}

/// A plain table.
struct Raw {
    connection: Connection,
}

impl Raw {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = open(path)?;
        connection.execute_batch("CREATE TABLE raw (seq INTEGER PRIMARY KEY, bytes BLOB)")?;
        Ok(Self { connection })
    }

    fn insert(&mut self, time: Duration) -> anyhow::Result<f64> {
        let start = Instant::now();
        let mut inserted = 0;
        while start.elapsed() < time {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            let mut insert = self
                .connection
                .prepare_cached("INSERT INTO raw (bytes) VALUES (?1)")?;
            for producer in 0..PRODUCERS {
                insert.execute([bytes(&event(producer, Keys::Ascending))])?;
            }
            drop(insert);
            self.connection.execute_batch("COMMIT")?;
            inserted += PRODUCERS;
        }
        Ok(f64::from(inserted) / start.elapsed().as_secs_f64())
    }
}

/// Every text that the journal keeps of an event.
fn bytes(event: &NewEvent) -> Vec<u8> {
    let envelope = &event.envelope;
    let mut bytes = envelope.id.to_string().into_bytes();
    bytes.extend(envelope.app.as_str().as_bytes());
    bytes.extend(event.kind.as_str().as_bytes());
    bytes.extend(envelope.origin.to_text().as_bytes());
    bytes.extend(envelope.received_at.0.to_be_bytes());
    if let Some(dedupe) = &event.dedupe {
        bytes.extend(dedupe.key.as_bytes());
    }
    bytes.extend(envelope.raw.as_bytes());
    bytes.extend(event.key.as_deref().unwrap_or_default().as_bytes());
    for plugin in &event.plugins {
        bytes.extend(plugin.as_str().as_bytes());
    }
    bytes
}
