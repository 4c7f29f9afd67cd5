//! A TOML document as a tree whose values know their lines, and what was found wrong with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::section::Section;

/// Something wrong in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `app.acme.callback.aes-key`; empty when the file as a whole is meant.
    pub key: String,
    /// The line in the file; absent for what comes from the environment or is missing altogether.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// A value with the line it stands on.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) line: Option<usize>,
}

/// A value as TOML has it.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Value {
    /// What it is, for "must be …, not …".
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// What was found while a document was read.
pub(super) struct Findings {
    /// Where relative paths in the document start.
    pub(super) folder: PathBuf,
    /// What is wrong.
    pub(super) problems: RefCell<Vec<Problem>>,
    /// What is right but will surprise.
    pub(super) warnings: RefCell<Vec<Problem>>,
}

/// A whole document, read but not yet understood.
pub(super) struct Document {
    root: BTreeMap<String, Node>,
    findings: Findings,
}

impl Document {
    /// Parses TOML; what is not TOML is reported, the rest goes on.
    pub(super) fn parse(text: &str, folder: &Path) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let problems = errors.iter().map(|error| Problem {
            key: String::new(),
            line: error.span().map(|span| line_of(text, span.start)),
            text: format!("not TOML: {}", error.message()),
        });
        let findings = Findings {
            folder: folder.to_owned(),
            problems: RefCell::new(problems.collect()),
            warnings: RefCell::default(),
        };
        Self {
            root: table_of(text, table.get_ref()),
            findings,
        }
    }

    /// Sets keys from variables named `BELFRY_SECTION__KEY`. In lists of tables the table's name stands between
    /// (`BELFRY_APP__ACME__AGENT_ID`). The text is read as TOML where it can be, else as text.
    pub(super) fn override_from(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, text) in variables {
            let Some(path) = name
                .strip_prefix("BELFRY_")
                .filter(|path| path.contains("__"))
            else {
                continue;
            };
            let path: Vec<String> = path
                .split("__")
                .map(|part| part.to_lowercase().replace('_', "-"))
                .collect();
            let value = DeValue::parse(&text).map_or_else(
                |_| Value::Text(text.clone()),
                |value| value_of("", value.get_ref()),
            );
            if !set(&mut self.root, &path, value) {
                self.findings.problems.get_mut().push(Problem {
                    key: name,
                    line: None,
                    text: "names nothing that could be set".to_owned(),
                });
            }
        }
    }

    /// The outermost section.
    pub(super) fn section(&self) -> Section<'_> {
        Section::new(String::new(), None, self.root.clone(), &self.findings)
    }

    /// Problems and warnings, each in the order of lines.
    pub(super) fn into_findings(self) -> (Vec<Problem>, Vec<Problem>) {
        let (mut problems, mut warnings) = (
            self.findings.problems.into_inner(),
            self.findings.warnings.into_inner(),
        );
        problems.sort_by_key(|problem| problem.line);
        warnings.sort_by_key(|warning| warning.line);
        (problems, warnings)
    }
}

fn set(table: &mut BTreeMap<String, Node>, path: &[String], value: Value) -> bool {
    let [key, rest @ ..] = path else { return false };
    if rest.is_empty() {
        table.insert(key.clone(), Node { value, line: None });
        return true;
    }
    let entry = table.entry(key.clone()).or_insert_with(|| Node {
        value: Value::Table(BTreeMap::new()),
        line: None,
    });
    match &mut entry.value {
        Value::Table(inner) => set(inner, rest, value),
        Value::Array(items) => {
            let named = |node: &&mut Node| match &node.value {
                Value::Table(inner) => {
                    matches!(inner.get("name"), Some(Node { value: Value::Text(name), .. }) if name.to_lowercase().replace('_', "-") == rest[0])
                }
                _ => false,
            };
            match items.iter_mut().find(named) {
                Some(Node {
                    value: Value::Table(inner),
                    ..
                }) => set(inner, &rest[1..], value),
                _ => false,
            }
        }
        _ => false,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()
        .iter()
        .take(offset)
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

fn table_of(text: &str, table: &DeTable<'_>) -> BTreeMap<String, Node> {
    table
        .iter()
        .map(|(key, value)| {
            let line = (!text.is_empty()).then(|| line_of(text, key.span().start));
            (
                key.get_ref().to_string(),
                Node {
                    value: value_of(text, value.get_ref()),
                    line,
                },
            )
        })
        .collect()
}

fn value_of(text: &str, value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Value::Text(integer.as_str().to_owned()), Value::Integer),
        DeValue::Float(float) => float
            .as_str()
            .parse()
            .map_or_else(|_| Value::Text(float.as_str().to_owned()), Value::Float),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(datetime) => Value::Text(datetime.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| node_of(text, item)).collect())
        }
        DeValue::Table(table) => Value::Table(table_of(text, table)),
    }
}

fn node_of(text: &str, item: &Spanned<DeValue<'_>>) -> Node {
    let line = (!text.is_empty()).then(|| line_of(text, item.span().start));
    Node {
        value: value_of(text, item.get_ref()),
        line,
    }
}
