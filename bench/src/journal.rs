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
use belfry::journal::{Appended, Dedupe, Journal, NewEvent, SqliteJournal};
use belfry::store::sqlite::Store;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::places::Places;
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};

/// Events that wait for the disk at one time.
const PRODUCERS: u32 = 64;

/// Measures appends per second.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let folder = places.fresh("journal")?;
    let store = Store::open(&folder.join("journal.db"))?;
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(store).await?);
    let group = Arc::new(Group::open(&folder.join("group.db"))?);
    let against_group = rounds
        .take(async |side, time| match side {
            Side::Ours => append(&journal, time).await,
            Side::Yardstick => group_insert(&group, time).await,
        })
        .await?;
    let mut raw = Raw::open(&folder.join("raw.db"))?;
    let against_loop = rounds
        .take(async |side, time| match side {
            Side::Ours => append(&journal, time).await,
            Side::Yardstick => tokio::task::block_in_place(|| raw.insert(time)),
        })
        .await?;
    let line = |name, goal, rounds| Line::compared(name, Unit::PerSecond, goal, rounds);
    Ok(vec![
        line("journal", Goal::RatioAtLeast(0.7), against_group),
        line("journal, bare loop", Goal::Shown, against_loop),
    ])
}

async fn append(journal: &Arc<dyn Journal>, time: Duration) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut producers = JoinSet::new();
    for producer in 0..PRODUCERS {
        let journal = Arc::clone(journal);
        producers.spawn(async move {
            let mut appended = 0_u32;
            while start.elapsed() < time {
                let event = event(producer);
                let outcome = journal.append(event).await?;
                ensure!(outcome == Appended::New, "an event was taken for another");
                appended += 1;
            }
            Ok(appended)
        });
    }
    let mut appended = 0;
    while let Some(ended) = producers.join_next().await {
        appended += ended??;
    }
    Ok(f64::from(appended) / start.elapsed().as_secs_f64())
}

/// A chat message with one delivery, as the ingress appends it.
fn event(producer: u32) -> NewEvent {
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
            key: format!("msg:{id}"),
            window: None,
        }),
        // Nothing takes deliveries away here, and no conversation has thousands of them waiting.
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
                let event = event(producer);
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
                insert.execute([bytes(&event(producer))])?;
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
