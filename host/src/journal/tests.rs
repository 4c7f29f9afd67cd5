//! What every journal keeps to: one suite, run on each implementation.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock;
use crate::event::Origin;
use crate::store::sqlite::Store;

mod amend;
mod damage;
mod effects;
mod marks;
mod model;
mod prune;
mod tail;

const NOW: UnixMs = UnixMs(1_000_000);

fn event(app: &str, key: &str, plugins: &[&str]) -> NewEvent {
    let id = clock::event_id();
    NewEvent {
        envelope: Envelope {
            id,
            app: app.into(),
            origin: Origin::Callback,
            received_at: NOW,
            raw: format!("{{\"id\":\"{id}\"}}").into(),
        },
        kind: Kind::Other,
        dedupe: None,
        key: Some(key.to_owned()),
        plugins: plugins.iter().map(|plugin| (*plugin).into()).collect(),
    }
}

fn with_dedupe(mut event: NewEvent, key: &str, window: Option<Duration>) -> NewEvent {
    event.dedupe = Some(Dedupe {
        key: key.to_owned(),
        window,
    });
    event
}

async fn sqlite(folder: &tempfile::TempDir) -> SqliteJournal {
    let store = Store::open(&folder.path().join("journal.db")).unwrap();
    SqliteJournal::open(store).await.unwrap()
}

/// Runs a story on every implementation.
async fn on_each<F: AsyncFn(Arc<dyn Journal>)>(story: F) {
    let folder = tempfile::tempdir().unwrap();
    story(Arc::new(sqlite(&folder).await)).await;
    story(Arc::new(MemoryJournal::default())).await;
}

async fn claim(journal: &Arc<dyn Journal>, now: UnixMs) -> Vec<Claimed> {
    journal.claim_due(now, 100.into()).await.unwrap().due
}

fn reason() -> String {
    "because".to_owned()
}

#[tokio::test]
async fn what_is_appended_is_claimed_once_with_its_text() {
    on_each(async |journal| {
        let new = event("acme", "k", &["a", "b"]);
        assert_eq!(journal.append(new.clone()).await.unwrap(), Appended::New);
        let claimed = claim(&journal, NOW).await;
        assert_eq!(claimed.len(), 2);
        assert!(
            claimed
                .iter()
                .all(|claimed| claimed.envelope == new.envelope && claimed.attempts == 0)
        );
        assert!(claim(&journal, NOW).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_plugins_of_one_event_are_started_in_their_order_and_counted_while_open() {
    on_each(async |journal| {
        let plugins = ["zebra", "ape", "mole"];
        journal.append(event("a", "k", &plugins)).await.unwrap();
        let open = |pending, parked, dead| Open {
            pending,
            parked,
            dead,
        };
        assert_eq!(journal.open().await.unwrap(), open(3, 0, 0));
        let claimed = claim(&journal, NOW).await;
        let order: Vec<&str> = claimed
            .iter()
            .map(|claimed| claimed.id.plugin.as_str())
            .collect();
        assert_eq!(order, plugins);
        for (claimed, ending) in claimed.iter().zip([
            Ending::Done,
            Ending::Parked { reason: reason() },
            Ending::Dead { reason: reason() },
        ]) {
            journal.finish(&claimed.id, ending, NOW).await.unwrap();
        }
        assert_eq!(journal.open().await.unwrap(), open(0, 1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_second_arrival_is_recognised_for_ever_or_within_its_window() {
    on_each(async |journal| {
        let first = with_dedupe(event("acme", "k", &[]), "same", None);
        let id = first.envelope.id;
        journal.append(first).await.unwrap();
        let again = with_dedupe(event("acme", "k", &[]), "same", None);
        assert_eq!(
            journal.append(again).await.unwrap(),
            Appended::Duplicate(id)
        );
        let elsewhere = with_dedupe(event("other", "k", &[]), "same", None);
        assert_eq!(journal.append(elsewhere).await.unwrap(), Appended::New);

        let window = Some(Duration::from_secs(10));
        let at = |seconds: i64| {
            let mut event = with_dedupe(event("acme", "k", &[]), "window", window);
            event.envelope.received_at = UnixMs(NOW.0 + seconds * 1_000);
            event
        };
        assert_eq!(journal.append(at(0)).await.unwrap(), Appended::New);
        assert!(matches!(
            journal.append(at(9)).await.unwrap(),
            Appended::Duplicate(_)
        ));
        assert_eq!(journal.append(at(11)).await.unwrap(), Appended::New);
        assert!(matches!(
            journal.append(at(20)).await.unwrap(),
            Appended::Duplicate(_)
        ));
    })
    .await;
}

#[tokio::test]
async fn one_key_of_one_plugin_is_worked_on_in_order() {
    on_each(async |journal| {
        for key in ["one", "one", "two"] {
            journal.append(event("acme", key, &["a"])).await.unwrap();
        }
        journal.append(event("acme", "one", &["b"])).await.unwrap();
        let claimed = claim(&journal, NOW).await;
        assert_eq!(claimed.len(), 3, "the first of each plugin and key");
        let first = claimed
            .iter()
            .find(|claimed| claimed.id.plugin.as_str() == "a")
            .unwrap();

        let retry = Ending::Retry {
            at: UnixMs(NOW.0 + 500),
            reason: reason(),
            spared: true,
        };
        journal.finish(&first.id, retry, NOW).await.unwrap();
        let claims = journal.claim_due(NOW, 100.into()).await.unwrap();
        assert!(claims.due.is_empty(), "a waiting retry holds its key");
        assert_eq!(claims.next_due, Some(UnixMs(NOW.0 + 500)));

        let again = claim(&journal, UnixMs(NOW.0 + 500)).await;
        assert_eq!(again.len(), 1);
        assert_eq!(
            (again[0].id.clone(), again[0].attempts, again[0].spared),
            (first.id.clone(), 1, 1)
        );
        journal
            .finish(&again[0].id, Ending::Done, NOW)
            .await
            .unwrap();
        assert_eq!(
            claim(&journal, UnixMs(NOW.0 + 500)).await.len(),
            1,
            "then the next of that key"
        );
    })
    .await;
}

#[tokio::test]
async fn dead_and_parked_deliveries_let_their_key_go_and_stay_visible() {
    on_each(async |journal| {
        for _ in 0..3 {
            journal.append(event("acme", "one", &["a"])).await.unwrap();
        }
        for ending in [
            Ending::Dead { reason: reason() },
            Ending::Parked { reason: reason() },
            Ending::Done,
        ] {
            let claimed = claim(&journal, NOW).await;
            assert_eq!(claimed.len(), 1);
            journal.finish(&claimed[0].id, ending, NOW).await.unwrap();
        }
        assert!(claim(&journal, NOW).await.is_empty());
        let states: Vec<State> = journal
            .list(&Filter::default())
            .await
            .unwrap()
            .iter()
            .map(|event| event.state)
            .collect();
        assert_eq!(
            states,
            [State::Done, State::Parked, State::Dead],
            "newest first"
        );
        let dead = journal
            .list(&Filter {
                state: Some(State::Dead),
                ..Filter::default()
            })
            .await
            .unwrap();
        assert_eq!(dead.len(), 1);
        assert_eq!(dead[0].deliveries[0].reason.as_deref(), Some("because"));
        assert_eq!(dead[0].deliveries[0].attempts, 1);
    })
    .await;
}

#[tokio::test]
async fn lists_are_limited_and_one_event_comes_with_its_text() {
    on_each(async |journal| {
        let mut last = None;
        for _ in 0..5 {
            let event = event("acme", "k", &[]);
            last = Some(event.envelope.clone());
            journal.append(event).await.unwrap();
        }
        let last = last.unwrap();
        let listed = journal
            .list(&Filter {
                limit: Some(2),
                ..Filter::default()
            })
            .await
            .unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!(
            (listed[0].id, listed[0].raw.clone(), listed[0].state),
            (last.id, None, State::Done)
        );
        let shown = journal
            .list(&Filter {
                id: Some(last.id),
                ..Filter::default()
            })
            .await
            .unwrap();
        assert_eq!(shown[0].raw.as_deref(), Some(&*last.raw));
        let unknown = Filter {
            id: Some(clock::event_id()),
            ..Filter::default()
        };
        assert!(journal.list(&unknown).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_claim_takes_no_more_than_there_are_places() {
    on_each(async |journal| {
        for plugin in ["a", "b", "c"] {
            journal.append(event("acme", "k", &[plugin])).await.unwrap();
        }
        let claims = journal.claim_due(NOW, 2.into()).await.unwrap();
        assert_eq!((claims.due.len(), claims.next_due), (2, None));
        assert_eq!(journal.claim_due(NOW, 2.into()).await.unwrap().due.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_plugin_gets_no_more_places_than_it_leaves_free() {
    on_each(async |journal| {
        for key in ["1", "2", "3", "4", "5"] {
            journal.append(event("acme", key, &["a"])).await.unwrap();
        }
        let claims = journal.claim_due(NOW, 4.into()).await.unwrap();
        assert_eq!((claims.due.len(), claims.next_due), (2, None));
        assert_eq!(journal.claim_due(NOW, 2.into()).await.unwrap().due.len(), 0);

        // The others find places, and the plugin gets one back for each of its attempts that ends.
        journal.append(event("acme", "1", &["b"])).await.unwrap();
        let others = journal.claim_due(NOW, 2.into()).await.unwrap().due;
        assert_eq!(others[0].id.plugin, "b".into());
        for id in [&claims.due[0].id, &others[0].id] {
            journal.finish(id, Ending::Done, NOW).await.unwrap();
        }
        assert_eq!(journal.claim_due(NOW, 3.into()).await.unwrap().due.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_plugin_holds_no_more_places_than_it_may() {
    on_each(async |journal| {
        for key in ["1", "2", "3", "4", "5"] {
            journal
                .append(event("acme", key, &["a", "b"]))
                .await
                .unwrap();
        }
        let places = |a: usize| Places {
            free: 100,
            most: Arc::new(move |plugin| if *plugin == "a".into() { a } else { 2 }),
        };
        let claims = journal.claim_due(NOW, places(0)).await.unwrap();
        assert_eq!((claims.due.len(), claims.next_due), (2, None));
        assert!(
            claims
                .due
                .iter()
                .all(|claimed| claimed.id.plugin == "b".into())
        );
        assert!(
            journal
                .claim_due(NOW, places(0))
                .await
                .unwrap()
                .due
                .is_empty()
        );
        assert_eq!(
            journal.claim_due(NOW, places(1)).await.unwrap().due.len(),
            1
        );
        assert_eq!(
            journal.claim_due(NOW, places(4)).await.unwrap().due.len(),
            3
        );
    })
    .await;
}

#[tokio::test]
async fn with_very_many_open_deliveries_no_more_events_are_taken_until_some_end() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, memory) = (sqlite(&folder).await, MemoryJournal::default());
    disk.limit(3);
    memory.limit(3);
    let journals: [Arc<dyn Journal>; 2] = [Arc::new(disk), Arc::new(memory)];
    for journal in journals {
        journal.append(event("acme", "1", &["a"])).await.unwrap();
        journal.append(event("acme", "2", &["a"])).await.unwrap();
        let refused = journal.append(event("acme", "3", &["a", "b"])).await;
        assert!(matches!(refused, Err(JournalError::Full)), "{refused:?}");
        // What nobody wants needs no room.
        journal.append(event("acme", "4", &[])).await.unwrap();
        journal.append(event("acme", "5", &["b"])).await.unwrap();
        let claimed = claim(&journal, NOW).await.remove(0);
        let refused = journal.append(event("acme", "6", &["a"])).await;
        assert!(matches!(refused, Err(JournalError::Full)), "{refused:?}");
        journal
            .finish(&claimed.id, Ending::Done, NOW)
            .await
            .unwrap();
        journal.append(event("acme", "7", &["a"])).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_open_cannot_be_finished() {
    on_each(async |journal| {
        journal.append(event("acme", "k", &["a"])).await.unwrap();
        let claimed = claim(&journal, NOW).await.remove(0);
        let other = DeliveryId {
            plugin: "b".into(),
            ..claimed.id
        };
        assert!(journal.finish(&other, Ending::Done, NOW).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening_and_claims_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    {
        let journal = sqlite(&folder).await;
        journal.append(event("acme", "k", &["a"])).await.unwrap();
        journal
            .append(with_dedupe(event("acme", "k", &[]), "same", None))
            .await
            .unwrap();
        assert_eq!(journal.claim_due(NOW, 9.into()).await.unwrap().due.len(), 1);
    }
    let journal = sqlite(&folder).await;
    assert_eq!(journal.claim_due(NOW, 9.into()).await.unwrap().due.len(), 1);
    let again = with_dedupe(event("acme", "k", &[]), "same", None);
    assert!(matches!(
        journal.append(again).await.unwrap(),
        Appended::Duplicate(_)
    ));
}

#[tokio::test]
async fn many_appends_at_once_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(sqlite(&folder).await);
    let mut appends = tokio::task::JoinSet::new();
    for number in 0..500 {
        let journal = Arc::clone(&journal);
        appends.spawn(async move {
            journal
                .append(event("acme", &number.to_string(), &["a"]))
                .await
        });
    }
    while let Some(appended) = appends.join_next().await {
        assert_eq!(appended.unwrap().unwrap(), Appended::New);
    }
    assert_eq!(journal.list(&Filter::default()).await.unwrap().len(), 500);
}
