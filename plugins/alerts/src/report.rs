//! Writes an alert as Markdown that DingTalk takes.

use belfry_plugin::event::{Alert, AlertItem, AlertStatus, Label};
use belfry_plugin::markdown;
use belfry_plugin::message::Markdown;

use crate::moment::{china_time, span};
use crate::service;

/// DingTalk allows a message 2048 bytes of JSON; a little stays free for how the JSON is written.
const MAX_BYTES: usize = 2000;
/// What a message has around title and text.
const ENVELOPE: &str = r#"{"msgtype":"markdown","markdown":{"title":"","text":""}}"#;
/// A longer title makes DingTalk refuse the message (34016), counted in characters.
const MAX_TITLE: usize = 60;
/// A line break of DingTalk's Markdown.
const BREAK: &str = "  \n";

/// The report of an alert, never larger than DingTalk allows: alerts at the end are left out, and counted.
pub(crate) fn of(alert: &Alert) -> Markdown {
    let title = preview(alert);
    let room = MAX_BYTES - ENVELOPE.len() - json_len(&title);
    let text = text(alert, room);
    Markdown { title, text }
}

/// What the list of conversations shows; it is plain text.
fn preview(alert: &Alert) -> String {
    let plain: String = alert
        .title
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let full = format!("{} {plain}", status_words(alert.status));
    if full.chars().count() <= MAX_TITLE {
        return full;
    }
    let mut cut: String = full.chars().take(MAX_TITLE - 1).collect();
    cut.push('…');
    cut
}

fn text(alert: &Alert, room: usize) -> String {
    // Every part but the single alerts is cut so that all of them together stay below `room`.
    let mut lines = vec![format!(
        "### {} {}",
        status_sign(alert.status),
        status_words(alert.status)
    )];
    lines.push(format!("**{}**", clip(&alert.title, 240)));
    lines.push(format!(
        "**服务 service** {}",
        clip(service::of(alert), 100)
    ));
    if let Some(severity) = alert
        .severity
        .as_deref()
        .filter(|severity| !severity.trim().is_empty())
    {
        lines.push(format!("**级别 severity** {}", clip(severity, 40)));
    }
    if let Some(summary) = summary(alert) {
        lines.push(format!("**摘要 summary** {}", clip(summary, 320)));
    }
    lines.extend(times(alert));
    lines.push(count(alert));
    if !alert.labels.is_empty() {
        lines.push(format!("**标签 labels** {}", pairs(&alert.labels, 320)));
    }
    let link = alert
        .url
        .as_deref()
        .and_then(|url| markdown::link("详情 details", url));
    let link = link.filter(|link| json_len(link) <= 240);
    let head = lines.join(BREAK);
    let tail = link
        .map(|link| format!("{BREAK}{link}"))
        .unwrap_or_default();
    let items = items(
        alert,
        room.saturating_sub(json_len(&head) + json_len(&tail)),
    );
    format!("{head}{items}{tail}")
}

fn status_words(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::Firing => "告警中 / firing",
        AlertStatus::Resolved => "已恢复 / resolved",
    }
}

fn status_sign(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::Firing => "🔴",
        AlertStatus::Resolved => "✅",
    }
}

/// The annotation that explains the alert; a lone alert's own where none is shared.
fn summary(alert: &Alert) -> Option<&str> {
    let lone = match alert.alerts.as_slice() {
        [item] => item.annotations.as_slice(),
        _ => &[],
    };
    [alert.annotations.as_slice(), lone]
        .into_iter()
        .find_map(explanation)
}

fn explanation(annotations: &[Label]) -> Option<&str> {
    ["summary", "description", "message"]
        .iter()
        .find_map(|name| service::value(annotations, name))
}

/// When it started and, once all is over, when that was and how long it took.
fn times(alert: &Alert) -> Vec<String> {
    let start = alert
        .alerts
        .iter()
        .filter_map(|item| item.starts_at)
        .reduce(f64::min);
    let mut lines = Vec::new();
    if let Some(time) = start.and_then(china_time) {
        lines.push(format!("**开始 started** {time}"));
    }
    if alert.status == AlertStatus::Firing {
        return lines;
    }
    let end = alert
        .alerts
        .iter()
        .filter_map(|item| item.ends_at)
        .reduce(f64::max);
    if let Some((end, time)) = end.and_then(|end| Some((end, china_time(end)?))) {
        let after = start.and_then(|start| span(end - start));
        let after = after
            .map(|span| format!(", 历时 after {span}"))
            .unwrap_or_default();
        lines.push(format!("**恢复 resolved** {time}{after}"));
    }
    lines
}

fn count(alert: &Alert) -> String {
    let known = alert.alerts.len();
    let all = known.saturating_add(usize::try_from(alert.truncated).unwrap_or(usize::MAX));
    let firing = alert
        .alerts
        .iter()
        .filter(|item| item.status == AlertStatus::Firing)
        .count();
    if firing == 0 || firing == known {
        return format!("**告警数 alerts** {all}");
    }
    format!("**告警数 alerts** {all}, {firing} 条告警中 / firing")
}

/// The single alerts, as many as there is room for. A lone one has nothing to add to what all share.
fn items(alert: &Alert, room: usize) -> String {
    let several: &[AlertItem] = match alert.alerts.as_slice() {
        [_] => &[],
        several => several,
    };
    let mut lines = Vec::new();
    let mut length = 0;
    for item in several {
        let line = format!("\n\n- {}", line(item, &alert.labels));
        length += json_len(&line);
        if length > room {
            break;
        }
        lines.push(line);
    }
    let truncated = usize::try_from(alert.truncated).unwrap_or(usize::MAX);
    loop {
        let left_out = (several.len() - lines.len()).saturating_add(truncated);
        let mut text = lines.concat();
        if left_out > 0 {
            text.push_str(&format!("\n\n…另有 {left_out} 条 / and {left_out} more"));
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        if json_len(&text) <= room {
            return text;
        }
        // The words about what is left out need room too.
        if lines.pop().is_none() {
            return String::new();
        }
    }
}

/// One alert: what tells it from the others.
fn line(item: &AlertItem, shared: &[Label]) -> String {
    let own: Vec<Label> = item
        .labels
        .iter()
        .filter(|label| !shared.contains(label))
        .cloned()
        .collect();
    let mut parts = vec![status_sign(item.status).to_owned()];
    if !own.is_empty() {
        parts.push(pairs(&own, 160));
    }
    if let Some(text) = explanation(&item.annotations) {
        parts.push(clip(text, 160));
    }
    if parts.len() == 1 {
        parts.push(clip(&item.fingerprint, 64));
    }
    parts.join(" ")
}

/// `name=value, …`, escaped and cut to `max` bytes of JSON at most.
fn pairs(labels: &[Label], max: usize) -> String {
    let mut all = String::new();
    for label in labels {
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(&label.name);
        all.push('=');
        all.push_str(&label.value);
        if all.len() > max {
            break;
        }
    }
    clip(&all, max)
}

/// A value from outside, escaped and cut to `max` bytes of JSON at most. It looks at no more of the value than it keeps,
/// because senders put whole logs into annotations.
fn clip(value: &str, max: usize) -> String {
    const CUT: char = '…';
    let mut clipped = String::new();
    let mut length = 0;
    // Where to cut so that the sign of the cut fits.
    let mut last_safe = 0;
    for c in value.trim().chars() {
        let escaped = markdown::escape(c.encode_utf8(&mut [0; 4]));
        length += json_len(&escaped);
        if length > max {
            clipped.truncate(last_safe);
            clipped.push(CUT);
            break;
        }
        clipped.push_str(&escaped);
        if length + CUT.len_utf8() <= max {
            last_safe = clipped.len();
        }
    }
    clipped
}

/// How many bytes a text has inside a JSON string.
fn json_len(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            c if c.is_control() => 6,
            c => c.len_utf8(),
        })
        .sum()
}

#[cfg(test)]
mod tests;
