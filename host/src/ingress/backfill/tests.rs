//! When the list is read, and what its entries become.

use super::plan::Outcome;
use super::*;
use crate::clock::UnixMs;

const START: UnixMs = UnixMs(1_000_000);

fn at(seconds: u64) -> UnixMs {
    clock::later(START, Duration::from_secs(seconds))
}

/// The seconds at which a plan looks within two hours, with whether it also looks at approvals.
fn looks(plan: &mut Plan, outcome: &Outcome) -> Vec<(u64, bool)> {
    let mut looks = Vec::new();
    for second in 0..7200 {
        if let Some(thorough) = plan.take_due(at(second)) {
            looks.push((second, thorough));
            plan.ended(outcome, at(second));
        }
    }
    looks
}

fn later(after: u64) -> Outcome {
    Outcome::Later {
        reason: String::new(),
        after: Duration::from_secs(after),
    }
}

#[test]
fn after_a_start_the_list_is_read_until_the_last_push_of_before_must_be_on_it() {
    let mut plan = Plan::new(START);
    assert_eq!(
        looks(&mut plan, &Outcome::Done),
        [
            (0, true),
            (60, false),
            (180, false),
            (360, true),
            (3960, false)
        ]
    );
}

#[test]
fn an_app_that_may_not_is_asked_again_after_hours() {
    let mut plan = Plan::new(START);
    let refused = Outcome::Refused {
        reason: String::new(),
    };
    assert_eq!(looks(&mut plan, &refused), [(0, true)]);
    assert!(plan.is_refused());
    assert_eq!(plan.take_due(at(6 * 3600)), Some(true));
    plan.ended(&Outcome::Done, at(6 * 3600));
    assert!(!plan.is_refused());
}

#[test]
fn failures_are_repeated_with_growing_pauses_and_then_count_as_an_outage() {
    let mut plan = Plan::new(START);
    let times: Vec<u64> = looks(&mut plan, &later(0))
        .into_iter()
        .map(|look| look.0)
        .take(6)
        .collect();
    assert_eq!(times, [0, 5, 15, 35, 75, 155]);

    let mut plan = Plan::new(START);
    assert_eq!(plan.take_due(START), Some(true));
    plan.ended(&later(300), START);
    assert_eq!(
        looks(&mut plan, &Outcome::Done),
        [
            (300, true),
            (360, false),
            (480, false),
            (660, true),
            (4260, false)
        ]
    );
}

#[test]
fn another_outage_begins_the_looks_anew() {
    let mut plan = Plan::new(START);
    assert_eq!(plan.take_due(at(0)), Some(true));
    plan.ended(&Outcome::Done, at(0));
    plan.after_outage(at(50));
    assert_eq!(plan.take_due(at(50)), Some(true));
    assert_eq!(plan.take_due(at(109)), None);
    assert_eq!(plan.take_due(at(110)), Some(false));
    assert!(plan.was_unreachable(1));
    assert!(!plan.was_unreachable(1));
}

#[test]
fn only_a_long_pause_is_a_gap() {
    let mut gaps = Gaps::new(START, TICK);
    assert!(!gaps.slept(at(5)));
    assert!(!gaps.slept(at(40)));
    assert!(gaps.slept(at(76)));
    gaps.looked(at(200));
    assert!(!gaps.slept(at(205)));
    // A clock that is set back is none either.
    assert!(!gaps.slept(at(0)));
}

#[test]
fn an_entry_without_ids_is_found_among_what_arrived() {
    let entry = Event::parse(
        r#"{"EventType":"user_add_org","CorpId":"d","UserId":["u"],"EventTime":1700000000000}"#,
    )
    .unwrap();
    let pushed = |user: &str| {
        format!(
            r#"{{"EventType":"user_add_org","CorpId":"d","UserId":["{user}"],"TimeStamp":"1700000000123","eventId":"e"}}"#
        )
    };
    assert!(is_among(&entry, &["no json".to_owned(), pushed("u")]));
    assert!(!is_among(&entry, &[pushed("v")]));
}

#[test]
fn the_end_of_an_approval_reads_like_its_push_and_has_its_key() {
    use crate::journal::StartedApproval;
    use dingtalk::{Decision, Instance, InstanceStatus};

    let started = StartedApproval {
        instance_id: "i-1".to_owned(),
        process_code: Some("PROC-1".to_owned()),
        corp_id: None,
    };
    let instance = |status, decision| Instance {
        title: "t".to_owned(),
        status,
        decision,
        originator: "u".to_owned(),
        originator_dept: None,
        business_id: Some("b".to_owned()),
        fields: Vec::new(),
        records: Vec::new(),
        tasks: Vec::new(),
        created_at: Some(UnixMs(1)),
        finished_at: Some(UnixMs(2)),
    };
    for (status, decision, told) in [
        (
            InstanceStatus::Completed,
            Some(Decision::Agree),
            Some("finish"),
        ),
        (
            InstanceStatus::Completed,
            Some(Decision::Refuse),
            Some("finish"),
        ),
        (InstanceStatus::Terminated, None, Some("terminate")),
        (InstanceStatus::Canceled, None, Some("terminate")),
        (InstanceStatus::Completed, None, None),
        (InstanceStatus::Running, None, None),
        (InstanceStatus::Pending, None, None),
    ] {
        let end = approvals::end_of(&started, &instance(status, decision), "d");
        assert_eq!(
            end.as_ref().map(|end| &end["type"]),
            told.map(Into::into).as_ref()
        );
        let Some(end) = end else { continue };
        let event = Event::parse(&end.to_string()).unwrap();
        assert_eq!(
            event.dedupe_key(&end.to_string()),
            dingtalk::approval_end_key("i-1")
        );
        let EventBody::ApprovalInstance(change) = event.body else {
            panic!("{end}")
        };
        assert_eq!(
            (change.process_code.as_str(), change.originator.as_str()),
            ("PROC-1", "u")
        );
        assert_eq!(change.finished_at, Some(UnixMs(2)));
    }
}
