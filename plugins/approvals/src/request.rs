//! Reads the chat command that asks for leave.

use std::fmt;

/// The words that begin the command.
pub(crate) const COMMANDS: [&str; 2] = ["/leave", "/请假"];

/// How to use the command.
pub(crate) const USAGE: &str = "用法 usage: /leave 2d reason, /请假 1.5天 事由";

/// Longer absences are typing errors.
const MAX_HALF_DAYS: u32 = 2 * 366;

/// A number of days, counted in halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    halves: u32,
}

/// What somebody asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leave {
    pub(crate) days: Days,
    pub(crate) reason: String,
}

/// What a chat text means to this plugin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Somebody else's business.
    None,
    /// The command, but not as it should be written.
    Misused,
    /// A proper request.
    Leave(Leave),
}

/// Reads a chat text.
pub(crate) fn read(text: &str) -> Command {
    let Some(arguments) = arguments(text.trim()) else {
        return Command::None;
    };
    leave(arguments).map_or(Command::Misused, Command::Leave)
}

/// What follows the command word. A blank is not needed before a digit, because Chinese is written without.
fn arguments(text: &str) -> Option<&str> {
    let rest = COMMANDS.iter().find_map(|command| {
        let (start, rest) = text.split_at_checked(command.len())?;
        start.eq_ignore_ascii_case(command).then_some(rest)
    })?;
    let ends = rest.starts_with(|c: char| c.is_whitespace() || c.is_ascii_digit());
    (rest.is_empty() || ends).then(|| rest.trim_start())
}

fn leave(arguments: &str) -> Option<Leave> {
    let number_end = arguments
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(arguments.len());
    let (number, rest) = arguments.split_at(number_end);
    let reason = after_unit(rest)?.trim();
    if reason.is_empty() {
        return None;
    }
    Some(Leave {
        days: days(number)?,
        reason: reason.to_owned(),
    })
}

fn days(number: &str) -> Option<Days> {
    let (whole, half) = match number.split_once('.') {
        None => (number, 0),
        Some((whole, "0")) => (whole, 0),
        Some((whole, "5")) => (whole, 1),
        Some(_) => return None,
    };
    let halves = whole
        .parse::<u32>()
        .ok()?
        .checked_mul(2)?
        .checked_add(half)?;
    (1..=MAX_HALF_DAYS)
        .contains(&halves)
        .then_some(Days { halves })
}

/// The text after the unit. A Latin unit must stand alone, or `2 dentist` would be two days of `entist`.
fn after_unit(rest: &str) -> Option<&str> {
    let unit = rest.trim_start();
    for word in ["天", "日"] {
        if let Some(reason) = unit.strip_prefix(word) {
            return Some(reason);
        }
    }
    let word_end = unit.find(char::is_whitespace).unwrap_or(unit.len());
    let (word, reason) = unit.split_at(word_end);
    if ["d", "day", "days"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
    {
        return Some(reason);
    }
    // Without a unit the number still has to end, so `3h dentist` is not three days.
    rest.starts_with(char::is_whitespace).then_some(rest)
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let half = if self.halves % 2 == 1 { ".5" } else { "" };
        write!(f, "{}{half}", self.halves / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, days: &str, reason: &str) {
        match read(text) {
            Command::Leave(leave) => {
                assert_eq!(
                    (leave.days.to_string().as_str(), leave.reason.as_str()),
                    (days, reason),
                    "{text}"
                );
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn both_languages_and_halves_are_understood() {
        check("/leave 2d reason", "2", "reason");
        check("/leave 1.5d seeing the doctor", "1.5", "seeing the doctor");
        check("/leave 0.5 days dentist", "0.5", "dentist");
        check("/LEAVE 2D x", "2", "x");
        check("/leave 2 dentist", "2", "dentist");
        check("/请假 2天 回家", "2", "回家");
        check("/请假 2 天 回家", "2", "回家");
        check("/请假2天回家", "2", "回家");
        check("/请假\u{3000}1.5日\u{3000}搬家", "1.5", "搬家");
        check("  /leave 2.0d x  ", "2", "x");
    }

    #[test]
    fn wrong_use_is_told_apart_from_other_texts() {
        for text in [
            "/leave",
            "/请假",
            "/leave 2d",
            "/leave 2",
            "/leave reason",
            "/leave 0d x",
            "/leave 1.3d x",
            "/leave -1d x",
            "/leave 3h dentist",
            "/leave 1000d x",
            "/leave 99999999999d x",
            "/leave . x",
            "/leave 1..5d x",
            "/请假 天 x",
        ] {
            assert_eq!(read(text), Command::Misused, "{text}");
        }
        for text in [
            "",
            "hello",
            "leave 2d x",
            "/leaves 2d x",
            "/请假条",
            "/请",
            "/l",
            "请假 2天 回家",
            "/离 2",
        ] {
            assert_eq!(read(text), Command::None, "{text}");
        }
    }
}
