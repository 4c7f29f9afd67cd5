//! The SQLite file that journal and key-value store share.

use crate::call::Answer;

pub mod sqlite;
pub mod wal;

/// What one part of the store writes in the transaction of another: both happen or neither.
pub trait Join: Send {
    /// Writes within the transaction in which a call came to this answer; again, if that is given up and repeated.
    fn sqlite(&mut self, connection: &sqlite::Connection, answer: Answer) -> sqlite::Written;
}
