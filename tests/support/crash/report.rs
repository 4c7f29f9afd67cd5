//! Tells people and programs how a run ended.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::judge::{Count, Way};

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How long it took.
    pub took: Duration,
    /// Kills by where they met belfry.
    pub kills: BTreeMap<&'static str, u32>,
    /// Calls that DingTalk saw and that were counted.
    pub calls: usize,
    /// How often a call was found in doubt after a kill.
    pub doubts: u32,
    /// What became of the events.
    pub counts: BTreeMap<Way, Count>,
    /// What must not be, in words.
    pub wrong: Vec<String>,
}

impl Report {
    /// Whether nothing was lost, nothing done twice, and nothing else went wrong.
    pub fn is_sound(&self) -> bool {
        self.wrong.is_empty()
    }

    /// The count of all ways together.
    pub fn total(&self) -> Count {
        self.counts
            .values()
            .fold(Count::default(), |sum, count| Count {
                sent: sum.sent + count.sent,
                acknowledged: sum.acknowledged + count.acknowledged,
                lost: sum.lost + count.lost,
                duplicated: sum.duplicated + count.duplicated,
                ambiguous: sum.ambiguous + count.ambiguous,
                unknown: sum.unknown + count.unknown,
                disordered: sum.disordered + count.disordered,
            })
    }

    /// All of it, for programs.
    pub fn to_json(&self) -> Value {
        let ways: BTreeMap<&str, Value> = self
            .counts
            .iter()
            .map(|(way, count)| (way.name(), count_to_json(count)))
            .collect();
        json!({
            "seed": self.seed,
            "seconds": self.took.as_secs(),
            "kills": self.kills,
            "killed": self.kills.values().sum::<u32>(),
            "calls": self.calls,
            "doubts": self.doubts,
            "ways": ways,
            "total": count_to_json(&self.total()),
            "sound": self.is_sound(),
            "wrong": self.wrong,
        })
    }
}

fn count_to_json(count: &Count) -> Value {
    json!({
        "sent": count.sent,
        "acknowledged": count.acknowledged,
        "lost": count.lost,
        "duplicated": count.duplicated,
        "ambiguous": count.ambiguous,
        "unknown": count.unknown,
        "out_of_order": count.disordered,
    })
}

/// Two tables as Markdown, and what is wrong.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let killed: u32 = self.kills.values().sum();
        writeln!(
            f,
            "{killed} kills in {} s (seed {}), {} calls counted, {} times a call was in doubt\n",
            self.took.as_secs(),
            self.seed,
            self.calls,
            self.doubts
        )?;
        writeln!(f, "| killed | times |\n| --- | ---: |")?;
        for (name, times) in &self.kills {
            writeln!(f, "| {name} | {times} |")?;
        }
        writeln!(
            f,
            "\n| way in | sent | acknowledged | lost | duplicated | ambiguous | unknown | out of order |"
        )?;
        writeln!(
            f,
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        )?;
        let rows = self.counts.iter().map(|(way, count)| (way.name(), *count));
        for (name, count) in rows.chain([("all", self.total())]) {
            let Count {
                sent,
                acknowledged,
                lost,
                duplicated,
                ambiguous,
                unknown,
                disordered,
            } = count;
            writeln!(
                f,
                "| {name} | {sent} | {acknowledged} | {lost} | {duplicated} | {ambiguous} | {unknown} | {disordered} |"
            )?;
        }
        for line in self.wrong.iter().take(20) {
            writeln!(f, "\nWRONG: {line}")?;
        }
        if self.wrong.len() > 20 {
            writeln!(f, "\nand {} more", self.wrong.len() - 20)?;
        }
        Ok(())
    }
}
