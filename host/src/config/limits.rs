//! What one plugin may use, as `limits = { … }` says it.

use std::time::Duration;

use super::section::Section;
use crate::attempt::Budget;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Milliseconds,
    Pieces,
}

impl Unit {
    /// A figure as `bot.toml` would say it.
    fn show(self, figure: u64) -> String {
        let whole = |unit: u64| figure >= unit && figure.is_multiple_of(unit);
        match self {
            Self::Bytes if whole(1 << 20) => format!("{}MiB", figure >> 20),
            Self::Bytes if whole(1 << 10) => format!("{}KiB", figure >> 10),
            Self::Bytes => format!("{figure}B"),
            Self::Milliseconds if whole(1_000) => format!("{}s", figure / 1_000),
            Self::Milliseconds => format!("{figure}ms"),
            Self::Pieces => figure.to_string(),
        }
    }
}

/// A key of `limits`: its default, and the least and the most that can be set.
#[derive(Debug, Clone, Copy)]
struct Row {
    key: &'static str,
    unit: Unit,
    default: u64,
    least: u64,
    most: u64,
}

const fn row(key: &'static str, unit: Unit, default: u64, (least, most): (u64, u64)) -> Row {
    Row {
        key,
        unit,
        default,
        least,
        most,
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const SECOND: u64 = 1_000;

// What the pool of instances can give (engine.rs) bounds memory and tables; the rest keeps one plugin from mattering to others.
const MEMORY: Row = row("memory", Unit::Bytes, 64 * MIB, (MIB, 512 * MIB));
const TABLES: Row = row("tables", Unit::Pieces, 100_000, (100, 400_000));
const CPU: Row = row("cpu", Unit::Milliseconds, 500, (10, 300 * SECOND));
const WALL: Row = row("wall", Unit::Milliseconds, 10 * SECOND, (10, 300 * SECOND));
const CALLS: Row = row("calls", Unit::Pieces, 200, (1, 10_000));
const SENDS: Row = row("sends", Unit::Pieces, 20, (1, 1_000));
const CALL_BYTES: Row = row("call-bytes", Unit::Bytes, 2 * MIB, (64 * KIB, 64 * MIB));
const HANDLES: Row = row("handles", Unit::Pieces, 1_000, (16, 100_000));
const LOG_LINES: Row = row("log-lines", Unit::Pieces, 256, (1, 10_000));
const LOG_BYTES: Row = row("log-bytes", Unit::Bytes, 64 * KIB, (KIB, MIB));
const PRINTED_BYTES: Row = row("printed-bytes", Unit::Bytes, 64 * KIB, (KIB, MIB));
const CONCURRENT: Row = row("concurrent", Unit::Pieces, 32, (1, 1_000));
const COMPONENT: Row = row("component", Unit::Bytes, 32 * MIB, (KIB, 128 * MIB));
const COMPILE: Row = row(
    "compile",
    Unit::Milliseconds,
    60 * SECOND,
    (10, 600 * SECOND),
);
// Answers are whole before the plugin has them, so their bytes are the host's memory.
const HTTP_CONCURRENT: Row = row("http-concurrent", Unit::Pieces, 4, (1, 64));
const HTTP_PLACES: Row = row("http-places", Unit::Pieces, 16, (1, 256));
const HTTP_REQUEST: Row = row("http-request", Unit::Bytes, MIB, (KIB, 16 * MIB));
const HTTP_ANSWER: Row = row("http-answer", Unit::Bytes, MIB, (KIB, 16 * MIB));
const HTTP_ANSWERS: Row = row("http-answers", Unit::Bytes, 8 * MIB, (KIB, 64 * MIB));
const DESCRIBE: Row = row(
    "describe",
    Unit::Milliseconds,
    5 * SECOND,
    (10, 60 * SECOND),
);

/// What a plugin may use. Every limit has a default and an upper bound; where nothing else is said it is for one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, summed, in bytes.
    pub memory: u64,
    /// Elements of tables, summed.
    pub tables: u64,
    /// Time the guest computes.
    pub cpu: Duration,
    /// Time that passes, waiting included.
    pub wall: Duration,
    /// Host calls.
    pub calls: u32,
    /// Host calls that change something in DingTalk.
    pub sends: u32,
    /// Bytes of one call's arguments or result.
    pub call_bytes: usize,
    /// Open handles.
    pub handles: usize,
    /// Log lines.
    pub log_lines: u32,
    /// Bytes of log lines.
    pub log_bytes: usize,
    /// Bytes printed to standard output and error.
    pub printed_bytes: usize,
    /// HTTP requests under way at one time.
    pub http_concurrent: u32,
    /// Bytes of the body of an HTTP request.
    pub http_request: usize,
    /// Bytes of the body of one answer.
    pub http_answer: usize,
    /// Bytes of the bodies of all answers.
    pub http_answers: usize,
    /// HTTP requests of all the plugin's attempts under way at one time.
    pub http_places: u32,
    /// Attempts at one time.
    pub concurrent: u32,
    /// Bytes of the component file.
    pub component: u64,
    /// Time for compiling it.
    pub compile: Duration,
    /// Time for describing itself.
    pub describe: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(|row| row.default)
    }
}

impl Limits {
    /// Takes each figure from its row.
    fn of(mut figure: impl FnMut(Row) -> u64) -> Self {
        let mut pieces = |row| u32::try_from(figure(row)).unwrap_or(u32::MAX);
        let (calls, sends, log_lines, concurrent) = (
            pieces(CALLS),
            pieces(SENDS),
            pieces(LOG_LINES),
            pieces(CONCURRENT),
        );
        let (http_concurrent, http_places) = (pieces(HTTP_CONCURRENT), pieces(HTTP_PLACES));
        let mut size = |row| usize::try_from(figure(row)).unwrap_or(usize::MAX);
        let (call_bytes, handles, log_bytes, printed_bytes) = (
            size(CALL_BYTES),
            size(HANDLES),
            size(LOG_BYTES),
            size(PRINTED_BYTES),
        );
        let (http_request, http_answer, http_answers) =
            (size(HTTP_REQUEST), size(HTTP_ANSWER), size(HTTP_ANSWERS));
        let mut time = |row| Duration::from_millis(figure(row));
        Self {
            cpu: time(CPU),
            wall: time(WALL),
            compile: time(COMPILE),
            describe: time(DESCRIBE),
            memory: figure(MEMORY),
            tables: figure(TABLES),
            component: figure(COMPONENT),
            calls,
            sends,
            call_bytes,
            handles,
            log_lines,
            log_bytes,
            printed_bytes,
            http_concurrent,
            http_request,
            http_answer,
            http_answers,
            http_places,
            concurrent,
        }
    }

    /// A budget's figure as `bot.toml` would say it.
    pub fn show(&self, budget: Budget) -> String {
        let ms = |time: Duration| {
            let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            Unit::Milliseconds.show(ms)
        };
        match budget {
            Budget::Cpu => ms(self.cpu),
            Budget::Wall | Budget::Upstream => ms(self.wall),
            Budget::Describe => ms(self.describe),
            Budget::Memory => show_bytes(self.memory),
            Budget::Tables => self.tables.to_string(),
            Budget::CallBytes => show_bytes(self.call_bytes as u64),
            Budget::Handles => self.handles.to_string(),
            Budget::Calls => self.calls.to_string(),
            Budget::Sends => self.sends.to_string(),
        }
    }
}

/// A size as `bot.toml` would say it.
pub fn show_bytes(bytes: u64) -> String {
    Unit::Bytes.show(bytes)
}

/// Reads `limits = { … }`.
pub(super) fn read(mut section: Section<'_>) -> Limits {
    let limits = Limits::of(|row| {
        let (least, most) = (row.least, row.most);
        let given = match row.unit {
            Unit::Bytes => section.bytes_within(row.key, least..=most),
            Unit::Milliseconds => {
                let range = Duration::from_millis(least)..=Duration::from_millis(most);
                let given = section.duration_within(row.key, range);
                given.map(|time| u64::try_from(time.as_millis()).unwrap_or(most))
            }
            Unit::Pieces => {
                let bound = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
                let given = section.integer(row.key, bound(least)..=bound(most));
                given.and_then(|number| u64::try_from(number).ok())
            }
        };
        given.unwrap_or(row.default)
    });
    section.finish();
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row, found by the function that reads them all.
    fn rows() -> Vec<Row> {
        let mut rows = Vec::new();
        Limits::of(|row| {
            rows.push(row);
            row.default
        });
        rows
    }

    #[test]
    fn every_limit_has_a_default_within_its_bounds() {
        for row in rows() {
            assert!(row.least > 0, "{row:?}");
            assert!((row.least..=row.most).contains(&row.default), "{row:?}");
        }
    }

    #[test]
    fn the_tables_for_operators_hold_defaults_and_bounds() {
        let manuals = [
            include_str!("../../../docs/operating.md"),
            include_str!("../../../docs/operating.zh-CN.md"),
        ];
        for manual in manuals {
            let documented = |line: &&str| line.starts_with("| `limits.");
            assert_eq!(manual.lines().filter(documented).count(), rows().len());
            for row in rows() {
                let show = |figure| row.unit.show(figure);
                let default = match row.unit {
                    Unit::Pieces => show(row.default),
                    _ => format!("\"{}\"", show(row.default)),
                };
                let line = format!(
                    "| `limits.{}` | `{default}` | `{}` | `{}` |",
                    row.key,
                    show(row.least),
                    show(row.most)
                );
                assert!(manual.contains(&line), "the manual lacks {line}");
            }
        }
    }

    #[test]
    fn a_budget_is_shown_as_it_is_written() {
        let limits = Limits::default();
        let check = |budget, shown: &str| assert_eq!(limits.show(budget), shown);
        check(Budget::Memory, "64MiB");
        check(Budget::Cpu, "500ms");
        check(Budget::Wall, "10s");
        check(Budget::Sends, "20");
        assert_eq!(show_bytes(1_500), "1500B");
    }

    #[test]
    fn a_budget_names_a_key_that_exists() {
        for budget in [
            Budget::Cpu,
            Budget::Wall,
            Budget::Upstream,
            Budget::Describe,
            Budget::Memory,
            Budget::Tables,
            Budget::CallBytes,
            Budget::Handles,
            Budget::Calls,
            Budget::Sends,
        ] {
            assert!(rows().iter().any(|row| row.key == budget.key()));
        }
    }
}
