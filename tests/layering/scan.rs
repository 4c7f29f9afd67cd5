//! Finds the paths in Rust source that lead to other modules or crates, without a full parser.
//!
//! The source is cut into tokens, which drops comments and literals; items under `#[cfg(test)]` are dropped next,
//! because tests may look anywhere.

use std::collections::BTreeSet;

/// A name that source code mentions, and the line where it does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mention {
    pub(crate) line: usize,
    pub(crate) name: String,
}

/// One word or punctuation mark of the source; `::` is one token.
#[derive(Clone, Debug, PartialEq)]
struct Token {
    line: usize,
    text: String,
}

/// The modules at the top of the crate that a file's paths lead to.
///
/// `module` is the file's own place, `["journal", "sqlite"]` for `journal/sqlite.rs`; `roots` are the names that mean
/// the top of the crate: `crate`, and in a program beside a library the library's name. Paths through `super` are
/// followed. A glob or a macro at the top comes out under the name that stands there, such as `*`.
pub(crate) fn modules(source: &str, module: &[&str], roots: &[&str]) -> BTreeSet<Mention> {
    let tokens = without_tests(&tokens(source));
    let mut found = BTreeSet::new();
    // How many braces are open, and at which depth inline modules began: `super` counts from the innermost one.
    let mut depth = 0_usize;
    let mut inline = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match text(&tokens, at) {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
            }
            "mod" if is_word(text(&tokens, at + 1)) && text(&tokens, at + 2) == "{" => {
                inline.push(depth);
            }
            _ => {}
        }
        if let Some(end) = root_prefix(&tokens, at, module.len() + inline.len(), roots) {
            first_segments(&tokens, end, &mut found);
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// The crates of `names` that a file's paths begin with; a name ending in `*` stands for all that begin so.
pub(crate) fn crates(source: &str, names: &[&str]) -> BTreeSet<Mention> {
    let tokens = without_tests(&tokens(source));
    let mut found = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        let named = names.iter().any(|name| match name.strip_suffix('*') {
            Some(start) => token.text.starts_with(start),
            None => token.text == *name,
        });
        let before = if at == 0 { "" } else { text(&tokens, at - 1) };
        // `::hyper::x` begins a path, `own::hyper::x` does not.
        let begins = before != "::"
            || at < 2
            || !(is_word(text(&tokens, at - 2)) || text(&tokens, at - 2) == ">");
        let leads_on = text(&tokens, at + 1) == "::" || ["use", "crate"].contains(&before);
        if named && begins && leads_on {
            found.insert(Mention {
                line: token.line,
                name: token.text.clone(),
            });
        }
    }
    found
}

/// If a path that leads to the top of the crate begins at `at`: the index behind its last `::`.
fn root_prefix(tokens: &[Token], at: usize, depth: usize, roots: &[&str]) -> Option<usize> {
    let before = if at == 0 { "" } else { text(tokens, at - 1) };
    let word = text(tokens, at);
    // `pub(in crate::a)` says who may look in, not what is used.
    if before == "::" || before == "in" || text(tokens, at + 1) != "::" {
        return None;
    }
    if roots.contains(&word) {
        return Some(at + 2);
    }
    let mut end = at;
    if word == "self" {
        end += 2;
    }
    let mut steps = 0;
    while text(tokens, end) == "super" && text(tokens, end + 1) == "::" {
        steps += 1;
        end += 2;
    }
    (steps > 0 && steps == depth).then_some(end)
}

/// Collects the first name of the path, or of each path of the group, that begins at `at`.
fn first_segments(tokens: &[Token], at: usize, found: &mut BTreeSet<Mention>) {
    if text(tokens, at) != "{" {
        if let Some(token) = tokens.get(at) {
            found.insert(Mention {
                line: token.line,
                name: token.text.clone(),
            });
        }
        return;
    }
    let mut depth = 0_usize;
    let mut expects_name = true;
    for token in &tokens[at..] {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return,
            "}" => depth -= 1,
            "," if depth == 1 => expects_name = true,
            _ if depth == 1 && expects_name => {
                found.insert(Mention {
                    line: token.line,
                    name: token.text.clone(),
                });
                expects_name = false;
            }
            _ => {}
        }
    }
}

/// Drops every item under `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const MARKS: [&[&str]; 2] = [
        &["#", "[", "cfg", "(", "test", ")", "]"],
        &["#", "[", "cfg", "(", "all", "(", "test"],
    ];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if MARKS.iter().any(|mark| {
            mark.iter()
                .enumerate()
                .all(|(offset, word)| text(tokens, at + offset) == *word)
        }) {
            at = item_end(tokens, at);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The index behind the item whose first attribute begins at `at`.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while text(tokens, at) == "#" {
        at = group_end(tokens, at + 1);
    }
    while at < tokens.len() {
        match text(tokens, at) {
            // A field, a variant or a match arm ends with the comma, or with the brace of what holds it.
            ";" | "," => return at + 1,
            "}" => return at,
            "{" => {
                let end = group_end(tokens, at);
                // `use a::{b};` and `let x = S {};` go on behind the brace.
                return if [";", ","].contains(&text(tokens, end)) {
                    end + 1
                } else {
                    end
                };
            }
            "(" | "[" => at = group_end(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// The index behind the bracket that closes the one at `at`.
fn group_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first == '_' || first.is_alphabetic())
}

/// Cuts source into words and marks; comments, literals and lifetimes leave nothing.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1).copied().unwrap_or(' ')) {
            ('/', '/') => at + chars[at..].iter().take_while(|&&c| c != '\n').count(),
            ('/', '*') => comment_end(&chars, at),
            ('"', _) => string_end(&chars, at),
            ('\'', _) => quote_end(&chars, at),
            (':', ':') => {
                tokens.push(Token {
                    line,
                    text: "::".to_owned(),
                });
                at + 2
            }
            (first, _) if first == '_' || first.is_alphanumeric() => {
                let end = at
                    + chars[at..]
                        .iter()
                        .take_while(|&&c| c == '_' || c.is_alphanumeric())
                        .count();
                let word: String = chars[at..end].iter().collect();
                let hashes = chars[end..].iter().take_while(|&&c| c == '#').count();
                let raw = ["r", "br", "cr"].contains(&word.as_str());
                if raw && chars.get(end + hashes) == Some(&'"') {
                    raw_string_end(&chars, end, hashes)
                } else if word == "r" && hashes == 1 {
                    // `r#type` is the word `type`.
                    end + 1
                } else {
                    tokens.push(Token { line, text: word });
                    end
                }
            }
            (first, _) if first.is_whitespace() => at + 1,
            (first, _) => {
                tokens.push(Token {
                    line,
                    text: first.to_string(),
                });
                at + 1
            }
        };
        let end = end.min(chars.len());
        line += chars[at..end].iter().filter(|&&c| c == '\n').count();
        at = end;
    }
    tokens
}

/// The index behind the block comment at `at`; such comments nest.
fn comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut end = at;
    while end < chars.len() {
        match (chars[end], chars.get(end + 1)) {
            ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
            ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end
}

fn string_end(chars: &[char], at: usize) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != '"' {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    end + 1
}

fn raw_string_end(chars: &[char], at: usize, hashes: usize) -> usize {
    let mut end = at + hashes + 1;
    while end < chars.len() {
        if chars[end] == '"'
            && chars[end + 1..]
                .iter()
                .take(hashes)
                .filter(|&&c| c == '#')
                .count()
                == hashes
        {
            break;
        }
        end += 1;
    }
    end + 1 + hashes
}

/// The index behind the character literal at `at`, or behind the mark of a lifetime and its name.
fn quote_end(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        // The escaped character may itself be a quote.
        return at
            + 3
            + chars[(at + 3).min(chars.len())..]
                .iter()
                .take_while(|&&c| c != '\'')
                .count()
            + 1;
    }
    if chars.get(at + 2) == Some(&'\'') {
        return at + 3;
    }
    at + 1
        + chars[at + 1..]
            .iter()
            .take_while(|&&c| c == '_' || c.is_alphanumeric())
            .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: BTreeSet<Mention>) -> Vec<String> {
        found.into_iter().map(|mention| mention.name).collect()
    }

    fn check_modules(source: &str, module: &[&str], expected: &[&str]) {
        assert_eq!(
            names(modules(source, module, &["crate"])),
            expected,
            "{source}"
        );
    }

    #[test]
    fn paths_from_the_top_of_the_crate_are_found_wherever_they_stand() {
        check_modules("use crate::journal::Journal;", &["kv"], &["journal"]);
        check_modules(
            "fn f() -> crate::ids::EventId { crate::clock::now() }",
            &["kv"],
            &["clock", "ids"],
        );
        check_modules(
            "use crate::{\n  ids::{EventId, AppName},\n  kv,\n  clock::{self, Timestamp}};",
            &["a"],
            &["ids", "kv", "clock"],
        );
        check_modules("pub(crate) use crate::*;", &["a"], &["*"]);
        check_modules(
            "macro_rules! m { () => { $crate::kv::get() } }",
            &["a"],
            &["kv"],
        );
    }

    #[test]
    fn comments_strings_and_visibility_are_not_paths() {
        check_modules(
            "// use crate::kv;\n/* crate::kv /* crate::kv */ crate::kv */ //! [`crate::kv`]",
            &["a"],
            &[],
        );
        check_modules(
            r####"const A: &str = "crate::kv \" crate::kv"; const B: &str = r#"crate::kv " crate::kv"#;"####,
            &["a"],
            &[],
        );
        check_modules(
            r#"const A: [char; 3] = ['"', '\'', 'c']; fn f<'a>(a: &'a crate::ids::X) {} const B: char = '"';"#,
            &["a"],
            &["ids"],
        );
        check_modules(
            "pub(in crate::kv) fn f() {} pub(crate) fn g() {}",
            &["a"],
            &[],
        );
        check_modules("use other::crate_::kv; let krate = 1;", &["a"], &[]);
    }

    #[test]
    fn tests_may_use_what_they_like() {
        check_modules(
            "#[cfg(test)]\nmod tests { use crate::kv; fn f() { if true {} } }\nuse crate::ids;",
            &["a"],
            &["ids"],
        );
        check_modules(
            "#[cfg(test)] #[path = \"x.rs\"] mod tests; use crate::ids;",
            &["a"],
            &["ids"],
        );
        check_modules(
            "#[cfg(all(test, unix))] fn f() { crate::kv::x(); } use crate::ids;",
            &["a"],
            &["ids"],
        );
        check_modules(
            "#[cfg(test)] use crate::{kv, journal}; use crate::ids;",
            &["a"],
            &["ids"],
        );
        check_modules("#[cfg(not(test))] use crate::kv;", &["a"], &["kv"]);
        check_modules(
            "struct S { #[cfg(test)] a: crate::kv::K, b: crate::ids::I }",
            &["a"],
            &["ids"],
        );
    }

    #[test]
    fn super_is_followed_to_the_top() {
        check_modules("use super::kv::Kv;", &["journal"], &["kv"]);
        check_modules("use super::record::Record;", &["journal", "sqlite"], &[]);
        check_modules(
            "use super::super::kv;\nuse self::super::super::ids;",
            &["journal", "sqlite"],
            &["kv", "ids"],
        );
        check_modules(
            "mod inner { use super::kv; mod more { use super::super::super::ids; } }\nuse super::clock;",
            &["a"],
            &["ids", "clock"],
        );
    }

    #[test]
    fn the_line_of_a_path_is_known() {
        let found = modules(
            "/* one\ntwo */\n\"three\n\";\nuse crate::kv;",
            &["a"],
            &["crate"],
        );
        assert_eq!(
            found,
            BTreeSet::from([Mention {
                line: 5,
                name: "kv".to_owned()
            }])
        );
    }

    #[test]
    fn crates_are_found_where_a_path_begins() {
        let check = |source: &str, expected: &[&str]| {
            assert_eq!(
                names(crates(source, &["hyper*", "simulator"])),
                expected,
                "{source}"
            );
        };
        check("use hyper::Request;", &["hyper"]);
        check("fn f(a: ::hyper::body::Body) {}", &["hyper"]);
        check("use simulator;", &["simulator"]);
        check("use {hyper_util::rt::TokioIo, std::io};", &["hyper_util"]);
        check("simulator::Simulator::start()", &["simulator"]);
        check(
            "let simulator = start(); use own::hyper::Request; // hyper::Request",
            &[],
        );
        check("#[cfg(test)] mod tests { use hyper::Request; }", &[]);
    }

    #[test]
    fn unfinished_source_ends_the_scan_and_nothing_else() {
        for source in [
            "\"",
            "'",
            "'\\",
            "/*",
            "r#\"",
            "use crate::{a, {",
            "#[cfg(test)]",
            "#[cfg(test)] mod a {",
            "}}}",
            "crate::",
        ] {
            modules(source, &["a"], &["crate"]);
            crates(source, &["hyper"]);
        }
    }
}
