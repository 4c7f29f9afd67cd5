//! Time passes as the tests say.

use super::*;
use crate::event::{Envelope, Kind, Origin};
use crate::ids::EventId;
use crate::journal::{Filter, Journal, NewEvent};
use crate::store::sqlite::Store;

const HOUR: i64 = 3_600_000;
const NOW: UnixMs = UnixMs(1_795_309_200_000);

async fn retention(folder: &tempfile::TempDir, keep: Keep, kilobytes: usize) -> Retention {
    let store = Store::open(&folder.path().join("journal.db")).unwrap();
    let journal = SqliteJournal::open(store).await.unwrap();
    // One event each hour, the last one now; nobody wants them.
    for hour in (0..100).rev() {
        let at = UnixMs(NOW.0 - hour * HOUR);
        let envelope = Envelope {
            id: EventId::at(EventId::first_order(at)),
            app: "acme".into(),
            origin: Origin::Callback,
            received_at: at,
            raw: "x".repeat(kilobytes << 10).into(),
        };
        let event = NewEvent {
            envelope,
            kind: Kind::Other,
            dedupe: None,
            key: None,
            plugins: Vec::new(),
        };
        journal.append(event).await.unwrap();
    }
    Retention {
        journal: Arc::new(journal),
        keep,
    }
}

async fn left(retention: &Retention) -> usize {
    let events = retention.journal.list(&Filter::default()).await;
    events.unwrap().len()
}

#[tokio::test]
async fn what_is_too_old_goes() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Keep {
        age: Some(Duration::from_secs(48 * 3600)),
        size: None,
    };
    let retention = retention(&folder, keep, 1).await;
    let pass = retention.pass(NOW).await.unwrap();
    assert_eq!((pass.by_age, pass.by_size), (51, 0));
    assert_eq!(left(&retention).await, 49);
    assert_eq!(retention.pass(NOW).await.unwrap(), Pass::default());
}

#[tokio::test]
async fn what_is_too_much_goes_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Keep {
        age: None,
        size: Some(2 << 20),
    };
    let retention = retention(&folder, keep, 64).await;
    let pass = retention.pass(NOW).await.unwrap();
    assert!(pass.by_size > 0 && !pass.is_stuck, "{pass:?}");
    let size = retention.journal.size().await.unwrap();
    assert!(size.used <= 2 << 20, "{size:?}");
}
