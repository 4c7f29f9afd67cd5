//! Takes turns between the two sides of a comparison.

use std::time::Duration;

/// How often the sides take turns and how long a turn is.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    count: u32,
    turn: Duration,
}

/// One turn of each side, in the unit of the comparison.
#[derive(Clone, Copy, serde::Serialize)]
pub(crate) struct Round {
    /// belfry's figure.
    pub(crate) ours: f64,
    /// The yardstick's figure.
    pub(crate) yardstick: f64,
}

/// Which side has its turn.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// belfry.
    Ours,
    /// What belfry is measured against.
    Yardstick,
}

impl Rounds {
    /// `count` rounds that take `seconds` in all.
    pub(crate) fn new(count: u32, seconds: Duration) -> Self {
        Self {
            count,
            turn: seconds / (2 * count),
        }
    }

    /// How many rounds there are.
    pub(crate) fn count(self) -> u32 {
        self.count
    }

    /// Lets the sides take turns after one turn of each that does not count. `turn` measures a side for a time.
    pub(crate) async fn take(
        self,
        mut turn: impl AsyncFnMut(Side, Duration) -> anyhow::Result<f64>,
    ) -> anyhow::Result<Vec<Round>> {
        let warm_up = self.turn / 2;
        turn(Side::Ours, warm_up).await?;
        turn(Side::Yardstick, warm_up).await?;
        let mut rounds = Vec::new();
        for _ in 0..self.count {
            rounds.push(Round {
                ours: turn(Side::Ours, self.turn).await?,
                yardstick: turn(Side::Yardstick, self.turn).await?,
            });
        }
        Ok(rounds)
    }

    /// As [`Rounds::take`] for sides that do not wait for anything.
    pub(crate) fn take_blocking(
        self,
        mut turn: impl FnMut(Side, Duration) -> anyhow::Result<f64>,
    ) -> anyhow::Result<Vec<Round>> {
        let warm_up = self.turn / 2;
        turn(Side::Ours, warm_up)?;
        turn(Side::Yardstick, warm_up)?;
        let mut rounds = Vec::new();
        for _ in 0..self.count {
            rounds.push(Round {
                ours: turn(Side::Ours, self.turn)?,
                yardstick: turn(Side::Yardstick, self.turn)?,
            });
        }
        Ok(rounds)
    }
}
