//! Says how much of a write-ahead log SQLite will take, and whether there is more that it will not.
//!
//! SQLite reads its log up to the first frame whose check sum is wrong and says nothing of the rest. After a crash the rest
//! is a write that was cut off and never acknowledged; otherwise it is damage, and what it had is lost.

use std::path::{Path, PathBuf};

/// Bytes of the head of a log.
const HEAD: usize = 32;
/// Bytes of the head of a frame.
const FRAME: usize = 24;
/// How a log begins whose sums are over little-endian words; one more says big-endian.
const MAGIC: u32 = 0x377f_0682;

/// What is in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    /// Frames of complete transactions.
    pub committed: usize,
    /// Sound frames of a transaction that was not completed, and frames whose sums are wrong.
    pub ignored: usize,
    /// Whether a complete transaction may be among what is ignored.
    pub lost_a_commit: bool,
}

/// Looks at the log beside a store; nothing if there is none.
pub fn survey(store: &Path) -> std::io::Result<Option<Log>> {
    let mut path = store.as_os_str().to_owned();
    path.push("-wal");
    match std::fs::read(PathBuf::from(path)) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => Ok(Some(read(&bytes))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(bytes: &[u8]) -> Log {
    let Some(head) = Head::read(bytes) else {
        // Nothing of it will be read. A log that has a frame had a commit.
        return Log {
            committed: 0,
            ignored: bytes.len() / (HEAD + FRAME),
            lost_a_commit: bytes.len() > HEAD + FRAME,
        };
    };
    let mut log = Log::default();
    let (mut sound, mut sum, mut is_broken) = (0, head.sum, false);
    let frames = bytes[HEAD..].chunks(FRAME + head.page);
    for frame in frames {
        let is_whole = frame.len() == FRAME + head.page;
        if !is_broken
            && is_whole
            && word(frame, 8) == head.salt[0]
            && word(frame, 12) == head.salt[1]
        {
            let mut next = head.add(sum, &frame[..8]);
            next = head.add(next, &frame[FRAME..]);
            if next == [word(frame, 16), word(frame, 20)] {
                sum = next;
                sound += 1;
                if word(frame, 4) != 0 {
                    log.committed = sound;
                }
                continue;
            }
        }
        // Frames of an earlier use of the file have other salts, both of them; a flipped bit changes one.
        let of_this_use = frame.len() < FRAME
            || word(frame, 8) == head.salt[0]
            || word(frame, 12) == head.salt[1];
        if !of_this_use && !is_broken {
            break;
        }
        is_broken = true;
        if of_this_use {
            log.ignored += 1;
            log.lost_a_commit |= is_whole && word(frame, 4) != 0;
        }
    }
    log.ignored += sound - log.committed;
    log
}

struct Head {
    is_big_endian: bool,
    page: usize,
    salt: [u32; 2],
    sum: [u32; 2],
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..HEAD)?;
        let magic = word(head, 0);
        let page = usize::try_from(word(head, 8)).ok()?;
        if magic & !1 != MAGIC || !page.is_power_of_two() || !(512..=65_536).contains(&page) {
            return None;
        }
        let mut read = Self {
            is_big_endian: magic & 1 == 1,
            page,
            salt: [word(head, 16), word(head, 20)],
            sum: [0, 0],
        };
        read.sum = read.add([0, 0], &head[..24]);
        (read.sum == [word(head, 24), word(head, 28)]).then_some(read)
    }

    fn add(&self, [mut a, mut b]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
        for pair in bytes.chunks_exact(8) {
            let [x, y] = [word(pair, 0), word(pair, 4)];
            let [x, y] = if self.is_big_endian {
                [x, y]
            } else {
                [x.swap_bytes(), y.swap_bytes()]
            };
            a = a.wrapping_add(x).wrapping_add(b);
            b = b.wrapping_add(y).wrapping_add(a);
        }
        [a, b]
    }
}

/// A big-endian word; zero past the end.
fn word(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]),
        _ => 0,
    }
}
