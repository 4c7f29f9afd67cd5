use super::*;
use crate::tests::{alert, item, labels};

/// 2026-11-22 21:56:40 in China.
const START: f64 = 1_795_355_800_000.0;

fn encoded(report: &Markdown) -> usize {
    let message = serde_json::json!({
        "msgtype": "markdown",
        "markdown": { "title": report.title, "text": report.text },
    });
    message.to_string().len()
}

#[test]
fn a_firing_alert_says_what_where_and_since_when() {
    let mut alert = alert(&[("service", "checkout"), ("alertname", "HighErrorRate")]);
    alert.severity = Some("critical".to_owned());
    alert.annotations = labels(&[("summary", "5xx above 5%")]);
    alert.url = Some("https://alerts.example/#/alerts?a=(b)".to_owned());
    alert.alerts = vec![item(AlertStatus::Firing, Some(START), None)];
    let report = of(&alert);
    assert_eq!(report.title, "告警中 / firing HighErrorRate on checkout");
    assert_eq!(
        report.text,
        "### 🔴 告警中 / firing  \n\
         **HighErrorRate on checkout**  \n\
         **服务 service** checkout  \n\
         **级别 severity** critical  \n\
         **摘要 summary** 5xx above 5%  \n\
         **开始 started** 2026-11-22 21:56:40 (UTC+8)  \n\
         **告警数 alerts** 1  \n\
         **标签 labels** service=checkout, alertname=HighErrorRate  \n\
         [详情 details](https://alerts.example/#/alerts?a=%28b%29)"
    );
}

#[test]
fn a_resolved_alert_says_after_how_long() {
    let mut alert = alert(&[("service", "checkout")]);
    alert.status = AlertStatus::Resolved;
    alert.alerts = vec![
        item(
            AlertStatus::Resolved,
            Some(START + 50_000.0),
            Some(START + 200_000.0),
        ),
        item(AlertStatus::Resolved, Some(START), Some(START + 100_000.0)),
    ];
    let text = of(&alert).text;
    assert!(text.contains("已恢复 / resolved"), "{text}");
    assert!(
        text.contains("2026-11-22 22:00:00 (UTC+8), 历时 after 3 分 20 秒 / 3m 20s"),
        "{text}"
    );
}

#[test]
fn a_resolved_alert_without_times_is_still_resolved() {
    let mut alert = alert(&[]);
    alert.status = AlertStatus::Resolved;
    let text = of(&alert).text;
    assert!(
        text.contains("已恢复 / resolved") && !text.contains("历时"),
        "{text}"
    );
}

#[test]
fn several_alerts_are_listed_by_what_tells_them_apart() {
    let mut alert = alert(&[("service", "checkout")]);
    alert.truncated = 3;
    for (instance, status) in [("a:1", AlertStatus::Firing), ("b:2", AlertStatus::Resolved)] {
        let mut one = item(status, None, None);
        one.labels = labels(&[("service", "checkout"), ("instance", instance)]);
        alert.alerts.push(one);
    }
    let text = of(&alert).text;
    assert!(
        text.contains("\n\n- 🔴 instance=a:1\n\n- ✅ instance=b:2\n\n…另有 3 条 / and 3 more"),
        "{text}"
    );
    assert!(
        text.contains("**告警数 alerts** 5, 1 条告警中 / firing"),
        "{text}"
    );
}

#[test]
fn values_from_outside_cannot_become_markup() {
    let mut alert = alert(&[("service", "[pay](http://evil)")]);
    alert.title = "# **now**\n![](http://pixel)".to_owned();
    alert.url = Some("javascript:alert(1)".to_owned());
    let text = of(&alert).text;
    assert!(text.contains(r"\[pay\](http://evil)"), "{text}");
    assert!(
        text.contains(r"**\# \*\*now\*\* \!\[\](http://pixel)**"),
        "{text}"
    );
    assert!(!text.contains("javascript"), "{text}");
}

#[test]
fn every_report_fits_into_a_message() {
    for filler in ["x", "\"", "\\", "_", "长", "😀", "\u{1}", "a b "] {
        let long = filler.repeat(3000);
        for count in [0, 1, 2, 100] {
            let mut alert = alert(&[]);
            alert.status = AlertStatus::Resolved;
            alert.title = long.clone();
            alert.group_key = long.clone();
            alert.severity = Some(long.clone());
            alert.labels = (0..50)
                .map(|_| Label {
                    name: long.clone(),
                    value: long.clone(),
                })
                .collect();
            alert.annotations = labels(&[("summary", &long)]);
            alert.url = Some(format!("https://example.com/{}", "y".repeat(180)));
            alert.truncated = u32::MAX;
            for _ in 0..count {
                let mut one = item(AlertStatus::Resolved, Some(START), Some(START + 1.0));
                one.fingerprint = long.clone();
                one.labels = labels(&[("own", &long)]);
                one.annotations = labels(&[("summary", &long)]);
                alert.alerts.push(one);
            }
            let report = of(&alert);
            assert!(
                encoded(&report) <= 2048,
                "{filler:?} {count}: {}",
                encoded(&report)
            );
            assert!(report.text.chars().count() <= 5000);
            assert!(report.title.chars().count() <= MAX_TITLE);
            assert!(report.text.contains("more"), "{filler:?} {count}");
        }
    }
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut alert = alert(&[("service", "checkout")]);
    for number in 0..100 {
        let mut one = item(AlertStatus::Firing, Some(START), None);
        one.labels = labels(&[("instance", &format!("host-{number}.example.com:9100"))]);
        alert.alerts.push(one);
    }
    let report = of(&alert);
    let listed = report.text.matches("\n\n- ").count();
    assert!(listed > 10, "{listed}");
    assert!(
        report.text.contains(&format!("and {} more", 100 - listed)),
        "{}",
        report.text
    );
    assert!(encoded(&report) <= 2048);
}
