//! What a guest said on its standard error before it ended: the part of a trap that its author can read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are kept; what was printed long before the end is not about it.
const KEPT: usize = 2048;
/// Bytes that go into a reason.
const SHOWN: usize = 600;
/// Bytes of those for the beginning: Go names the panic first, Python the exception last.
const SHOWN_FIRST: usize = 200;

/// The end of what a guest wrote to its standard error. Clones share it.
#[derive(Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<VecDeque<u8>>>);

impl LastWords {
    /// Adds a piece as it was written.
    pub(super) fn hear(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&bytes[bytes.len().saturating_sub(KEPT)..]);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }

    /// One line of it, if the guest said anything.
    pub(super) fn line(&self) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(kept.make_contiguous());
        let mut line = String::new();
        for said in text.lines().map(str::trim) {
            // Rust's advice is of no use inside belfry.
            if said.is_empty() || said.starts_with("note: run with `RUST_BACKTRACE") {
                continue;
            }
            match line.chars().next_back() {
                None => {}
                Some(':') => line.push(' '),
                Some(_) => line.push_str("; "),
            }
            line.extend(said.chars().map(visible));
        }
        (!line.is_empty()).then(|| shortened(line))
    }
}

fn visible(character: char) -> char {
    if character.is_control() {
        ' '
    } else {
        character
    }
}

fn shortened(line: String) -> String {
    if line.len() <= SHOWN {
        return line;
    }
    let first = line.floor_char_boundary(SHOWN_FIRST);
    let last = line.ceil_char_boundary(line.len() - (SHOWN - SHOWN_FIRST));
    format!("{} … {}", &line[..first], &line[last..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pieces: &[&str]) -> Option<String> {
        let words = LastWords::default();
        for piece in pieces {
            words.hear(piece.as_bytes());
        }
        words.line()
    }

    #[test]
    fn silence_says_nothing() {
        assert_eq!(said(&[]), None);
        assert_eq!(said(&["\n", "  \n"]), None);
    }

    #[test]
    fn pieces_and_lines_become_one_line() {
        let python = [
            "Traceback (most recent call last):\n",
            "  File \"/0/app.py\", line 7, in handle\n",
            "ValueError",
            ": ",
            "a bug",
            "\n",
        ];
        assert_eq!(
            said(&python).unwrap(),
            "Traceback (most recent call last): File \"/0/app.py\", line 7, in handle; ValueError: a bug"
        );
        let rust = [
            "\nthread '<unnamed>' panicked at src/lib.rs:7:5:\na bug\n",
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
        ];
        assert_eq!(
            said(&rust).unwrap(),
            "thread '<unnamed>' panicked at src/lib.rs:7:5: a bug"
        );
    }

    #[test]
    fn of_much_the_beginning_and_the_end_are_kept() {
        let frame = "  File \"/0/应用.py\", line 7, in handle\n".repeat(40);
        let line = said(&[
            "long ago\n",
            &frame,
            &frame,
            "first\n",
            &frame[..400],
            "last\n",
        ])
        .unwrap();
        assert!(line.len() <= SHOWN + 5, "{}", line.len());
        assert!(
            line.ends_with("last") && !line.contains("long ago"),
            "{line}"
        );
    }

    #[test]
    fn a_flood_is_not_kept() {
        let words = LastWords::default();
        for _ in 0..100 {
            words.hear(&[b'x'; 5000]);
            words.hear(&[0xff; 3]);
        }
        assert_eq!(words.0.lock().unwrap().len(), KEPT);
        assert!(words.line().is_some());
    }
}
