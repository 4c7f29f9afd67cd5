//! The end of a log, damaged at every byte: what was complete before is served, and nothing else.

use std::path::Path;

use super::*;
use crate::store::sqlite::Connection;
use crate::store::wal;

/// Events of the journal, each in a transaction of its own.
const EVENTS: usize = 6;

/// A journal with the smallest pages as a kill leaves it.
struct Killed {
    folder: tempfile::TempDir,
    /// The events, and how long the log was when each was acknowledged.
    events: Vec<(Envelope, usize)>,
    log: Vec<u8>,
}

impl Killed {
    async fn new() -> Self {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = folder.path().join("journal.db");
        Connection::open(&file)
            .unwrap()
            .execute_batch("PRAGMA page_size = 512; PRAGMA auto_vacuum = incremental; VACUUM;")
            .unwrap();
        // Closed once, so that the log has nothing but the events.
        sqlite(&folder).await.close_store().await;
        let journal = sqlite(&folder).await;
        let mut events = Vec::new();
        for number in 0..EVENTS {
            let event = event("acme", &number.to_string(), &["a", "b"]);
            let event = with_dedupe(event, &number.to_string(), None);
            journal.append(event.clone()).await.unwrap();
            let log = std::fs::metadata(folder.path().join("journal.db-wal")).unwrap();
            events.push((event.envelope, usize::try_from(log.len()).unwrap()));
        }
        for name in ["journal.db", "journal.db-wal"] {
            std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        let log = std::fs::read(copy.path().join("journal.db-wal")).unwrap();
        Self {
            folder: copy,
            events,
            log,
        }
    }

    /// How many events were complete in that much of the log.
    fn complete(&self, length: usize) -> usize {
        self.events.iter().filter(|event| event.1 <= length).count()
    }

    /// Every byte of the last two transactions that falls to one of two tests, which run side by side.
    fn tail(&self, half: usize) -> impl Iterator<Item = usize> {
        let start = self.events[EVENTS - 3].1;
        (start..self.log.len()).filter(move |at| at % 2 == half)
    }

    /// Opens the journal with another log and takes what it gives. Answers whether the log was reported.
    async fn open(&self, log: &[u8], at: usize, expected: usize, what: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        std::fs::copy(self.folder.path().join("journal.db"), &file).unwrap();
        std::fs::write(folder.path().join("journal.db-wal"), log).unwrap();
        let is_reported = wal::survey(&file)
            .unwrap()
            .is_some_and(|log| log.ignored > 0);
        let journal = sqlite(&folder).await;
        let claims = journal.claim_due(UnixMs(i64::MAX), 1_000.into()).await;
        let mut served: Vec<Envelope> = claims
            .unwrap()
            .due
            .into_iter()
            .filter(|claimed| claimed.id.plugin == "a".into())
            .map(|claimed| claimed.envelope)
            .collect();
        served.sort_by_key(|envelope| envelope.id);
        let written = self.events.iter().map(|event| &event.0);
        assert!(
            served.iter().eq(written.take(expected)),
            "{what}: {} of {expected} events",
            served.len()
        );
        if !at.is_multiple_of(11) {
            return is_reported;
        }
        // Now and then, because it takes three more writes to the disk: another arrival of the last one is recognised exactly
        // if it is there, and the file is sound.
        let last = EVENTS - 1;
        let again = with_dedupe(event("acme", "again", &[]), &last.to_string(), None);
        let is_known = journal.append(again).await.unwrap() != Appended::New;
        assert_eq!(is_known, expected == EVENTS, "{what}");
        journal.close_store().await;
        assert_sound(&file, what);
        is_reported
    }
}

fn assert_sound(file: &Path, what: &str) {
    let findings = SqliteJournal::verify_file(file).unwrap();
    assert_eq!(findings, [] as [String; 0], "{what}");
}

async fn torn(half: usize) {
    let killed = Killed::new().await;
    for length in killed.tail(half) {
        let expected = killed.complete(length);
        let what = format!("the first {length} bytes");
        let is_reported = killed
            .open(&killed.log[..length], length, expected, &what)
            .await;
        let is_whole = killed.events.iter().any(|event| event.1 == length);
        assert_eq!(is_reported, !is_whole, "{what}");
    }
}

async fn flipped(half: usize) {
    let killed = Killed::new().await;
    for at in killed.tail(half) {
        let mut log = killed.log.clone();
        log[at] ^= 1 << (at % 8);
        let what = format!("byte {at} flipped");
        let is_reported = killed.open(&log, at, killed.complete(at), &what).await;
        assert!(is_reported, "{what}");
    }
}

#[tokio::test]
async fn a_log_torn_at_any_even_byte_has_what_was_complete() {
    torn(0).await;
}

#[tokio::test]
async fn a_log_torn_at_any_odd_byte_has_what_was_complete() {
    torn(1).await;
}

#[tokio::test]
async fn a_log_with_any_even_byte_flipped_has_what_came_before() {
    flipped(0).await;
}

#[tokio::test]
async fn a_log_with_any_odd_byte_flipped_has_what_came_before() {
    flipped(1).await;
}
