//! Reads one table: typed values, each problem with its key and line, and what nobody asked for.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use dingtalk::Secret;

use super::document::{Findings, Node, Problem, Value};

/// One table of the document. Keys are taken out as they are read; [`Section::finish`] reports what is left.
pub(super) struct Section<'a> {
    path: String,
    line: Option<usize>,
    entries: BTreeMap<String, Node>,
    findings: &'a Findings,
}

/// What a list may mix.
pub(super) enum Entry<'a> {
    /// A text.
    Text(String),
    /// A table.
    Section(Section<'a>),
}

impl<'a> Section<'a> {
    pub(super) fn new(
        path: String,
        line: Option<usize>,
        entries: BTreeMap<String, Node>,
        findings: &'a Findings,
    ) -> Self {
        Self {
            path,
            line,
            entries,
            findings,
        }
    }

    /// Reports that a key is wrong; an empty key means the section itself.
    pub(super) fn report(&self, key: &str, line: Option<usize>, text: impl Into<String>) {
        let problem = self.finding(key, line, text.into());
        self.findings.problems.borrow_mut().push(problem);
    }

    /// Notes that a key is right but will surprise.
    pub(super) fn warn(&self, key: &str, line: Option<usize>, text: impl Into<String>) {
        let warning = self.finding(key, line, text.into());
        self.findings.warnings.borrow_mut().push(warning);
    }

    fn finding(&self, key: &str, line: Option<usize>, text: String) -> Problem {
        let key = match (self.path.as_str(), key) {
            (path, "") => path.to_owned(),
            ("", key) => key.to_owned(),
            (path, key) => format!("{path}.{key}"),
        };
        Problem {
            key,
            line: line.or(self.line),
            text,
        }
    }

    /// Where a relative path in the document leads.
    pub(super) fn path_from_here(&self, path: &str) -> PathBuf {
        self.findings.folder.join(path)
    }

    /// Takes a key out and converts it; a conversion error is reported with the key.
    fn take<T>(
        &mut self,
        key: &str,
        convert: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.entries.remove(key)?;
        match convert(&node.value) {
            Ok(value) => Some(value),
            Err(text) => {
                self.report(key, node.line, text);
                None
            }
        }
    }

    /// A value that parses from text; `wanted` completes "must be …".
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.take(key, |value| match value {
            Value::Text(text) => {
                parse(text).ok_or_else(|| format!("must be {wanted}, not {text:?}"))
            }
            other => Err(format!("must be {wanted}, not {}", other.kind())),
        })
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.parsed(key, "a text", |text| Some(text.to_owned()))
    }

    /// A text that must be there and not empty; a placeholder stands in after the report.
    pub(super) fn required_text(&mut self, key: &str) -> String {
        let known = self.entries.contains_key(key);
        let text = self.parsed(key, "a text that is not empty", |text| {
            (!text.trim().is_empty()).then(|| text.to_owned())
        });
        if !known {
            self.report(key, None, "is missing");
        }
        text.unwrap_or_default()
    }

    /// A whole number within a range.
    pub(super) fn integer(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.take(key, |value| match value {
            Value::Integer(number) if range.contains(number) => Ok(*number),
            Value::Integer(number) => Err(format!(
                "must be between {} and {}, not {number}",
                range.start(),
                range.end()
            )),
            other => Err(format!("must be a whole number, not {}", other.kind())),
        })
    }

    /// True or false.
    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        self.take(key, |value| match value {
            Value::Boolean(boolean) => Ok(*boolean),
            other => Err(format!("must be true or false, not {}", other.kind())),
        })
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        self.take(key, texts_of)
    }

    /// `true`, `false` or a list of texts.
    pub(super) fn boolean_or_texts(&mut self, key: &str) -> Option<Result<bool, Vec<String>>> {
        self.take(key, |value| match value {
            Value::Boolean(boolean) => Ok(Ok(*boolean)),
            other => texts_of(other)
                .map(Err)
                .map_err(|_| "must be true, false or a list of texts".to_owned()),
        })
    }

    /// A duration such as `500ms`, `10s`, `5m`, `1h`.
    pub(super) fn duration(&mut self, key: &str) -> Option<Duration> {
        self.parsed(
            key,
            "a duration such as \"500ms\", \"10s\", \"5m\" or \"1h\"",
            duration_of,
        )
    }

    /// A size such as `64MiB`, in bytes.
    fn bytes(&mut self, key: &str) -> Option<u64> {
        self.parsed(key, "a size such as \"512KiB\" or \"64MiB\"", bytes_of)
    }

    /// A duration within a range.
    pub(super) fn duration_within(
        &mut self,
        key: &str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let line = self.line_of(key);
        let value = self.duration(key)?;
        if range.contains(&value) {
            return Some(value);
        }
        self.report(
            key,
            line,
            format!("must be between {:?} and {:?}", range.start(), range.end()),
        );
        None
    }

    /// A size within a range, in bytes.
    pub(super) fn bytes_within(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let line = self.line_of(key);
        let value = self.bytes(key)?;
        if range.contains(&value) {
            return Some(value);
        }
        self.report(
            key,
            line,
            format!(
                "must be between {}KiB and {}KiB",
                range.start() >> 10,
                range.end() >> 10
            ),
        );
        None
    }

    /// A secret: text, `{ env = "NAME" }` or `{ file = "path" }`.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let folder = &self.findings.folder;
        self.take(key, |value| match value {
            Value::Text(text) => Ok(Secret::new(text.as_str())),
            Value::Table(table) => match table.iter().next() {
                Some((
                    kind,
                    Node {
                        value: Value::Text(name),
                        ..
                    },
                )) if table.len() == 1 && kind == "env" => std::env::var(name)
                    .map(Secret::new)
                    .map_err(|_| format!("the environment variable {name} is not set")),
                Some((
                    kind,
                    Node {
                        value: Value::Text(path),
                        ..
                    },
                )) if table.len() == 1 && kind == "file" => {
                    std::fs::read_to_string(folder.join(path))
                        .map(|text| Secret::new(text.trim_end_matches(['\r', '\n'])))
                        .map_err(|error| format!("cannot read the file {path:?}: {error}"))
                }
                _ => Err("must be a text, { env = \"NAME\" } or { file = \"path\" }".to_owned()),
            },
            other => Err(format!(
                "must be a text, {{ env = \"NAME\" }} or {{ file = \"path\" }}, not {}",
                other.kind()
            )),
        })
    }

    /// A secret that must be there.
    pub(super) fn required_secret(&mut self, key: &str) -> Secret {
        if !self.entries.contains_key(key) {
            self.report(key, None, "is missing");
        }
        self.secret(key).unwrap_or_else(|| Secret::new(""))
    }

    /// A table as JSON, for what belfry only hands on.
    pub(super) fn json(&mut self, key: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
        self.take(key, |value| match json_of(value) {
            serde_json::Value::Object(object) => Ok(object),
            _ => Err(format!("must be a table, not {}", value.kind())),
        })
    }

    /// A table within this one.
    pub(super) fn section(&mut self, key: &str) -> Option<Section<'a>> {
        let line = self.entries.get(key)?.line;
        let entries = self.take(key, |value| match value {
            Value::Table(table) => Ok(table.clone()),
            other => Err(format!("must be a table, not {}", other.kind())),
        })?;
        Some(Section {
            path: self.path_of(key),
            line,
            entries,
            findings: self.findings,
        })
    }

    /// A list of tables, each called by its `name` in reports.
    pub(super) fn sections(&mut self, key: &str) -> Vec<Section<'a>> {
        let Some(Node { value, line }) = self.entries.remove(key) else {
            return Vec::new();
        };
        let Value::Array(items) = value else {
            self.report(key, line, format!("must be written as [[{key}]]"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let Value::Table(entries) = item.value else {
                self.report(key, item.line, format!("must be written as [[{key}]]"));
                continue;
            };
            let name = match entries.get("name") {
                Some(Node {
                    value: Value::Text(name),
                    ..
                }) if !name.is_empty() => name.clone(),
                _ => (index + 1).to_string(),
            };
            let path = format!("{}.{name}", self.path_of(key));
            sections.push(Section {
                path,
                line: item.line,
                entries,
                findings: self.findings,
            });
        }
        sections
    }

    /// Whether a key holds a table.
    pub(super) fn is_table(&self, key: &str) -> bool {
        let node = self.entries.get(key);
        node.is_some_and(|node| matches!(node.value, Value::Table(_)))
    }

    /// A list whose entries are texts or tables, each with its line.
    pub(super) fn texts_or_sections(&mut self, key: &str) -> Vec<(Entry<'a>, Option<usize>)> {
        let items = self.take(key, |value| match value {
            Value::Array(items) => Ok(items.clone()),
            other => Err(format!(
                "must be a list of texts or tables, not {}",
                other.kind()
            )),
        });
        let mut entries = Vec::new();
        for (index, item) in items.unwrap_or_default().into_iter().enumerate() {
            let entry = match item.value {
                Value::Text(text) => Entry::Text(text),
                Value::Table(table) => Entry::Section(Section {
                    path: format!("{}.{}", self.path_of(key), index + 1),
                    line: item.line,
                    entries: table,
                    findings: self.findings,
                }),
                other => {
                    let text = format!(
                        "must be a list of texts or tables, but has {}",
                        other.kind()
                    );
                    self.report(key, item.line, text);
                    continue;
                }
            };
            entries.push((entry, item.line));
        }
        entries
    }

    /// Whether a key is there and not yet read.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The line of a key, or of the section.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        self.entries.get(key).map_or(self.line, |node| node.line)
    }

    /// Drops a key unread.
    pub(super) fn skip(&mut self, key: &str) {
        self.entries.remove(key);
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        for (key, node) in &self.entries {
            self.report(key, node.line, "is not a key belfry knows");
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The `name` of a table, which goes into paths of URLs.
    pub(super) fn name(&mut self) -> String {
        let line = self.line_of("name");
        let name = self.required_text("name");
        if !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        {
            self.report(
                "name",
                line,
                "must consist of letters, digits, '-', '_' and '.'",
            );
        }
        name
    }

    /// The `app` a table belongs to, which must be one of those that exist.
    pub(super) fn app_reference(&mut self, apps: &HashSet<&str>) -> String {
        let line = self.line_of("app");
        let app = self.required_text("app");
        if !app.is_empty() && !apps.contains(app.as_str()) {
            self.report("app", line, format!("there is no [[app]] named {app:?}"));
        }
        app
    }
}

fn texts_of(value: &Value) -> Result<Vec<String>, String> {
    let Value::Array(items) = value else {
        return Err(format!("must be a list of texts, not {}", value.kind()));
    };
    items
        .iter()
        .map(|item| match &item.value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(format!("must be a list of texts, but has {}", other.kind())),
        })
        .collect()
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(boolean) => (*boolean).into(),
        Value::Array(items) => items.iter().map(|item| json_of(&item.value)).collect(),
        Value::Table(table) => serde_json::Value::Object(
            table
                .iter()
                .map(|(key, node)| (key.clone(), json_of(&node.value)))
                .collect(),
        ),
    }
}

fn split_unit(text: &str) -> Option<(f64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim()))
}

pub(super) fn duration_of(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 86400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn bytes_of(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor: f64 = match unit {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = number * factor;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (bytes.is_finite() && bytes < 1e15).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::document::Document;
    use super::*;

    #[test]
    fn units_are_read_and_others_refused() {
        assert_eq!(duration_of("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration_of("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration_of("10"), None);
        assert_eq!(duration_of("-1s"), None);
        assert_eq!(bytes_of("64MiB"), Some(64 << 20));
        assert_eq!(bytes_of("64MB"), None);
    }

    #[test]
    fn problems_carry_key_and_line() {
        let document = Document::parse("[server]\nlisten = 5\nlisen = \"x\"\n", Path::new(""));
        let mut root = document.section();
        let mut server = root.section("server").unwrap();
        assert_eq!(server.text("listen"), None);
        server.finish();
        root.finish();
        let shown: Vec<String> = document
            .into_findings()
            .0
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "line 2: server.listen: must be a text, not a whole number",
                "line 3: server.lisen: is not a key belfry knows"
            ]
        );
    }

    #[test]
    fn the_environment_overrides_keys_and_names_tables_of_lists() {
        let mut document =
            Document::parse("[[app]]\nname = \"acme\"\nagent-id = 1\n", Path::new(""));
        document.override_from([
            ("BELFRY_APP__ACME__AGENT_ID".to_owned(), "7".to_owned()),
            ("BELFRY_LOG".to_owned(), "x".to_owned()),
        ]);
        let mut root = document.section();
        let mut app = root.sections("app").remove(0);
        assert_eq!(app.integer("agent-id", 0..=100), Some(7));
    }
}
