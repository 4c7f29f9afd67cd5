//! What a person changes.

use super::*;

fn only(plugin: &str) -> Selection {
    Selection {
        plugin: Some(plugin.into()),
        ..Selection::default()
    }
}

async fn amend(journal: &Arc<dyn Journal>, selection: &Selection, change: Change) -> Amended {
    journal.amend(selection, Some(change), NOW).await.unwrap()
}

fn amended(deliveries: u64, running: u64) -> Amended {
    Amended {
        deliveries,
        running,
    }
}

/// Appends events of one key and ends their deliveries to `a` and `b` so.
async fn dead(journal: &Arc<dyn Journal>, count: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let event = event("acme", "k", &["a", "b"]);
        ids.push(event.envelope.id);
        journal.append(event).await.unwrap();
        for claimed in claim(journal, NOW).await {
            let reason = format!("{} is Down", claimed.id.plugin);
            let ending = Ending::Dead { reason };
            journal.finish(&claimed.id, ending, NOW).await.unwrap();
        }
    }
    ids
}

#[tokio::test]
async fn what_runs_again_runs_in_the_order_of_events_and_from_its_first_attempt() {
    on_each(async |journal| {
        let ids = dead(&journal, 3).await;
        assert_eq!(
            amend(&journal, &only("a"), Change::Retry).await,
            amended(3, 0)
        );
        for id in ids {
            let claimed = claim(&journal, NOW).await;
            assert_eq!(claimed.len(), 1);
            assert_eq!((claimed[0].id.event, claimed[0].attempts), (id, 0));
            journal
                .finish(&claimed[0].id, Ending::Done, NOW)
                .await
                .unwrap();
        }
        assert!(claim(&journal, NOW).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_given_must_apply() {
    on_each(async |journal| {
        let ids = dead(&journal, 2).await;
        let count = async |selection: Selection| {
            let counted = journal.amend(&selection, None, NOW).await.unwrap();
            counted.deliveries
        };
        let all = Selection::default();
        assert_eq!(count(all.clone()).await, 4);
        let of_one = Selection {
            event: Some(ids[0]),
            ..all.clone()
        };
        assert_eq!(count(of_one).await, 2);
        let reason = |text: &str| Selection {
            reason: Some(text.to_owned()),
            ..Selection::default()
        };
        assert_eq!(count(reason("B IS down")).await, 2);
        assert_eq!(count(reason("b%")).await, 0);
        let both = Selection {
            reason: Some("b is".to_owned()),
            ..only("a")
        };
        assert_eq!(count(both).await, 0);
        let parked = Selection {
            states: [State::Parked].into(),
            ..all.clone()
        };
        assert_eq!(count(parked).await, 0);
        let times = |since: i64, until: i64| Selection {
            since: Some(UnixMs(NOW.0 + since)),
            until: Some(UnixMs(NOW.0 + until)),
            ..Selection::default()
        };
        assert_eq!(count(times(0, 1)).await, 4);
        assert_eq!(count(times(1, 9)).await, 0);
        assert_eq!(count(times(-9, 0)).await, 0);
        assert!(claim(&journal, NOW).await.is_empty(), "nothing has changed");
    })
    .await;
}

#[tokio::test]
async fn what_runs_is_left_alone_and_holds_its_key_against_older_ones() {
    on_each(async |journal| {
        let old = dead(&journal, 1).await[0];
        journal.append(event("acme", "k", &["a"])).await.unwrap();
        let running = claim(&journal, NOW).await.remove(0);
        let of_running = Selection {
            event: Some(running.id.event),
            ..Selection::default()
        };
        assert_eq!(
            amend(&journal, &of_running, Change::Skip).await,
            amended(0, 1)
        );
        assert_eq!(
            amend(&journal, &only("a"), Change::Retry).await,
            amended(1, 0)
        );
        assert!(claim(&journal, NOW).await.is_empty(), "the key is held");
        let retry = Ending::Retry {
            at: NOW,
            reason: reason(),
            spared: false,
        };
        journal.finish(&running.id, retry, NOW).await.unwrap();
        let next = claim(&journal, NOW).await;
        assert_eq!(next.len(), 1);
        assert_eq!(next[0].id.event, old, "the older one goes first");
        journal
            .finish(&next[0].id, Ending::Done, NOW)
            .await
            .unwrap();
        assert_eq!(claim(&journal, NOW).await[0].id, running.id);
    })
    .await;
}

#[tokio::test]
async fn what_is_skipped_is_done_and_lets_its_key_go() {
    on_each(async |journal| {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let event = event("acme", "k", &["a"]);
            ids.push(event.envelope.id);
            journal.append(event).await.unwrap();
        }
        // In bulk, what is pending is not meant.
        assert_eq!(
            amend(&journal, &only("a"), Change::Skip).await,
            amended(0, 0)
        );
        let first = Selection {
            event: Some(ids[0]),
            ..Selection::default()
        };
        assert_eq!(amend(&journal, &first, Change::Skip).await, amended(1, 0));
        let claimed = claim(&journal, NOW).await;
        assert_eq!(claimed[0].id.event, ids[1]);
        let listed = journal.list(&Filter::default()).await.unwrap();
        assert_eq!(listed[1].state, State::Done);
        let delivery = &listed[1].deliveries[0];
        assert_eq!(delivery.reason.as_deref(), Some("skipped by a person"));
        // What is done stays done.
        assert_eq!(amend(&journal, &first, Change::Retry).await, amended(0, 0));
    })
    .await;
}

#[tokio::test]
async fn very_many_are_changed_in_pieces() {
    on_each(async |journal| {
        for number in 0..600 {
            let event = event("acme", &number.to_string(), &["a"]);
            journal.append(event).await.unwrap();
        }
        loop {
            let claims = journal.claim_due(NOW, 1_000.into()).await.unwrap().due;
            if claims.is_empty() {
                break;
            }
            for claimed in claims {
                let ending = Ending::Parked { reason: reason() };
                journal.finish(&claimed.id, ending, NOW).await.unwrap();
            }
        }
        assert_eq!(
            amend(&journal, &only("a"), Change::Skip).await,
            amended(600, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_done_runs_again_only_where_that_is_said() {
    on_each(async |journal| {
        let first = event("acme", "k", &["a"]);
        let id = first.envelope.id;
        journal.append(first).await.unwrap();
        let claimed = claim(&journal, NOW).await.remove(0);
        journal
            .finish(&claimed.id, Ending::Done, NOW)
            .await
            .unwrap();
        let of_it = Selection {
            event: Some(id),
            ..Selection::default()
        };
        assert_eq!(amend(&journal, &of_it, Change::Retry).await, amended(0, 0));
        let done = Selection {
            states: [State::Done].into(),
            ..of_it
        };
        assert_eq!(amend(&journal, &done, Change::Retry).await, amended(1, 0));
        let claimed = claim(&journal, NOW).await.remove(0);
        assert_eq!((claimed.id.event, claimed.attempts), (id, 0));
    })
    .await;
}

#[tokio::test]
async fn a_plugin_is_given_an_event_that_it_did_not_get_once_and_in_its_order() {
    on_each(async |journal| {
        let [old, young] = [event("acme", "k", &["b"]), event("acme", "k", &["a"])];
        let id = |event: &NewEvent, plugin: &str| DeliveryId {
            event: event.envelope.id,
            plugin: plugin.into(),
        };
        let (given, had) = (id(&old, "a"), id(&old, "b"));
        let missing = id(&event("acme", "k", &[]), "a");
        journal.append(old).await.unwrap();
        journal.append(young).await.unwrap();
        assert!(journal.give(&given, "k", NOW).await.unwrap());
        for id in [&given, &had, &missing] {
            assert!(!journal.give(id, "k", NOW).await.unwrap(), "{id:?}");
        }
        let claimed = claim(&journal, NOW).await;
        let of_a: Vec<_> = claimed
            .iter()
            .filter(|claimed| claimed.id.plugin == given.plugin)
            .collect();
        assert_eq!(of_a.len(), 1, "one at a time of its key");
        assert_eq!(of_a[0].id, given, "the older one goes first");
        journal.finish(&given, Ending::Done, NOW).await.unwrap();
        assert_eq!(claim(&journal, NOW).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_meant_is_read_in_pieces_and_left_as_it_is() {
    on_each(async |journal| {
        let ids = dead(&journal, 3).await;
        // Never attempted, and attempted once.
        let young = event("acme", "k", &["a", "b"]);
        let young_id = young.envelope.id;
        journal.append(young).await.unwrap();
        let claimed = claim(&journal, NOW).await;
        let of_a = claimed
            .iter()
            .find(|of| of.id.plugin.as_str() == "a")
            .unwrap();
        let retry = Ending::Retry {
            at: NOW,
            reason: reason(),
            spared: false,
        };
        journal.finish(&of_a.id, retry, NOW).await.unwrap();
        let pieces = async |selection: &Selection| {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let piece = journal.select(selection, after.as_ref(), 2).await.unwrap();
                assert!(piece.len() <= 2);
                let Some(last) = piece.last().cloned() else {
                    return found;
                };
                found.extend(piece);
                after = Some(last);
            }
        };
        let expected: Vec<DeliveryId> = ids
            .iter()
            .flat_map(|id| {
                ["a", "b"].map(|plugin| DeliveryId {
                    event: *id,
                    plugin: plugin.into(),
                })
            })
            .collect();
        assert_eq!(pieces(&Selection::default()).await, expected);
        let of_b: Vec<_> = expected.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!(pieces(&only("b")).await, of_b);
        let down = Selection {
            reason: Some("A is down".to_owned()),
            since: Some(NOW),
            ..Selection::default()
        };
        let of_a_dead: Vec<_> = expected.iter().step_by(2).cloned().collect();
        assert_eq!(pieces(&down).await, of_a_dead);
        let of_young = Selection {
            event: Some(young_id),
            ..Selection::default()
        };
        assert_eq!(pieces(&of_young).await, std::slice::from_ref(&of_a.id));
        assert_eq!(journal.open().await.unwrap().dead, 6);
    })
    .await;
}
