//! How a dry run answers and compares, without a plugin.

use std::sync::Arc;

use super::rehearsal::Rehearsal;
use super::{Difference, Line, PIECE, Position, Replays, Report, Summary, Verdict, Whence, piece};
use crate::call::{Answer, Arguments, Fate, Json};
use crate::clock::{self, UnixMs};
use crate::config::Grant;
use crate::effect::{Answers, Given};
use crate::function::{Function, Policy};
use crate::ids::{DeliveryId, PluginDigest};
use crate::journal::{Effect, Place};

const GET: Function = Function::ChatGet;
const SEND: Function = Function::ChatSend;
const OK: Option<Fate> = Some(Fate::Done);

fn arguments(text: &str) -> Arguments {
    Arguments::new(&format!(r#"{{"key":"{text}"}}"#))
}

fn record(run: u32, number: u32, function: Function, text: &str, fate: Option<Fate>) -> Effect {
    Effect {
        place: Place { run, number },
        function,
        digest: PluginDigest::of(b"plugin"),
        arguments: arguments(text),
        stands_for: None,
        started_at: UnixMs(1),
        answer: fate.map(|fate| Answer {
            fate,
            text: Json::new(format!(r#""{run}.{number}""#)),
        }),
        diverged: None,
    }
}

fn rehearse(records: &[Effect], calls: &[(Function, &str)]) -> (Vec<Given>, Vec<Line>) {
    let rehearsal = Rehearsal::new(records, Arc::new(Grant::everything()));
    let given = calls
        .iter()
        .map(|(function, text)| rehearsal.answer(*function, &arguments(text)))
        .collect();
    (given, rehearsal.lines())
}

fn is_from_record(given: &Given, place: &str) -> bool {
    *given == Given::Answer(Json::new(format!("{place:?}")))
}

fn shown(lines: &[Line]) -> Vec<(Difference, &str)> {
    lines
        .iter()
        .map(|line| (line.difference, line.function.as_str()))
        .collect()
}

#[test]
fn a_plugin_that_does_the_same_is_answered_from_the_record_and_is_all_the_same() {
    let records = [
        record(0, 1, Function::KvGet, "n", OK),
        record(0, 2, Function::KvSet, "n", OK),
        record(0, 3, SEND, "a", OK),
        record(0, 4, GET, "a", Some(Fate::Refused)),
        record(0, 5, Function::KvGet, "n", OK),
    ];
    let calls = [
        (Function::KvGet, "n"),
        (Function::KvSet, "n"),
        (SEND, "a"),
        (GET, "a"),
        (Function::KvGet, "n"),
    ];
    let (given, lines) = rehearse(&records, &calls);
    for (number, given) in given.iter().enumerate() {
        assert!(
            is_from_record(given, &format!("0.{}", number + 1)),
            "{given:?}"
        );
    }
    assert!(lines.iter().all(|line| line.difference == Difference::Same));
    assert_eq!(lines.len(), 5);
}

#[test]
fn what_differs_stands_where_it_was() {
    let records = [
        record(0, 1, SEND, "a", OK),
        record(0, 2, GET, "a", OK),
        record(0, 3, SEND, "b", OK),
        record(0, 4, Function::RobotReply, "c", OK),
    ];
    let calls = [(SEND, "x"), (SEND, "b"), (Function::NoticeSend, "y")];
    let (_, lines) = rehearse(&records, &calls);
    assert_eq!(
        shown(&lines),
        [
            (Difference::Changed, "chat.send"),
            (Difference::Missing, "chat.get"),
            (Difference::Same, "chat.send"),
            (Difference::New, "notice.send"),
            (Difference::Missing, "robot.reply"),
        ]
    );
    assert_eq!(lines[0].field.as_deref(), Some("key"));
    assert_eq!(lines[0].recorded.as_ref().map(|was| was.number), Some(1));
    assert_eq!(lines[0].from, Some(Whence::MadeUp));
}

#[test]
fn a_write_is_taken_for_done_as_often_as_it_was_done_in_any_run() {
    let records = [
        record(0, 1, SEND, "a", OK),
        record(1, 1, GET, "a", OK),
        record(1, 2, SEND, "b", Some(Fate::Refused)),
    ];
    let (given, lines) = rehearse(&records, &[(SEND, "a"), (SEND, "a"), (SEND, "b")]);
    assert!(is_from_record(&given[0], "0.1"));
    // Once was done, and what was refused would be made again.
    assert!(matches!(given[1], Given::Granted(_)) && matches!(given[2], Given::Granted(_)));
    assert_eq!(
        shown(&lines),
        [
            (Difference::New, "chat.send"),
            (Difference::New, "chat.send"),
            (Difference::Missing, "chat.get"),
            (Difference::Same, "chat.send"),
        ]
    );
    assert_eq!(lines[0].from, Some(Whence::Record));
}

#[test]
fn nothing_that_is_not_recorded_is_read_and_what_is_in_doubt_stays_so() {
    let (given, lines) = rehearse(&[record(0, 1, SEND, "a", None)], &[(GET, "a"), (SEND, "a")]);
    let text = |given: &Given| match given {
        Given::Answer(text) => text.expose().to_owned(),
        other => panic!("{other:?}"),
    };
    assert!(text(&given[0]).contains("belfry.dry-run"));
    assert!(text(&given[1]).contains("belfry.outcome"));
    assert_eq!(lines[0].from, Some(Whence::Nothing));
    // Where a grant says so it would be sent again.
    let grant = Grant {
        ambiguous: [(SEND, Policy::Resend)].into(),
        ..Grant::everything()
    };
    let rehearsal = Rehearsal::new(&[record(0, 1, SEND, "a", None)], Arc::new(grant));
    let given = rehearsal.answer(SEND, &arguments("a"));
    assert!(matches!(given, Given::Granted(_)));
}

#[test]
fn a_value_that_this_run_wrote_is_read_as_it_wrote_it() {
    let records = [
        record(0, 1, Function::KvGet, "n", OK),
        record(0, 2, Function::KvListKeys, "n", OK),
        record(0, 3, Function::KvGet, "m", OK),
    ];
    let calls = [
        (Function::KvSet, "n"),
        (Function::KvGet, "n"),
        (Function::KvListKeys, "n"),
        (Function::KvGet, "m"),
    ];
    let (given, _) = rehearse(&records, &calls);
    assert_eq!(given[..3], [Given::Make, Given::Make, Given::Make]);
    assert!(is_from_record(&given[3], "0.3"));
}

#[test]
fn what_the_grant_refuses_is_shown_as_that() {
    let rehearsal = Rehearsal::new(&[], Arc::new(Grant::everything()));
    rehearsal.answer(SEND, &arguments("a"));
    rehearsal.told(SEND, &arguments("a"), &Json::new("{}"));
    let lines = rehearsal.lines();
    assert_eq!(lines[0].from, Some(Whence::Grant));
    assert_eq!(lines[0].answer, Some(Json::new("{}")));
}

fn ids(count: usize) -> Vec<DeliveryId> {
    let id = |_| DeliveryId {
        event: clock::event_id(),
        plugin: "a".into(),
    };
    (0..count).map(id).collect()
}

/// What a run of the plugin came to that heard so much of one call.
fn report(id: &DeliveryId, bytes: usize) -> Report {
    let rehearsal = Rehearsal::new(&[], Arc::new(Grant::everything()));
    rehearsal.answer(SEND, &arguments("a"));
    rehearsal.told(SEND, &arguments("a"), &Json::new("x".repeat(bytes)));
    let calls = rehearsal.lines();
    Report {
        version: Some("1".to_owned()),
        digest: Some("d".to_owned()),
        verdict: Verdict::of(true, &calls),
        outcome: "done".to_owned(),
        calls,
        ..Report::not_run(id, "done".to_owned())
    }
}

async fn run(ids: &[DeliveryId], bytes: usize) -> Replays {
    let of_piece = ids.iter().take(PIECE).cloned().collect();
    piece(of_piece, async |id| Ok::<_, String>(report(&id, bytes))).await
}

#[tokio::test]
async fn a_piece_ends_after_so_many_deliveries_or_so_many_bytes_and_says_where() {
    let all = ids(PIECE + 1);
    let position = |id: &DeliveryId| Position {
        event: id.event.to_string(),
        plugin: "a".to_owned(),
    };
    let full = run(&all, 1).await;
    assert_eq!(full.replays.len(), PIECE);
    assert_eq!(full.next, Some(position(&all[PIECE - 1])));
    assert_eq!(full.next.unwrap().delivery().unwrap(), all[PIECE - 1]);
    let few = run(&all[..3], 1).await;
    assert_eq!((few.replays.len(), few.next), (3, None));
    // Four go beyond 4 MiB.
    let large = run(&all[..9], 1_100_000).await;
    assert_eq!(
        (large.replays.len(), large.next),
        (4, Some(position(&all[3])))
    );
    let last = run(&all[..4], 1_100_000).await;
    assert_eq!((last.replays.len(), last.next), (4, None));
}

#[tokio::test]
async fn one_that_cannot_be_run_fails_alone() {
    let all = ids(3);
    let second = all[1].clone();
    let replays = piece(all, async |id| match id == second {
        true => Err("no plugin is loaded"),
        false => Ok(report(&id, 1)),
    });
    let replays = replays.await;
    let expected = Summary {
        same: 0,
        changed: 2,
        failed: 1,
    };
    assert_eq!(replays.summary, expected);
    let failed = &replays.replays[1];
    assert_eq!(
        (failed.outcome.as_str(), failed.outcome_text.as_str()),
        ("not-run", "no plugin is loaded")
    );
}

#[test]
fn a_run_is_the_same_only_if_it_succeeds_with_equal_calls() {
    let records = [record(0, 1, SEND, "a", OK)];
    let verdict = |succeeds, calls: &[(Function, &str)]| {
        let (_, lines) = rehearse(&records, calls);
        Verdict::of(succeeds, &lines)
    };
    assert_eq!(verdict(true, &[(SEND, "a")]), Verdict::Same);
    assert_eq!(verdict(false, &[(SEND, "a")]), Verdict::Failed);
    assert_eq!(verdict(true, &[(SEND, "b")]), Verdict::Changed);
    assert_eq!(verdict(true, &[]), Verdict::Changed);
    assert_eq!(verdict(true, &[(SEND, "a"), (GET, "a")]), Verdict::Changed);
}
