//! The SQLite file that journal and key-value store share.

use crate::call::Answer;

pub mod sqlite;
pub mod wal;

/// What one part of the store writes in the transaction of another: both happen or neither.
pub trait Join: Send {
    /// Writes within the transaction in which a call came to this answer; again, if that is given up and repeated.
    fn sqlite(&mut self, connection: &sqlite::Connection, answer: Answer) -> sqlite::Written;
}

/// Makes the record of a call part of the change that the call makes. `E` is why such a change is not made.
pub struct Recording<E> {
    /// Writes the record.
    pub join: Box<dyn Join>,
    /// Turns what came of the change into what is recorded of it.
    pub answer: fn(&Result<bool, E>) -> Answer,
}

impl<E> Recording<E> {
    /// Records what came of a change, within its transaction.
    pub(crate) fn sqlite(
        &mut self,
        connection: &sqlite::Connection,
        outcome: &Result<bool, E>,
    ) -> sqlite::Written {
        self.join.sqlite(connection, (self.answer)(outcome))
    }
}
