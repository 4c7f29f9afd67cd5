//! Puts values from outside into DingTalk's Markdown without letting them change its structure.

/// The value on one line, with everything that Markdown would read as markup escaped.
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_control() {
            // A line break would let the value start a heading, a quote or a list.
            escaped.push(' ');
            continue;
        }
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '!' | '~' | '|'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A link, or nothing when the URL is neither `http` nor `https`.
pub fn link(text: &str, url: &str) -> Option<String> {
    let known = ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && url.len() > scheme.len()
    });
    if !known {
        return None;
    }
    let mut target = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '(' => target.push_str("%28"),
            ')' => target.push_str("%29"),
            '<' => target.push_str("%3C"),
            '>' => target.push_str("%3E"),
            '\\' => target.push_str("%5C"),
            '"' => target.push_str("%22"),
            ' ' => target.push_str("%20"),
            c if c.is_control() => {}
            c => target.push(c),
        }
    }
    Some(format!("[{}]({target})", escape(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_value_is_escaped() {
        for (value, expected) in [
            ("plain 文字 5%", "plain 文字 5%"),
            ("[click](http://evil)", r"\[click\](http://evil)"),
            ("**a** _b_ `c`", r"\*\*a\*\* \_b\_ \`c\`"),
            ("# x\n> y\r\n- z", r"\# x \> y  - z"),
            ("![](http://pixel)", r"\!\[\](http://pixel)"),
            (r"back\slash", r"back\\slash"),
        ] {
            assert_eq!(escape(value), expected);
        }
    }

    #[test]
    fn a_link_cannot_end_early() {
        assert_eq!(
            link("details", "https://x.example/a_(b) \"t\"").as_deref(),
            Some("[details](https://x.example/a_%28b%29%20%22t%22)")
        );
    }

    #[test]
    fn only_web_addresses_become_links() {
        for url in ["javascript:alert(1)", "", "https://", "dingtalk://x", "日"] {
            assert_eq!(link("x", url), None, "{url}");
        }
        assert!(link("x", "HTTP://a").is_some());
    }
}
