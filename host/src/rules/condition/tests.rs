use super::*;
use crate::event::{Content, Origin};

fn facts(raw: &str) -> Facts {
    Facts::of(&Content::parse(&Origin::Callback, raw).unwrap())
}

fn contacts(users: usize) -> Facts {
    let users: Vec<String> = (0..users).map(|number| format!("u{number}")).collect();
    let raw = serde_json::json!({
        "EventType": "user_add_org", "TimeStamp": 1, "UserId": users, "CorpId": "dingcorp",
    });
    facts(&raw.to_string())
}

fn holds(condition: &str, facts: &Facts) -> Result<bool, String> {
    let condition: Condition = condition.parse().unwrap();
    condition.holds(&Subject::new(facts))
}

const STARTED: &str = r#"{"EventType":"bpms_instance_change","processInstanceId":"i","processCode":"P","title":"geheim","staffId":"u","type":"start"}"#;

#[test]
fn a_failing_condition_is_explained_without_what_people_wrote() {
    for (condition, explanation) in [
        (
            "event.title + 1 == 'x'",
            "\"add\" does not apply to String and Int",
        ),
        ("event.nothing == 1", "there is no \"nothing\""),
        (
            "int(event.title) > 1",
            "\"int\" does not work on this value",
        ),
        (
            "event[event.title] == 1",
            "a value does not fit the expression",
        ),
        ("1 + 1", "gives Int instead of true or false"),
    ] {
        assert_eq!(holds(condition, &facts(STARTED)).unwrap_err(), explanation);
    }
}

#[test]
fn what_is_no_expression_is_refused() {
    let error = "event.".parse::<Condition>().unwrap_err().to_string();
    assert!(error.starts_with("is not a CEL expression"), "{error}");
}

#[test]
fn an_expression_that_is_too_large_is_refused_and_never_ends_the_process() {
    let many = |part: &str, count: usize| part.repeat(count);
    for (text, word) in [
        (format!("'{}' == ''", many("x", 3_000)), "bytes"),
        (format!("[{}1].size() > 0", many("1,", 900)), "parts"),
        (format!("1{} > 0", many("+1", 300)), "levels"),
        (format!("{}1{}", many("(", 900), many(")", 900)), "CEL"),
        (format!("{}1{}", many("[", 900), many("]", 900)), "CEL"),
        (format!("event{}", many(".a", 900)), "too large"),
        (format!("event{}", many("[0]", 600)), "too large"),
        (format!("{}1", many("1?1:", 400)), "CEL"),
        (many("-", 1_900), "CEL"),
        (
            "[1].all(a, [1].all(b, [1].all(c, true)))".to_owned(),
            "loops",
        ),
    ] {
        // As small as the stack of a worker thread.
        let parsed = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(move || text.parse::<Condition>().map(|_| text))
            .unwrap()
            .join()
            .unwrap();
        match parsed {
            Err(error) => assert!(error.to_string().contains(word), "{word}: {error}"),
            Ok(text) => panic!("{text} was accepted"),
        }
    }
}

#[test]
fn an_evaluation_that_could_take_long_on_a_large_event_is_not_begun() {
    let squares = "event.user_ids.all(a, event.user_ids.all(b, event.user_ids.size() > 0))";
    assert_eq!(holds(squares, &contacts(10)), Ok(true));
    assert_eq!(
        holds(squares, &contacts(5_000)).unwrap_err(),
        "the event is too large for this expression"
    );
    let copies = "event.user_ids.map(u, event).size() > 0";
    assert!(holds(copies, &contacts(20_000)).is_err());
    // What people write goes through.
    assert_eq!(holds("'u7' in event.user_ids", &contacts(5_000)), Ok(true));
    assert_eq!(
        holds(
            "event.user_ids.exists(u, u in ['u1', 'u2'])",
            &contacts(500)
        ),
        Ok(true)
    );
}

#[test]
fn the_fields_it_names_are_known_with_their_values() {
    let condition: Condition =
        "event.process_code == 'P' && has(event.labels.team) || event['title'].size() > 3"
            .parse()
            .unwrap();
    let looked_at = condition.looked_at(&facts(STARTED));
    assert_eq!(
        looked_at,
        [
            ("event.labels.team".to_owned(), None),
            ("event.process_code".to_owned(), Some("P".into())),
            ("event.title".to_owned(), Some("geheim".into())),
        ]
    );
}

#[test]
fn an_equation_that_the_whole_depends_on_is_found() {
    for (text, expected) in [
        ("event.process_code == 'P'", Some(("process_code", "P"))),
        (
            "event.type == 'finish' && 'P' == event.process_code",
            Some(("type", "finish")),
        ),
        (
            "(event.nothing > 3) && event.process_code == 'P'",
            Some(("process_code", "P")),
        ),
        ("event.process_code == 'P' || event.type == 'finish'", None),
        ("!(event.process_code == 'P')", None),
        ("event.process_code != 'P'", None),
        ("event.labels.team == 'P'", None),
        ("event.process_code == event.type", None),
        ("event.sender_is_admin", None),
    ] {
        let condition: Condition = text.parse().unwrap();
        let pin = condition.pin();
        let found = pin.map(|pin| (pin.field.as_str(), pin.text.as_str()));
        assert_eq!(found, expected, "{text}");
    }
}

/// On which the index relies: an equation that is false makes the whole false, whatever else fails.
#[test]
fn a_false_part_decides_even_beside_a_part_that_fails() {
    let facts = facts(STARTED);
    for text in [
        "event.nothing > 3 && event.process_code == 'Q'",
        "event.process_code == 'Q' && event.nothing > 3",
    ] {
        assert_eq!(holds(text, &facts), Ok(false), "{text}");
    }
}

#[test]
fn what_is_left_beside_the_equation_says_the_same() {
    for (text, is_alone) in [
        ("event.type == 'start'", true),
        ("event.type == 'start' && event.title == 'geheim'", false),
        ("event.title == 'geheim' && event.nothing > 3", false),
        ("event.nothing > 3 && event.type == 'start'", false),
        ("event.type == 'start' && 1 + 1", false),
        (
            "(1 < 2 && event.type == 'start') && event.title.size() == 6",
            false,
        ),
        (
            "'x' in event.title && (event.type == 'start' && 1 > 2)",
            false,
        ),
        (
            "event.nothing.size() == 0 && event.type == 'start' && 1 > 2",
            false,
        ),
    ] {
        let condition: Condition = text.parse().unwrap();
        let rest = condition.pin().unwrap().rest.as_ref();
        assert_eq!(rest.is_none(), is_alone, "{text}");
        let facts = facts(STARTED);
        let subject = Subject::new(&facts);
        // Why it fails may be said in other words.
        assert_eq!(
            rest.map_or(Ok(true), |rest| condition.rest_holds(rest, &subject))
                .ok(),
            condition.holds(&subject).ok(),
            "{text}"
        );
    }
}

#[test]
fn conditions_of_one_form_leave_the_same() {
    let left = |text: &str| {
        let condition: Condition = text.parse().unwrap();
        condition.pin().unwrap().rest.clone().unwrap()
    };
    let first = left("event.process_code == 'P' && event.type == 'finish'");
    assert!(first == left("event.process_code == 'another' && event.type == 'finish'"));
    assert!(first != left("event.process_code == 'P' && event.type == 'start'"));
}
