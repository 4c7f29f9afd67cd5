//! A journal that is held against the map, and killed on the way.

use std::task::Poll;

use futures_util::poll;

use super::super::*;

/// A journal under test.
pub(super) enum Subject {
    Memory(MemoryJournal),
    Disk {
        folder: tempfile::TempDir,
        journal: SqliteJournal,
    },
}

impl Subject {
    pub(super) async fn disk(folder: tempfile::TempDir) -> Self {
        let journal = sqlite(&folder).await;
        Self::Disk { folder, journal }
    }

    pub(super) fn journal(&self) -> &dyn Journal {
        match self {
            Self::Memory(journal) => journal,
            Self::Disk { journal, .. } => journal,
        }
    }

    /// Ends it while an event is being appended, as a kill does: what is on disk at that moment is all there is.
    pub(super) async fn crash(self, event: NewEvent) -> Self {
        match self {
            Self::Memory(journal) => {
                journal.append(event).await.unwrap();
                journal.forget_claims();
                Self::Memory(journal)
            }
            Self::Disk { folder, journal } => {
                let copy = tempfile::tempdir().unwrap();
                {
                    let mut append = journal.append(event);
                    let early = poll!(&mut append);
                    for file in ["journal.db", "journal.db-wal"] {
                        std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
                    }
                    // The writer's thread may have answered before that.
                    let appended = match early {
                        Poll::Ready(appended) => appended,
                        Poll::Pending => append.await,
                    };
                    appended.unwrap();
                }
                let found = Self::disk(copy).await;
                if let Self::Disk { folder, .. } = &found {
                    let findings = SqliteJournal::verify_file(&folder.path().join("journal.db"));
                    assert_eq!(findings.unwrap(), [] as [String; 0]);
                }
                found
            }
        }
    }
}
