//! `active = { … }`: the times at which a plugin gets events.

use super::section::Section;
use crate::rules::{Days, Hours, Spans, zone};

/// Reads `active = { days, hours, zone }`; `None` after a problem, which is reported.
pub(super) fn read(mut section: Section<'_>) -> Option<Hours> {
    if !section.has("days") && !section.has("hours") {
        section.report("", None, "must name `days`, `hours` or both");
    }
    let days = section.parsed("days", Days::WANTED, Days::parse);
    let spans = section.parsed("hours", Spans::WANTED, Spans::parse);
    let wanted = "a zone of the IANA database such as \"Asia/Shanghai\"";
    let named = section.parsed("zone", wanted, |name| zone(Some(name)));
    section.finish();
    let zone = named.or_else(|| zone(None))?;
    Some(Hours::new(
        days.unwrap_or_default(),
        spans.unwrap_or_default(),
        zone,
    ))
}
