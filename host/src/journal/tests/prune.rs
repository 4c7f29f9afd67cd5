//! What is removed, and what is not.

use super::*;

const DAY: i64 = 24 * 3_600_000;

/// A journal in which each event came a day after the one before, the first at `NOW`.
async fn days(folder: &tempfile::TempDir, endings: &[Option<Ending>]) -> SqliteJournal {
    let journal = sqlite(folder).await;
    for (day, ending) in endings.iter().enumerate() {
        let at = UnixMs(NOW.0 + i64::try_from(day).unwrap() * DAY);
        let mut event = with_dedupe(
            event("acme", &day.to_string(), &["a"]),
            &day.to_string(),
            None,
        );
        event.envelope.id = EventId::at(EventId::first_order(at));
        event.envelope.received_at = at;
        journal.append(event).await.unwrap();
        if let Some(ending) = ending {
            let claimed = journal
                .claim_due(UnixMs(i64::MAX), 9.into())
                .await
                .unwrap()
                .due;
            journal
                .finish(&claimed.last().unwrap().id, ending.clone(), at)
                .await
                .unwrap();
        }
    }
    journal
}

fn day(number: i64) -> UnixMs {
    UnixMs(NOW.0 + number * DAY)
}

async fn left(journal: &SqliteJournal) -> Vec<State> {
    let events = journal.list(&Filter::default()).await.unwrap();
    events.iter().rev().map(|event| event.state).collect()
}

#[tokio::test]
async fn only_what_needs_nobody_goes_and_its_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let endings = [
        Some(Ending::Done),
        Some(Ending::Dead { reason: reason() }),
        Some(Ending::Parked { reason: reason() }),
        None,
        Some(Ending::Done),
    ];
    let journal = days(&folder, &endings).await;
    // What is claimed and not ended is as open as what waits.
    let prune = async |before, spares_dead, keys| {
        journal
            .prune(day(before), spares_dead, day(keys), usize::MAX)
            .await
            .unwrap()
    };
    assert_eq!(prune(4, true, 0).await, 1);
    let rest = [State::Dead, State::Parked, State::Pending, State::Done];
    assert_eq!(left(&journal).await, rest);
    assert_eq!(prune(4, true, 0).await, 0, "once is enough");
    assert_eq!(prune(4, false, 0).await, 1);
    assert_eq!(
        left(&journal).await,
        [State::Parked, State::Pending, State::Done]
    );

    let again = |key: &str| with_dedupe(event("acme", "k", &["a"]), key, None);
    for key in ["0", "1"] {
        let appended = journal.append(again(key)).await.unwrap();
        assert!(matches!(appended, Appended::Duplicate(_)), "{key}");
    }
    // When the keys are old enough, they go too.
    assert_eq!(prune(1, true, 1).await, 1);
    assert_eq!(journal.append(again("0")).await.unwrap(), Appended::New);
    let file = folder.path().join("journal.db");
    assert_eq!(
        SqliteJournal::verify_file(&file).unwrap(),
        [] as [String; 0]
    );
}

#[tokio::test]
async fn the_file_gets_smaller_piece_by_piece() {
    let folder = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    for number in 0..300 {
        let mut event = event("acme", &number.to_string(), &[]);
        event.envelope.raw = "x".repeat(32 << 10).into();
        journal.append(event).await.unwrap();
    }
    let before = journal.size().await.unwrap();
    let now = UnixMs(i64::MAX);
    let removed = journal.prune(now, false, now, usize::MAX).await.unwrap();
    assert_eq!(removed, 300);
    let mut pieces = 0;
    while journal.shrink().await.unwrap() {
        pieces += 1;
    }
    let after = journal.size().await.unwrap();
    assert!(pieces > 3, "{pieces} pieces");
    assert!(after.used < before.used / 20, "{before:?} {after:?}");
    assert!(after.free < 6 << 20, "{after:?}");
}

#[tokio::test]
async fn a_backup_beside_a_writer_is_whole_and_sound() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(sqlite(&folder).await);
    let (file, copy) = (
        folder.path().join("journal.db"),
        folder.path().join("copy.db"),
    );
    for number in 0..100 {
        let event = event("acme", &number.to_string(), &["a"]);
        journal.append(event).await.unwrap();
    }
    let writing = {
        let journal = Arc::clone(&journal);
        async move {
            for number in 100..300 {
                let event = event("acme", &number.to_string(), &["a"]);
                journal.append(event).await.unwrap();
            }
        }
    };
    let (from, to) = (file.clone(), copy.clone());
    let copying = tokio::task::spawn_blocking(move || crate::store::sqlite::backup(&from, &to));
    let (copied, ()) = tokio::join!(copying, writing);
    copied.unwrap().unwrap();
    assert_eq!(
        SqliteJournal::verify_file(&copy).unwrap(),
        [] as [String; 0]
    );
    let count = SqliteJournal::list_file(&copy, &Filter::default()).unwrap();
    assert!((100..=300).contains(&count.len()), "{}", count.len());
    // What is there is not overwritten.
    assert!(crate::store::sqlite::backup(&file, &copy).is_err());
}

#[tokio::test]
async fn a_second_user_of_the_store_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let store = Store::open(&file).unwrap();
    let refused = Store::open_at_once(&file).err().unwrap().to_string();
    assert!(
        refused.ends_with("is in use by another belfry"),
        "{refused}"
    );
    store.close().await;
    Store::open_at_once(&file).unwrap();
}
