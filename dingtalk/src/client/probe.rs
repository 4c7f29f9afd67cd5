//! Finds out whether DingTalk can be used, without asking it for anything.

use reqwest::header::DATE;

use crate::{ApiError, Client, UnixMs};

impl Client {
    /// Fetches the tokens of both hosts, unless they are there: whether the credentials are right.
    pub async fn authenticate(&self) -> Result<(), ApiError> {
        let inner = &self.inner;
        inner
            .oapi_token
            .get(async || inner.fetch_oapi_token().await)
            .await?;
        inner
            .api_token
            .get(async || inner.fetch_api_token().await)
            .await?;
        Ok(())
    }

    /// DingTalk's clock, to the second, as the older API's host tells it with an answer; `None` if it does not.
    pub async fn server_time(&self) -> Result<Option<UnixMs>, ApiError> {
        let request = self.inner.http.get(self.inner.endpoints.oapi.clone());
        // The error may name the address, which has no secrets here, but nobody needs it either.
        let response = request.send().await.map_err(|_| ApiError::Unavailable {
            code: "client.connect".to_owned(),
            message: "no answer from dingtalk".to_owned(),
        })?;
        let date = response.headers().get(DATE);
        Ok(date.and_then(|date| http_date(date.to_str().ok()?)))
    }
}

/// A date such as `Mon, 30 Nov 2026 05:24:48 GMT`, the only form that servers may send.
fn http_date(text: &str) -> Option<UnixMs> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, date) = text.split_once(", ")?;
    let mut parts = date.split(' ');
    let day: i64 = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(str::parse::<i64>);
    let mut next = || clock.next()?.ok();
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    let is_date = (1970..=9999).contains(&year) && (1..=31).contains(&day);
    if !is_date || hours > 23 || minutes > 59 || seconds > 60 || parts.next() != Some("GMT") {
        return None;
    }
    let seconds = days(year, i64::try_from(month).ok()? + 1, day) * 86_400
        + hours * 3600
        + minutes * 60
        + seconds;
    Some(UnixMs(seconds * 1000))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_servers_are_read() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Mon, 30 Nov 2026 05:24:48 GMT", 1_796_016_288),
        ] {
            assert_eq!(http_date(text), Some(UnixMs(seconds * 1000)), "{text}");
        }
        for text in [
            "",
            "now",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Mon, 30 Nov 2026 05:24 GMT",
            "Mon, 30 Nov 2026 05:24:48 CET",
            "Mon, 99 Nov 2026 05:24:48 GMT",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }
}
