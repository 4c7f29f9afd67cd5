use super::*;
use crate::event::{Content, Origin};

const FINISHED: &str = r#"{"EventType":"bpms_instance_change","processInstanceId":"i","processCode":"PROC-1","type":"finish","result":"agree","title":"t","staffId":"u"}"#;
/// A Sunday, 18:00 in Shanghai.
const NOW: UnixMs = UnixMs(1_795_341_600_000);

fn facts(raw: &str) -> Facts {
    Facts::of(&Content::parse(&Origin::Callback, raw).unwrap())
}

fn rule(plugin: &str, events: &[&str], when: Option<&str>) -> Rule {
    Rule {
        plugin: plugin.into(),
        app: "acme".into(),
        events: events.iter().map(|event| event.parse().unwrap()).collect(),
        when: when.map(|when| when.parse().unwrap()),
        hours: None,
        order: 0,
        standing: Standing::Active,
    }
}

fn hours(days: &str, spans: &str) -> Option<Hours> {
    Some(Hours::new(
        Days::parse(days).unwrap(),
        Spans::parse(spans).unwrap(),
        zone(None).unwrap(),
    ))
}

fn chosen(rules: Vec<Rule>, raw: &str) -> Vec<String> {
    let choice = Rules::new(rules).choose(&"acme".into(), &facts(raw), NOW);
    choice.plugins.iter().map(ToString::to_string).collect()
}

#[test]
fn kinds_types_and_conditions_choose() {
    let rules = Rules::new(vec![
        rule("kind", &["approval-instance"], None),
        rule("type", &["bpms_instance_change"], None),
        rule(
            "both",
            &["bpms_instance_change", "approval-instance"],
            Some("event.process_code == 'PROC-1' && event.result == 'agree'"),
        ),
        rule(
            "no",
            &["approval-instance"],
            Some("event.process_code == 'PROC-2'"),
        ),
        rule("other-kind", &["chat-message", "alert"], None),
        rule("broken", &["approval-instance"], Some("event.nothing > 3")),
        rule("number", &["approval-instance"], Some("1 + 1")),
    ]);
    let choice = rules.choose(&"acme".into(), &facts(FINISHED), NOW);
    assert_eq!(
        choice.plugins,
        ["kind".into(), "type".into(), "both".into()]
    );
    let failed: Vec<&str> = choice
        .failed
        .iter()
        .map(|(plugin, _)| plugin.as_str())
        .collect();
    assert_eq!(failed, ["broken", "number"]);
    assert_eq!(
        rules.choose(&"another".into(), &facts(FINISHED), NOW),
        Choice::default()
    );
}

#[test]
fn order_hours_and_the_switch_count() {
    let later = Rule {
        order: 5,
        ..rule("later", &["approval-instance"], None)
    };
    let first = Rule {
        order: -1,
        ..rule("first", &["approval-instance"], None)
    };
    let off = Rule {
        standing: Standing::Disabled,
        ..rule("off", &["approval-instance"], None)
    };
    let refused = Rule {
        standing: Standing::NotLoaded,
        ..rule("refused", &["approval-instance"], None)
    };
    let office = Rule {
        hours: hours("mon-fri", "09:00-18:00"),
        ..rule("office", &["approval-instance"], None)
    };
    let weekend = Rule {
        hours: hours("sat-sun", "00:00-24:00"),
        ..rule("weekend", &["approval-instance"], None)
    };
    let plain = rule("plain", &["approval-instance"], None);
    let rules = vec![later, weekend, off, plain, office, refused, first];
    assert_eq!(
        chosen(rules, FINISHED),
        ["first", "weekend", "plain", "later"]
    );
}

#[test]
fn secrets_of_suites_go_to_nobody() {
    let ticket =
        r#"{"EventType":"suite_ticket","SuiteKey":"s","SuiteTicket":"secret","TimeStamp":1}"#;
    let rules = vec![
        rule("other", &["other"], None),
        rule("type", &["suite_ticket"], None),
    ];
    assert_eq!(chosen(rules, ticket), [] as [&str; 0]);
}

#[test]
fn the_index_leaves_out_none_that_the_rules_would_choose() {
    let events = [
        FINISHED,
        r#"{"EventType":"check_in","TimeStamp":1}"#,
        r#"{"EventType":"something_new","process_code":5}"#,
        r#"{"EventType":"bpms_task_change","processInstanceId":"i","processCode":"PROC-2","taskId":1,"type":"start","title":"t","staffId":"u"}"#,
    ];
    let subscriptions: [&[&str]; 5] = [
        &["approval-instance"],
        &["bpms_instance_change", "approval-instance"],
        &["other", "check_in"],
        &["approval-task", "something_new"],
        &["chat-message"],
    ];
    let conditions = [
        None,
        Some("event.process_code == 'PROC-1'"),
        Some("'PROC-2' == event.process_code && event.type == 'start'"),
        Some("event.result == 'agree' || event.process_code == 'PROC-2'"),
        Some("event.process_code == 'PROC-1' && event.result == 'refuse'"),
        Some("event.nothing > 3 && event.process_code == 'PROC-1'"),
        Some("event.nothing == 'x'"),
        Some("event.event_type == 'check_in'"),
    ];
    let mut all = Vec::new();
    for events in subscriptions {
        for when in conditions {
            all.push(rule(&format!("p{}", all.len()), events, when));
        }
    }
    let rules = Rules::new(all);
    for raw in events {
        let facts = facts(raw);
        let choice = rules.choose(&"acme".into(), &facts, NOW);
        let explained = rules.explain(&"acme".into(), &facts, NOW);
        assert_eq!(choice.plugins, explained.plugins, "{raw}");
        let failed: Vec<PluginName> = explained
            .verdicts
            .iter()
            .filter(|verdict| matches!(verdict.reason, Reason::ConditionFailed { .. }))
            .map(|verdict| verdict.plugin.clone())
            .collect();
        let noted: Vec<PluginName> = choice
            .failed
            .into_iter()
            .map(|(plugin, _)| plugin)
            .collect();
        assert_eq!(noted, failed, "{raw}");
    }
}

#[test]
fn every_plugin_is_told_why() {
    let off = Rule {
        standing: Standing::Disabled,
        ..rule("off", &["approval-instance"], None)
    };
    let office = Rule {
        hours: hours("mon-fri", "09:00-18:00"),
        ..rule("office", &["approval-instance"], None)
    };
    let elsewhere = Rule {
        app: "another".into(),
        ..rule("elsewhere", &["approval-instance"], None)
    };
    let rules = Rules::new(vec![
        rule(
            "gets",
            &["approval-instance"],
            Some("event.type == 'finish'"),
        ),
        rule("chat", &["chat-message"], None),
        off,
        office,
        elsewhere,
        rule(
            "template",
            &["approval-instance"],
            Some("event.process_code == 'PROC-2'"),
        ),
        rule("broken", &["approval-instance"], Some("event.nothing > 3")),
    ]);
    let explanation = rules.explain(&"acme".into(), &facts(FINISHED), NOW);
    insta::assert_snapshot!(serde_json::to_string_pretty(&explanation).unwrap());
}
