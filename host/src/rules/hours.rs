//! When a plugin is active: days and hours of a zone.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::clock::UnixMs;

/// The zone of hours that name none: where DingTalk is at home.
const DEFAULT_ZONE: &str = "Asia/Shanghai";
/// Minutes of a day; as an end it means midnight.
const DAY: u16 = 24 * 60;
const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The times of a week at which a plugin gets events. Clones share them, and a rule without them stays small.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours(Arc<Week>);

#[derive(Debug, PartialEq)]
struct Week {
    days: Days,
    spans: Spans,
    zone: TimeZone,
}

/// Days of the week, Monday first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days([bool; 7]);

/// Spans of minutes of a day; one that ends before it begins ends on the next day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans(Vec<(u16, u16)>);

impl Days {
    /// What a text must look like.
    pub const WANTED: &str = "days such as \"mon-fri\" or \"mon, wed, sat-sun\"";

    /// Reads days and ranges of days between commas; a range may go over the end of the week.
    pub fn parse(text: &str) -> Option<Self> {
        let mut days = [false; 7];
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (day(first)?, day(last)?),
                None => (day(part)?, day(part)?),
            };
            let length = (last + 7 - first) % 7;
            for step in 0..=length {
                days[(first + step) % 7] = true;
            }
        }
        Some(Self(days))
    }
}

impl Default for Days {
    fn default() -> Self {
        Self([true; 7])
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = DAY_NAMES
            .into_iter()
            .zip(self.0)
            .filter_map(|(name, is_in)| is_in.then_some(name))
            .collect();
        f.write_str(&names.join(","))
    }
}

fn day(text: &str) -> Option<usize> {
    let text = text.trim().to_ascii_lowercase();
    DAY_NAMES.iter().position(|name| *name == text)
}

impl Spans {
    /// What a text must look like.
    pub const WANTED: &str = "hours such as \"09:00-18:00\" or \"09:00-12:00, 22:00-02:00\"";

    /// Reads spans between commas.
    pub fn parse(text: &str) -> Option<Self> {
        let span = |part: &str| {
            let (start, end) = part.split_once('-')?;
            let (start, end) = (minute(start)?, minute(end)?);
            (start != end && start != DAY).then_some((start, end))
        };
        text.split(',')
            .map(span)
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }
}

impl Default for Spans {
    fn default() -> Self {
        Self(vec![(0, DAY)])
    }
}

impl fmt::Display for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (start, end)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (from, to) = ((start / 60, start % 60), (end / 60, end % 60));
            write!(
                f,
                "{comma}{:02}:{:02}-{:02}:{:02}",
                from.0, from.1, to.0, to.1
            )?;
        }
        Ok(())
    }
}

/// The minute of a day that a text such as `09:30` names; `24:00` is its end.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| {
        let is_two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_two_digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY).then_some(total)
}

/// The zone of a name of the IANA database; without a name the default one.
pub fn zone(name: Option<&str>) -> Option<TimeZone> {
    TimeZone::get(name.unwrap_or(DEFAULT_ZONE)).ok()
}

impl Hours {
    /// These days and spans in a zone.
    pub fn new(days: Days, spans: Spans, zone: TimeZone) -> Self {
        Self(Arc::new(Week { days, spans, zone }))
    }

    /// Whether a point in time is within. A span belongs to the day on which it begins.
    pub fn covers(&self, at: UnixMs) -> bool {
        let Some((today, minute)) = self.local(at) else {
            return false;
        };
        let today = usize::from(today.to_monday_zero_offset().unsigned_abs());
        let is_day = |day: usize| self.0.days.0[day % 7];
        self.0.spans.0.iter().any(|&(start, end)| {
            if start < end {
                is_day(today) && (start..end).contains(&minute)
            } else {
                (is_day(today) && minute >= start) || (is_day(today + 6) && minute < end)
            }
        })
    }

    /// A point in time as the clock on the wall shows it in the zone, such as `sun 10:15`.
    pub fn wall_clock(&self, at: UnixMs) -> String {
        let Some((day, minute)) = self.local(at) else {
            return "a time out of range".to_owned();
        };
        let day = DAY_NAMES[usize::from(day.to_monday_zero_offset().unsigned_abs()) % 7];
        format!("{day} {:02}:{:02}", minute / 60, minute % 60)
    }

    fn local(&self, at: UnixMs) -> Option<(Weekday, u16)> {
        let local = Timestamp::from_millisecond(at.0)
            .ok()?
            .to_zoned(self.0.zone.clone());
        let (hour, minute) = (local.hour(), local.minute());
        let minute = u16::from(hour.unsigned_abs()) * 60 + u16::from(minute.unsigned_abs());
        Some((local.weekday(), minute))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Week { days, spans, zone } = &*self.0;
        let zone = zone.iana_name().unwrap_or("UTC");
        write!(f, "{days} {spans} {zone}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(days: &str, spans: &str, name: &str) -> Hours {
        Hours::new(
            Days::parse(days).unwrap(),
            Spans::parse(spans).unwrap(),
            zone(Some(name)).unwrap(),
        )
    }

    fn at(text: &str) -> UnixMs {
        UnixMs(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn days_and_hours_are_those_of_the_zone() {
        let check = |hours: &Hours, time: &str, expected: bool| {
            assert_eq!(hours.covers(at(time)), expected, "{hours} at {time}");
        };
        let office = hours("mon-fri", "09:00-12:00, 13:30-18:00", "Asia/Shanghai");
        // 2026-11-22 is a Sunday.
        check(&office, "2026-11-23T08:59:59+08:00", false);
        check(&office, "2026-11-23T09:00:00+08:00", true);
        check(&office, "2026-11-23T12:00:00+08:00", false);
        check(&office, "2026-11-23T17:59:59.999+08:00", true);
        check(&office, "2026-11-23T18:00:00+08:00", false);
        check(&office, "2026-11-22T10:00:00+08:00", false);
        // Still Sunday in London.
        check(&office, "2026-11-23T01:30:00Z", true);

        let night = hours("fri", "22:00-06:00", "Asia/Shanghai");
        check(&night, "2026-11-27T23:00:00+08:00", true);
        check(&night, "2026-11-28T05:59:00+08:00", true);
        check(&night, "2026-11-28T06:00:00+08:00", false);
        check(&night, "2026-11-28T23:00:00+08:00", false);
        check(&night, "2026-11-27T05:00:00+08:00", false);

        // The clocks of Berlin go from 02:00 to 03:00 on 2026-03-29.
        let berlin = hours("sun", "01:00-04:00", "Europe/Berlin");
        check(&berlin, "2026-03-29T00:59:59Z", true);
        check(&berlin, "2026-03-29T01:00:00Z", true);
        check(&berlin, "2026-03-29T02:00:00Z", false);
    }

    #[test]
    fn days_may_go_over_the_end_of_the_week() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Days::parse(text).unwrap().to_string(), expected);
        };
        check("sat-mon", "mon,sat,sun");
        check("Mon, WED", "mon,wed");
        check("sun-sun", "sun");
        check("mon-sun", "mon,tue,wed,thu,fri,sat,sun");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "mon-", "monday", "mon,,tue", "0-6"] {
            assert_eq!(Days::parse(text), None, "{text}");
        }
        for text in [
            "",
            "9-18",
            "9:00-18:00",
            "09:00",
            "09:60-10:00",
            "25:00-26:00",
            "09:00-09:00",
            "24:00-09:00",
            "24:01-09:00",
            "+9:00-10:00",
        ] {
            assert_eq!(Spans::parse(text), None, "{text}");
        }
        assert!(Spans::parse("00:00-24:00").is_some());
        assert!(zone(Some("Mars/Olympus")).is_none());
    }

    #[test]
    fn no_time_is_out_of_reach() {
        let always = hours("mon-sun", "00:00-24:00", "Asia/Shanghai");
        for at in [i64::MIN, i64::MAX, 0] {
            assert_eq!(always.covers(UnixMs(at)), at == 0);
            assert!(!always.wall_clock(UnixMs(at)).is_empty());
        }
    }
}
