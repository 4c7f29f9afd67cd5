//! Tells the time in DingTalk's units: milliseconds, and Beijing time as text.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// Milliseconds in a day.
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `yyyy-MM-dd HH:mm:ss` in Beijing time, as approvals write their times.
pub(crate) fn beijing_text(ms: i64) -> String {
    beijing(ms, "%Y-%m-%d %H:%M:%S")
}

/// `yyyyMMddHHmm` in Beijing time, the head of an approval's business number.
pub(crate) fn beijing_digits(ms: i64) -> String {
    beijing(ms, "%Y%m%d%H%M")
}

/// `yyyy-MM-ddTHH:mmZ`, to the minute, as the newer approvals write their times.
pub(crate) fn utc_minute(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or_default();
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%MZ")
        .to_string()
}

/// The number of the Beijing day, for the per-day quotas.
pub(crate) fn beijing_day(ms: i64) -> i64 {
    (ms + 8 * 60 * 60 * 1000).div_euclid(DAY_MS)
}

fn beijing(ms: i64, format: &str) -> String {
    let zone = TimeZone::fixed(Offset::constant(8));
    let at = Timestamp::from_millisecond(ms).unwrap_or_default();
    at.to_zoned(zone).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beijing_is_eight_hours_ahead() {
        assert_eq!(beijing_text(0), "1970-01-01 08:00:00");
        assert_eq!(utc_minute(1_640_683_876_000), "2021-12-28T09:31Z");
        assert_eq!(beijing_digits(1_640_683_876_000), "202112281731");
        assert_eq!(beijing_day(16 * 60 * 60 * 1000 - 1), 0);
        assert_eq!(beijing_day(16 * 60 * 60 * 1000), 1);
    }
}
