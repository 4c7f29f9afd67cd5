//! The thread that writes: it gathers jobs, runs them in one transaction and answers them after the commit.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use crate::clock;
use crate::failpoint::{self, Point};
use crate::meter::{self, Metric};

/// Jobs of one transaction.
const BATCH: usize = 256;

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

/// What the thread is sent.
pub(super) enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// Something to write.
pub(super) trait Job: Send {
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

#[allow(clippy::type_complexity)]
/// A job, and where its answer will come.
pub(super) fn job<T, F, A>(
    work: F,
    after: A,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
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

/// Writes until it is told to close. Answers with who waits for the end, if somebody does.
pub(super) fn write_loop(
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
