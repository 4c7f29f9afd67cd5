//! Writes times and spans for people in China.

/// China has had one time zone without summer time since 1991.
const CHINA_OFFSET_S: i64 = 8 * 3600;
const DAY_S: i64 = 86_400;

/// A time such as `2026-11-22 21:30:05 (UTC+8)`; nothing for what is no sensible time.
pub(crate) fn china_time(unix_ms: f64) -> Option<String> {
    // Years 1970 to 9999: outside them the sender did not mean a time.
    if !(0.0..253_402_300_800_000.0).contains(&unix_ms) {
        return None;
    }
    let local = (unix_ms / 1000.0) as i64 + CHINA_OFFSET_S;
    let (year, month, day) = civil(local.div_euclid(DAY_S));
    let second = local.rem_euclid(DAY_S);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} (UTC+8)"
    ))
}

/// A span in both languages, its two largest units: `3 分 20 秒 / 3m 20s`.
pub(crate) fn span(ms: f64) -> Option<String> {
    if !(0.0..1e14).contains(&ms) {
        return None;
    }
    let seconds = (ms / 1000.0).round() as i64;
    let parts = [
        (seconds / DAY_S, "天", "d"),
        (seconds / 3600 % 24, "小时", "h"),
        (seconds / 60 % 60, "分", "m"),
        (seconds % 60, "秒", "s"),
    ];
    let first = parts.iter().position(|(count, ..)| *count > 0).unwrap_or(3);
    let shown: Vec<_> = parts[first..]
        .iter()
        .take(2)
        .filter(|(count, ..)| *count > 0 || first == 3)
        .collect();
    let chinese: Vec<_> = shown
        .iter()
        .map(|(count, unit, _)| format!("{count} {unit}"))
        .collect();
    let english: Vec<_> = shown
        .iter()
        .map(|(count, _, unit)| format!("{count}{unit}"))
        .collect();
    Some(format!("{} / {}", chinese.join(" "), english.join(" ")))
}

/// The date of a day counted from 1970-01-01, after Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_china_times_and_say_so() {
        for (ms, text) in [
            (0.0, Some("1970-01-01 08:00:00 (UTC+8)")),
            (951_782_400_000.0, Some("2000-02-29 08:00:00 (UTC+8)")),
            (1_795_356_000_999.0, Some("2026-11-22 22:00:00 (UTC+8)")),
            (1_767_196_799_000.0, Some("2025-12-31 23:59:59 (UTC+8)")),
            (1_767_196_800_000.0, Some("2026-01-01 00:00:00 (UTC+8)")),
            (-62_135_596_800_000.0, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(china_time(ms).as_deref(), text, "{ms}");
        }
    }

    #[test]
    fn spans_show_their_two_largest_units() {
        for (ms, text) in [
            (0.0, Some("0 秒 / 0s")),
            (200_000.0, Some("3 分 20 秒 / 3m 20s")),
            (60_000.0, Some("1 分 / 1m")),
            (3_600_000.0, Some("1 小时 / 1h")),
            (7_384_000.0, Some("2 小时 3 分 / 2h 3m")),
            (90_000_000.0, Some("1 天 1 小时 / 1d 1h")),
            (-1.0, None),
            (f64::NAN, None),
        ] {
            assert_eq!(span(ms).as_deref(), text, "{ms}");
        }
    }
}
