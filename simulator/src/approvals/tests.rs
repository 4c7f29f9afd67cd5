//! Walks approvals through their flows.
#![allow(clippy::unwrap_used)]

use super::*;

fn approval(steps: Vec<Step>) -> (Approval, i64) {
    let mut approval = Approval {
        id: "p1".to_owned(),
        business_id: "1".to_owned(),
        process_code: "PROC-1".to_owned(),
        title: "t".to_owned(),
        originator: "alice".to_owned(),
        department: 1,
        status: Status::Running,
        result: None,
        created_at: 0,
        finished_at: None,
        fields: Vec::new(),
        cc: Vec::new(),
        steps,
        tasks: Vec::new(),
        comments: Vec::new(),
        operations: Vec::new(),
    };
    let mut last_task = 0;
    approval.advance(&mut last_task, 0);
    (approval, last_task)
}

fn step(rule: Rule, userids: &[&str]) -> Step {
    Step {
        rule,
        userids: userids.iter().map(|&userid| userid.to_owned()).collect(),
    }
}

fn say(
    approval: &mut Approval,
    userid: &str,
    decision: Decision,
    last_task: &mut i64,
) -> Vec<Happening> {
    let at = approval.open_task(userid, None).unwrap();
    approval.decide(
        at,
        Verdict {
            decision,
            remark: "",
            files: &[],
            now: 1,
        },
        last_task,
    )
}

#[test]
fn steps_follow_one_another() {
    let (mut approval, mut last) =
        approval(vec![step(Rule::One, &["bob"]), step(Rule::One, &["carol"])]);
    let happened = say(&mut approval, "bob", Decision::Agree, &mut last);
    assert_eq!(happened, [Happening::Decided(0), Happening::Asked(1)]);
    let happened = say(&mut approval, "carol", Decision::Agree, &mut last);
    assert_eq!(happened, [Happening::Decided(1), Happening::Finished]);
    assert_eq!(approval.result, Some(Decision::Agree));
}

#[test]
fn everybody_of_an_and_step_must_agree() {
    let (mut approval, mut last) = approval(vec![step(Rule::And, &["bob", "carol"])]);
    assert_eq!(
        say(&mut approval, "carol", Decision::Agree, &mut last),
        [Happening::Decided(1)]
    );
    assert_eq!(approval.status, Status::Running);
    let happened = say(&mut approval, "bob", Decision::Agree, &mut last);
    assert_eq!(happened, [Happening::Decided(0), Happening::Finished]);
}

#[test]
fn one_refusal_ends_an_and_step() {
    let (mut approval, mut last) = approval(vec![
        step(Rule::And, &["bob", "carol"]),
        step(Rule::One, &["dave"]),
    ]);
    let happened = say(&mut approval, "bob", Decision::Refuse, &mut last);
    assert_eq!(
        happened,
        [
            Happening::Decided(0),
            Happening::Cancelled(1),
            Happening::Finished
        ]
    );
    assert_eq!(approval.result, Some(Decision::Refuse));
}

#[test]
fn the_first_of_an_or_step_decides() {
    let (mut approval, mut last) = approval(vec![step(Rule::Or, &["bob", "carol"])]);
    let happened = say(&mut approval, "carol", Decision::Agree, &mut last);
    assert_eq!(
        happened,
        [
            Happening::Decided(1),
            Happening::Cancelled(0),
            Happening::Finished
        ]
    );
    assert!(approval.open_task("bob", None).is_none());
}

#[test]
fn withdrawing_cancels_what_is_open() {
    let (mut approval, _) = approval(vec![step(Rule::One, &["bob"])]);
    assert_eq!(
        approval.terminate("alice", "", 1),
        [Happening::Cancelled(0), Happening::Terminated]
    );
    assert_eq!(
        (approval.status, approval.result),
        (Status::Terminated, None)
    );
}

#[test]
fn a_step_that_is_handed_on_waits_for_the_other_person() {
    let (mut approval, mut last) =
        approval(vec![step(Rule::One, &["bob"]), step(Rule::One, &["dave"])]);
    let happened = approval.redirect(0, "carol", "休假", (&mut last, 1));
    assert_eq!(happened, [Happening::Redirected(0), Happening::Asked(1)]);
    assert!(approval.open_task("bob", None).is_none());
    assert_eq!(approval.tasks[0].outcome(), "REDIRECTED");
    let happened = say(&mut approval, "carol", Decision::Agree, &mut last);
    assert_eq!(happened, [Happening::Decided(1), Happening::Asked(2)]);
}

#[test]
fn an_approval_without_steps_is_agreed_at_once() {
    let (approval, _) = approval(Vec::new());
    assert_eq!(
        (approval.status, approval.result),
        (Status::Completed, Some(Decision::Agree))
    );
}
