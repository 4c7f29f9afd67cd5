//! Finds out who is mentioned in a message.

use serde_json::Value;

use crate::company::Company;

/// Whom a message calls by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    pub(crate) userids: Vec<String>,
    pub(crate) all: bool,
}

/// The members written after an `@` in a person's text, by id or by name.
pub(crate) fn in_text(text: &str, members: &[String], company: &Company) -> Mentions {
    let is_named =
        |userid: &&String| follows_at(text, userid) || follows_at(text, company.name_of(userid));
    Mentions {
        userids: members.iter().filter(is_named).cloned().collect(),
        all: follows_at(text, "所有人") || follows_at(text, "all"),
    }
}

/// The members that a robot's `at` object names, as far as the text has the same id after an `@`.
pub(crate) fn in_webhook(message: &Value, content: &Value, members: &[String]) -> Mentions {
    let kind = message["msgtype"].as_str().unwrap_or_default();
    if !matches!(kind, "text" | "markdown") {
        return Mentions::default();
    }
    let text = content["content"]
        .as_str()
        .or_else(|| content["text"].as_str())
        .unwrap_or_default();
    let asked: Vec<&str> = message["at"]["atUserIds"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    Mentions {
        userids: members
            .iter()
            .filter(|userid| asked.contains(&userid.as_str()) && follows_at(text, userid))
            .cloned()
            .collect(),
        all: message["at"]["isAtAll"].as_bool().unwrap_or(false),
    }
}

/// The text without the first `@name` and the spaces around it.
pub(crate) fn cut(text: &str, name: &str) -> String {
    match place_of(text, name) {
        None => text.to_owned(),
        Some(at) => {
            let (before, after) = (
                text[..at].trim_end(),
                text[at + 1 + name.len()..].trim_start(),
            );
            if before.is_empty() || after.is_empty() {
                format!("{before}{after}")
            } else {
                format!("{before} {after}")
            }
        }
    }
}

fn follows_at(text: &str, name: &str) -> bool {
    place_of(text, name).is_some()
}

/// Where the `@` before a name stands.
fn place_of(text: &str, name: &str) -> Option<usize> {
    text.match_indices('@').map(|(at, _)| at).find(|at| {
        text[at + 1..].strip_prefix(name).is_some_and(|rest| {
            // `@al` must not be found where `@alice` was written.
            !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members() -> Vec<String> {
        ["alice", "bob", "zhangsan"].map(str::to_owned).to_vec()
    }

    #[test]
    fn people_are_mentioned_by_id_or_name() {
        let company = Company::sample();
        let found = in_text("@alice 和 @张三 看一下 @bobby", &members(), &company);
        assert_eq!(found.userids, ["alice", "zhangsan"]);
        assert!(!found.all);
        assert!(in_text("@所有人 开会", &members(), &company).all);
    }

    #[test]
    fn a_robot_mentions_only_whom_both_places_name() {
        let message =
            json!({"msgtype": "text", "at": {"atUserIds": ["alice", "bob"], "isAtAll": false}});
        let found = in_webhook(&message, &json!({"content": "hi @alice"}), &members());
        assert_eq!(found.userids, ["alice"]);
    }

    #[test]
    fn the_robots_name_is_cut_out() {
        for (text, left) in [
            ("@acme ping", "ping"),
            ("ping @acme", "ping"),
            ("请 @acme 看看", "请 看看"),
            ("@acmes ping", "@acmes ping"),
            ("@acme", ""),
            ("ping", "ping"),
        ] {
            assert_eq!(cut(text, "acme"), left);
        }
    }

    #[test]
    fn a_link_cannot_mention() {
        let message = json!({"msgtype": "link", "at": {"atUserIds": ["alice"], "isAtAll": true}});
        let content = json!({"text": "@alice"});
        assert_eq!(
            in_webhook(&message, &content, &members()),
            Mentions::default()
        );
    }
}
