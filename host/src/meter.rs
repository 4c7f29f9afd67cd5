//! How belfry counts: metrics are declared beside the code they measure, and read here as the text that Prometheus takes.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Label, SharedString, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Buckets for what takes from fractions of a millisecond to a minute.
pub const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];
/// Buckets for small numbers of things.
pub const NUMBERS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// How often what was measured is folded together; without it, it would pile up until somebody asks.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// A count as metrics take it; exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
pub fn number(count: impl TryInto<u64>) -> f64 {
    count.try_into().map_or(f64::NAN, |count| count as f64)
}

/// One metric. **Invariant:** its labels take names from the configuration and words of belfry's own, never ids or texts
/// of events, so that the number of its series is bounded.
#[derive(Debug)]
pub struct Metric {
    /// Its name, after the conventions of Prometheus.
    pub name: &'static str,
    /// What it counts, in one sentence.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

impl Metric {
    /// Something that only grows.
    pub const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            help,
            labels,
            kind: Kind::Counter,
        }
    }

    /// Something that goes up and down.
    pub const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            help,
            labels,
            kind: Kind::Gauge,
        }
    }

    /// How often a value fell into which bucket.
    pub const fn histogram(
        name: &'static str,
        labels: &'static [&'static str],
        buckets: &'static [f64],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            help,
            labels,
            kind: Kind::Histogram(buckets),
        }
    }

    /// `counter`, `gauge` or `histogram`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }

    /// Counts one more.
    pub fn count(&self, values: &[&str]) {
        metrics::counter!(self.name, self.labels_of(values)).increment(1);
    }

    /// Sets a gauge.
    pub fn set(&self, values: &[&str], to: f64) {
        metrics::gauge!(self.name, self.labels_of(values)).set(to);
    }

    /// Puts a value into its bucket.
    pub fn observe(&self, values: &[&str], value: f64) {
        metrics::histogram!(self.name, self.labels_of(values)).record(value);
    }

    /// Values in the order in which the metric names its labels.
    fn labels_of(&self, values: &[&str]) -> Vec<Label> {
        debug_assert_eq!(self.labels.len(), values.len(), "{}", self.name);
        self.labels
            .iter()
            .zip(values)
            .map(|(name, value)| Label::new(*name, SharedString::from((*value).to_owned())))
            .collect()
    }
}

/// One series of a counter, for what happens several times an event: it is looked up once.
#[derive(Default)]
pub struct Series(OnceLock<metrics::Counter>);

impl Series {
    /// A series that was not looked up yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Counts one more of `metric`, always the same one, with the same values.
    pub fn count(&self, metric: &Metric, values: &[&str]) {
        if METER.get().is_none() {
            // What is looked up before anybody counts would never count.
            return;
        }
        self.0
            .get_or_init(|| metrics::counter!(metric.name, metric.labels_of(values)))
            .increment(1);
    }
}

/// Reads what was counted. Clones share it.
#[derive(Clone)]
pub struct Meter(PrometheusHandle);

/// There is one count in a process, however many hosts it runs.
static METER: OnceLock<Meter> = OnceLock::new();

impl Meter {
    /// Starts counting these metrics; in a process that counts already, gives what is there.
    pub fn start(all: &[&Metric]) -> Self {
        let meter = METER.get_or_init(|| {
            let mut builder = PrometheusBuilder::new();
            for metric in all {
                if let Kind::Histogram(buckets) = metric.kind {
                    let name = Matcher::Full(metric.name.to_owned());
                    builder = builder
                        .set_buckets_for_metric(name, buckets)
                        .expect("no metric is declared without buckets");
                }
            }
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("somebody else counts in this process, the metrics stay empty");
            }
            Self(handle)
        });
        for metric in all {
            describe(metric);
        }
        meter.clone()
    }

    /// The metrics in the text format of Prometheus, version 0.0.4.
    pub fn prometheus(&self) -> String {
        self.0.render()
    }

    /// The metrics as OpenMetrics 1.0.
    pub fn open_metrics(&self) -> String {
        open_metrics(&self.0.render())
    }

    /// Folds together what was measured.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

fn describe(metric: &Metric) {
    let unit = if metric.name.ends_with("_seconds") {
        Unit::Seconds
    } else {
        Unit::Count
    };
    match metric.kind {
        Kind::Counter => {
            metrics::describe_counter!(metric.name, unit, metric.help);
            if metric.labels.is_empty() {
                // A rate needs a beginning.
                metrics::counter!(metric.name).absolute(0);
            }
        }
        Kind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
        Kind::Histogram(_) => metrics::describe_histogram!(metric.name, unit, metric.help),
    }
}

/// In OpenMetrics the family of a counter has no `_total`, empty lines are not allowed and the end is marked.
fn open_metrics(text: &str) -> String {
    let counters: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut lines = String::with_capacity(text.len() + 8);
    for line in text.lines().filter(|line| !line.is_empty()) {
        let head = line
            .strip_prefix("# ")
            .and_then(|rest| rest.split_once(' '))
            .and_then(|(word, rest)| Some((word, rest.split_once(' ')?)));
        match head {
            Some((word, (name, rest))) if counters.contains(&name) => {
                let family = name.strip_suffix("_total").unwrap_or(name);
                lines.push_str(&format!("# {word} {family} {rest}\n"));
            }
            _ => {
                lines.push_str(line);
                lines.push('\n');
            }
        }
    }
    lines.push_str("# EOF\n");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Metric = Metric::counter("meter_seen_total", &["what"], "Things seen.");
    const TOOK: Metric = Metric::histogram("meter_took_seconds", &[], SECONDS, "Time taken.");
    const OPEN: Metric = Metric::gauge("meter_open", &[], "Things open.");

    #[test]
    fn what_is_counted_is_read_in_both_formats() {
        let series = Series::new();
        series.count(&SEEN, &["bell"]);
        let meter = Meter::start(&[&SEEN, &TOOK, &OPEN]);
        SEEN.count(&["bell"]);
        series.count(&SEEN, &["bell"]);
        TOOK.observe(&[], 0.003);
        OPEN.set(&[], 7.0);
        meter.upkeep();
        let text = meter.prometheus();
        for line in [
            "# HELP meter_seen_total Things seen.",
            "# TYPE meter_seen_total counter",
            // Not what came before anybody counted.
            "meter_seen_total{what=\"bell\"} 2",
            "meter_took_seconds_bucket{le=\"0.005\"} 1",
            "meter_took_seconds_bucket{le=\"0.0025\"} 0",
            "meter_open 7",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        let text = meter.open_metrics();
        for line in [
            "# HELP meter_seen Things seen.",
            "# TYPE meter_seen counter",
            "meter_seen_total{what=\"bell\"} 2",
            "# TYPE meter_took_seconds histogram",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n") && !text.contains("\n\n"));
    }
}
