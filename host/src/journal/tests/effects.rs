//! What every journal keeps of host calls.

use super::*;
use crate::call::{Answer, Arguments, Fate, Json};
use crate::function::Function;
use crate::ids::PluginDigest;
use crate::kv::{Kv, KvError, SqliteKv, Write};
use crate::store::Recording;

fn call(number: u32, function: Function, answer: Option<Answer>) -> Effect {
    Effect {
        place: Place { run: 0, number },
        function,
        digest: PluginDigest::of(b"plugin"),
        arguments: Arguments::new(&format!("{{\"number\":{number}}}")),
        stands_for: None,
        started_at: NOW,
        answer,
        diverged: None,
    }
}

fn answer(text: &str) -> Answer {
    Answer {
        fate: Fate::Done,
        text: Json::new(text.to_owned()),
    }
}

/// A claimed delivery.
async fn delivery(journal: &Arc<dyn Journal>) -> DeliveryId {
    journal.append(event("acme", "k", &["a"])).await.unwrap();
    let claimed = claim(journal, NOW).await.pop().unwrap();
    assert!(!claimed.has_effects);
    claimed.id
}

#[tokio::test]
async fn calls_are_read_back_as_they_were_recorded_and_only_for_their_delivery() {
    on_each(async |journal| {
        let (one, other) = (delivery(&journal).await, {
            journal
                .append(event("acme", "other", &["a"]))
                .await
                .unwrap();
            claim(&journal, NOW).await.pop().unwrap().id
        });
        let read = call(1, Function::KvGet, Some(answer("{\"Ok\":null}")));
        let begun = Effect {
            stands_for: Some(Place { run: 3, number: 7 }),
            ..call(2, Function::ChatSend, None)
        };
        let records = vec![Record::Call(read.clone()), Record::Call(begun.clone())];
        journal
            .record_later(&one, records[..1].to_vec())
            .await
            .unwrap();
        // The same record may come twice.
        journal.record(&one, records).await.unwrap();
        let expected = Effects {
            run: 0,
            released: 0,
            calls: vec![read.clone(), begun.clone()],
        };
        assert_eq!(journal.effects(&one).await.unwrap(), expected);
        assert_eq!(journal.effects(&other).await.unwrap(), Effects::default());

        let end = Record::End {
            place: begun.place,
            answer: answer("{\"Ok\":\"msg\"}"),
        };
        let diverged = Record::Diverged {
            place: read.place,
            called: Json::new("{}"),
        };
        journal
            .record(&one, vec![end, diverged, Record::Run(1)])
            .await
            .unwrap();
        let expected = Effects {
            run: 1,
            released: 0,
            calls: vec![
                Effect {
                    diverged: Some(Json::new("{}")),
                    ..read
                },
                Effect {
                    answer: Some(answer("{\"Ok\":\"msg\"}")),
                    ..begun
                },
            ],
        };
        assert_eq!(journal.effects(&one).await.unwrap(), expected);
        let filter = Filter {
            id: Some(one.event),
            ..Filter::default()
        };
        let shown = journal.list(&filter).await.unwrap();
        assert_eq!(shown[0].deliveries[0].calls, expected.calls);
        let listed = journal.list(&Filter::default()).await.unwrap();
        assert!(
            listed
                .iter()
                .all(|event| event.deliveries[0].calls.is_empty())
        );
    })
    .await;
}

#[tokio::test]
async fn a_claim_says_that_there_are_calls_and_a_retry_keeps_them() {
    on_each(async |journal| {
        let id = delivery(&journal).await;
        let records = vec![Record::Call(call(1, Function::KvGet, Some(answer("1"))))];
        // Nobody waits for this one, but what is written after it comes after it.
        journal.record_later(&id, records).await.unwrap();
        let retry = Ending::Retry {
            at: NOW,
            spared: false,
            reason: reason(),
        };
        journal.finish(&id, retry, NOW).await.unwrap();
        let claimed = claim(&journal, NOW).await.pop().unwrap();
        assert!(claimed.has_effects);
        assert_eq!(journal.effects(&id).await.unwrap().calls.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_a_person_runs_again_begins_anew_and_belongs_to_no_version() {
    on_each(async |journal| {
        let id = delivery(&journal).await;
        let records = vec![Record::Call(call(1, Function::ChatSend, Some(answer("1"))))];
        journal.record(&id, records).await.unwrap();
        let dead = Ending::Dead { reason: reason() };
        journal.finish(&id, dead, NOW).await.unwrap();
        let selection = Selection {
            event: Some(id.event),
            ..Selection::default()
        };
        let amended = journal.amend(&selection, Some(Change::Retry), NOW).await;
        assert_eq!(amended.unwrap().deliveries, 1);
        let effects = journal.effects(&id).await.unwrap();
        assert_eq!((effects.run, effects.released), (1, 1));
        assert_eq!(effects.calls.len(), 1);
    })
    .await;
}

fn recording(journal: &Arc<dyn Journal>, id: &DeliveryId) -> Recording<KvError> {
    let before = vec![Record::Call(call(1, Function::KvGet, Some(answer("1"))))];
    Recording {
        join: journal.join(id, before, call(2, Function::KvCompareAndSet, None)),
        answer: |outcome| answer(&format!("\"{outcome:?}\"")),
    }
}

fn claim_of(value: &[u8]) -> Write {
    Write {
        key: "claim".to_owned(),
        value: Some(value.to_vec()),
        expected: Some(None),
        max_total: crate::kv::MAX_TOTAL,
    }
}

#[tokio::test]
async fn a_value_and_its_record_are_written_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("journal.db")).unwrap();
    let kv = SqliteKv::new(store.clone());
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(store).await.unwrap());
    for (expected, stored) in [("Ok(true)", "one"), ("Ok(false)", "one")] {
        let id = delivery(&journal).await;
        let plugin = id.plugin.clone();
        let write = claim_of(stored.as_bytes());
        let outcome = kv
            .write_recorded(&plugin, write, recording(&journal, &id))
            .await;
        assert_eq!(format!("{outcome:?}"), expected);
        let calls = journal.effects(&id).await.unwrap().calls;
        assert_eq!(calls.len(), 2);
        let told = calls[1].answer.as_ref().unwrap();
        assert_eq!(told.text.expose(), format!("\"{expected}\""));
        journal.finish(&id, Ending::Done, NOW).await.unwrap();
    }
}

#[tokio::test]
async fn a_value_whose_record_cannot_be_written_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("journal.db")).unwrap();
    let kv = SqliteKv::new(store.clone());
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(store.clone()).await.unwrap());
    let id = delivery(&journal).await;
    store
        .write(|connection| connection.execute("ALTER TABLE effect RENAME TO hidden", []))
        .await
        .unwrap();
    let outcome = kv
        .write_recorded(&id.plugin, claim_of(b"one"), recording(&journal, &id))
        .await;
    assert!(outcome.is_err());
    assert_eq!(kv.get(&id.plugin, "claim").await.unwrap(), None);
}
