//! What a start finds out without reading all events, and what it does when it cannot.

use futures_util::poll;

use super::*;

/// Appends so many events of their own keys to plugin `a`, each with a dedupe key, and ends all but the first.
async fn lived(journal: &SqliteJournal, count: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    for number in 0..count {
        let name = number.to_string();
        let event = with_dedupe(event("acme", &name, &["a"]), &name, None);
        ids.push(event.envelope.id);
        journal.append(event).await.unwrap();
        let claimed = journal.claim_due(NOW, 9.into()).await.unwrap().due;
        for claimed in claimed.iter().filter(|_| number > 0) {
            let done = journal.finish(&claimed.id, Ending::Done, NOW).await;
            done.unwrap();
        }
    }
    ids
}

fn again(key: usize) -> NewEvent {
    with_dedupe(event("acme", "again", &[]), &key.to_string(), None)
}

async fn pending(journal: &SqliteJournal) -> Vec<EventId> {
    let claims = journal.claim_due(UnixMs(i64::MAX), 99.into()).await;
    let claims = claims.unwrap();
    claims.due.iter().map(|claimed| claimed.id.event).collect()
}

fn is_sound(folder: &tempfile::TempDir) {
    let findings = SqliteJournal::verify_file(&folder.path().join("journal.db")).unwrap();
    assert_eq!(findings, [] as [String; 0]);
}

#[tokio::test]
async fn a_mark_leaves_out_what_is_done_and_keeps_what_never_ran_and_all_keys() {
    let folder = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    let ids = lived(&journal, 40).await;
    journal.close_store().await;
    is_sound(&folder);
    let journal = sqlite(&folder).await;
    let marked = journal
        .number("SELECT count(*) FROM event WHERE seq <= (SELECT upto FROM mark)")
        .await;
    assert!(marked >= 28, "{marked} of 40 events are behind the mark");
    assert!(journal.number("SELECT count(*) FROM known").await > 3);
    assert_eq!(journal.number("SELECT length(unborn) FROM mark").await, 8);
    assert_eq!(
        journal.number("SELECT count(*) FROM delivery").await,
        39,
        "what never ran has no row"
    );
    assert_eq!(pending(&journal).await, [ids[0]]);
    assert_eq!(journal.known_keys(), 40);
    for (number, id) in ids.into_iter().enumerate() {
        let appended = journal.append(again(number)).await.unwrap();
        assert_eq!(appended, Appended::Duplicate(id));
    }
}

#[tokio::test]
async fn an_event_that_comes_after_the_mark_passed_it_is_kept_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    let ids = lived(&journal, 40).await;
    let mut late = with_dedupe(event("acme", "late", &["a", "b"]), "late", None);
    // Before the first one, because the ids of one millisecond leave no room between them.
    late.envelope.id = EventId::at(ids[0].order() - 1);
    let id = late.envelope.id;
    assert_eq!(journal.append(late.clone()).await.unwrap(), Appended::New);
    journal.close_store().await;
    is_sound(&folder);
    let journal = sqlite(&folder).await;
    assert_eq!(pending(&journal).await, [id, id, ids[0]]);
    late.envelope.id = clock::event_id();
    assert_eq!(journal.append(late).await.unwrap(), Appended::Duplicate(id));
}

#[tokio::test]
async fn without_a_sound_mark_or_keys_everything_is_read_from_the_events() {
    for damage in [
        "UPDATE mark SET upto = upto + 1",
        "UPDATE mark SET unborn = x''",
        "UPDATE mark SET secret = x'00112233445566778899aabbccddeeff'",
        "UPDATE mark SET secret = x'00'",
        "DELETE FROM mark",
        "UPDATE known SET last = last + 9 WHERE id = 2",
        "UPDATE known SET pairs = zeroblob(length(pairs)) WHERE id > 1",
        "DELETE FROM known WHERE id = 2",
        "DELETE FROM known",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let journal = sqlite(&folder).await;
        let ids = lived(&journal, 40).await;
        assert!(journal.execute(damage).await > 0, "{damage}");
        journal.close_store().await;
        let findings = SqliteJournal::verify_file(&folder.path().join("journal.db")).unwrap();
        let is_harmless = damage == "DELETE FROM mark";
        assert!(!findings.is_empty() || is_harmless, "{damage}");
        let journal = sqlite(&folder).await;
        assert_eq!(pending(&journal).await, [ids[0]], "{damage}");
        for (number, id) in ids.into_iter().enumerate() {
            let appended = journal.append(again(number)).await.unwrap();
            assert_eq!(appended, Appended::Duplicate(id), "{damage}");
        }
        // What was read is written anew.
        journal.close_store().await;
        is_sound(&folder);
    }
}

#[tokio::test]
async fn a_delivery_whose_row_became_that_of_another_is_parked_and_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    let id = lived(&journal, 2).await[1];
    let changed = journal.execute("UPDATE delivery SET plugin = 'A'").await;
    assert_eq!(changed, 1);
    journal.close_store().await;
    let journal = sqlite(&folder).await;
    assert_eq!(pending(&journal).await.len(), 1, "the other event");
    let shown = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let shown = journal.list(&shown).await.unwrap().remove(0);
    assert_eq!(shown.state, State::Parked);
}

#[tokio::test]
async fn two_keys_with_one_fingerprint_are_two_keys() {
    let folder = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    let one = with_dedupe(event("acme", "k", &[]), "one", None);
    journal.append(one.clone()).await.unwrap();
    journal.confuse("acme", "two", one.envelope.id);
    journal.confuse("other", "one", one.envelope.id);
    let two = with_dedupe(event("acme", "k", &[]), "two", None);
    let id = two.envelope.id;
    assert_eq!(journal.append(two).await.unwrap(), Appended::New);
    let elsewhere = with_dedupe(event("other", "k", &[]), "one", None);
    assert_eq!(journal.append(elsewhere).await.unwrap(), Appended::New);
    let again = |key| with_dedupe(event("acme", "k", &[]), key, None);
    for (key, first) in [("one", one.envelope.id), ("two", id)] {
        let appended = journal.append(again(key)).await.unwrap();
        assert_eq!(appended, Appended::Duplicate(first));
    }
}

#[tokio::test]
async fn keys_of_events_that_were_removed_are_forgotten_in_memory_and_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    lived(&journal, 40).await;
    let all = UnixMs(i64::MAX);
    assert_eq!(journal.prune(all, true, all, usize::MAX).await.unwrap(), 39);
    assert_eq!(journal.known_keys(), 1);
    let bytes = "SELECT coalesce(sum(length(pairs)), 0) FROM known";
    assert_eq!(journal.number(bytes).await, 14);
    assert_eq!(journal.append(again(7)).await.unwrap(), Appended::New);
    journal.close_store().await;
    is_sound(&folder);
    let journal = sqlite(&folder).await;
    assert_eq!(journal.known_keys(), 2);
    assert_eq!(pending(&journal).await.len(), 1);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_done_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    {
        let mut append = journal.append(event("acme", "1", &["a"]));
        // Whether the writer's thread has answered by then does not matter.
        let _ = poll!(&mut append);
    }
    journal.append(event("acme", "2", &["a"])).await.unwrap();
    let claimed = journal.claim_due(NOW, 9.into()).await.unwrap().due;
    assert_eq!(claimed.len(), 2, "it can be claimed without a restart");
    {
        let mut finish = journal.finish(&claimed[0].id, Ending::Done, NOW);
        let _ = poll!(&mut finish);
    }
    journal.append(event("acme", "3", &[])).await.unwrap();
    assert_eq!(journal.open().await.unwrap().pending, 1);
}

#[tokio::test]
async fn a_claim_that_nobody_waits_for_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    journal.append(event("acme", "1", &["a"])).await.unwrap();
    journal.close_store().await;
    let journal = sqlite(&folder).await;
    {
        let mut claim = journal.claim_due(NOW, 9.into());
        if poll!(&mut claim).is_ready() {
            // It reads the event on another thread, which was quicker.
            return;
        }
    }
    assert_eq!(pending(&journal).await.len(), 1);
}

#[tokio::test]
async fn counting_what_waits_for_a_person_uses_the_small_index() {
    let folder = tempfile::tempdir().unwrap();
    let journal = sqlite(&folder).await;
    for query in [
        "SELECT count(*) FROM delivery WHERE state = ?1 AND state <> 'done'",
        "SELECT d.seq FROM delivery d CROSS JOIN event e ON e.seq = d.seq WHERE d.state = 'pending' AND d.state <> 'done'",
        "SELECT d.seq FROM delivery d JOIN event e ON e.seq = d.seq WHERE d.state IN ('parked', 'dead') AND d.state <> 'done'
         AND (d.seq, d.plugin) > (1, '') ORDER BY d.seq, d.plugin LIMIT 9",
    ] {
        let plan = journal.plan(query).await;
        assert!(plan.contains("delivery_open"), "{plan}");
    }
}
