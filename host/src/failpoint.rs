//! Places at which a debug build can be made to die or to fail, so that tests reach what a random kill seldom hits.
//!
//! `BELFRY_FAILPOINTS` lists them, with commas between: `after-append:3` ends the process, as a kill would, when the place
//! is passed for the third time; `before-commit:fails-while=/a/file` makes what happens there fail while that file exists.
//! A release build does not read the variable, and passing a place costs it nothing.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A place in the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Point {
    /// An event is verified and routed, and not on disk.
    BeforeAppend,
    /// It is on disk, and its sender has no answer.
    AfterAppend,
    /// The jobs of a transaction are done, and it is not committed. It can fail here as on a broken disk.
    BeforeCommit,
    /// It is committed, and those who wait for it do not know.
    AfterCommit,
    /// A call that changes something is recorded as begun, and its request has not left.
    BeforeRequest,
    /// Its request was answered, and the answer is not recorded.
    AfterRequest,
    /// An attempt ended, and that is not recorded.
    BeforeEnding,
    /// A new snapshot has taken the place of the old one, and nobody was woken.
    InSwap,
    /// The file of the store is open, with whatever the last belfry left in its log.
    InOpen,
    /// The layout of the file is brought up to date, and that is not committed.
    InMigration,
}

impl Point {
    /// Every place, by the name that arms it.
    pub const ALL: [(&'static str, Self); 10] = [
        ("before-append", Self::BeforeAppend),
        ("after-append", Self::AfterAppend),
        ("before-commit", Self::BeforeCommit),
        ("after-commit", Self::AfterCommit),
        ("before-request", Self::BeforeRequest),
        ("after-request", Self::AfterRequest),
        ("before-ending", Self::BeforeEnding),
        ("in-swap", Self::InSwap),
        ("in-open", Self::InOpen),
        ("in-migration", Self::InMigration),
    ];

    fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, point)| *point == self);
        found.map_or("", |(name, _)| name)
    }
}

/// The text arms nothing.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no failpoint, such as \"after-append:3\" or \"before-commit:fails-while=/a/file\""
)]
pub struct NotAFailpoint(String);

static ARMED: OnceLock<Vec<Trap>> = OnceLock::new();

#[derive(Debug)]
struct Trap {
    point: Point,
    spring: Spring,
}

#[derive(Debug)]
enum Spring {
    /// The process ends when this was passed so many more times.
    Dies(AtomicU32),
    /// It fails while the file exists.
    Fails(PathBuf),
}

/// Arms what the text lists, once for the life of the process.
pub fn arm(text: &str) -> Result<(), NotAFailpoint> {
    let traps = parse(text)?;
    // A second list would come from a second caller, and there is one.
    let _ = ARMED.set(traps);
    Ok(())
}

/// Passes a place.
#[inline]
pub fn pass(point: Point) {
    if cfg!(debug_assertions)
        && let Some(traps) = ARMED.get()
        && traps.iter().any(|trap| trap.dies(point))
    {
        tracing::warn!(point = point.name(), "failpoint reached");
        std::process::abort();
    }
}

/// Whether what happens at this place is to fail.
#[inline]
pub fn fails(point: Point) -> bool {
    cfg!(debug_assertions)
        && ARMED
            .get()
            .is_some_and(|traps| traps.iter().any(|trap| trap.fails(point)))
}

impl Trap {
    fn dies(&self, point: Point) -> bool {
        match &self.spring {
            Spring::Dies(left) if self.point == point => left.fetch_sub(1, Ordering::Relaxed) == 1,
            _ => false,
        }
    }

    fn fails(&self, point: Point) -> bool {
        match &self.spring {
            Spring::Fails(file) => self.point == point && file.exists(),
            Spring::Dies(_) => false,
        }
    }
}

fn parse(text: &str) -> Result<Vec<Trap>, NotAFailpoint> {
    let entries = text.split(',').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| trap(entry).ok_or_else(|| NotAFailpoint(entry.to_owned())))
        .collect()
}

fn trap(entry: &str) -> Option<Trap> {
    let (name, rest) = entry.split_once(':').unwrap_or((entry, "1"));
    let (_, point) = Point::ALL.into_iter().find(|(known, _)| *known == name)?;
    let spring = match rest.strip_prefix("fails-while=") {
        Some(file) if point == Point::BeforeCommit => Spring::Fails(file.into()),
        Some(_) => return None,
        None => Spring::Dies(AtomicU32::new(
            rest.parse().ok().filter(|times| *times > 0)?,
        )),
    };
    Some(Trap { point, spring })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_ends_the_process_once_it_was_passed_so_often() {
        let traps = parse("after-append:3, in-swap").unwrap();
        let passed = |point| traps.iter().any(|trap| trap.dies(point));
        assert!(passed(Point::InSwap));
        for reached in [false, false, true, false] {
            assert!(!passed(Point::BeforeAppend));
            assert_eq!(passed(Point::AfterAppend), reached);
        }
    }

    #[test]
    fn a_commit_fails_while_the_file_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broken");
        let traps = parse(&format!("before-commit:fails-while={}", file.display())).unwrap();
        assert!(!traps[0].fails(Point::BeforeCommit));
        std::fs::write(&file, "").unwrap();
        assert!(traps[0].fails(Point::BeforeCommit));
        assert!(!traps[0].dies(Point::BeforeCommit));
        assert!(!traps[0].fails(Point::BeforeAppend));
    }

    #[test]
    fn what_arms_nothing_is_refused() {
        for text in [
            "after-lunch",
            "after-append:0",
            "after-append:x",
            "in-swap:fails-while=/x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn every_place_has_a_name_of_its_own() {
        for (name, point) in Point::ALL {
            assert_eq!(point.name(), name);
        }
    }
}
