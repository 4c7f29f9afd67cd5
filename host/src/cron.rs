//! Says when a cron pattern is due next in its time zone.

use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;

use crate::clock::UnixMs;

/// Bytes of a pattern.
const MAX_PATTERN: usize = 100;
/// Bytes of the name of a time zone.
const MAX_ZONE: usize = 64;

/// A pattern of five fields by the clock of a time zone.
#[derive(Debug, Clone)]
pub struct Cron {
    pattern: croner::Cron,
    zone: TimeZone,
}

/// Why there is no such rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CronError {
    /// The pattern is none.
    #[error("the cron pattern {pattern:?} cannot be read: {reason}")]
    Pattern {
        /// What was given, shortened.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The zone is unknown.
    #[error("there is no time zone {0:?}; names are those of IANA, such as \"Asia/Shanghai\"")]
    Zone(String),
}

impl Cron {
    /// Reads minute, hour, day of month, month and day of week, and the name of an IANA time zone.
    pub fn parse(pattern: &str, zone: &str) -> Result<Self, CronError> {
        let wrong = |reason: String| CronError::Pattern {
            pattern: shortened(pattern, MAX_PATTERN),
            reason,
        };
        if pattern.len() > MAX_PATTERN {
            return Err(wrong(format!("it is longer than {MAX_PATTERN} bytes")));
        }
        // The parser takes upper case of any script, and a few characters change their length by it.
        if !pattern.is_ascii() {
            return Err(wrong("it has characters that no pattern has".to_owned()));
        }
        let parsed = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(pattern)
            .map_err(|error| wrong(error.to_string()))?;
        let zone = Some(zone)
            .filter(|zone| zone.len() <= MAX_ZONE)
            .and_then(|zone| TimeZone::get(zone).ok())
            .ok_or_else(|| CronError::Zone(shortened(zone, MAX_ZONE)))?;
        Ok(Self {
            pattern: parsed,
            zone,
        })
    }

    /// The first time after `after`; none for a pattern that names no day of the calendar.
    pub fn next_after(&self, after: UnixMs) -> Option<UnixMs> {
        let after = jiff::Timestamp::from_millisecond(after.0).ok()?;
        let next = self
            .pattern
            .find_next_occurrence(&after.to_zoned(self.zone.clone()), false)
            .ok()?;
        Some(UnixMs(next.timestamp().as_millisecond()))
    }
}

fn shortened(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> UnixMs {
        let at: jiff::Timestamp = text.parse().unwrap();
        UnixMs(at.as_millisecond())
    }

    /// The next `times.len()` times after `start`, as timestamps with offset.
    fn check(pattern: &str, zone: &str, start: &str, times: &[&str]) {
        let cron = Cron::parse(pattern, zone).unwrap();
        let mut now = at(start);
        for time in times {
            let next = cron.next_after(now).unwrap();
            let shown = jiff::Timestamp::from_millisecond(next.0).unwrap();
            assert_eq!(
                next,
                at(time),
                "{pattern} in {zone}: {shown} instead of {time}"
            );
            now = next;
        }
    }

    #[test]
    fn times_are_those_of_the_wall_clock() {
        check(
            "30 9 * * MON-FRI",
            "Asia/Shanghai",
            "2026-11-20T09:30:00+08:00",
            &["2026-11-23T09:30:00+08:00", "2026-11-24T09:30:00+08:00"],
        );
        check(
            "0 0 L * *",
            "UTC",
            "2028-02-01T00:00:00Z",
            &["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"],
        );
        check(
            "*/15 * * * *",
            "Asia/Kathmandu",
            "2026-11-22T12:00:00.001+05:45",
            &["2026-11-22T12:15:00+05:45", "2026-11-22T12:30:00+05:45"],
        );
    }

    #[test]
    fn a_time_that_is_left_out_in_spring_fires_when_the_clock_goes_on() {
        // 02:00 becomes 03:00 on 29 March 2026.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00+01:00",
            &["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
        );
        check(
            "30 * * * *",
            "Europe/Berlin",
            "2026-03-29T01:00:00+01:00",
            &["2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"],
        );
    }

    #[test]
    fn a_time_that_comes_twice_in_autumn_fires_once_but_every_hour_has_its_own() {
        // 03:00 becomes 02:00 on 25 October 2026.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00+02:00",
            &["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        );
        check(
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-25T01:45:00+02:00",
            &[
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T02:30:00+01:00",
                "2026-10-25T03:30:00+01:00",
            ],
        );
    }

    #[test]
    fn a_zone_with_half_an_hour_of_summer_is_kept_to() {
        // Lord Howe Island: 02:00 becomes 02:30 on 4 October 2026 and 01:30 on 5 April 2026.
        check(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00+10:30",
            &["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
        );
        check(
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T12:00:00+11:00",
            &["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"],
        );
    }

    #[test]
    fn what_is_no_rule_is_refused_with_a_reason() {
        let refused = |pattern: &str, zone: &str| {
            Cron::parse(pattern, zone)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        for pattern in [
            "",
            "* * * *",
            "0 0 9 * * *",
            "61 * * * *",
            "* * * * * 2030",
            "٣ * * * *",
        ] {
            assert!(
                refused(pattern, "UTC").starts_with("the cron pattern"),
                "{pattern}"
            );
        }
        assert!(refused(&"*".repeat(101), "UTC").ends_with("longer than 100 bytes"));
        for zone in ["", "Beijing", "../etc/passwd", "CST6CDT,M3.2.0,M11.1.0"] {
            assert!(
                refused("* * * * *", zone).starts_with("there is no time zone"),
                "{zone}"
            );
        }
    }

    #[test]
    fn a_day_that_no_calendar_has_is_found_out_soon() {
        let started = crate::clock::instant();
        let never = Cron::parse("0 0 30 2 *", "Asia/Shanghai").unwrap();
        assert_eq!(never.next_after(UnixMs(1_700_000_000_000)), None);
        let took = started.elapsed();
        assert!(took < std::time::Duration::from_millis(500), "{took:?}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_every_time_lies_ahead(
            pattern in "[-0-9*,/?#LWA-Z@ ]{0,24}|[^\\x00]{0,12}|([0-9]{1,2}|\\*|\\*/[0-9]{1,2}) ([0-9]{1,2}|\\*) (\\*|[0-9]{1,2}|L) \\* (\\*|[0-7]|MON#[1-5])",
            zone in prop_oneof![Just("Europe/Berlin"), Just("Asia/Shanghai"), Just("Australia/Lord_Howe")],
            after in 0..4_000_000_000_000_i64,
        ) {
            if let Ok(cron) = Cron::parse(&pattern, zone)
                && let Some(next) = cron.next_after(UnixMs(after))
            {
                prop_assert!(next.0 > after && next.0 % 60_000 == 0, "{pattern:?} {next:?}");
            }
        }
    }
}
