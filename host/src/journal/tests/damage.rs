//! What decays on disk is reported and left out; nothing is invented and nothing falls over.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::store::wal;

type Texts = BTreeMap<DeliveryId, (Envelope, u32)>;

/// A journal of a few events as a kill leaves it, in a folder of its own: database and log.
async fn killed(checkpointed: bool) -> (tempfile::TempDir, Texts) {
    let folder = tempfile::tempdir().unwrap();
    let mut texts = Texts::new();
    let copy = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    for number in 0..6 {
        let event = event("acme", &format!("key {number}"), &["a", "b"]);
        for plugin in &event.plugins {
            let id = DeliveryId {
                event: event.envelope.id,
                plugin: plugin.clone(),
            };
            texts.insert(id, (event.envelope.clone(), 0));
        }
        journal.append(event).await.unwrap();
    }
    if checkpointed {
        // Closing brings the log into the file.
        journal.close_store().await;
        std::fs::copy(
            folder.path().join("journal.db"),
            copy.path().join("journal.db"),
        )
        .unwrap();
        return (copy, texts);
    }
    for file in ["journal.db", "journal.db-wal"] {
        std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
    }
    (copy, texts)
}

/// Opens what is there, takes what it gives and checks that all of it was written. Answers with how much there was, and
/// whether anything was reported.
async fn open(folder: &Path, texts: &Texts) -> (usize, bool) {
    let file = folder.join("journal.db");
    let survey = wal::survey(&file).unwrap_or_default();
    let mut reported = survey.is_some_and(|log| log.ignored > 0);
    reported |= !SqliteJournal::verify_file(&file).is_ok_and(|findings| findings.is_empty());
    let Ok(store) = Store::open(&file) else {
        return (0, true);
    };
    let Ok(journal) = SqliteJournal::open(store).await else {
        return (0, true);
    };
    let mut served = 0;
    match journal.claim_due(UnixMs(i64::MAX), 1_000.into()).await {
        Err(_) => reported = true,
        Ok(claims) => {
            for claimed in claims.due {
                let written = texts.get(&claimed.id);
                let same = written.is_some_and(|(envelope, _)| *envelope == claimed.envelope);
                assert!(same, "invented: {:?}", claimed.id);
                served += 1;
            }
        }
    }
    journal.close_store().await;
    (served, reported)
}

/// Damages one file at an offset in one way, and says what came of it.
async fn damaged(
    source: &Path,
    file: &str,
    offset: usize,
    cut: bool,
    texts: &Texts,
) -> (usize, bool) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        let Ok(mut bytes) = std::fs::read(source.join(name)) else {
            continue;
        };
        if name == file {
            if cut {
                bytes.truncate(offset);
            } else {
                bytes[offset] ^= 0x20;
            }
        }
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    open(folder.path(), texts).await
}

#[tokio::test]
async fn a_flipped_byte_of_the_log_is_reported_and_nothing_is_invented() {
    let (source, texts) = killed(false).await;
    assert_eq!(open(source.path(), &texts).await, (12, false));
    let (source, texts) = killed(false).await;
    let length = std::fs::metadata(source.path().join("journal.db-wal"))
        .unwrap()
        .len();
    let length = usize::try_from(length).unwrap();
    // Every byte of the heads of the last frames, some of the earlier ones, and a sample of the pages.
    let frame = 24 + 4096;
    let is_tried = |at: &usize| {
        let (in_frame, in_tail) = (at.saturating_sub(32) % frame, length - at < 6 * frame);
        (in_frame < 24 && (in_tail || in_frame.is_multiple_of(5))) || at.is_multiple_of(1_009)
    };
    for offset in (0..length).filter(is_tried) {
        let (served, reported) =
            damaged(source.path(), "journal.db-wal", offset, false, &texts).await;
        assert!(
            reported || served == 12,
            "byte {offset}: {served} served in silence"
        );
    }
}

#[tokio::test]
async fn a_log_that_was_cut_off_has_what_was_complete() {
    let (source, texts) = killed(false).await;
    let length = std::fs::metadata(source.path().join("journal.db-wal"))
        .unwrap()
        .len();
    let length = usize::try_from(length).unwrap();
    let mut most = 0;
    for offset in (0..length).filter(|at| at.saturating_sub(32) % 4120 < 2 || at % 997 == 0) {
        let (served, _) = damaged(source.path(), "journal.db-wal", offset, true, &texts).await;
        assert!(served % 2 == 0, "an event came with half of its deliveries");
        assert!(served >= most, "a longer log has less");
        most = served;
    }
    assert!(most >= 10, "{most}");
}

#[tokio::test]
async fn a_flipped_byte_of_the_file_is_reported_and_nothing_is_invented() {
    let (source, texts) = killed(true).await;
    let length = std::fs::metadata(source.path().join("journal.db"))
        .unwrap()
        .len();
    let length = usize::try_from(length).unwrap();
    let (mut partly, mut silent) = (0, 0);
    for offset in (0..length).filter(|at| at % 97 == 0 || at % 4096 < 12) {
        let (served, reported) = damaged(source.path(), "journal.db", offset, false, &texts).await;
        partly += usize::from(served > 0 && served < 12);
        silent += usize::from(served < 12 && !reported);
    }
    assert!(partly > 0, "of a damaged journal the sound part is served");
    assert_eq!(silent, 0, "what is missing is reported");
}
