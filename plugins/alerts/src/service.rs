//! Which service an alert is about, and what its group is called.

use belfry_plugin::event::{Alert, Label};

/// DingTalk's limit for the name of a group.
const MAX_NAME: usize = 20;

/// A key of the store has at most 512 bytes; services that share so long a beginning share a group.
const MAX_KEY: usize = 500;

/// The service: the label `service`, else `job`, else `alertname`, else the source's id of the group.
pub(crate) fn of(alert: &Alert) -> &str {
    ["service", "job", "alertname"]
        .iter()
        .find_map(|name| value(&alert.labels, name))
        .unwrap_or(&alert.group_key)
}

/// The label's value, unless it is blank.
pub(crate) fn value<'a>(labels: &'a [Label], name: &str) -> Option<&'a str> {
    labels
        .iter()
        .find(|label| label.name == name)
        .map(|label| label.value.trim())
        .filter(|value| !value.is_empty())
}

/// Where the store keeps the group of a service.
pub(crate) fn key(service: &str) -> String {
    let mut key = format!("group/{service}");
    key.truncate(key.floor_char_boundary(MAX_KEY));
    key
}

/// The name of the group, such as `告警 checkout`; what is too long is cut.
pub(crate) fn group_name(prefix: &str, service: &str) -> String {
    let full = format!("{prefix} {service}");
    let full: String = full.split_whitespace().collect::<Vec<_>>().join(" ");
    // Counted as DingTalk's JavaScript and Java count, so that a character outside the BMP is two.
    if full.encode_utf16().count() <= MAX_NAME {
        return full;
    }
    let mut name = String::new();
    let mut length = 1;
    for c in full.chars() {
        length += c.len_utf16();
        if length > MAX_NAME {
            break;
        }
        name.push(c);
    }
    name.push('…');
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::alert;

    #[test]
    fn the_first_label_that_says_something_names_the_service() {
        for (labels, service) in [
            (
                &[
                    ("alertname", "Slow"),
                    ("job", "node"),
                    ("service", "checkout"),
                ][..],
                "checkout",
            ),
            (
                &[("alertname", "Slow"), ("job", "node"), ("service", " ")],
                "node",
            ),
            (&[("alertname", "Slow")], "Slow"),
            (&[("team", "x")], "group-1"),
        ] {
            assert_eq!(of(&alert(labels)), service);
        }
    }

    #[test]
    fn a_group_name_has_at_most_twenty_characters() {
        for (prefix, service, name) in [
            ("告警", "checkout", "告警 checkout"),
            (
                "告警",
                "a-service-with-a-long-name",
                "告警 a-service-with-a…",
            ),
            ("", "checkout", "checkout"),
            ("x", "12345678901234567890", "x 12345678901234567…"),
            ("x", "123456789012345678", "x 123456789012345678"),
            ("告警", "two\nlines", "告警 two lines"),
            ("", "😀😀😀😀😀😀😀😀😀😀😀", "😀😀😀😀😀😀😀😀😀…"),
        ] {
            let named = group_name(prefix, service);
            assert_eq!(named, name);
            assert!(named.encode_utf16().count() <= MAX_NAME);
        }
    }

    #[test]
    fn a_key_fits_the_store() {
        assert_eq!(key("checkout"), "group/checkout");
        assert!(key(&"长".repeat(1000)).len() <= 512);
    }
}
