//! Where the next kill meets belfry: a shuffled deck, so that every place has its share however few kills there are.

/// Where belfry is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Aim {
    /// At any time while it serves.
    Serving,
    /// At any time while it starts.
    Starting,
    /// At a failpoint, when it is passed for the nth time, `most` being the largest n.
    At(&'static str, u32),
    /// While the layout of a new store is made. That store is not the one of the events.
    Migrating,
}

/// The cards of one deck, each as often as it is in it.
const CARDS: [(Aim, usize); 12] = [
    (Aim::Serving, 7),
    (Aim::Starting, 2),
    (Aim::At("before-append", 8), 2),
    (Aim::At("after-append", 8), 2),
    (Aim::At("before-commit", 60), 1),
    (Aim::At("after-commit", 60), 2),
    (Aim::At("before-request", 10), 2),
    (Aim::At("after-request", 10), 2),
    (Aim::At("before-ending", 10), 1),
    (Aim::At("in-swap", 1), 2),
    (Aim::At("in-open", 1), 1),
    (Aim::Migrating, 1),
];

impl Aim {
    /// Its name in tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Serving => "any time",
            Self::Starting => "start",
            Self::At(point, _) => point,
            Self::Migrating => "in-migration",
        }
    }

    /// Every aim there is.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        CARDS.into_iter().map(|(aim, _)| aim)
    }
}

/// Deals aims for ever.
#[derive(Debug)]
pub(super) struct Deck {
    left: Vec<Aim>,
}

impl Deck {
    /// How many kills it takes to see every card.
    pub(super) const SIZE: u32 = 25;

    /// A deck that is not shuffled yet.
    pub(super) fn new() -> Self {
        Self { left: Vec::new() }
    }

    /// The next one.
    pub(super) fn deal(&mut self, random: &mut Random) -> Aim {
        if self.left.is_empty() {
            let cards = CARDS.into_iter();
            self.left = cards
                .flat_map(|(aim, count)| std::iter::repeat_n(aim, count))
                .collect();
        }
        let at = random.below(self.left.len() as u64) as usize;
        self.left.swap_remove(at)
    }
}

impl Default for Deck {
    fn default() -> Self {
        Self::new()
    }
}

/// Numbers that a seed decides (SplitMix64): good enough to choose moments, and no dependency.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    /// Whether one of so many chances comes true.
    pub(super) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_deck_has_every_aim_and_begins_again() {
        let (mut deck, mut random) = (Deck::new(), Random::new(1));
        for _ in 0..2 {
            let mut dealt = BTreeMap::new();
            for _ in 0..Deck::SIZE {
                *dealt.entry(deck.deal(&mut random)).or_insert(0) += 1;
            }
            assert_eq!(dealt, CARDS.into_iter().collect());
        }
    }

    #[test]
    fn a_seed_decides_the_numbers() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            (0..8).map(|_| random.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert!(numbers(7).iter().all(|number| *number < 1000));
    }
}
