//! One writer thread with group commit, and a few readers.
//!
//! Every write is a job for the writer. It runs all jobs that arrived during the previous sync in one transaction and
//! answers them after the commit. **Invariant:** a job is answered with success only when its transaction is on disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::OpenFlags;
use tokio::sync::{mpsc, oneshot};

use super::wal;
use crate::clock;
use crate::failpoint::{self, Point};
use crate::meter::{self, Metric};

pub use rusqlite::Connection;

pub use self::backup::backup;

mod backup;
mod lock;

/// Whether something could be written within a transaction.
pub type Written = rusqlite::Result<()>;

/// How long an open waits for another user of the store to go away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Jobs that may wait for the writer.
const QUEUE: usize = 4096;
/// Jobs of one transaction.
const BATCH: usize = 256;
/// Statements that the writer keeps prepared: all it has.
const STATEMENTS: usize = 64;
/// Pages in the log before they are brought into the file, 4 KiB each. A page that changes in every commit, as the last
/// ones of an index do, is then copied once for many commits; the log stays below 20 MiB.
const CHECKPOINT_PAGES: u32 = 4_000;
/// Connections kept for reading.
const READERS: usize = 4;

/// How long commits take.
pub const COMMIT_SECONDS: Metric = Metric::histogram(
    "belfry_store_commit_duration_seconds",
    &["result"],
    meter::SECONDS,
    "Time a transaction of the store took, its sync included.",
);
/// How many jobs share a commit.
pub const BATCH_JOBS: Metric = Metric::histogram(
    "belfry_store_batch_jobs",
    &[],
    meter::NUMBERS,
    "Jobs of one transaction of the store.",
);
/// How many jobs wait.
pub const QUEUE_JOBS: Metric = Metric::gauge(
    "belfry_store_queue_jobs",
    &[],
    "Jobs that wait for the writer of the store.",
);

/// The layout of the file; each entry leads from the version of its index to the next.
const MIGRATIONS: [&str; 1] = [include_str!("schema-1.sql")];

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
        Self::Disk(error.to_string())
    }
}

trait Job: Send {
    /// Does the work within a transaction; again, if that transaction was given up because of another job.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct TypedJob<T, F, A> {
    work: F,
    value: Option<T>,
    after: Option<A>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F, A> Job for TypedJob<T, F, A>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    A: FnOnce(Option<&T>) + Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.value = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(mut self: Box<Self>, outcome: Result<(), StoreError>) {
        let answer = outcome.and_then(|()| self.value.take().ok_or(StoreError::Closed));
        if let Some(after) = self.after.take() {
            after(answer.as_ref().ok());
        }
        // Whoever asked may have gone away; the work is done all the same.
        let _ = self.reply.send(answer);
    }
}

/// The open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Message>,
    readers: Arc<Readers>,
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
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
        report_log(path);
        let connection = open_writer(path)?;
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

#[allow(clippy::type_complexity)]
fn job<T, F, A>(work: F, after: A) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    A: FnOnce(Option<&T>) + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (
        Box::new(TypedJob {
            work,
            value: None,
            after: Some(after),
            reply,
        }),
        answer,
    )
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

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Takes effect in a new file only, before anything is in it: free pages can be given back piece by piece.
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    // SQLite ignores pragmas it cannot honour, so each one is read back.
    for (pragma, value, expected) in [
        ("journal_mode", "wal", "wal"),
        ("synchronous", "full", "2"),
        ("foreign_keys", "on", "1"),
        ("mmap_size", "0", "0"),
    ] {
        connection.pragma_update(None, pragma, value)?;
        let found: String = connection.pragma_query_value(None, pragma, |row| {
            row.get::<_, String>(0)
                .or_else(|_| row.get::<_, i64>(0).map(|number| number.to_string()))
        })?;
        if found != expected {
            return Err(StoreError::Disk(format!(
                "pragma {pragma} is {found} instead of {expected}"
            )));
        }
    }
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    #[cfg(target_os = "macos")]
    connection.pragma_update(None, "fullfsync", "on")?;
    migrate(&connection, path)?;
    Ok(connection)
}

/// Says what of the log will not be read; SQLite itself does not.
fn report_log(path: &Path) {
    match wal::survey(path) {
        Ok(Some(log)) if log.lost_a_commit => {
            tracing::error!(
                ?path,
                committed = log.committed,
                ignored = log.ignored,
                "the log of the store is damaged, and what its last part had is lost unless a crash cut it off"
            );
        }
        Ok(Some(log)) if log.ignored > 0 => {
            tracing::warn!(
                ?path,
                committed = log.committed,
                ignored = log.ignored,
                "the log of the store ends in a write that was cut off and never acknowledged"
            );
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(?path, %error, "cannot look at the log of the store"),
    }
}

fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found: version,
            known: MIGRATIONS.len(),
        });
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {migration}; PRAGMA user_version = {};",
            index + 1
        ))?;
        failpoint::pass(Point::InMigration);
        connection.execute_batch("COMMIT")?;
    }
    Ok(())
}

/// Answers with who waits for the end, if somebody does.
fn write_loop(
    connection: Connection,
    mut queue: mpsc::Receiver<Message>,
) -> Option<oneshot::Sender<()>> {
    let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(BATCH);
    let mut closing = None;
    while closing.is_none()
        && let Some(first) = queue.blocking_recv()
    {
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Message::Job(job) => batch.push(job),
                Message::Close(done) => closing = Some(done),
            }
            if batch.len() < BATCH && closing.is_none() {
                next = queue.try_recv().ok();
            }
        }
        QUEUE_JOBS.set(&[], meter::number(queue.len()));
        commit(&connection, &mut batch);
    }
    // Closing the last connection brings everything from the log into the file itself.
    drop(connection);
    closing
}

/// Runs a batch in one transaction and answers its jobs.
///
/// If a job fails, the batch is given up and each job gets a transaction of its own. That is rare, and cheaper than a
/// savepoint for every job: SQLite copies each page that changes after a savepoint.
fn commit(connection: &Connection, batch: &mut Vec<Box<dyn Job>>) {
    let started = clock::instant();
    let done = transact(connection, batch);
    let result = if done.is_ok() { "ok" } else { "failed" };
    COMMIT_SECONDS.observe(&[result], started.elapsed().as_secs_f64());
    BATCH_JOBS.observe(&[], meter::number(batch.len()));
    match done {
        Err(Failure::Job(_)) if batch.len() > 1 => {
            for job in batch.drain(..) {
                commit(connection, &mut vec![job]);
            }
        }
        Ok(()) => batch.drain(..).for_each(|job| job.answer(Ok(()))),
        Err(Failure::Job(error) | Failure::Store(error)) => {
            tracing::error!(%error, jobs = batch.len(), "cannot write to the store");
            batch
                .drain(..)
                .for_each(|job| job.answer(Err(error.clone())));
        }
    }
}

/// Why a transaction was given up.
enum Failure {
    /// One of its jobs is wrong.
    Job(StoreError),
    /// Nothing can be written.
    Store(StoreError),
}

fn transact(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), Failure> {
    let store = |error: rusqlite::Error| Failure::Store(error.into());
    connection.execute_batch("BEGIN IMMEDIATE").map_err(store)?;
    let done = batch
        .iter_mut()
        .try_for_each(|job| job.run(connection))
        .map_err(|error| {
            if is_of_the_disk(&error) {
                store(error)
            } else {
                Failure::Job(error.into())
            }
        })
        .and_then(|()| end(connection).map_err(store));
    // SQLite itself takes some transactions back, when the disk is full for one.
    if done.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

fn end(connection: &Connection) -> rusqlite::Result<()> {
    failpoint::pass(Point::BeforeCommit);
    if failpoint::fails(Point::BeforeCommit) {
        let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
        return Err(rusqlite::Error::SqliteFailure(error, None));
    }
    connection.execute_batch("COMMIT")?;
    failpoint::pass(Point::AfterCommit);
    Ok(())
}

fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, OutOfMemory, ReadOnly, SystemIoFailure,
    };
    let of_the_disk = [
        CannotOpen,
        DatabaseBusy,
        DatabaseCorrupt,
        DiskFull,
        OutOfMemory,
        ReadOnly,
        SystemIoFailure,
    ];
    error
        .sqlite_error_code()
        .is_some_and(|code| of_the_disk.contains(&code))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_belfry_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        open_writer(&path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        let error = open_writer(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("has version 99, this belfry knows up to 1"),
            "{error}"
        );
    }

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
