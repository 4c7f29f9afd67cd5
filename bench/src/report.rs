//! The table that people read and the file with the figures behind it.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use crate::machine::Machine;
use crate::places::Places;
use crate::rounds::Round;

/// What a figure counts.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    /// Operations per second; more is better.
    PerSecond,
    /// Microseconds an operation; less is better.
    Microseconds,
    /// Milliseconds; less is better.
    Milliseconds,
    /// Mebibytes; less is better.
    Mebibytes,
    /// Things that should not be there.
    Count,
}

/// What the figure is held to.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Goal {
    /// The ratio must not be less.
    RatioAtLeast(f64),
    /// The ratio must not be more.
    RatioAtMost(f64),
    /// The figure itself must be less; there is no yardstick.
    Below(f64),
    /// Nothing; it is shown for comparison.
    Shown,
}

/// One line of the table.
#[derive(Serialize)]
pub(crate) struct Line {
    name: String,
    unit: Unit,
    goal: Goal,
    ours: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
    is_met: bool,
}

#[derive(Serialize)]
struct Against {
    yardstick: f64,
    ratio: Spread,
    rounds: Vec<Round>,
}

/// The middle and the ends of what the rounds gave.
#[derive(Clone, Copy, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self {
            median,
            min: at(0),
            max: at(values.len().wrapping_sub(1)),
        }
    }
}

impl Line {
    /// A comparison by the median of the rounds' own ratios.
    pub(crate) fn compared(
        name: impl Into<String>,
        unit: Unit,
        goal: Goal,
        rounds: Vec<Round>,
    ) -> Self {
        let ratio = Spread::of(rounds.iter().map(|round| round.ours / round.yardstick));
        Self {
            name: name.into(),
            unit,
            goal,
            ours: Spread::of(rounds.iter().map(|round| round.ours)).median,
            is_met: goal.is_met(ratio.median),
            against: Some(Against {
                yardstick: Spread::of(rounds.iter().map(|round| round.yardstick)).median,
                ratio,
                rounds,
            }),
        }
    }

    /// A figure that stands for itself.
    pub(crate) fn absolute(name: impl Into<String>, unit: Unit, goal: Goal, figure: f64) -> Self {
        Self {
            name: name.into(),
            unit,
            goal,
            ours: figure,
            against: None,
            is_met: goal.is_met(figure),
        }
    }

    fn cells(&self) -> [String; 6] {
        let (yardstick, ratio) = match &self.against {
            Some(against) => {
                let Spread { median, min, max } = against.ratio;
                (
                    self.unit.show(against.yardstick),
                    format!("{median:.2} ({min:.2}..{max:.2})"),
                )
            }
            None => ("-".to_owned(), "-".to_owned()),
        };
        [
            self.name.clone(),
            self.unit.show(self.ours),
            yardstick,
            ratio,
            match self.goal {
                Goal::Below(limit) => format!("< {}", self.unit.show(limit)),
                goal => goal.to_string(),
            },
            match (self.goal, self.is_met) {
                (Goal::Shown, _) => "",
                (_, true) => "pass",
                (_, false) => "miss",
            }
            .to_owned(),
        ]
    }
}

impl Goal {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::RatioAtLeast(least) => figure >= least,
            Self::RatioAtMost(most) => figure <= most,
            Self::Below(limit) => figure < limit,
            Self::Shown => true,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioAtLeast(least) => write!(f, ">= {least:.2}"),
            Self::RatioAtMost(most) => write!(f, "<= {most:.2}"),
            Self::Below(limit) => write!(f, "< {limit}"),
            Self::Shown => f.write_str("-"),
        }
    }
}

impl Unit {
    fn show(self, figure: f64) -> String {
        match self {
            Self::PerSecond => format!("{figure:.0}/s"),
            Self::Microseconds => format!("{figure:.1} us"),
            Self::Milliseconds => format!("{figure:.2} ms"),
            Self::Count => format!("{figure:.0}"),
            Self::Mebibytes => format!("{figure:.1} MiB"),
        }
    }
}

/// Everything that one run found.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    lines: Vec<Line>,
}

impl Report {
    /// An empty report of a machine.
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            lines: Vec::new(),
        }
    }

    /// Adds the lines of a benchmark.
    pub(crate) fn add(&mut self, lines: Vec<Line>) {
        self.lines.extend(lines);
    }

    /// Prints the machine and the table, in Markdown so that it can be pasted.
    #[allow(clippy::print_stdout, reason = "the table is what the program is for")]
    pub(crate) fn print(&self) {
        println!("{}\n\n{}", self.machine, self.table());
    }

    fn table(&self) -> String {
        let head = [
            "benchmark",
            "belfry",
            "yardstick",
            "ratio (min..max)",
            "goal",
            "",
        ];
        let rows: Vec<[String; 6]> = std::iter::once(head.map(str::to_owned))
            .chain(self.lines.iter().map(Line::cells))
            .collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut table = String::new();
        for (index, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            table.push_str(&format!("| {} |\n", cells.join(" | ")));
            if index == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                table.push_str(&format!("| {} |\n", rules.join(" | ")));
            }
        }
        table
    }

    /// Writes the raw figures and says where.
    pub(crate) fn save(&self, places: &Places) -> anyhow::Result<PathBuf> {
        let path = places.work().join("figures.json");
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(goal: Goal, ours: [f64; 3], yardstick: f64) -> Line {
        let rounds = ours.map(|ours| Round { ours, yardstick }).to_vec();
        Line::compared("x", Unit::PerSecond, goal, rounds)
    }

    #[test]
    fn a_goal_is_judged_by_the_median_of_the_rounds() {
        let check = |goal: Goal, ours: [f64; 3], met: bool| {
            assert_eq!(line(goal, ours, 10.0).is_met, met, "{goal} {ours:?}");
        };
        check(Goal::RatioAtLeast(0.7), [1.0, 7.0, 20.0], true);
        check(Goal::RatioAtLeast(0.7), [20.0, 6.9, 1.0], false);
        check(Goal::RatioAtMost(1.5), [1.0, 15.0, 20.0], true);
        check(Goal::RatioAtMost(1.5), [30.0, 15.1, 1.0], false);
    }

    #[test]
    fn a_figure_without_yardstick_is_judged_by_itself() {
        let check = |figure: f64, met: bool| {
            let line = Line::absolute("m", Unit::Mebibytes, Goal::Below(100.0), figure);
            assert_eq!(line.is_met, met, "{figure}");
        };
        check(99.9, true);
        check(100.0, false);
    }

    #[test]
    fn the_table_shows_ratio_and_verdict() {
        let mut report = Report::new(Machine::default());
        report.add(vec![line(Goal::RatioAtLeast(0.7), [6.0, 8.0, 9.0], 10.0)]);
        let table = report.table();
        let last = table.lines().last().unwrap();
        assert_eq!(
            last,
            "| x         | 8/s    | 10/s      | 0.80 (0.60..0.90) | >= 0.70 | pass |"
        );
    }

    #[test]
    fn nothing_measured_is_no_number_and_misses() {
        assert!(!Line::compared("x", Unit::PerSecond, Goal::RatioAtLeast(0.7), Vec::new()).is_met);
    }
}
