//! The dedupe keys of all events, in memory: a fingerprint of each, and whose it is.
//!
//! Twelve bytes a key. Two keys may share a fingerprint, so whoever asks compares the texts of the events that are named.

use sha2::{Digest, Sha256};

/// Bytes that keep others from knowing which keys share a fingerprint.
pub(super) type Secret = [u8; 16];

/// Bits of a fingerprint that choose the shard; the other 32 are kept in it.
const SHARD_BITS: u32 = 12;
const SHARDS: usize = 1 << SHARD_BITS;

/// 44 bits of a keyed hash of an app and a dedupe key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Print(u64);

impl Print {
    /// Bytes of one in the store.
    pub(super) const BYTES: usize = 6;

    pub(super) fn of(secret: &Secret, app: &str, key: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(secret);
        hash.update(u64::try_from(app.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(app);
        hash.update(key);
        let [a, b, c, d, e, f, ..] = <[u8; 32]>::from(hash.finalize());
        Self::from_bytes([a, b, c, d, e, f])
    }

    pub(super) fn from_bytes([a, b, c, d, e, f]: [u8; Self::BYTES]) -> Self {
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]) & ((1 << (SHARD_BITS + 32)) - 1))
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    fn shard(self) -> usize {
        usize::try_from(self.0 >> 32).unwrap_or(0) % SHARDS
    }

    #[allow(clippy::cast_possible_truncation, reason = "the rest chose the shard")]
    fn short(self) -> u32 {
        self.0 as u32
    }
}

/// A fingerprint with the place of an event.
pub(super) type Pair = (Print, i64);

/// Fingerprints with the places of their events.
#[derive(Debug)]
pub(super) struct Known {
    shards: Vec<Shard>,
    len: usize,
}

/// Two columns, sorted by both.
#[derive(Debug, Default, Clone)]
struct Shard {
    prints: Vec<u32>,
    seqs: Vec<i64>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            shards: vec![Shard::default(); SHARDS],
            len: 0,
        }
    }
}

impl Known {
    /// Whether it was not there.
    pub(super) fn insert(&mut self, print: Print, seq: i64) -> bool {
        let shard = &mut self.shards[print.shard()];
        match shard.find(print.short(), seq) {
            Ok(_) => false,
            Err(at) => {
                shard.make_room();
                shard.prints.insert(at, print.short());
                shard.seqs.insert(at, seq);
                self.len += 1;
                true
            }
        }
    }

    pub(super) fn remove(&mut self, print: Print, seq: i64) {
        let shard = &mut self.shards[print.shard()];
        if let Ok(at) = shard.find(print.short(), seq) {
            shard.prints.remove(at);
            shard.seqs.remove(at);
            self.len -= 1;
        }
    }

    /// The events whose keys have this fingerprint, the last one first.
    pub(super) fn events(&self, print: Print) -> impl Iterator<Item = i64> {
        let shard = &self.shards[print.shard()];
        let (Ok(from) | Err(from)) = shard.find(print.short(), i64::MIN);
        let same = shard.prints[from..]
            .iter()
            .take_while(move |short| **short == print.short());
        let to = from + same.count();
        shard.seqs[from..to].iter().rev().copied()
    }

    /// Puts in very many at once, as a start does.
    pub(super) fn extend(&mut self, pairs: impl Iterator<Item = (Print, i64)>) {
        for (print, seq) in pairs {
            let shard = &mut self.shards[print.shard()];
            shard.make_room();
            shard.prints.push(print.short());
            shard.seqs.push(seq);
        }
        self.len = 0;
        for shard in &mut self.shards {
            shard.sort();
            self.len += shard.prints.len();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Shard {
    fn find(&self, short: u32, seq: i64) -> Result<usize, usize> {
        let from = self.prints.partition_point(|other| *other < short);
        let same = self.prints[from..]
            .iter()
            .take_while(|other| **other == short);
        let to = from + same.count();
        match self.seqs[from..to].binary_search(&seq) {
            Ok(at) => Ok(from + at),
            Err(at) => Err(from + at),
        }
    }

    /// Grows by an eighth: twice as much would be a hundred megabytes for some millions of keys.
    fn make_room(&mut self) {
        if self.prints.len() == self.prints.capacity() {
            let more = self.prints.len() / 8 + 8;
            self.prints.reserve_exact(more);
            self.seqs.reserve_exact(more);
        }
    }

    fn sort(&mut self) {
        let is_sorted = {
            let pairs = || self.prints.iter().zip(&self.seqs);
            pairs().zip(pairs().skip(1)).all(|(one, next)| one < next)
        };
        if is_sorted {
            return;
        }
        let mut pairs: Vec<(u32, i64)> = self
            .prints
            .iter()
            .copied()
            .zip(self.seqs.iter().copied())
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        (self.prints, self.seqs) = pairs.into_iter().unzip();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Few of them, so that they meet; the shards at both ends.
    fn print() -> impl Strategy<Value = Print> {
        (prop_oneof![Just(0_u64), Just(4_095)], 0..4_u64)
            .prop_map(|(shard, short)| Print(shard << 32 | short))
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(Print, i64),
        Remove(Print, i64),
        Extend(Vec<(Print, i64)>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let pair = || (print(), -3..3_i64);
        prop_oneof![
            3 => pair().prop_map(|(print, seq)| Step::Insert(print, seq)),
            2 => pair().prop_map(|(print, seq)| Step::Remove(print, seq)),
            1 => proptest::collection::vec(pair(), 0..12).prop_map(Step::Extend),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_pairs(steps in proptest::collection::vec(step(), 0..60)) {
            let (mut known, mut naive) = (Known::default(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Insert(print, seq) => {
                        prop_assert_eq!(known.insert(print, seq), naive.insert((print, seq)));
                    }
                    Step::Remove(print, seq) => {
                        known.remove(print, seq);
                        naive.remove(&(print, seq));
                    }
                    Step::Extend(pairs) => {
                        known.extend(pairs.iter().copied());
                        naive.extend(pairs);
                    }
                }
                prop_assert_eq!(known.len(), naive.len());
                for print in [0, 1, 2, 3, 4_095 << 32, 4_095 << 32 | 3].map(Print) {
                    let found: Vec<i64> = known.events(print).collect();
                    let of_print = naive.iter().rev().filter(|pair| pair.0 == print);
                    let expected: Vec<i64> = of_print.map(|pair| pair.1).collect();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }

    #[test]
    fn a_fingerprint_is_of_app_key_and_secret_and_comes_back_from_its_bytes() {
        let print = |secret, app, key| Print::of(&[secret; 16], app, key);
        let one = print(1, "acme", "key");
        assert_eq!(one, print(1, "acme", "key"));
        assert_eq!(one, Print::from_bytes(one.to_bytes()));
        for other in [
            print(2, "acme", "key"),
            print(1, "acmek", "ey"),
            print(1, "acm", "ekey"),
            print(1, "acme", "kez"),
        ] {
            assert_ne!(one, other);
        }
    }
}
