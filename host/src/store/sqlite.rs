//! One writer thread with group commit, and a few readers.
//!
//! Every write is a job for the writer. It runs all jobs that arrived during the previous sync in one transaction and
//! answers them after the commit. **Invariant:** a job is answered with success only when its transaction is on disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::OpenFlags;
use tokio::sync::{mpsc, oneshot};

use crate::failpoint::{self, Point};

pub use rusqlite::Connection;

pub use self::backup::backup;
pub use self::writer::{BATCH_JOBS, COMMIT_SECONDS, QUEUE_JOBS};

use self::writer::{Job, Message, job, write_loop};

mod backup;
mod layout;
mod lock;
mod writer;

/// Whether something could be written within a transaction.
pub type Written = rusqlite::Result<()>;

/// How long an open waits for another user of the store to go away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Jobs that may wait for the writer.
const QUEUE: usize = 4096;
/// Connections kept for reading.
const READERS: usize = 4;

/// Why the store did not do something.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Too many jobs wait; come back later.
    #[error("the store's queue is full")]
    Full,
    /// The disk or the file refused; nothing was written.
    #[error("the store cannot be used: {0}")]
    Disk(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Another process uses the file.
    #[error("the store {0:?} is in use by another belfry")]
    InUse(PathBuf),
    /// The file was written by a newer belfry.
    #[error("the store {path:?} has version {found}, this belfry knows up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest known version.
        known: usize,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // Where the disk is full SQLite says so, but for this one file.
        let cannot_grow = |error: &rusqlite::Error| {
            let code = error.sqlite_error().map(|error| error.extended_code);
            code == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
        };
        match cannot_grow(&error) {
            true => Self::Disk(format!(
                "{error}: the file beside it that ends in -shm cannot grow, as on a full disk"
            )),
            false => Self::Disk(error.to_string()),
        }
    }
}

/// The open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Message>,
    readers: Arc<Readers>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens or creates the file and brings its layout up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_within(path, PATIENCE)
    }

    /// As [`Store::open`], but waits for nobody.
    pub fn open_at_once(path: &Path) -> Result<Self, StoreError> {
        Self::open_within(path, Duration::ZERO)
    }

    /// Reads the file, which another process may be writing. Every write is answered with [`StoreError::Closed`].
    pub fn open_to_read(path: &Path) -> Self {
        let (jobs, _) = mpsc::channel(1);
        Self {
            jobs,
            readers: Arc::new(Readers {
                path: path.to_owned(),
                idle: Mutex::default(),
            }),
        }
    }

    /// Whether another process has the store at this moment.
    pub fn is_in_use(path: &Path) -> bool {
        matches!(lock::take(path, Duration::ZERO), Err(StoreError::InUse(_)))
    }

    fn open_within(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let lock = lock::take(path, patience)?;
        layout::report_log(path);
        let connection = layout::open_writer(path)?;
        failpoint::pass(Point::InOpen);
        let (jobs, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let closing = write_loop(connection, queue);
                drop(lock);
                if let Some(done) = closing {
                    let _ = done.send(());
                }
            })
            .map_err(|error| StoreError::Disk(error.to_string()))?;
        Ok(Self {
            jobs,
            readers: Arc::new(Readers {
                path: path.to_owned(),
                idle: Mutex::default(),
            }),
        })
    }

    /// Writes at once or says that the queue is full. Returns when it is on disk.
    pub async fn try_write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.try_write_then(work, |_| ()).await
    }

    /// As [`Store::try_write`], with a step that runs on the writer's thread before the answer: with what was written
    /// when that is on disk, and with nothing when it was given up. It runs also if nobody waits for the answer any more,
    /// in the order of the writes; what it keeps in memory is never behind what somebody was told. It must be short.
    pub async fn try_write_then<T, F, A>(&self, work: F, after: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(Option<&T>) + Send + 'static,
    {
        let (job, reply) = job(work, after);
        self.send_at_once(job)?;
        reply.await.map_err(|_| StoreError::Closed)?
    }

    /// Writes, waiting for a place in the queue. Returns when it is on disk.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write_then(work, |_| ()).await
    }

    /// As [`Store::write`], with the step of [`Store::try_write_then`].
    pub async fn write_then<T, F, A>(&self, work: F, after: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(Option<&T>) + Send + 'static,
    {
        let (job, reply) = job(work, after);
        self.send(job).await?;
        reply.await.map_err(|_| StoreError::Closed)?
    }

    /// Writes after everything that waits and before everything that comes later; returns before it is on disk.
    ///
    /// For what must keep its order and may be lost in a crash. That the disk refused it is in the log only.
    pub async fn write_later<T, F>(&self, work: F) -> Result<(), StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (job, _) = job(work, |_| ());
        self.send(job).await
    }

    /// As [`Store::write_later`], if there is a place in the queue, and with the step of [`Store::try_write_then`].
    pub fn try_write_later_then<T, F, A>(&self, work: F, after: A) -> Result<(), StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(Option<&T>) + Send + 'static,
    {
        let (job, _) = job(work, after);
        self.send_at_once(job)
    }

    async fn send(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let sent = self.jobs.send(Message::Job(job)).await;
        sent.map_err(|_| StoreError::Closed)
    }

    fn send_at_once(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.jobs
            .try_send(Message::Job(job))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Full,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            })
    }

    /// Writes what is waiting and closes the file. Later jobs are answered with [`StoreError::Closed`].
    pub async fn close(self) {
        self.readers
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }

    /// Reads what is on disk.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        tokio::task::spawn_blocking(move || {
            let idle = readers
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            let connection = match idle {
                Some(connection) => connection,
                None => open_reader(&readers.path)?,
            };
            let value = work(&connection)?;
            let mut idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < READERS {
                idle.push(connection);
            }
            Ok(value)
        })
        .await
        .map_err(|error| StoreError::Disk(error.to_string()))?
    }
}

/// A read-only view of a store that another process may be writing.
pub fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_fails_takes_back_only_its_own_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).unwrap();
        let good =
            store.write(|connection| connection.execute("INSERT INTO probe VALUES (0, 1)", []));
        let bad = store.write(|connection| {
            connection.execute("UPDATE probe SET at = 2", [])?;
            connection.execute("INSERT INTO nowhere VALUES (1)", [])
        });
        let (good, bad) = tokio::join!(good, bad);
        good.unwrap();
        assert!(matches!(bad, Err(StoreError::Disk(_))));
        let at: i64 = store
            .read(|connection| connection.query_row("SELECT at FROM probe", [], |row| row.get(0)))
            .await
            .unwrap();
        assert_eq!(at, 1);
    }

    #[tokio::test]
    async fn closing_writes_what_waits_and_leaves_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Store::open(&path).unwrap();
        let insert =
            |connection: &Connection| connection.execute("INSERT INTO probe VALUES (0, 7)", []);
        let (written, ()) = tokio::join!(store.write(insert), store.clone().close());
        written.unwrap();
        assert!(matches!(
            store.write(|_| Ok(())).await,
            Err(StoreError::Closed)
        ));
        assert!(!path.with_extension("db-wal").exists());
        let at: i64 = open_reader(&path)
            .unwrap()
            .query_row("SELECT at FROM probe", [], |row| row.get(0))
            .unwrap();
        assert_eq!(at, 7);
    }

    #[tokio::test]
    async fn a_full_queue_is_reported_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).unwrap();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let blocker = store.clone();
        let blocked = tokio::spawn(async move {
            let mut started = Some(started);
            let block = move |_: &Connection| {
                let _ = started.take().map(|started| started.send(()));
                let _ = wait.recv();
                Ok(())
            };
            blocker.write(block).await
        });
        running.await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        let full = loop {
            let store = store.clone();
            // The queue takes what the writer does not; polled once, a job is in it or refused.
            let mut job = Box::pin(async move { store.try_write(|_| Ok(())).await });
            match futures_util::poll!(&mut job) {
                std::task::Poll::Ready(outcome) => break outcome,
                std::task::Poll::Pending => {
                    waiting.spawn(job);
                }
            }
        };
        assert!(matches!(full, Err(StoreError::Full)));
        release.send(()).unwrap();
        blocked.await.unwrap().unwrap();
        while let Some(outcome) = waiting.join_next().await {
            outcome.unwrap().unwrap();
        }
    }
}
